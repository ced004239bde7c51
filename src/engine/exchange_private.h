/* What the exchange's files share: exchange.c (making it, the step, the state of record), exchange_plan.c (what is decided
 * before), exchange_kinds.c (the table), exchange_factors.c and exchange_allreduce.c (a kind each), exchange_norm.c
 * (clipping). */
#ifndef KTRAIN_EXCHANGE_PRIVATE_H
#define KTRAIN_EXCHANGE_PRIVATE_H

#include "engine/exchange.h"
#include "engine/gradient.h"
#include "engine/rank_rows.h"

/* A kind each, in the order of preference where they cost the same, and what it does in the help of parallel.exchange. */
#define KT_EXCHANGES(X)       \
    X(allreduce, "adds them") \
    X(factors, "gathers what they are made of, and every replica forms them itself")

#define KT_DECLARE_EXCHANGE(name, help) extern const kt_exchange_kind kt_exchange_##name;
KT_EXCHANGES(KT_DECLARE_EXCHANGE)

/* What is settled where a step begins. */
struct kt_step {
    const kt_pass *pass;
    kt_rows whole;      /* the batch as gradients are summed over it */
    bool by_gradient;   /* it is clipped by the norm of gradients, which are kept for that; else by that of factors */
    kt_updates updates; /* known after clipping */
};

/* Vectors that the replica's ranks share, [n_parameters] in whole cache lines. */
typedef struct kt_exchange_memory {
    float *slots[KT_MAX_SLOTS];
    float *gradient;  /* NULL unless plan->keeps_gradient */
    float *sums;      /* [plan->n_sums], kt_exchange_vector_floats apart */
    double *row_sums; /* [n_layers x plan->n_row_sums]: terms of the squared norm */
} kt_exchange_memory;

/* Leaders: factors that are on their way; [n_layers x 2], of inputs and of deltas. */
typedef struct kt_sending {
    const kt_pass *pass; /* that is listened to */
    kt_transfer **transfers;
    bool *sent; /* in this step */
} kt_sending;

/* Neighbouring layers that allreduce: elements [begin, end) of the parameter vector. */
typedef struct kt_message {
    size_t begin, end;
    size_t *bounds; /* [n_replicas + 1], relative to begin: who owns what */
} kt_message;

typedef struct kt_allreduce {
    size_t n_messages;
    kt_message *messages;
    kt_shard_node nodes[KT_MAX_SHARD_NODES]; /* the partial sums of this replica */
    size_t *n_sums;                          /* [n_replicas] */
    kt_shard_node *all_nodes;                /* of all replicas, in order */
    size_t n_all_nodes;
    float *received; /* leaders: [all nodes x longest slice] */
} kt_allreduce;

struct kt_exchange {
    kt_replica *replica; /* borrowed, as are plan and what is the network's */
    const kt_exchange_plan *plan;
    const kt_factors *factors; /* [plan->n_layers] */
    size_t n_formed;
    const kt_formed *formed;
    float *parameters;
    size_t n_used; /* kinds that layers go by */
    const kt_exchange_kind *used[KT_MOST_EXCHANGE_KINDS];
    kt_optimizer *optimizer;
    kt_gradient tiles;
    kt_exchange_memory pool;
    float *gram; /* rows of two Gram matrices [2 x KT_GRAM_ROWS x batch_size] */
    double norm;
    kt_sending sending;
    kt_allreduce allreduce;
};

enum { KT_GRAM_ROWS = 8 };

/* From one vector of all parameters to the next. */
size_t kt_exchange_vector_floats(const kt_exchange_plan *plan);

/* Leaders: sends what has not been announced of the factors that others need, and waits for all of it. */
void kt_exchange_send_factors(kt_exchange *x, const kt_pass *pass);

/* kt_pass.announce. */
void kt_exchange_on_announcement(void *exchange, size_t layer, bool deltas);

/* The factor that brings the gradient's norm down to clip_norm; sets x->norm. Needs all samples' factors of every layer
 * of a thin batch, or the whole gradient. Collective over the replica, the same on every replica. */
double kt_exchange_clip(kt_exchange *x, const kt_step *step);

#endif
