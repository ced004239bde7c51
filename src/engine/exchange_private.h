/* What the exchange's files share: exchange.c (making it, the step, the state of record), exchange_plan.c (what is
 * decided before), exchange_kinds.c (the table), exchange_factors.c and exchange_allreduce.c (a kind each),
 * exchange_norm.c (clipping). */
#ifndef KTRAIN_EXCHANGE_PRIVATE_H
#define KTRAIN_EXCHANGE_PRIVATE_H

#include "engine/exchange.h"
#include "engine/gradient.h"

/* A kind each, in the order of preference where they cost the same, and what it does in the help of
 * parallel.exchange. */
#define KT_EXCHANGES(X)       \
    X(allreduce, "adds them") \
    X(factors, "gathers what they are made of, and every replica forms them itself")

#define KT_DECLARE_EXCHANGE(name, help) extern const kt_exchange_kind kt_exchange_##name;
KT_EXCHANGES(KT_DECLARE_EXCHANGE)

/* What is settled where a step begins. */
struct kt_step {
    const kt_pass *pass;
    kt_rows whole;      /* the batch as gradients are summed over it */
    kt_updates updates; /* known after clipping */
};

/* What the replicas tell each other of a layer: a row for each sample of the batch. */
typedef struct kt_factor_rows {
    float *x, *delta; /* [batch_size x n_in], [batch_size x n_out] */
} kt_factor_rows;

/* What the replica's ranks share. */
typedef struct kt_exchange_memory {
    float *gradient; /* [n_floats] and */
    float *sums;     /* [plan->n_sums x n_floats]: NULL when no layer needs them */
    float *received; /* leaders: the most that a kind receives at once */
} kt_exchange_memory;

/* Neighbouring layers that allreduce: elements [begin, end) of the parameter vector. */
typedef struct kt_message {
    size_t begin, end;
    size_t *bounds; /* [n_replicas + 1], relative to begin: who owns what */
} kt_message;

typedef struct kt_allreduce {
    size_t n_messages;
    kt_message *messages;
    size_t *n_sums;             /* [n_replicas]: partial sums, */
    kt_shard_node *all_nodes;   /* of all replicas, in order, */
    const kt_shard_node *nodes; /* and of this one, among them */
    size_t n_all_nodes;
} kt_allreduce;

struct kt_exchange {
    kt_replica *replica; /* borrowed, as are plan and network */
    const kt_exchange_plan *plan;
    kt_network *network;
    const kt_products *products;
    kt_dense *dense; /* [plan->n_layers], the network's, as are the next two */
    const kt_tensors *parameters;
    size_t n_formed;
    const kt_formed *formed;
    size_t n_used; /* kinds that layers go by */
    const kt_exchange_kind *used[KT_MOST_EXCHANGE_KINDS];
    kt_optimizer *optimizer;
    kt_gradient gradient;
    kt_exchange_memory pool;
    kt_factor_rows *factors; /* [n_layers]; in the replica's memory */
    double *squares;         /* [plan->n_units]: of each unit's gradient, for clipping */
    size_t *letter_size;     /* [n_seats] */
    double norm;
    kt_allreduce allreduce;
};

/* The factor that brings the gradient's norm down to clip_norm; sets x->norm. Collective over the replica, the same on
 * every replica. */
double kt_exchange_clip(kt_exchange *x, const kt_step *step);

#endif
