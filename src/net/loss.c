/* The loss of a job, and the loops for its instruction set. */
#include "net/loss.h"

#include "base/options_rows.h"

KT_WORDS(class_weight_word, [KT_WEIGHTS_NONE] = "none", [KT_WEIGHTS_BALANCED] = "balanced")

#define AT(field) offsetof(kt_loss_settings, field)

static const kt_option option_rows[] = {
    {"train", "label_smoothing", KT_OPTION_REAL, AT(label_smoothing), "0", 0, 1, NULL, DEF | BELOW,
     "targets are (1 - s) onehot + s / classes"},
    {"train", "class_weights", KT_OPTION_REALS, AT(class_weights), "none", 0, 1e6, class_weight_word, DEF,
     "weight of each class in the loss; balanced = samples / (classes that have some * samples of the class)"},
};
const kt_option_rows kt_loss_options = KT_OPTION_ROWS(option_rows);

size_t kt_loss_predict(size_t n_classes, const float *z)
{
    size_t best = 0;
    for (size_t c = 1; c < n_classes; c++)
        if (z[c] > z[best])
            best = c;
    return best;
}

static const kt_loss_loops *loops(void)
{
    static const kt_loss_loops *const rows[KT_N_SIMD] = KT_SIMD_EACH(&kt_loss_loops);
    return rows[kt_simd_best()];
}

void kt_loss_softmax(const kt_loss_spec *spec, const kt_logits *of, kt_loss_sums *sums, float *d_z)
{
    loops()->softmax(spec, of, NULL, sums, d_z);
}

void kt_loss_shards(const kt_loss_spec *spec, const kt_logits *of, const size_t *end, kt_loss_sums *sums, float *d_z)
{
    loops()->softmax(spec, of, end, sums, d_z);
}

void kt_loss_probabilities(size_t m, size_t n_classes, const float *z, float *p)
{
    loops()->probabilities(m, n_classes, z, p);
}

void kt_loss_balance(size_t n_classes, const size_t *counts, double *weights)
{
    size_t n = 0, n_present = 0;
    for (size_t c = 0; c < n_classes; c++) {
        n += counts[c];
        n_present += counts[c] > 0;
    }
    for (size_t c = 0; c < n_classes; c++)
        weights[c] = counts[c] > 0 ? (double)n / ((double)n_present * (double)counts[c]) : 0;
}

kt_status kt_loss_prepare(const kt_loss_settings *settings, size_t n_classes, const size_t *counts, double *weights,
                          kt_loss_spec *out)
{
    const kt_real_list *given = &settings->class_weights;
    *out = (kt_loss_spec){.n_classes = n_classes, .label_smoothing = settings->label_smoothing};
    if (given->word == KT_WEIGHTS_BALANCED) {
        kt_loss_balance(n_classes, counts, weights);
        out->class_weights = weights;
    }
    if (given->word >= 0)
        return KT_OK;
    double sum = 0;
    for (size_t c = 0; c < given->n; c++)
        sum += given->values[c];
    if (sum == 0)
        return kt_fail(KT_CONFIG, "train.class_weights are all 0: one at least must be above 0");
    if (given->n != n_classes)
        return kt_fail(KT_CONFIG, "train.class_weights has %zu weights: must have %zu, one a class", given->n,
                       n_classes);
    out->class_weights = given->values;
    return KT_OK;
}
