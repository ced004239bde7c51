#include "net/early_stopping.h"

bool kt_early_stopping_observe(kt_early_stopping *stopping, int64_t epoch, double loss)
{
    /* Written so that a NaN compares false. A first loss is the best unless it is a NaN. */
    const bool better = stopping->best_epoch == 0 ? loss == loss : loss < stopping->best_loss - stopping->min_delta;
    if (!better) {
        stopping->n_bad++;
        return false;
    }
    stopping->best_loss = loss;
    stopping->best_epoch = epoch;
    stopping->n_bad = 0;
    return true;
}

bool kt_early_stopping_should_stop(const kt_early_stopping *stopping)
{
    return stopping->enabled && stopping->n_bad >= stopping->patience;
}
