/* Running a network over part of a data set, shared by the ranks. */
#ifndef KTRAIN_EVALUATE_H
#define KTRAIN_EVALUATE_H

#include "ktrain/comm.h"
#include "ktrain/data.h"
#include "ktrain/metrics.h"
#include "ktrain/network.h"

/* Rows of a network that serves to evaluate: fewer calls, and products large enough for BLAS. */
enum { KT_EVALUATION_ROWS = 512 };

/* Adds samples index[n] of the set to *metrics: each exactly once, whatever the number of ranks. Inputs are divided by
 * scale. buffer[kt_network_max_rows x d] is the caller's. Collective; every rank gets the same metrics. */
kt_status kt_evaluate(kt_comm *comm, kt_network *network, const kt_dataset *set, const uint32_t *index, size_t n, double scale, float *buffer,
                      kt_metrics *metrics);

/* Rank 0's probabilities[set->n x n_classes] (NULL elsewhere), rows in the set's order. Collective. */
kt_status kt_evaluate_probabilities(kt_comm *comm, kt_network *network, const kt_dataset *set, double scale, float *probabilities);

#endif
