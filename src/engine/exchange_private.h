/* What the exchange's files share: exchange.c (the step), exchange_plan.c (what is decided before), exchange_setup.c
 * (making it, and the state of record), exchange_norm.c (clipping). */
#ifndef KTRAIN_EXCHANGE_PRIVATE_H
#define KTRAIN_EXCHANGE_PRIVATE_H

#include "engine/exchange.h"
#include "engine/gradient.h"

/* Neighbouring layers that allreduce: elements [begin, end) of the parameter vector, in one message. */
typedef struct kt_run {
    size_t begin, end;
    size_t *bounds; /* [n_replicas + 1], relative to begin: who owns what */
} kt_run;

/* What is settled where a step begins. */
typedef struct kt_step {
    const kt_pass *pass;
    kt_rows whole;      /* the batch as gradients are summed over it */
    bool by_gradient;   /* it is clipped by the norm of gradients, which are kept for that; else by that of factors */
    kt_updates updates; /* known after clipping */
} kt_step;

struct kt_exchange {
    kt_replica *replica; /* borrowed, as are plan and network */
    const kt_exchange_plan *plan;
    const kt_factors *factors; /* [plan->n_layers], of the network as are the next */
    size_t n_formed;
    const kt_formed *formed;
    float *parameters;
    kt_optimizer *optimizer;
    int optimizer_kind; /* row of kt_optimizers */
    bool reproducible;
    double clip_norm, norm;
    const kt_pass *pass; /* that is listened to */
    kt_gradient tiles;
    size_t n_runs;
    kt_run *runs;
    kt_shard_node nodes[KT_MAX_SHARD_NODES]; /* the partial sums of this replica */
    size_t *n_parts;                         /* [n_replicas] */
    kt_shard_node *all_nodes;                /* of all replicas, in order */
    size_t n_all_nodes;
    float *slots[KT_MAX_SLOTS]; /* shared [n_parameters] */
    float *parts;               /* shared [plan->n_parts x kt_exchange_vector] */
    float *gradient;            /* shared [n_parameters]: complete where it was needed; see keeps_gradient */
    double *row_sums;           /* shared [n_layers x plan->n_row_sums]: parts of the squared norm */
    kt_transfer **transfers;    /* leaders: [n_layers x 2], of inputs and of deltas, while they are under way */
    bool *sent;                 /* leaders: [n_layers x 2], in this step */
    float *received;            /* leaders: [all nodes x longest slice] */
    float *gram;                /* own: rows of two Gram matrices [2 x KT_GRAM_ROWS x batch_size] */
};

enum { KT_GRAM_ROWS = 8 };

/* Floats of a vector of all parameters, in whole cache lines. */
size_t kt_exchange_vector(const kt_exchange_plan *plan);

/* The factor that brings the gradient's norm down to clip_norm; sets x->norm. Needs all samples' factors of every layer
 * of a thin batch, or the whole gradient. Collective over the replica, the same on every replica. */
double kt_exchange_clip(kt_exchange *x, const kt_step *step);

#endif
