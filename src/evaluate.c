#include "ktrain/evaluate.h"

#include <limits.h>

#include "ktrain/loss.h"
#include "ktrain/memory.h"
#include "ktrain/share.h"

/* *logits[n x n_classes] of samples index[n], n <= kt_network_max_rows. Local: outside training no layer asks the
 * other ranks. */
static kt_status infer(kt_network *network, const kt_dataset *set, const uint32_t *index, size_t n, double scale,
                       float *buffer, const float **logits)
{
    kt_dataset_gather(set, index, n, (float)scale, buffer);
    return kt_network_forward(network, &(kt_pass){.rows = n, .rows_global = n}, buffer, logits);
}

static kt_status evaluate_own(kt_network *network, const kt_dataset *set, const uint32_t *index, size_t n, double scale,
                              float *buffer, kt_metrics *metrics)
{
    size_t at_once = kt_network_max_rows(network);
    int32_t *labels;
    kt_status status = KT_NEW(labels, at_once);
    for (size_t begin = 0; begin < n && status == KT_OK; begin += at_once) {
        size_t rows = n - begin < at_once ? n - begin : at_once;
        const float *logits;
        status = infer(network, set, index + begin, rows, scale, buffer, &logits);
        for (size_t i = 0; i < rows; i++)
            labels[i] = set->labels[index[begin + i]];
        if (status == KT_OK)
            kt_metrics_add(metrics, rows, logits, labels);
    }
    kt_memory_free(labels);
    return status;
}

kt_status kt_evaluate(kt_comm *comm, kt_network *network, const kt_dataset *set, const uint32_t *index, size_t n,
                      double scale, float *buffer, kt_metrics *metrics)
{
    size_t begin, end;
    kt_share(n, (size_t)kt_comm_rank(comm), (size_t)kt_comm_size(comm), &begin, &end);
    kt_metrics own = {0};
    kt_status status = kt_metrics_create(&own, metrics->n_classes);
    if (status == KT_OK)
        status = evaluate_own(network, set, index + begin, end - begin, scale, buffer, &own);
    status = kt_comm_agree(comm, status);
    if (status == KT_OK) {
        size_t n_cells = own.n_classes * own.n_classes;
        kt_comm_sum_i64(comm, own.confusion, n_cells);
        kt_comm_sum_f64(comm, &own.cross_entropy_sum, 1);
        for (size_t i = 0; i < n_cells; i++)
            metrics->confusion[i] += own.confusion[i];
        metrics->cross_entropy_sum += own.cross_entropy_sum;
    }
    kt_metrics_free(&own);
    return status;
}

static kt_status own_probabilities(kt_network *network, const kt_dataset *set, size_t begin, size_t end, double scale,
                                   float *probabilities)
{
    size_t at_once = kt_network_max_rows(network), n_classes = kt_network_n_classes(network);
    uint32_t *index;
    float *buffer = NULL;
    kt_status status = KT_NEW(index, at_once);
    if (status == KT_OK)
        status = KT_NEW(buffer, at_once * set->d);
    for (size_t first = begin; first < end && status == KT_OK; first += at_once) {
        size_t rows = end - first < at_once ? end - first : at_once;
        const float *logits;
        for (size_t i = 0; i < rows; i++)
            index[i] = (uint32_t)(first + i);
        status = infer(network, set, index, rows, scale, buffer, &logits);
        if (status == KT_OK)
            kt_loss_probabilities(rows, n_classes, logits, probabilities + (first - begin) * n_classes);
    }
    kt_memory_free(index);
    kt_memory_free(buffer);
    return status;
}

kt_status kt_evaluate_probabilities(kt_comm *comm, kt_network *network, const kt_dataset *set, double scale,
                                    float *probabilities)
{
    size_t begin, end, n_classes = kt_network_n_classes(network);
    kt_share(set->n, (size_t)kt_comm_rank(comm), (size_t)kt_comm_size(comm), &begin, &end);
    float *own = NULL;
    kt_status status =
        set->n > INT_MAX / n_classes
            ? kt_fail(KT_DATA, "%zu samples x %zu classes are too many at once: must be fewer than 2^31 probabilities",
                      set->n, n_classes)
            : KT_NEW(own, (end - begin) * n_classes);
    if (status == KT_OK)
        status = own_probabilities(network, set, begin, end, scale, own);
    status = kt_comm_agree(comm, status);
    if (status == KT_OK)
        kt_comm_gather_rows(comm, end - begin, n_classes, own, probabilities);
    kt_memory_free(own);
    return status;
}
