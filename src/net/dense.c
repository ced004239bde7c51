/* Forward, backward and gradient of a dense layer, tile by tile. */
#include "net/dense.h"

#include <string.h>

#include "edge/linalg.h"

/* Units of a tile. Own kernels: a cache line, so that two ranks never write to the same one. OpenBLAS: enough to fill
 * its kernels; an owner's share is whole tiles, so a layer of fewer units is one rank's. */
enum { THIN_TILE = 16, BLAS_TILE = 256 };

size_t kt_rows_begin(const kt_rows *rows)
{
    return rows->first == rows->shards ? rows->M : kt_share(rows->M, rows->first, rows->shards).begin;
}

size_t kt_rows_end(const kt_rows *rows)
{
    return rows->first == rows->end ? kt_rows_begin(rows) : kt_share(rows->M, rows->end - 1, rows->shards).end;
}

kt_range kt_dense_own(size_t n_units, bool thin, const kt_team *team)
{
    return kt_share_tiles(n_units, thin ? THIN_TILE : BLAS_TILE, team->seat, team->n_seats);
}

/* What one call computes: rows [begin, begin + m) and units [unit, unit + n). */
typedef struct block {
    size_t begin, m, unit, n;
} block;

/* Block number k of the rows here and the units of `own`; false when there are no more. Own kernels take all at once,
 * OpenBLAS a shard and a tile. */
static bool cut(bool thin, const kt_rows *rows, kt_range own, size_t k, block *out)
{
    const size_t tile = thin ? own.end - own.begin : BLAS_TILE, end = kt_rows_end(rows);
    const size_t n_tiles = own.begin < own.end ? (own.end - own.begin + tile - 1) / tile : 0;
    if (k >= (thin ? 1 : rows->end - rows->first) * n_tiles)
        return false;
    *out = (block){.begin = kt_rows_begin(rows), .unit = own.begin + k % n_tiles * tile};
    out->m = end - out->begin;
    out->n = kt_smaller(tile, own.end - out->unit);
    if (!thin) {
        const kt_range shard = kt_share(rows->M, rows->first + k / n_tiles, rows->shards);
        out->begin = shard.begin;
        out->m = shard.end - shard.begin;
    }
    return true;
}

/* y = x w^T with w[n_out x n_in], for the outputs of `own`. */
static void multiply_by_rows(const kt_kernels *kernels, const kt_rows *rows, kt_range own, size_t n_in, size_t n_out,
                             const float *x, const float *w, float *y)
{
    block b;
    for (size_t k = 0; cut(kernels != NULL, rows, own, k, &b); k++)
        (kernels != NULL ? kernels->forward : kt_linalg_forward)(
            b.m, n_in, b.n, x + b.begin * n_in, n_in, w + b.unit * n_in, n_in, y + b.begin * n_out + b.unit, n_out);
}

/* dx = d w with w[n_out x n_in], for the inputs of `own`. */
static void multiply_by_columns(const kt_kernels *kernels, const kt_rows *rows, kt_range own, size_t n_in, size_t n_out,
                                const float *d, const float *w, float *dx)
{
    block b;
    for (size_t k = 0; cut(kernels != NULL, rows, own, k, &b); k++)
        (kernels != NULL ? kernels->backward : kt_linalg_backward)(
            b.m, b.n, n_out, d + b.begin * n_out, n_out, w + b.unit, n_in, dx + b.begin * n_in + b.unit, n_in);
}

void kt_dense_forward(const kt_dense *dense, const kt_rows *rows, kt_range own, const float *x, const float *w,
                      float *y)
{
    if (dense->transposed)
        multiply_by_columns(dense->kernels, rows, own, dense->n_out, dense->n_in, x, w, y);
    else
        multiply_by_rows(dense->kernels, rows, own, dense->n_in, dense->n_out, x, w, y);
}

void kt_dense_backward(const kt_dense *dense, const kt_rows *rows, kt_range own, const float *d, const float *w,
                       float *dx)
{
    if (dense->transposed)
        multiply_by_rows(dense->kernels, rows, own, dense->n_out, dense->n_in, d, w, dx);
    else
        multiply_by_columns(dense->kernels, rows, own, dense->n_in, dense->n_out, d, w, dx);
}

/* A partial sum waits on each level of the tree but the last, where the result does when its rows lie apart. */
enum { TILE = KT_DENSE_UNITS * KT_DENSE_COLUMNS };

size_t kt_dense_scratch(void)
{
    return (size_t)KT_SHARD_LEVELS * TILE;
}

static void add(size_t n, const float *restrict x, float *restrict sum)
{
    for (size_t i = 0; i < n; i++)
        sum[i] += x[i];
}

/* What the sum over a node of the tree needs, for the gradients of one tile. */
typedef struct tile {
    const kt_rows *rows;
    kt_range tall, wide;
    const float *d, *x; /* [M x ld_d], [M x ld_x]: rows of the tile come from d, its columns from x */
    size_t ld_d, ld_x;
} tile;

static size_t width(kt_range range)
{
    return range.end - range.begin;
}

/* g[tall x wide], contiguous, by OpenBLAS, shard by shard along the tree; the free levels of scratch follow. */
static void add_up(const tile *t, kt_shard_node node, float *g, float *scratch)
{
    if (node.count == 1) {
        const kt_range r = kt_share(t->rows->M, node.first, t->rows->shards);
        kt_linalg_gradient(width(r), width(t->wide), width(t->tall), t->d + r.begin * t->ld_d + t->tall.begin, t->ld_d,
                           t->x + r.begin * t->ld_x + t->wide.begin, t->ld_x, g, width(t->wide));
        return;
    }
    const size_t half = node.count / 2;
    add_up(t, (kt_shard_node){node.first, half}, g, scratch);
    add_up(t, (kt_shard_node){node.first + half, half}, scratch, scratch + TILE);
    add(width(t->tall) * width(t->wide), scratch, g);
}

static void blas_gradient(const tile *t, kt_shard_node node, float *g, size_t ld_g, float *scratch)
{
    if (ld_g == width(t->wide)) {
        add_up(t, node, g, scratch);
        return;
    }
    add_up(t, node, scratch, scratch + TILE);
    for (size_t r = 0; r < width(t->tall); r++)
        memcpy(g + r * ld_g, scratch + r * width(t->wide), width(t->wide) * sizeof *g);
}

void kt_dense_gradient(const kt_dense *dense, const kt_rows *rows, kt_shard_node node, kt_range tall, kt_range wide,
                       const float *d, const float *x, float *g, size_t ld_g, const kt_ahead *ahead, float *scratch)
{
    size_t row[KT_MAX_SHARDS + 1];
    tile t = {rows, tall, wide, d, x, dense->n_out, dense->n_in};
    if (dense->transposed)
        t = (tile){rows, tall, wide, x, d, dense->n_in, dense->n_out};
    if (dense->kernels == NULL) {
        blas_gradient(&t, node, g, ld_g, scratch);
        return;
    }
    kt_shards_rows(rows->M, rows->shards, node, row);
    dense->kernels->gradient(row, node.count, width(wide), width(tall), t.d + tall.begin, t.ld_d, t.x + wide.begin,
                             t.ld_x, g, ld_g, ahead);
}

static void sum_rows(size_t m, size_t n, size_t ld, const float *restrict d, float *restrict sum)
{
    memset(sum, 0, n * sizeof *sum);
    for (size_t r = 0; r < m; r++)
        for (size_t j = 0; j < n; j++)
            sum[j] += d[r * ld + j];
}

void kt_dense_bias_gradient(const kt_dense *dense, const kt_rows *rows, kt_shard_node node, kt_range units,
                            const float *d, float *g)
{
    const size_t n = units.end - units.begin;
    float other[KT_DENSE_UNITS];
    if (node.count == 1) {
        const kt_range r = kt_share(rows->M, node.first, rows->shards);
        sum_rows(width(r), n, dense->n_out, d + r.begin * dense->n_out + units.begin, g);
        return;
    }
    const size_t half = node.count / 2;
    kt_dense_bias_gradient(dense, rows, (kt_shard_node){node.first, half}, units, d, g);
    kt_dense_bias_gradient(dense, rows, (kt_shard_node){node.first + half, half}, units, d, other);
    add(n, other, g);
}
