/* dx = d w. Part of a source that is built for one instruction set. */
#ifndef KTRAIN_KERNELS_BACKWARD_H
#define KTRAIN_KERNELS_BACKWARD_H

#include "net/kernels_vector.h"

/* A strip of STRIP vectors of UNIT_BLOCK rows of w stays in the first-level cache while up to ROW_BLOCK samples pass.
 * A unit whose d is 0 (more than half of them after relu and dropout) costs nothing. */
enum { STRIP = 8, UNIT_BLOCK = 32, ROW_BLOCK = 64, LINE = 16 /* floats of a cache line */ };

/* What a strip needs: m samples, n_units units; bit o of nonzero[s] is set where d[s][o] is not 0. */
typedef struct unit_block {
    size_t m, n_units;
    const float *d, *w;
    float *dx;
    size_t ld_d, ld_w, ld_dx;
    bool first; /* dx starts from 0 */
    uint32_t nonzero[ROW_BLOCK];
} unit_block;

static void find_nonzero(unit_block *b)
{
    for (size_t s = 0; s < b->m; s++) {
        b->nonzero[s] = 0;
        for (size_t o = 0; o < b->n_units; o += LANES)
            b->nonzero[s] |= nonzero_bits(load(b->d + s * b->ld_d + o, least(LANES, b->n_units - o))) << o;
    }
}

/* dx of one sample and n_vectors vectors from column i on, each of `lanes` columns. */
KT_INLINE void backward_row(size_t n_vectors, size_t lanes, const unit_block *b, size_t s, size_t i)
{
    const float *d = b->d + s * b->ld_d, *w = b->w + i;
    float *dx = b->dx + s * b->ld_dx + i;
    const size_t ld_w = b->ld_w;
    vector sums[STRIP];
    KT_UNROLL
    for (size_t j = 0; j < n_vectors; j++)
        sums[j] = b->first ? splat(0) : load(dx + j * LANES, lanes);
    for (uint32_t bits = b->nonzero[s]; bits != 0; bits &= bits - 1) {
        const size_t o = (size_t)__builtin_ctz(bits);
        const vector factor = splat(d[o]);
        const float *row = w + o * ld_w;
        KT_UNROLL
        for (size_t j = 0; j < n_vectors; j++)
            sums[j] = multiply_add(factor, load(row + j * LANES, lanes), sums[j]);
    }
    KT_UNROLL
    for (size_t j = 0; j < n_vectors; j++)
        store(dx + j * LANES, sums[j], lanes);
}

/* A whole strip of all samples. Meanwhile the two strips from `next` on are prefetched: each is asked for twice, since
 * a busy core drops many prefetches. They may lie beyond the end of w, which does no harm. */
static void backward_strip(const unit_block *b, size_t i, const float *next)
{
    for (size_t s = 0, row = 0; s < b->m; s++) {
        for (; row < b->n_units * (s + 1) / b->m; row++)
            for (size_t j = 0; j < STRIP * LANES; j += LINE) {
                __builtin_prefetch(next + row * b->ld_w + j, 0, 2);
                __builtin_prefetch(next + row * b->ld_w + STRIP * LANES + j, 0, 2);
            }
        backward_row(STRIP, LANES, b, s, i);
    }
}

static void backward_block(const unit_block *b, size_t n_in)
{
    size_t i = 0;
    for (; i + STRIP * LANES <= n_in; i += STRIP * LANES) {
        const bool last = i + 2 * STRIP * LANES > n_in;
        backward_strip(b, i, last ? b->w + UNIT_BLOCK * b->ld_w : b->w + i + STRIP * LANES);
    }
    for (; i + STRIP / 2 * LANES <= n_in; i += STRIP / 2 * LANES)
        for (size_t s = 0; s < b->m; s++)
            backward_row(STRIP / 2, LANES, b, s, i);
    for (; i < n_in; i += LANES)
        for (size_t s = 0; s < b->m; s++)
            backward_row(1, least(LANES, n_in - i), b, s, i);
}

static void backward(size_t m, size_t n_in, size_t n_out, const float *d, size_t ld_d, const float *w, size_t ld_w,
                     float *dx, size_t ld_dx)
{
    for (size_t s = 0; s < m; s += ROW_BLOCK)
        for (size_t o = 0; o < n_out; o += UNIT_BLOCK) {
            unit_block b = {.m = least(ROW_BLOCK, m - s),
                            .n_units = least(UNIT_BLOCK, n_out - o),
                            .d = d + s * ld_d + o,
                            .w = w + o * ld_w,
                            .dx = dx + s * ld_dx,
                            .ld_d = ld_d,
                            .ld_w = ld_w,
                            .ld_dx = ld_dx,
                            .first = o == 0};
            find_nonzero(&b);
            backward_block(&b, n_in);
        }
}

#endif
