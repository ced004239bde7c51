/* One input's line of a gradient: the innermost loop of products, and of optimizers that need no tile. Part of a source that is
 * built for one instruction set. */
#ifndef KTRAIN_PRODUCTS_LINE_H
#define KTRAIN_PRODUCTS_LINE_H

#include "net/products.h"
#include "net/products_vector.h"

/* Bits of samples [s, e) in their word. */
KT_INLINE uint64_t bits_between(size_t s, size_t e)
{
    return ~(uint64_t)0 << s % 64 & ~(uint64_t)0 >> (63 - (e - 1) % 64);
}

/* A few panels, and the samples of one word of the masks or fewer: their deltas stay in the first-level cache while inputs
 * pass. */
typedef struct gradient_block {
    const kt_inputs *in;
    const float *d; /* of the first panel and of bit 0 */
    size_t stride_d, word;
    uint64_t samples; /* bits */
    kt_range next;    /* samples that come next, to be fetched meanwhile; none: they are near */
    bool adds;        /* the chains go on, and do not begin */
    bool few_zeros;
} gradient_block;

/* Sums of input i and n panels; adds: they go on from what stands there. */
KT_INLINE void gradient_line(size_t n, const gradient_block *b, bool adds, size_t i, float *to, size_t stride_to)
{
    const float *x = b->in->x + b->word * 64 * b->in->ld + i, *d = b->d;
    const size_t stride = b->stride_d, ld = b->in->ld;
    vector sum[LIST_PANELS * PARTS];
    KT_UNROLL
    for (size_t v = 0; v < n * PARTS; v++)
        sum[v] = adds ? load(to + vector_at(v, stride_to)) : splat(0);
    for (uint64_t bits = b->in->mask[i * b->in->words + b->word] & b->samples; bits != 0; bits &= bits - 1) {
        const size_t s = (size_t)__builtin_ctzll(bits);
        const vector factor = splat(x[s * ld]);
        KT_UNROLL
        for (size_t v = 0; v < n * PARTS; v++)
            sum[v] = multiply_add(factor, load(d + s * KT_PANEL + vector_at(v, stride)), sum[v]);
    }
    KT_UNROLL
    for (size_t v = 0; v < n * PARTS; v++)
        store(to + vector_at(v, stride_to), sum[v]);
}

/* The same of two inputs, zeros and all: where these are few that is faster than to look for them. */
KT_INLINE void gradient_two_lines(size_t n, const gradient_block *b, size_t i, float *to, size_t stride_to)
{
    const float *x = b->in->x + b->word * 64 * b->in->ld + i, *d = b->d;
    const size_t stride = b->stride_d, ld = b->in->ld, end = 64 - (size_t)__builtin_clzll(b->samples);
    vector sum[2][LIST_PANELS * PARTS];
    KT_UNROLL
    for (size_t v = 0; v < n * PARTS; v++)
        sum[0][v] = sum[1][v] = splat(0);
    for (size_t s = (size_t)__builtin_ctzll(b->samples); s < end; s++) {
        const vector factor[2] = {splat(x[s * ld]), splat(x[s * ld + 1])};
        KT_UNROLL
        for (size_t v = 0; v < n * PARTS; v++) {
            const vector delta = load(d + s * KT_PANEL + vector_at(v, stride));
            sum[0][v] = multiply_add(factor[0], delta, sum[0][v]);
            sum[1][v] = multiply_add(factor[1], delta, sum[1][v]);
        }
    }
    KT_UNROLL
    for (size_t v = 0; v < n * PARTS; v++) {
        store(to + vector_at(v, stride_to), sum[0][v]);
        store(to + KT_PANEL + vector_at(v, stride_to), sum[1][v]);
    }
}

#endif
