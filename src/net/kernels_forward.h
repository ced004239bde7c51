/* y = x w^T. Part of a source that is built for one instruction set. */
#ifndef KTRAIN_KERNELS_FORWARD_H
#define KTRAIN_KERNELS_FORWARD_H

#include "net/kernels_vector.h"

/* A register tile is TILE_UNITS rows of w times TILE_SAMPLES samples. Its weights of one block of i, at most I_BLOCK,
 * stay in the first-level cache while SAMPLE_BLOCK samples pass; the sums of LANES units wait in memory meanwhile. */
enum { TILE_UNITS = 4, TILE_SAMPLES = REGISTERS == 32 ? 4 : 2, SAMPLE_BLOCK = 16, I_BLOCK = 800 };

typedef vector tile_sums[TILE_SAMPLES][TILE_UNITS];

/* sums[s][r] += x[s][i + l] w[r][i + l] in lane l. */
KT_INLINE void dot_step(size_t n_samples, size_t lanes, const float *const *w, const float *const *x, size_t i,
                        tile_sums sums)
{
    vector row[TILE_UNITS];
    KT_UNROLL
    for (size_t r = 0; r < TILE_UNITS; r++) {
        row[r] = load(w[r] + i, lanes);
        KT_TO_REGISTER(row[r]);
    }
    KT_UNROLL
    for (size_t s = 0; s < n_samples; s++) {
        const vector sample = load(x[s] + i, lanes);
        KT_UNROLL
        for (size_t r = 0; r < TILE_UNITS; r++)
            sums[s][r] = multiply_add(row[r], sample, sums[s][r]);
    }
}

/* total[s][r] = (first ? 0 : total[s][r]) + the n products of x[s] and w[r], lane by lane. n_next of the rows
 * LANES units further down are prefetched, beyond the end of w too, which does no harm. */
KT_INLINE void dot_tile(size_t n_samples, size_t n_next, bool first, size_t n, const float *const *w_of,
                        const float *const *next_of, const float *x_of, size_t ld_x, vector (*total)[LANES])
{
    const float *w[TILE_UNITS], *x[TILE_SAMPLES], *next[TILE_UNITS];
    tile_sums sums;
    size_t i = 0;
    KT_UNROLL
    for (size_t r = 0; r < TILE_UNITS; r++)
        w[r] = w_of[r];
    KT_UNROLL
    for (size_t k = 0; k < n_next; k++)
        next[k] = next_of[k];
    KT_UNROLL
    for (size_t s = 0; s < n_samples; s++) {
        x[s] = x_of + s * ld_x;
        KT_UNROLL
        for (size_t r = 0; r < TILE_UNITS; r++)
            sums[s][r] = first ? splat(0) : total[s][r];
    }
    for (; i + LANES <= n; i += LANES) {
        KT_UNROLL
        for (size_t k = 0; k < n_next; k++)
            __builtin_prefetch(next[k] + i, 0, 2);
        dot_step(n_samples, LANES, w, x, i, sums);
    }
    if (i < n)
        dot_step(n_samples, n - i, w, x, i, sums);
    KT_UNROLL
    for (size_t s = 0; s < n_samples; s++)
        KT_UNROLL
    for (size_t r = 0; r < TILE_UNITS; r++)
        total[s][r] = sums[s][r];
}

typedef void dot_tile_function(bool first, size_t n, const float *const *w, const float *const *next, const float *x,
                               size_t ld_x, vector (*total)[LANES]);

#define KT_DOT_TILE(n_samples, n_next)                                                                                 \
    static void dot_tile_##n_samples##_##n_next(bool first, size_t n, const float *const *w, const float *const *next, \
                                                const float *x, size_t ld_x, vector(*total)[LANES])                    \
    {                                                                                                                  \
        dot_tile(n_samples <= TILE_SAMPLES ? n_samples : TILE_SAMPLES, n_next, first, n, w, next, x, ld_x, total);     \
    }
#define KT_DOT_TILES(n_samples) KT_DOT_TILE(n_samples, 1) KT_DOT_TILE(n_samples, 2) KT_DOT_TILE(n_samples, 4)
#define KT_DOT_ROW(n_samples)                                                        \
    {                                                                                \
        dot_tile_##n_samples##_1, dot_tile_##n_samples##_2, dot_tile_##n_samples##_4 \
    }
KT_DOT_TILES(1)
KT_DOT_TILES(2)
KT_DOT_TILES(3)
KT_DOT_TILES(4)

/* [n_samples - 1][log2(n_next)] */
static dot_tile_function *const dot_tiles[][3] = {KT_DOT_ROW(1), KT_DOT_ROW(2), KT_DOT_ROW(3), KT_DOT_ROW(4)};

/* All tiles of one block of i: n of it, the first or not. A tile's rows beyond the last unit are that unit again. */
static void dot_block(size_t m, size_t n_units, bool first, size_t n, const float *x, size_t ld_x, const float *w,
                      size_t ld_w, vector (*total)[LANES])
{
    /* A busy core drops many prefetches: each line is asked for about twice while the samples pass. */
    const size_t n_passes = (m + TILE_SAMPLES - 1) / TILE_SAMPLES;
    const size_t log2_next = n_passes >= 8 ? 0 : n_passes >= 3 ? 1 : 2;
    for (size_t r = 0; r < n_units; r += TILE_UNITS) {
        const float *rows[TILE_UNITS], *next[2 * TILE_UNITS];
        for (size_t k = 0; k < TILE_UNITS; k++) {
            rows[k] = w + least(r + k, n_units - 1) * ld_w;
            next[k] = next[TILE_UNITS + k] = rows[k] + LANES * ld_w;
        }
        for (size_t s = 0, pass = 0; s < m; s += TILE_SAMPLES, pass++)
            dot_tiles[least(TILE_SAMPLES, m - s) - 1][log2_next](first, n, rows,
                                                                 next + (pass << log2_next) % TILE_UNITS, x + s * ld_x,
                                                                 ld_x, (vector(*)[LANES]) & total[s][r]);
    }
}

/* y of LANES units, or of those that are left, and of m <= SAMPLE_BLOCK samples. */
static void forward_block(size_t m, size_t n_in, size_t n_units, const float *x, size_t ld_x, const float *w,
                          size_t ld_w, float *y, size_t ld_y)
{
    const size_t n_blocks = (n_in + I_BLOCK - 1) / I_BLOCK;
    const size_t block = ((n_in + n_blocks - 1) / n_blocks + LANES - 1) / LANES * LANES;
    vector total[SAMPLE_BLOCK][LANES];
    if (n_units < LANES)
        memset(total, 0, sizeof total);
    for (size_t i = 0; i < n_in; i += block)
        dot_block(m, n_units, i == 0, least(block, n_in - i), x + i, ld_x, w + i, ld_w, total);
    for (size_t s = 0; s < m; s++)
        store(y + s * ld_y, fold(total[s]), n_units);
}

static void forward(size_t m, size_t n_in, size_t n_out, const float *x, size_t ld_x, const float *w, size_t ld_w,
                    float *y, size_t ld_y)
{
    for (size_t o = 0; o < n_out; o += LANES)
        for (size_t s = 0; s < m; s += SAMPLE_BLOCK)
            forward_block(least(SAMPLE_BLOCK, m - s), n_in, least(LANES, n_out - o), x + s * ld_x, ld_x, w + o * ld_w,
                          ld_w, y + s * ld_y + o, ld_y);
}

#endif
