/* How a step's gradients are combined and applied: after backward every replica has the factors of the gradient of its
 * own samples; afterwards every replica has the new parameters.
 *
 * Within a replica each rank forms the gradient of its own units tile by tile, and each tile goes straight into the
 * optimizer: no gradient is kept. Between replicas, layer by layer,
 *   factors    every replica gets all samples' inputs x and deltas d of the layer, B (n_in + n_out) floats, forms the
 *              whole gradient itself, and updates its own copy of the parameters and of the optimizer's state;
 *   allreduce  partial sums of the gradient (shards.h) go to the owner of a slice, who adds them, updates the slice,
 *              and sends the parameters to the others. Owners: replica 0 (rank0) or all replicas in equal parts
 *              (sharded).
 * Both add in the same order, so the choice changes no bit; with parallel.reproducible = false partial sums are added
 * in MPI's order. */
#ifndef KTRAIN_EXCHANGE_H
#define KTRAIN_EXCHANGE_H

#include "engine/config.h"
#include "engine/cost.h"
#include "engine/replica.h"
#include "net/network.h"
#include "net/optimizer.h"

typedef struct kt_exchange kt_exchange;

/* What is decided before there is a network; the same on all ranks, but for n_parts. */
typedef struct kt_exchange_plan {
    size_t n_layers;     /* dense ones */
    bool *by_factors;    /* [n_layers], owned */
    bool rank0;          /* owner of slices: replica 0, or all */
    size_t n_shards;     /* of a training batch */
    size_t n_slots;      /* vectors of optimizer state */
    size_t n_parts;      /* partial sums of a gradient that this replica makes; 0 when all layers go by factors */
    bool keeps_gradient; /* whole vectors of it are needed: allreduce, or clipping a large batch */
    size_t n_parameters;
    size_t batch_size; /* of the largest batch */
    bool thin;         /* all batches go through own kernels */
    size_t n_row_sums; /* most sums of squares that a layer has: of samples, or of a weight's rows and of biases */
    kt_link link;      /* between replicas, as measured; zeros when there was nothing to measure */
} kt_exchange_plan;

/* The job as the cost model wants it. Local and pure. */
kt_exchange_job kt_exchange_job_of(const kt_config *config, size_t batch_size, size_t n_replicas);

/* Whether a layer goes by factors: as configured, or what costs less. Local and pure. */
bool kt_exchange_by_factors(const kt_config *config, const kt_machine *machine, const kt_layout *layout,
                            const kt_exchange_job *job, kt_layer_shape shape);

/* Measures the link between the replicas when the choice depends on it. batch_size: the largest batch's. Collective.
 * *out is zeroed on failure. */
kt_status kt_exchange_choose(kt_exchange_plan *out, kt_replica *replica, const kt_config *config,
                             const kt_network_spec *spec, size_t batch_size);
void kt_exchange_plan_free(kt_exchange_plan *plan);

/* Of the replica's shared memory, for kt_exchange_create. Local. */
size_t kt_exchange_shared_bytes(const kt_exchange_plan *plan);

/* Everything is borrowed for its lifetime; memory: zeroed, 64-byte aligned, kt_exchange_shared_bytes, shared by the
 * replica. Collective. *out is NULL on failure. */
kt_status kt_exchange_create(kt_exchange **out, kt_replica *replica, const kt_config *config,
                             const kt_exchange_plan *plan, kt_network *network, void *memory);
void kt_exchange_free(kt_exchange *exchange); /* NULL is allowed. Local. */

/* Makes `pass`, the exchange's rows of a training batch, tell when factors are complete: they are then sent to the
 * other replicas while the next layer's product goes on. Without it they are sent by kt_exchange_apply. Local. */
void kt_exchange_listen(kt_exchange *exchange, kt_pass *pass);

/* Ends what is under way of a step that is given up. Collective over the leaders. */
void kt_exchange_abandon(kt_exchange *exchange);

/* Step number `step` (from 1), after backward of `pass`: combines, clips, updates. Collective; ends with a barrier of
 * the replica. */
void kt_exchange_apply(kt_exchange *exchange, int64_t step, double rate, const kt_pass *pass);

/* The norm of the last step's gradient, when it was clipped by it; else 0. Local. */
double kt_exchange_norm(const kt_exchange *exchange);

/* Vectors of optimizer state (0 for sgd) and the name of each; slot s of replica 0 is the state of record once
 * gathered. Local. */
size_t kt_exchange_n_slots(const kt_exchange *exchange);
const char *kt_exchange_slot_name(const kt_exchange *exchange, size_t slot);
float *kt_exchange_slot(const kt_exchange *exchange, size_t slot); /* [n_parameters], the replica's */

/* Replica 0's slots get what other replicas own of them; and the others get theirs from replica 0's. Collective. */
void kt_exchange_gather_state(kt_exchange *exchange);
void kt_exchange_scatter_state(kt_exchange *exchange);

#endif
