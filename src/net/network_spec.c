/* The keys of [model], and the checks of a specification. */
#include "net/network_spec.h"

#include <limits.h>

#include "base/options_rows.h"
#include "base/shards.h"
#include "base/simd.h"
#include "net/activation.h"
#include "net/initializer.h"

KT_WORDS_OF(activation_name, kt_n_activations, kt_activations[i].name)
KT_WORDS_OF(initializer_name, kt_n_initializers, kt_initializers[i].name)
KT_WORDS(products_word, [KT_PRODUCTS_AUTO] = "auto", [KT_PRODUCTS_OWN] = "own", [KT_PRODUCTS_OPENBLAS] = "openblas")
KT_WORDS_OF(kernels_name, KT_N_SIMD + 1, i == 0 ? "auto" : kt_simd_rows[i - 1].name)

#define AT(field) offsetof(kt_network_spec, field)

static const kt_option option_rows[] = {
    {"model", "hidden", KT_OPTION_INTS, AT(hidden), "[128]", 1, 1e7, NULL, DEF,
     "widths of the hidden layers; [] is softmax regression"},
    {"model", "activation", KT_OPTION_CHOICE, AT(activation), "relu", 0, 0, activation_name, DEF,
     "of the hidden layers"},
    {"model", "dropout", KT_OPTION_REAL, AT(dropout), "0", 0, 1, NULL, DEF | BELOW,
     "probability of dropping a hidden unit in training (inverted dropout)"},
    {"model", "batch_norm", KT_OPTION_BOOL, AT(batch_norm), "false", 0, 0, NULL, DEF,
     "normalize before each activation, over the whole batch of all ranks; a last batch of one sample joins the one "
     "before"},
    {"model", "batch_norm_momentum", KT_OPTION_REAL, AT(batch_norm_momentum), "0.1", 0, 1, NULL, DEF | ABOVE,
     "weight of the newest batch in the running statistics"},
    {"model", "batch_norm_epsilon", KT_OPTION_REAL, AT(batch_norm_epsilon), "1e-5", 0, 1, NULL, DEF | ABOVE,
     "added to the variance"},
    {"model", "init", KT_OPTION_CHOICE, AT(initializer), "he", 0, 0, initializer_name, DEF,
     "initial weights; biases start at 0"},
    {"model", "init_scale", KT_OPTION_REAL, AT(init_scale), "0.01", 0, 1e3, NULL, DEF | ABOVE,
     "standard deviation of init = normal, half width of init = uniform"},
    {"parallel", "products", KT_OPTION_CHOICE, AT(products), "auto", 0, 0, products_word, DEF,
     "own: products as docs/numbers.md defines them, the same bits on any processor; openblas: OpenBLAS's, whose bits "
     "are "
     "those of its version and the processor; auto = own, but on processors without fused multiply-add"},
    {"parallel", "unit_shards", KT_OPTION_INT, AT(unit_shards), "16", 1, KT_MAX_SHARDS, NULL, DEF,
     "runs of a layer's units whose parts in derivatives are summed apart and then added along a tree, a power of two: "
     "no "
     "more ranks than these can share a layer"},
    {"parallel", "kernels", KT_OPTION_CHOICE, AT(kernels), "auto", 0, 0, kernels_name, 0,
     "instruction set of ktrain's own products, which changes no bit; auto = the best that the processor has"},
};
const kt_option_rows kt_network_options = KT_OPTION_ROWS(option_rows);

/* How it is computed and updated. */
static kt_status check_work(const kt_network_spec *spec)
{
    if (spec->unit_shards < 1 || spec->unit_shards > KT_MAX_SHARDS ||
        (spec->unit_shards & (spec->unit_shards - 1)) != 0)
        return kt_fail(KT_CONFIG, "%lld runs of a layer's panels: they must be a power of two from 1 to %d",
                       (long long)spec->unit_shards, KT_MAX_SHARDS);
    if (spec->n_slots > KT_MAX_SLOTS)
        return kt_fail(KT_CONFIG, "%zu vectors of the optimizer's state: at most %d are possible", spec->n_slots,
                       KT_MAX_SLOTS);
    if (spec->kernels < 0 || spec->kernels > KT_N_SIMD)
        return kt_fail(KT_CONFIG, "no such kernels (%d)", spec->kernels);
    if (spec->kernels > 0 && !kt_simd_rows[spec->kernels - 1].supported())
        return kt_fail(
            KT_CONFIG,
            "parallel.kernels = %s: this processor has no such instructions: must be auto, or %s for what it has",
            kt_simd_rows[spec->kernels - 1].name, kt_simd_rows[kt_simd_best()].name);
    return KT_OK;
}

kt_status kt_network_check_spec(const kt_network_spec *spec)
{
    /* OpenBLAS counts in int; a layer's number has 24 bits in the place of a draw. */
    if (spec->n_in < 1 || spec->n_in > INT_MAX || spec->n_classes < 1 || spec->n_classes > INT_MAX)
        return kt_fail(KT_CONFIG, "a network of %zu inputs and %zu classes: both must be from 1 to %d", spec->n_in,
                       spec->n_classes, INT_MAX);
    if (spec->max_rows > INT_MAX)
        return kt_fail(KT_CONFIG, "a batch of %zu rows on one rank: at most %d are possible", spec->max_rows, INT_MAX);
    if (spec->hidden.n >= 1 << 23)
        return kt_fail(KT_CONFIG, "%zu hidden layers: at most %d are possible", spec->hidden.n, (1 << 23) - 1);
    for (size_t i = 0; i < spec->hidden.n; i++)
        if (spec->hidden.values[i] < 1 || spec->hidden.values[i] > INT_MAX)
            return kt_fail(KT_CONFIG, "hidden layer %zu has width %lld: it must be from 1 to %d", i + 1,
                           (long long)spec->hidden.values[i], INT_MAX);
    if (spec->activation < 0 || (size_t)spec->activation >= kt_n_activations || spec->initializer < 0 ||
        (size_t)spec->initializer >= kt_n_initializers)
        return kt_fail(KT_CONFIG, "no such activation (%d) or initializer (%d)", spec->activation, spec->initializer);
    KT_TRY(check_work(spec));
    if (!(spec->dropout >= 0 && spec->dropout < 1))
        return kt_fail(KT_CONFIG, "dropout %g: it must be at least 0 and below 1", spec->dropout);
    if (spec->batch_norm &&
        !(spec->batch_norm_epsilon > 0 && spec->batch_norm_momentum >= 0 && spec->batch_norm_momentum <= 1))
        return kt_fail(KT_CONFIG, "batch norm with epsilon %g and momentum %g: they must be above 0, and from 0 to 1",
                       spec->batch_norm_epsilon, spec->batch_norm_momentum);
    return KT_OK;
}
