/* Figures from the confusion matrix. */
#include "engine/metrics.h"

#include <string.h>

#include "base/memory.h"
#include "net/loss.h"

kt_status kt_metrics_create(kt_metrics *out, size_t n_classes)
{
    size_t n_cells;
    memset(out, 0, sizeof *out);
    if (__builtin_mul_overflow(n_classes, n_classes, &n_cells))
        return kt_fail(KT_NO_MEMORY, "a confusion matrix of %zu classes is more than this machine can address",
                       n_classes);
    KT_TRY(KT_NEW(out->confusion, n_cells));
    out->n_classes = n_classes;
    return KT_OK;
}

void kt_metrics_free(kt_metrics *metrics)
{
    kt_memory_free(metrics->confusion);
    memset(metrics, 0, sizeof *metrics);
}

void kt_metrics_clear(kt_metrics *metrics)
{
    memset(metrics->confusion, 0, metrics->n_classes * metrics->n_classes * sizeof *metrics->confusion);
    metrics->cross_entropy_sum = 0;
}

void kt_metrics_add(kt_metrics *metrics, size_t m, const float *z, const int32_t *y)
{
    const size_t C = metrics->n_classes;
    const kt_loss_spec plain = {.n_classes = C};
    kt_loss_sums sums = {0};
    kt_loss_softmax(&plain, &(kt_logits){m, m, z, y}, &sums, NULL);
    metrics->cross_entropy_sum += sums.cross_entropy;
    for (size_t r = 0; r < m; r++)
        metrics->confusion[(size_t)y[r] * C + kt_loss_predict(C, z + r * C)]++;
}

int64_t kt_metrics_samples(const kt_metrics *metrics)
{
    int64_t n = 0;
    for (size_t i = 0; i < metrics->n_classes * metrics->n_classes; i++)
        n += metrics->confusion[i];
    return n;
}

/* What the scores of class c need: how often it was true, predicted, and both. */
typedef struct class_counts {
    int64_t real, predicted, both;
} class_counts;

static class_counts count_class(const kt_metrics *metrics, size_t c)
{
    const size_t C = metrics->n_classes;
    class_counts counts = {0, 0, metrics->confusion[c * C + c]};
    for (size_t other = 0; other < C; other++) {
        counts.real += metrics->confusion[c * C + other];
        counts.predicted += metrics->confusion[other * C + c];
    }
    return counts;
}

static double ratio(double a, double b)
{
    return b > 0 ? a / b : 0;
}

void kt_metrics_class(const kt_metrics *metrics, size_t c, double *precision, double *recall, double *f1)
{
    const class_counts counts = count_class(metrics, c);
    *precision = ratio((double)counts.both, (double)counts.predicted);
    *recall = ratio((double)counts.both, (double)counts.real);
    *f1 = ratio(2 * (double)counts.both, (double)(counts.real + counts.predicted));
}

kt_scores kt_metrics_scores(const kt_metrics *metrics)
{
    kt_scores scores = {.samples = kt_metrics_samples(metrics)};
    double n_real = 0, n_seen = 0, correct = 0, recalls = 0, f1s = 0;
    for (size_t c = 0; c < metrics->n_classes; c++) {
        const class_counts counts = count_class(metrics, c);
        double precision, recall, f1;
        kt_metrics_class(metrics, c, &precision, &recall, &f1);
        n_real += counts.real > 0;
        n_seen += counts.real + counts.predicted > 0;
        correct += (double)counts.both;
        recalls += recall;
        f1s += f1;
    }
    scores.accuracy = ratio(correct, (double)scores.samples);
    scores.cross_entropy = ratio(metrics->cross_entropy_sum, (double)scores.samples);
    scores.balanced_accuracy = ratio(recalls, n_real);
    scores.macro_f1 = ratio(f1s, n_seen);
    return scores;
}
