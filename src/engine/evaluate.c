/* Chunks of a data set through a network, summed in the same order on any number of ranks. */
#include "engine/evaluate.h"

#include <limits.h>

#include "base/memory.h"
#include "base/share.h"
#include "net/loss.h"
#include "process/activity.h"

size_t kt_evaluate_max_rows(size_t largest_batch, const kt_split *split)
{
    size_t largest = 0;
    for (int p = 0; p < KT_N_PARTS; p++)
        largest = kt_larger(largest, split->n[p]);
    return kt_larger(largest_batch, kt_smaller(largest, KT_EVALUATION_ROWS));
}

/* Chunks of the samples, of which each replica has some neighbours. */
typedef struct chunks {
    const kt_samples *samples;
    size_t count;
    kt_range own; /* this replica's: all without a replica */
} chunks;

static chunks cut(const kt_replica *replica, const kt_samples *samples)
{
    chunks c = {samples, (samples->n + KT_EVALUATION_ROWS - 1) / KT_EVALUATION_ROWS, {0}};
    c.own = replica == NULL ? (kt_range){0, c.count} : kt_share(c.count, replica->number, replica->n_replicas);
    return c;
}

static kt_range rows_of(const chunks *c, size_t chunk)
{
    return kt_range_from(chunk * KT_EVALUATION_ROWS, KT_EVALUATION_ROWS, c->samples->n);
}

/* index[rows of the chunk] of its samples in the data set; returns how many there are. */
static size_t samples_of(const chunks *c, size_t chunk, uint32_t index[KT_EVALUATION_ROWS])
{
    const kt_range rows = rows_of(c, chunk);
    for (size_t r = rows.begin; r < rows.end; r++)
        index[r - rows.begin] = c->samples->index != NULL ? c->samples->index[r] : (uint32_t)r;
    return rows.end - rows.begin;
}

/* Logits [n x n_classes] of samples index[n] of a chunk. Collective over the replica; outside training no layer asks
 * other replicas. */
static const float *infer(kt_network *network, const chunks *c, const uint32_t *index, size_t n)
{
    kt_pass pass = {.rows = {n, 1, 0, 1}};
    kt_dataset_gather_apart(c->samples->set, index, n, (float)c->samples->scale, kt_network_input(network, 0),
                            kt_inputs_ld(c->samples->set->d));
    kt_network_forward(network, &pass);
    return kt_network_logits(network);
}

/* Among the ranks of the replica's run, if any. */
static kt_status agree(kt_replica *replica, kt_status status)
{
    return replica != NULL ? kt_comm_agree(replica->world, status) : status;
}

/* The replica's chunks into its counts; of each the sum of the cross entropy. */
static void score_chunks(kt_network *network, const chunks *c, kt_metrics *counts, double *sums)
{
    const bool counts_here = kt_network_team(network)->seat == 0;
    for (size_t chunk = c->own.begin; chunk < c->own.end; chunk++) {
        uint32_t index[KT_EVALUATION_ROWS];
        int32_t labels[KT_EVALUATION_ROWS];
        const size_t n = samples_of(c, chunk, index);
        const float *logits = infer(network, c, index, n);
        for (size_t i = 0; i < n; i++)
            labels[i] = c->samples->set->labels[index[i]];
        counts->cross_entropy_sum = 0;
        if (counts_here)
            kt_metrics_add(counts, n, logits, labels);
        sums[chunk] = counts->cross_entropy_sum;
        kt_activity_done();
    }
}

/* Each chunk has one sum that is not 0, so adding over the ranks keeps its bits. */
static void add_over_ranks(kt_replica *replica, const kt_metrics *counts, double *sums, size_t n_sums,
                           kt_metrics *metrics)
{
    const size_t n_cells = counts->n_classes * counts->n_classes;
    if (replica != NULL) {
        kt_comm_sum_i64(replica->world, counts->confusion, n_cells);
        kt_comm_sum_f64(replica->world, sums, n_sums);
    }
    for (size_t i = 0; i < n_cells; i++)
        metrics->confusion[i] += counts->confusion[i];
    for (size_t i = 0; i < n_sums; i++)
        metrics->cross_entropy_sum += sums[i];
}

kt_status kt_evaluate(kt_replica *replica, kt_network *network, const kt_samples *samples, kt_metrics *metrics)
{
    const chunks c = cut(replica, samples);
    kt_metrics counts = {0};
    double *sums = NULL;
    kt_status status = kt_metrics_create(&counts, metrics->n_classes);
    if (status == KT_OK)
        status = KT_NEW(sums, c.count);
    status = agree(replica, status);
    if (status == KT_OK) {
        score_chunks(network, &c, &counts, sums);
        add_over_ranks(replica, &counts, sums, c.count, metrics);
    }
    kt_metrics_free(&counts);
    kt_memory_free(sums);
    return status;
}

/* own[samples of this replica's chunks x n_classes]; written by its leader. */
static void own_probabilities(kt_network *network, const chunks *c, float *own)
{
    const size_t n_classes = kt_network_spec_of(network)->n_classes;
    for (size_t chunk = c->own.begin; chunk < c->own.end; chunk++) {
        uint32_t index[KT_EVALUATION_ROWS];
        const size_t n = samples_of(c, chunk, index);
        const float *logits = infer(network, c, index, n);
        if (own == NULL)
            continue;
        kt_loss_probabilities(n, n_classes, logits, own);
        own += n * n_classes;
    }
}

kt_status kt_evaluate_probabilities(kt_replica *replica, kt_network *network, const kt_samples *samples,
                                    float *probabilities)
{
    const size_t n_classes = kt_network_spec_of(network)->n_classes;
    const chunks c = cut(replica, samples);
    const bool gathers = replica != NULL && replica->leaders != NULL;
    size_t n_rows = 0;
    float *own = replica == NULL ? probabilities : NULL;
    kt_status status = KT_OK;
    for (size_t chunk = c.own.begin; chunk < c.own.end; chunk++)
        n_rows += rows_of(&c, chunk).end - rows_of(&c, chunk).begin;
    if (samples->n > INT_MAX / n_classes)
        status =
            kt_fail(KT_DATA, "%zu samples x %zu classes are too many at once: must be fewer than 2^31 probabilities",
                    samples->n, n_classes);
    else if (gathers)
        status = KT_NEW(own, n_rows * n_classes);
    status = agree(replica, status);
    if (status == KT_OK)
        own_probabilities(network, &c, own);
    if (status == KT_OK && gathers)
        kt_comm_gather_rows(replica->leaders, n_rows, n_classes, own, probabilities);
    if (gathers)
        kt_memory_free(own);
    return status;
}
