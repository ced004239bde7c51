/* What the exchange's files share: exchange.c (the step), exchange_plan.c (what is decided before), exchange_setup.c
 * (making it, and the state of record), exchange_norm.c (clipping). */
#ifndef KTRAIN_EXCHANGE_PRIVATE_H
#define KTRAIN_EXCHANGE_PRIVATE_H

#include "engine/exchange.h"

/* Neighbouring layers that allreduce: elements [begin, end) of the parameter vector, in one message. */
typedef struct kt_run {
    size_t begin, end;
    size_t *bounds; /* [n_replicas + 1], relative to begin: who owns what */
} kt_run;

/* Tiles of a gradient as it goes into the optimizer: small enough for the first cache with own kernels, large enough
 * for OpenBLAS. */
typedef struct kt_tile_size {
    size_t units, columns;
} kt_tile_size;

extern const kt_tile_size kt_exchange_thin_tile, kt_exchange_blas_tile;

struct kt_exchange {
    kt_replica *replica; /* borrowed, as are plan and network */
    const kt_exchange_plan *plan;
    kt_network *network;
    kt_optimizer *optimizer;
    int optimizer_kind; /* row of kt_optimizers */
    bool reproducible, decay_biases;
    double clip_norm, norm;
    kt_rows rows; /* of the pass that is listened to */
    size_t n_runs;
    kt_run *runs;
    kt_shard_node nodes[KT_MAX_SHARD_NODES]; /* the partial sums of this replica */
    size_t *n_parts;                         /* [n_replicas] */
    kt_shard_node *all_nodes;                /* of all replicas, in order */
    size_t n_all_nodes;
    float *slots[2];         /* shared [n_parameters] */
    float *parts;            /* shared [plan->n_parts x kt_exchange_vector] */
    float *gradient;         /* shared [n_parameters]: complete where it was needed; see keeps_gradient */
    double *row_sums;        /* shared [n_layers x plan->n_row_sums]: parts of the squared norm */
    kt_transfer **transfers; /* leaders: [n_layers x 2], of inputs and of deltas, while they are under way */
    bool *sent;              /* leaders: [n_layers x 2], in this step */
    float *received;         /* leaders: [all nodes x longest slice] */
    float *tile;             /* own: one tile of a gradient */
    float *scratch;          /* own: for OpenBLAS's tiles */
    float *gram;             /* own: rows of two Gram matrices [2 x KT_GRAM_ROWS x batch_size] */
};

enum { KT_GRAM_ROWS = 8 };

/* Floats of a vector of all parameters, in whole cache lines. */
size_t kt_exchange_vector(const kt_exchange_plan *plan);

/* What the gradient of dense layer l is made of. */
const kt_factors *kt_exchange_factors(const kt_exchange *x, size_t l);

/* Rows of the whole batch, as gradients are summed over. */
kt_rows kt_exchange_whole(const kt_exchange *x, const kt_pass *pass);

/* Forms gradient[own units of layer l] over the node's rows, into `vector` (in the parameters' places). */
void kt_exchange_form(const kt_exchange *x, const kt_rows *rows, kt_shard_node node, size_t l, float *vector);

/* The factor that brings the gradient's norm down to clip_norm; sets x->norm. Needs all samples' factors of every layer
 * of a thin batch, or the whole gradient. Collective over the replica, the same on every replica. */
double kt_exchange_clip(kt_exchange *x, const kt_pass *pass);

#endif
