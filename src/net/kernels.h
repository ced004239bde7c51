/* Products of thin batches (up to some hundred rows), where reading the weights is what costs. Local and pure.
 *
 * A row of the table for each instruction set (simd.h); the best that the processor has is taken at run time. Within one row an element's bits do not depend on the tile it is computed in: neither on the number of
 * rows, nor on the columns or units asked for, nor on leading dimensions or alignment (4 bytes suffice). So a product
 * can be cut among ranks in any way.
 *
 * Fastest where rows begin at cache lines, and slow (backward: half as fast) where ld_w is a multiple of 512 floats:
 * then the rows of a tile fall into the same places of the first-level cache.
 *
 * Letters: m rows of the batch, may be 0; n_in, n_out features; ld_a floats from one row of a to the next. All
 * row-major. Results may not overlap operands. */
#ifndef KTRAIN_KERNELS_H
#define KTRAIN_KERNELS_H

#include <stddef.h>

#include "base/simd.h"

/* Most state vectors of an optimizer (optimizer.h). */
enum { KT_MAX_SLOTS = 2 };

/* Memory that will be needed after a tile: the same rows and columns as the tile's, of some arrays with rows
 * `stride` floats apart: weights and their optimizer's state. Prefetched on the way. */
typedef struct kt_ahead {
    size_t n_arrays;
    const float *array[1 + KT_MAX_SLOTS];
    size_t stride;
} kt_ahead;

typedef struct kt_kernels {
    size_t simd; /* its row of kt_simd_rows */

    /* y[m x n_out] = x[m x n_in] w^T, w[n_out x n_in]. Each element: lanes of i summed in order of i, then the
     * lanes. */
    void (*forward)(size_t m, size_t n_in, size_t n_out, const float *x, size_t ld_x, const float *w, size_t ld_w,
                    float *y, size_t ld_y);

    /* dx[m x n_in] = d[m x n_out] w. Each element: summed in order of the output unit; terms with d = 0 may be left
     * out. */
    void (*backward)(size_t m, size_t n_in, size_t n_out, const float *d, size_t ld_d, const float *w, size_t ld_w,
                     float *dx, size_t ld_dx);

    /* g[n_out x n_in] = the sum of d^T x over the shards of one node of the tree (shards.h): shard i has the rows
     * row[i] ... row[i + 1] - 1 of d and x, n_shards (1, 2, 4, ... 64) of them. Zeros are +0. ahead may be NULL. */
    void (*gradient)(const size_t *row, size_t n_shards, size_t n_in, size_t n_out, const float *d, size_t ld_d,
                     const float *x, size_t ld_x, float *g, size_t ld_g, const kt_ahead *ahead);
} kt_kernels;

/* A row for each of kt_simd_rows. */
extern const kt_kernels *const kt_kernels_table[KT_N_SIMD];

/* The best row that this processor supports. */
const kt_kernels *kt_kernels_best(void);

#endif
