/* Running a network over part of a data set, shared by the ranks. */
#ifndef KTRAIN_EVALUATE_H
#define KTRAIN_EVALUATE_H

#include "engine/data.h"
#include "engine/metrics.h"
#include "engine/replica.h"
#include "net/network.h"

/* Samples that go through the network at once, in any network with room for so many rows: their number, unlike that of
 * the ranks, may touch a result's bits. */
enum { KT_EVALUATION_ROWS = 256 };

/* Rows that a network must have room for, to train on such batches and be evaluated on each part. Local. */
size_t kt_evaluate_max_rows(size_t largest_batch, const kt_split *split);

typedef struct kt_samples {
    const kt_dataset *set;
    const uint32_t *index; /* [n], in the set; NULL: the first n */
    size_t n;
    double scale; /* inputs are divided by it */
} kt_samples;

/* Adds the samples to *metrics: each exactly once, and summed in the same order, whatever the number of ranks. The
 * network is the replica's, with room for KT_EVALUATION_ROWS or n rows. Collective; every rank gets the same metrics.
 * replica NULL: the network is this rank's own, and no other is asked. */
kt_status kt_evaluate(kt_replica *replica, kt_network *network, const kt_samples *samples, kt_metrics *metrics);

/* Rank 0's probabilities[n x n_classes] (NULL elsewhere), in the samples' order. Collective; replica NULL as above. */
kt_status kt_evaluate_probabilities(kt_replica *replica, kt_network *network, const kt_samples *samples,
                                    float *probabilities);

#endif
