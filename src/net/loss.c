/* Softmax and cross-entropy by log-sum-exp, and the derivative. */
#include "net/loss.h"

#include <math.h>

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

/* sum_c exp(z_c - largest), in double; also the largest. exps[c] is kept when there is room for it. */
static double sum_exponentials(size_t C, const float *z, double *largest, double *exps)
{
    double most = (double)z[kt_loss_predict(C, z)], sum = 0;
    for (size_t c = 0; c < C; c++) {
        const double e = exp((double)z[c] - most);
        if (exps != NULL)
            exps[c] = e;
        sum += e;
    }
    *largest = most;
    return sum;
}

size_t kt_loss_predict(size_t n_classes, const float *z)
{
    size_t best = 0;
    for (size_t c = 1; c < n_classes; c++)
        if (z[c] > z[best])
            best = c;
    return best;
}

/* Room for the exponentials of one row: none is computed twice for up to this many classes. */
enum { MOST_KEPT = 1024 };

void kt_loss_softmax(const kt_loss_spec *spec, const kt_logits *of, kt_loss_sums *sums, float *d_z)
{
    const size_t C = spec->n_classes;
    /* q = even + hit * onehot */
    const double even = spec->label_smoothing / (double)C, hit = 1 - spec->label_smoothing;
    double kept[MOST_KEPT], *exps = C <= MOST_KEPT ? kept : NULL;
    const float *z = of->z;
    for (size_t r = 0; r < of->m; r++, z += C) {
        const size_t label = (size_t)of->y[r];
        const double weight = spec->class_weights == NULL ? 1 : spec->class_weights[label];
        double largest, mean_z = 0;
        const double sum = sum_exponentials(C, z, &largest, exps), log_sum = largest + log(sum);
        if (even > 0)
            for (size_t c = 0; c < C; c++)
                mean_z += even * (double)z[c];
        /* z[label] - largest first: both are floats, so nothing is lost when the loss is small */
        const double plain = log(sum) - ((double)z[label] - largest);
        sums->loss += weight * (even > 0 ? log_sum - hit * (double)z[label] - mean_z : plain);
        sums->cross_entropy += plain;
        sums->correct += kt_loss_predict(C, z) == label;
        sums->samples++;
        if (d_z == NULL)
            continue;
        const double factor = weight / (double)of->M;
        for (size_t c = 0; c < C; c++) {
            const double p = (exps != NULL ? exps[c] : exp((double)z[c] - largest)) / sum;
            d_z[r * C + c] = (float)(factor * (p - even - (c == label ? hit : 0)));
        }
    }
}

void kt_loss_probabilities(size_t m, size_t n_classes, const float *z, float *p)
{
    for (size_t r = 0; r < m; r++, z += n_classes, p += n_classes) {
        double largest;
        const double sum = sum_exponentials(n_classes, z, &largest, NULL);
        for (size_t c = 0; c < n_classes; c++)
            p[c] = (float)(exp((double)z[c] - largest) / sum);
    }
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
