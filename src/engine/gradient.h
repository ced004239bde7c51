/* Gradients of dense layers, formed from their factors tile by tile: each rank of a team forms its own rows. A rank keeps
 * one tile, unless it wants the gradient in a vector. Local. */
#ifndef KTRAIN_GRADIENT_H
#define KTRAIN_GRADIENT_H

#include "net/network.h"

/* Room for the tiles. */
typedef struct kt_gradient {
    float *tile;
    float *scratch; /* for OpenBLAS's tiles; NULL where all batches are thin */
} kt_gradient;

/* *out may be freed after a failure, too. KT_NO_MEMORY. */
kt_status kt_gradient_create(kt_gradient *out, bool thin);
void kt_gradient_free(kt_gradient *gradient);

/* Who takes the tiles as they come. */
typedef struct kt_gradient_taker {
    /* g[rows x columns] of the weight as it is kept, rows one after the other */
    void (*weights)(void *context, const kt_factors *f, kt_range rows, kt_range columns, const float *g);
    void (*biases)(void *context, const kt_factors *f, kt_range units, const float *g);
    void *context;
    size_t n_vectors; /* vectors in the parameters' order that it will want where a tile is: fetched ahead */
    const float *vector[1 + KT_MAX_SLOTS];
} kt_gradient_taker;

/* This rank's gradient of a layer, summed over the rows of `node` (shards.h), to the taker. */
void kt_gradient_hand_out(const kt_gradient *gradient, const kt_factors *f, const kt_rows *rows, kt_shard_node node,
                          const kt_gradient_taker *taker);

/* The same into its places in a vector of all parameters. */
void kt_gradient_form(const kt_gradient *gradient, const kt_factors *f, const kt_rows *rows, kt_shard_node node,
                      float *vector);

#endif
