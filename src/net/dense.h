/* A dense layer on one seat of a team: z = x w^T + bias, and what its gradient is made of. Local.
 *
 * The layer's panels are cut into unit_shards runs, and a seat owns those of some neighbouring runs; of a small layer
 * each seat computes and updates all, in a copy of its own: the same bits, and nothing to wait for. Either way a seat
 * has all inputs of the batch, and the outputs and deltas of its own panels. */
#ifndef KTRAIN_DENSE_H
#define KTRAIN_DENSE_H

#include <stdbool.h>

#include "base/shards.h"
#include "net/products.h"
#include "net/tensor.h"

/* The rows of a batch that are computed here: shards [first, end) of `shards`. */
typedef struct kt_rows {
    size_t M, shards, first, end;
} kt_rows;

kt_range kt_rows_range(const kt_rows *rows);

typedef struct kt_dense {
    size_t n_in, n_out, n_panels;
    bool whole;     /* every seat has all of it */
    kt_range own;   /* panels that are computed and updated here */
    size_t n_nodes; /* of the tree over runs, that this seat adds up: */
    kt_shard_node nodes[KT_MAX_SHARD_NODES];
    size_t run[KT_MAX_SHARDS + 1]; /* run k is panels [run[k], run[k + 1]) of all */
    size_t unit_shards;
    size_t weight, bias; /* numbers of its tensors */
    kt_range floats;     /* both, one after the other, in a vector */
    kt_panels w;         /* all panels; of which other seats' are there when the host shares memory */
    float *b;            /* [16 n_panels] */
    kt_inputs x;         /* of all samples that were computed here or gathered */
    float *outputs, *delta, *delta_columns; /* own panels, for as many rows as a pass has (kt_dense_panels) */
    bool lost_bias;                         /* batch norm follows and takes the bias away: its gradient is 0 */
} kt_dense;

/* How panels of a layer are dealt: whether each seat has all, and which ones are a seat's. Pure. */
bool kt_dense_is_whole(size_t n_in, size_t n_out);
kt_range kt_dense_share(const kt_network_spec *spec, size_t n_in, size_t n_out, size_t seat, size_t n_seats);

/* The layer that the maker is about to make, with its tensors; sets maker->own and maker->whole for what follows it. */
void kt_dense_make(kt_dense *dense, kt_maker *maker, size_t n_in, size_t n_out);

/* Own panels of an array for M rows. */
kt_panels kt_dense_panels(const kt_dense *dense, float *array, size_t M);

/* y of own panels, for these rows. */
void kt_dense_forward(const kt_dense *dense, const kt_products *products, const kt_rows *rows);

/* Floats from one unit's derivatives to the next where they lie in columns, for a batch of M. */
size_t kt_dense_ld(size_t M);

/* The part of the derivatives of inputs [inputs.begin, inputs.end) that node k of own runs makes: dx[inputs x
 * kt_dense_ld]. */
void kt_dense_backward(const kt_dense *dense, const kt_products *products, const kt_rows *rows, kt_range inputs,
                       size_t k, float *dx);

/* What is summed over in a gradient: a node of the tree over the shards of a batch. */
typedef struct kt_dense_sum {
    const kt_products *products;
    const kt_rows *rows;
    kt_shard_node node;
} kt_dense_sum;

/* g = the gradient of inputs first ... of panels `some` of those owned (numbered from 0). */
void kt_dense_gradient(const kt_dense *dense, const kt_dense_sum *sum, size_t first, kt_range some, const kt_panels *g);

/* g[16 x some] of their biases. */
void kt_dense_bias_gradient(const kt_dense *dense, const kt_dense_sum *sum, kt_range some, float *g);

#endif
