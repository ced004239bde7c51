/* How a step's gradients are combined and applied: every rank comes with the gradient of its samples and leaves with
 * the new parameters.
 *
 * Gradients are added over the ranks (not averaged: each rank's is already divided by the samples of the whole batch).
 *   rank0    allreduce of the gradient; rank 0 holds the optimizer's state, updates all parameters and broadcasts them
 *   sharded  reduce-scatter; every rank holds the state of its slice (kt_share), updates it; allgather of the
 *   parameters
 * With `reproducible` the ranks' parts are added in rank order. One rank alone exchanges nothing. */
#ifndef KTRAIN_EXCHANGE_H
#define KTRAIN_EXCHANGE_H

#include "ktrain/comm.h"
#include "ktrain/config.h"
#include "ktrain/network.h"
#include "ktrain/optimizer.h"

typedef struct kt_exchange kt_exchange;

/* comm and network are borrowed for its lifetime. Collective. *out is NULL on failure. */
kt_status kt_exchange_create(kt_exchange **out, kt_comm *comm, const kt_config *config, kt_network *network);
void kt_exchange_free(kt_exchange *exchange);

/* Step number `step` (from 1) of a batch of M samples: combines, clips, updates. Collective. */
void kt_exchange_apply(kt_exchange *exchange, int64_t step, double rate, size_t M);

/* "sharded": who holds the optimizer's state. Local. */
const char *kt_exchange_state_name(const kt_exchange *exchange);

/* Vectors of optimizer state (0 for sgd) and the name of each. Local. */
size_t kt_exchange_n_slots(const kt_exchange *exchange);
const char *kt_exchange_slot_name(const kt_exchange *exchange, size_t slot);

/* Rank 0's vector[parameters] (NULL elsewhere) of state number `slot`, whoever holds it; and back. Collective. */
void kt_exchange_gather_state(kt_exchange *exchange, size_t slot, float *vector);
void kt_exchange_scatter_state(kt_exchange *exchange, size_t slot, const float *vector);

/* What a choice costs, for `ktrain check`. Local and pure. */
typedef struct kt_exchange_cost {
    int state;             /* the kt_state_owner chosen */
    double sent_bytes;     /* per step by the busiest rank */
    size_t memory_bytes;   /* of the largest rank, beyond the network */
} kt_exchange_cost;

/* "rank0" or "sharded" for a kt_state_owner. */
const char *kt_exchange_state_word(int state);

kt_exchange_cost kt_exchange_predict(const kt_config *config, size_t n_parameters, int n_ranks);

#endif
