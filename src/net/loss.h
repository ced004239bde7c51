/* Losses of a batch of logits. Local and pure.
 *
 * softmax cross-entropy: l_i = w[y_i] * (logsumexp(z_i) - sum_c q_ic z_ic) with targets q = (1 - s) onehot(y) + s / C,
 * s the label smoothing and w the class weights (all 1 when NULL). The batch's loss is sum_i l_i / M, M the samples of
 * the whole batch: the number, not the sum of their class weights. It is the only loss there is, and no row of a table:
 * validation, early stopping and the files of a run speak of cross-entropy (docs/architecture.md, "How to add"). */
#ifndef KTRAIN_LOSS_H
#define KTRAIN_LOSS_H

#include "base/options.h"
#include "base/simd.h"

typedef enum kt_class_weights { KT_WEIGHTS_NONE, KT_WEIGHTS_BALANCED } kt_class_weights;

typedef struct kt_loss_settings {
    double label_smoothing;
    kt_real_list class_weights; /* or a kt_class_weights */
} kt_loss_settings;

extern const kt_option_rows kt_loss_options; /* of kt_loss_settings */

typedef struct kt_loss_spec {
    size_t n_classes;
    double label_smoothing;      /* 0 <= s < 1 */
    const double *class_weights; /* n_classes, borrowed; NULL for none */
} kt_loss_spec;

typedef struct kt_loss_sums {
    double loss;          /* sum of l_i */
    double cross_entropy; /* sum of plain cross-entropies: no smoothing, no weights */
    int64_t correct;      /* samples whose largest logit (the first of equals) is the label's */
    int64_t samples;
} kt_loss_sums;

/* m of a batch's M samples: logits z[m x C] with labels y[m], borrowed. */
typedef struct kt_logits {
    size_t m, M;
    const float *z;
    const int32_t *y;
} kt_logits;

/* Adds the sums over the samples to *sums. When d_z is not NULL, d_z[m x C] = d(sum l_i / M)/dz. d_z may alias z. */
void kt_loss_softmax(const kt_loss_spec *spec, const kt_logits *of, kt_loss_sums *sums, float *d_z);

/* The same where shard v ends at sample end[v], perhaps where it begins: its sums are added to sums[v]. One call for
 * many shards is faster, since eight samples are computed side by side. */
void kt_loss_shards(const kt_loss_spec *spec, const kt_logits *of, const size_t *end, kt_loss_sums *sums, float *d_z);

/* weights[n_classes] with which every class that has samples weighs the same in all: n / (n_present counts[c]), n all
 * samples, n_present the classes that have any (scikit-learn's "balanced"); 0 for the others. The mean weight of a
 * sample is 1. */
void kt_loss_balance(size_t n_classes, const size_t *counts, double *weights);

/* The loss that the settings ask for, where counts[n_classes] samples of each class train. weights[n_classes] is room
 * for class weights; *out borrows it, and the settings' list. KT_CONFIG: a list of another length, or of zeros. */
kt_status kt_loss_prepare(const kt_loss_settings *settings, size_t n_classes, const size_t *counts, double *weights,
                          kt_loss_spec *out);

/* The predicted class of a row of logits or probabilities: the largest, the first of equals. */
size_t kt_loss_predict(size_t n_classes, const float *z);

/* p[m x C] = softmax of each row of z, computed in double and rounded once. */
void kt_loss_probabilities(size_t m, size_t n_classes, const float *z, float *p);

/* For each instruction set, what is promised above of kt_loss_shards (end NULL: all samples are of one) and
 * kt_loss_probabilities. */
typedef struct kt_loss_loops {
    void (*softmax)(const kt_loss_spec *spec, const kt_logits *of, const size_t *end, kt_loss_sums *sums, float *d_z);
    void (*probabilities)(size_t m, size_t n_classes, const float *z, float *p);
} kt_loss_loops;

KT_SIMD_DECLARE(const kt_loss_loops, kt_loss_loops, );

#endif
