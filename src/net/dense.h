/* The products of a dense layer, and the tiles they are cut in. Local and pure.
 *
 * No bit of a result depends on which rank computes what: own kernels (kernels.h) give an element the same bits in any
 * tile; OpenBLAS (linalg.h), whose bits depend on the shape of a call, is called only for one shard of the batch and
 * one fixed tile of units at a time.
 *
 * Letters: M rows of the batch; n_in, n_out features; x[M x n_in], w[n_out x n_in], y and d[M x n_out], row-major. */
#ifndef KTRAIN_DENSE_H
#define KTRAIN_DENSE_H

#include <stdbool.h>

#include "base/shards.h"
#include "base/share.h"
#include "net/kernels.h"
#include "net/team.h"

/* The rows of a batch that are computed here: shards [first, end) of `shards`. */
typedef struct kt_rows {
    size_t M, shards, first, end;
} kt_rows;

size_t kt_rows_begin(const kt_rows *rows);
size_t kt_rows_end(const kt_rows *rows);

typedef struct kt_dense {
    size_t n_in, n_out;
    const kt_kernels *kernels; /* NULL: OpenBLAS */
    /* w is kept as [n_in x n_out]: forward then runs over the inputs that are not 0, of which images have many, and
     * backward over all; otherwise it is the other way round */
    bool transposed;
} kt_dense;

/* Units of a layer of n_units that a seat of the team owns: whole tiles. `thin`: own kernels are used. */
kt_range kt_dense_own(size_t n_units, bool thin, const kt_team *team);

/* y = x w^T for the rows here and the units of `own`. */
void kt_dense_forward(const kt_dense *dense, const kt_rows *rows, kt_range own, const float *x, const float *w,
                      float *y);

/* dx = d w for the rows here and the inputs of `own` (of the layer below, cut by kt_dense_own, too). */
void kt_dense_backward(const kt_dense *dense, const kt_rows *rows, kt_range own, const float *d, const float *w,
                       float *dx);

/* The largest tile of a gradient to ask for at once. */
enum { KT_DENSE_UNITS = 64, KT_DENSE_COLUMNS = 1024 };

/* Floats of scratch that kt_dense_gradient needs. */
size_t kt_dense_scratch(void);

/* g[tall x wide] (rows ld_g apart) = those rows and columns of the gradient of w as it is kept: of d^T x, or transposed
 * of x^T d, summed over the shards of `node` (shards.h) of all M rows. The tile is at most KT_DENSE_UNITS x
 * KT_DENSE_COLUMNS; with OpenBLAS its bits depend on its place and size. ahead: see kernels.h; may be NULL. */
void kt_dense_gradient(const kt_dense *dense, const kt_rows *rows, kt_shard_node node, kt_range tall, kt_range wide,
                       const float *d, const float *x, float *g, size_t ld_g, const kt_ahead *ahead, float *scratch);

/* g[units] = the sum of d over the rows of `node`. At most KT_DENSE_UNITS units. */
void kt_dense_bias_gradient(const kt_dense *dense, const kt_rows *rows, kt_shard_node node, kt_range units,
                            const float *d, float *g);

#endif
