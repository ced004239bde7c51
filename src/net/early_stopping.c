/* Counting the epochs since the best. */
#include "net/early_stopping.h"

#include "base/options_rows.h"

#define AT(field) offsetof(kt_early_stopping_spec, field)

static const kt_option option_rows[] = {
    {"train", "early_stopping", KT_OPTION_BOOL, AT(enabled), "true", 0, 0, NULL, 0,
     "stop after `patience` epochs in a row without a better validation loss"},
    {"train", "patience", KT_OPTION_INT, AT(patience), "10", 1, 1e9, NULL, 0, "of early stopping, in epochs"},
    {"train", "min_delta", KT_OPTION_REAL, AT(min_delta), "0", 0, NO_MAX, NULL, 0,
     "an improvement must be larger than this to count"},
};
const kt_option_rows kt_early_stopping_options = KT_OPTION_ROWS(option_rows);

bool kt_early_stopping_observe(const kt_early_stopping_spec *spec, kt_early_stopping_state *state, int64_t epoch,
                               double loss)
{
    /* Written so that a NaN compares false. A first loss is the best unless it is a NaN. */
    const bool better = state->best_epoch == 0 ? loss == loss : loss < state->best_loss - spec->min_delta;
    if (!better) {
        state->n_bad++;
        return false;
    }
    *state = (kt_early_stopping_state){.best_loss = loss, .best_epoch = epoch};
    return true;
}

bool kt_early_stopping_should_stop(const kt_early_stopping_spec *spec, const kt_early_stopping_state *state)
{
    return spec->enabled && state->n_bad >= spec->patience;
}
