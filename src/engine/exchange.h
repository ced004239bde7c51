/* How a step's gradients are combined and applied: after backward every replica has what the gradient of its own
 * samples is made of; afterwards every replica has the new parameters.
 *
 * Within a replica each rank forms the gradient of its own panels tile by tile, and each tile goes straight into the
 * optimizer: no gradient is kept. Between replicas each layer goes by one kind of exchange:
 *   allreduce  partial sums of the gradient (shards.h) go to the owner of a slice, who adds them, updates the slice,
 *              and sends the parameters to the others. Owners: replica 0 (rank0) or all replicas in equal slices
 *              (sharded).
 *   factors    every replica gets all samples' inputs x and deltas d of the layer, B (n_in + n_out) floats, forms the
 *              whole gradient itself, and updates its own copy of the parameters and of the optimizer's state.
 * All add in the same order, so the choice changes no bit; with parallel.reproducible = false partial sums are added
 * in MPI's order. */
#ifndef KTRAIN_EXCHANGE_H
#define KTRAIN_EXCHANGE_H

#include "base/options.h"
#include "engine/cost.h"
#include "engine/replica.h"
#include "net/network.h"
#include "net/optimizer.h"

typedef struct kt_exchange kt_exchange;
typedef struct kt_step kt_step;
typedef struct kt_exchange_plan kt_exchange_plan;

typedef enum kt_state_owner { KT_STATE_AUTO, KT_STATE_RANK0, KT_STATE_SHARDED } kt_state_owner;

typedef struct kt_exchange_spec {
    int kind;         /* 0: for each layer the one that costs least; else row kind - 1 of kt_exchange_kinds */
    int state_owner;  /* kt_state_owner */
    int64_t shards;   /* of a batch; or KT_AUTO */
    double clip_norm; /* 0: no clipping */
    bool reproducible;
} kt_exchange_spec;

extern const kt_option_rows kt_exchange_options; /* of kt_exchange_spec */

/* A kind of exchange: what it costs and needs, and its part in a step. */
typedef struct kt_exchange_kind {
    const char *name;
    kt_exchange_cost (*cost)(const kt_machine *machine, const kt_layout *layout, const kt_exchange_job *job,
                             kt_layer_shape layer);
    /* KT_CONFIG when a layer's message would have more numbers than MPI counts, in int. */
    kt_status (*check)(const kt_exchange_job *job, kt_layer_shape layer);
    bool needs_factors; /* of all samples */
    bool needs_sums;    /* partial sums of the gradient, and a vector for the whole of it */
    /* Floats that a leader receives at once, beside these; NULL: none. Local and pure. */
    size_t (*count_received)(const kt_exchange_plan *plan);
    /* What it keeps for itself; NULL: nothing. free is called after a failed create, too. */
    kt_status (*create)(kt_exchange *x);
    void (*free)(kt_exchange *x);
    /* The step of all layers that go by it: what all ranks do before a barrier of the replica, what leaders do then
     * before another, what all ranks do after that, and how they bring the parameters up to date. The first three may
     * be NULL. A kind that needs sums has left the whole gradient in its vector before the update when the step
     * clips. */
    void (*start)(kt_exchange *x, const kt_step *step);
    void (*combine)(kt_exchange *x, const kt_step *step);
    void (*take)(kt_exchange *x, const kt_step *step);
    void (*update)(kt_exchange *x, const kt_step *step);
    /* Leaders: what other replicas own of the optimizer's state, to replica 0; NULL: it has all. */
    void (*gather_state)(kt_exchange *x);
} kt_exchange_kind;

/* In the order of preference where they cost the same. */
extern const kt_exchange_kind *const kt_exchange_kinds[];
extern const size_t kt_n_exchange_kinds;
enum { KT_MOST_EXCHANGE_KINDS = 8 };

/* Shards of a batch: as configured, or, when the order is MPI's, as few as give every replica one. Local and pure. */
size_t kt_exchange_shards(const kt_exchange_spec *spec, size_t batch_size, size_t n_replicas);

/* By what a layer goes: as the spec says, or what costs least of what can. Local and pure. */
const kt_exchange_kind *kt_exchange_kind_for(const kt_exchange_spec *spec, const kt_machine *machine,
                                             const kt_layout *layout, const kt_exchange_job *job, kt_layer_shape shape);

/* What is decided before there is a network; the same on all ranks, but for what depends on the replica's number. */
struct kt_exchange_plan {
    kt_exchange_spec spec;
    kt_optimizer_spec optimizer;
    kt_layout layout;
    size_t number;                 /* of this replica */
    kt_exchange_job job;           /* batch_size: of the largest batch */
    size_t n_layers;               /* dense ones */
    kt_layer_shape *shape;         /* [n_layers], owned, */
    kt_range *floats;              /* as is this: places of their weights and biases in a vector; */
    const kt_exchange_kind **kind; /* and this, which kt_exchange_plan_choose fills */
    size_t n_sums;                 /* partial sums of a gradient that this replica makes; 0 when no layer needs them */
    size_t n_floats;               /* of a vector of all parameters */
    size_t n_units;                /* of all layers, in whole panels */
    kt_link link;                  /* between replicas, as measured; zeros when there was nothing to measure */
};

/* All but the choice, for a network with max_batch. *out may be freed after a failure, too. Local. */
kt_status kt_exchange_plan_create(kt_exchange_plan *out, const kt_exchange_spec *spec,
                                  const kt_optimizer_spec *optimizer, const kt_network_spec *network,
                                  const kt_layout *layout, size_t number);
void kt_exchange_plan_free(kt_exchange_plan *plan);

/* Each layer's kind, and what follows from it. KT_CONFIG when MPI cannot count what would be sent. Local. */
kt_status kt_exchange_plan_choose(kt_exchange_plan *plan, const kt_machine *machine);

/* Both, for a replica; measures the link between the replicas when the choice depends on it. Collective. *out may be
 * freed after a failure, too. */
kt_status kt_exchange_choose(kt_exchange_plan *out, kt_replica *replica, const kt_exchange_spec *spec,
                             const kt_optimizer_spec *optimizer, const kt_network_spec *network);

/* Layers that go by a kind. Local. */
size_t kt_exchange_plan_count(const kt_exchange_plan *plan, const kt_exchange_kind *kind);

/* "factors", or how many layers go by what, and who owns the optimizer's state. Local. */
void kt_exchange_plan_describe(const kt_exchange_plan *plan, char *text, size_t size);

/* Of the replica's shared memory, and the longest letter between its ranks, for kt_exchange_create. Local. */
size_t kt_exchange_pool_bytes(const kt_exchange_plan *plan);
size_t kt_exchange_letter_bytes(const kt_exchange_plan *plan);

/* Everything is borrowed for its lifetime; memory: zeroed, 64-byte aligned, kt_exchange_pool_bytes, shared by the
 * replica. Collective. *out is NULL on failure. */
kt_status kt_exchange_create(kt_exchange **out, kt_replica *replica, const kt_exchange_plan *plan, kt_network *network,
                             void *memory);
void kt_exchange_free(kt_exchange *x); /* NULL is allowed. Local. */

/* Step `number` (from 1), after backward of `pass`: combines, clips, updates. Collective; ends with a barrier of
 * the replica. */
void kt_exchange_apply(kt_exchange *x, int64_t number, double rate, const kt_pass *pass);

/* The norm of the last step's gradient, when it was clipped by it; else 0. Local. */
double kt_exchange_norm(const kt_exchange *x);

/* The name of a vector of the optimizer's state, which is vector 1 + slot of the network's parameters. Local. */
size_t kt_exchange_n_slots(const kt_exchange *x);
const char *kt_exchange_slot_name(const kt_exchange *x, size_t slot);

/* Whether others than the ranks of replica 0 that share memory own some of it: then it has to be gathered. Local. */
bool kt_exchange_is_dealt(const kt_exchange *x);

/* Rank 0's vectors get all parameters, statistics and state of the optimizer, also what other replicas or hosts own of
 * them. Collective. */
void kt_exchange_gather_state(kt_exchange *x);

#endif
