/* The kinds of exchange, and the keys. */
#include <assert.h>

#include "base/options_rows.h"
#include "engine/exchange_private.h"

#define ROW(name, help) &kt_exchange_##name,

const kt_exchange_kind *const kt_exchange_kinds[] = {KT_EXCHANGES(ROW)};
const size_t kt_n_exchange_kinds = sizeof kt_exchange_kinds / sizeof kt_exchange_kinds[0];
static_assert(sizeof kt_exchange_kinds / sizeof kt_exchange_kinds[0] <= KT_MOST_EXCHANGE_KINDS, "room for all kinds");

KT_WORDS_OF(kind_word, kt_n_exchange_kinds + 1, i == 0 ? "auto" : kt_exchange_kinds[i - 1]->name)
KT_WORDS(owner_word, [KT_STATE_AUTO] = "auto", [KT_STATE_RANK0] = "rank0", [KT_STATE_SHARDED] = "sharded")

#define AT(field)        offsetof(kt_exchange_spec, field)
#define HELP(name, help) #name " " help "; "

static const kt_option option_rows[] = {
    {"train", "clip_norm", KT_OPTION_REAL, AT(clip_norm), "0", 0, NO_MAX, NULL, DEF,
     "largest global norm of the loss's gradient, before L2; 0 = no clipping"},
    {"parallel", "exchange", KT_OPTION_CHOICE, AT(kind), "auto", 0, 0, kind_word, 0,
     "how replicas combine gradients: " KT_EXCHANGES(HELP) "auto chooses by layer and measured network"},
    {"parallel", "optimizer_state", KT_OPTION_CHOICE, AT(state_owner), "auto", 0, 0, owner_word, 0,
     "of layers that allreduce: rank0's replica updates all weights and sends them; sharded: every replica updates a "
     "slice; auto = sharded"},
    {"parallel", "reproducible", KT_OPTION_BOOL, AT(reproducible), "true", 0, 0, NULL, 0,
     "add up in an order that does not depend on the ranks: any number of them gives the same bits; false leaves the "
     "order to MPI"},
    {"parallel", "shards", KT_OPTION_INT, AT(shards), "auto", 1, KT_MAX_SHARDS, kt_auto_word, DEF,
     "parts of a batch that are summed apart and then added along a tree, a power of two: no more replicas than these "
     "can share a batch; auto = one for 64 samples each, 8 at most, and "
     "as it began in a run that goes on"},
};
const kt_option_rows kt_exchange_options = KT_OPTION_ROWS(option_rows);

/* What a single replica has already are all factors. */
const kt_exchange_kind *kt_exchange_kind_for(const kt_exchange_spec *spec, const kt_machine *machine,
                                             const kt_layout *layout, const kt_exchange_job *job, kt_layer_shape shape)
{
    const kt_exchange_kind *best = NULL;
    double least = 0;
    if (layout->n_replicas == 1)
        return &kt_exchange_factors;
    if (spec->kind > 0)
        return kt_exchange_kinds[spec->kind - 1];
    for (size_t k = 0; k < kt_n_exchange_kinds; k++) {
        const double seconds = kt_exchange_kinds[k]->cost(machine, layout, job, shape).seconds;
        if (kt_exchange_kinds[k]->check(job, shape) != KT_OK)
            continue;
        if (best == NULL || seconds < least) {
            best = kt_exchange_kinds[k];
            least = seconds;
        }
    }
    return best != NULL ? best : kt_exchange_kinds[0]; /* whose check tells why there is none */
}
