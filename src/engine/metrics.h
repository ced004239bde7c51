/* Classification metrics from a confusion matrix of integer counts. Local and pure. */
#ifndef KTRAIN_METRICS_H
#define KTRAIN_METRICS_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/* What is counted: sums, so that ranks' (and batches') parts can be added. */
typedef struct kt_metrics {
    size_t n_classes;
    int64_t *confusion; /* owned, n_classes x n_classes: row = true class, column = predicted */
    double cross_entropy_sum;
} kt_metrics;

kt_status kt_metrics_create(kt_metrics *out, size_t n_classes);
void kt_metrics_free(kt_metrics *metrics);
void kt_metrics_clear(kt_metrics *metrics);

/* Adds m samples with logits z[m x n_classes] and labels y[m]. Prediction: the largest logit, the first of equals. */
void kt_metrics_add(kt_metrics *metrics, size_t m, const float *z, const int32_t *y);

int64_t kt_metrics_samples(const kt_metrics *metrics);

/* What is reported. Of no samples: everything 0. Precision, recall and F1 of a class are 0 where their denominator is.
 * As in scikit-learn, balanced accuracy is the mean recall of the classes that have samples, and macro F1 the mean over
 * the classes that have samples or are predicted: a class that is neither counts nowhere. */
typedef struct kt_scores {
    int64_t samples;
    double accuracy, cross_entropy, balanced_accuracy, macro_f1;
} kt_scores;

kt_scores kt_metrics_scores(const kt_metrics *metrics);
void kt_metrics_class(const kt_metrics *metrics, size_t c, double *precision, double *recall, double *f1);

#endif
