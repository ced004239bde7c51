#include "engine/evaluate.h"

#include <limits.h>

#include "base/memory.h"
#include "base/share.h"
#include "net/loss.h"

size_t kt_evaluate_max_rows(size_t largest_batch, const kt_split *split)
{
    size_t largest = 0;
    for (int p = 0; p < KT_N_PARTS; p++)
        largest = kt_larger(largest, split->n[p]);
    return kt_larger(largest_batch, kt_smaller(largest, KT_EVALUATION_ROWS));
}

/* Logits [n x n_classes] of samples index[n], n <= KT_EVALUATION_ROWS. Collective over the replica; outside training no
 * layer asks other replicas. */
static const float *infer(kt_network *network, const kt_dataset *set, const uint32_t *index, size_t n, double scale)
{
    const kt_team *team = kt_network_team(network);
    const kt_range own = kt_share(n, team->seat, team->n_seats);
    kt_dataset_gather(set, index + own.begin, own.end - own.begin, (float)scale,
                      kt_network_input(network) + own.begin * set->d);
    kt_team_barrier(team);
    const kt_pass pass = kt_network_pass(network, (kt_rows){n, 1, 0, 1});
    return kt_network_forward(network, &pass);
}

/* Chunks of a data set, of which each replica has some neighbours. */
typedef struct chunks {
    size_t n, count; /* samples, chunks */
    kt_range own;    /* this replica's chunks: all without a replica */
} chunks;

static chunks cut(const kt_replica *replica, size_t n)
{
    chunks c = {.n = n, .count = (n + KT_EVALUATION_ROWS - 1) / KT_EVALUATION_ROWS};
    c.own = replica == NULL ? (kt_range){0, c.count} : kt_share(c.count, replica->number, replica->n_replicas);
    return c;
}

static size_t rows_of(const chunks *c, size_t chunk)
{
    const size_t left = c->n - chunk * KT_EVALUATION_ROWS;
    return left < KT_EVALUATION_ROWS ? left : KT_EVALUATION_ROWS;
}

/* Among the ranks of the replica's run, if any. */
static kt_status agree(kt_replica *replica, kt_status status)
{
    return replica != NULL ? kt_comm_agree(replica->world, status) : status;
}

/* A chunk's samples into the replica's counts; *cross_entropy is its sum. */
static void score(const kt_dataset *set, const uint32_t *index, size_t n, const float *logits, kt_metrics *counts,
                  double *cross_entropy)
{
    int32_t labels[KT_EVALUATION_ROWS];
    for (size_t i = 0; i < n; i++)
        labels[i] = set->labels[index[i]];
    counts->cross_entropy_sum = 0;
    kt_metrics_add(counts, n, logits, labels);
    *cross_entropy = counts->cross_entropy_sum;
}

static void score_chunks(kt_network *network, const kt_dataset *set, const uint32_t *index, const chunks *c,
                         double scale, kt_metrics *counts, double *sums)
{
    const bool counts_here = kt_network_team(network)->seat == 0;
    for (size_t chunk = c->own.begin; chunk < c->own.end; chunk++) {
        const uint32_t *samples = index + chunk * KT_EVALUATION_ROWS;
        const float *logits = infer(network, set, samples, rows_of(c, chunk), scale);
        if (counts_here)
            score(set, samples, rows_of(c, chunk), logits, counts, &sums[chunk]);
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

kt_status kt_evaluate(kt_replica *replica, kt_network *network, const kt_dataset *set, const uint32_t *index, size_t n,
                      double scale, kt_metrics *metrics)
{
    const chunks c = cut(replica, n);
    kt_metrics counts = {0};
    double *sums = NULL;
    kt_status status = kt_metrics_create(&counts, metrics->n_classes);
    if (status == KT_OK)
        status = KT_NEW(sums, c.count);
    status = agree(replica, status);
    if (status == KT_OK) {
        score_chunks(network, set, index, &c, scale, &counts, sums);
        add_over_ranks(replica, &counts, sums, c.count, metrics);
    }
    kt_metrics_free(&counts);
    kt_memory_free(sums);
    return status;
}

/* own[samples of this replica's chunks x n_classes]; written by its leader. */
static void own_probabilities(kt_network *network, const kt_dataset *set, const chunks *c, double scale, float *own)
{
    const size_t n_classes = kt_network_n_classes(network);
    for (size_t chunk = c->own.begin; chunk < c->own.end; chunk++) {
        const size_t n = rows_of(c, chunk), first = chunk * KT_EVALUATION_ROWS;
        uint32_t index[KT_EVALUATION_ROWS];
        for (size_t i = 0; i < n; i++)
            index[i] = (uint32_t)(first + i);
        const float *logits = infer(network, set, index, n, scale);
        if (own != NULL)
            kt_loss_probabilities(n, n_classes, logits, own + (first - c->own.begin * KT_EVALUATION_ROWS) * n_classes);
    }
}

kt_status kt_evaluate_probabilities(kt_replica *replica, kt_network *network, const kt_dataset *set, double scale,
                                    float *probabilities)
{
    const size_t n_classes = kt_network_n_classes(network);
    const chunks c = cut(replica, set->n);
    const bool gathers = replica != NULL && replica->leaders != NULL;
    size_t n_rows = 0;
    float *own = replica == NULL ? probabilities : NULL;
    kt_status status = KT_OK;
    for (size_t chunk = c.own.begin; chunk < c.own.end; chunk++)
        n_rows += rows_of(&c, chunk);
    if (set->n > INT_MAX / n_classes)
        status =
            kt_fail(KT_DATA, "%zu samples x %zu classes are too many at once: must be fewer than 2^31 probabilities",
                    set->n, n_classes);
    else if (gathers)
        status = KT_NEW(own, n_rows * n_classes);
    status = agree(replica, status);
    if (status == KT_OK)
        own_probabilities(network, set, &c, scale, own);
    if (status == KT_OK && gathers)
        kt_comm_gather_rows(replica->leaders, n_rows, n_classes, own, probabilities);
    if (gathers)
        kt_memory_free(own);
    return status;
}
