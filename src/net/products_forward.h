/* Forward: lists of nonzeros, and dense tiles where there are few zeros. Part of a source that is built for one
 * instruction set. */
#ifndef KTRAIN_PRODUCTS_FORWARD_H
#define KTRAIN_PRODUCTS_FORWARD_H

#include "net/products_vector.h"

/* A few panels and a few inputs, whose weights stay in the first-level cache while samples pass. Sums wait in y. */
typedef struct forward_block {
    const kt_inputs *in;
    const float *w, *from; /* of the first panel, from input 0 on; where sums begin: the bias or y */
    float *y;
    size_t stride_w, stride_from, stride_y;
    size_t step_from;  /* floats to the next sample's */
    size_t begin, end; /* of inputs, begin a multiple of 16 */
} forward_block;

enum { MOST_LISTS = 4 };

/* Samples s ... s + n_lists - 1 and n panels. The lists are walked side by side as long as all of them last. */
KT_INLINE void forward_lists(size_t n, size_t n_lists, const forward_block *b, size_t s)
{
    const kt_inputs *in = b->in;
    const float *w = b->w, *value[MOST_LISTS];
    const uint32_t *index[MOST_LISTS];
    const size_t stride = b->stride_w;
    vector sum[MOST_LISTS][LIST_PANELS * PARTS];
    size_t left[MOST_LISTS], common = SIZE_MAX, k = 0;
    KT_UNROLL
    for (size_t j = 0; j < n_lists; j++) {
        const uint32_t *start = in->start + (s + j) * in->n_starts + b->begin / 16;
        index[j] = in->index + (s + j) * in->room + start[0];
        value[j] = in->value + (s + j) * in->room + start[0];
        left[j] = start[(b->end - b->begin + 15) / 16] - start[0];
        common = kt_smaller(common, left[j]);
        KT_UNROLL
        for (size_t v = 0; v < n * PARTS; v++)
            sum[j][v] = load(b->from + (s + j) * b->step_from + vector_at(v, b->stride_from));
    }
    for (; n_lists > 1 && k < common; k++)
        KT_UNROLL
    for (size_t j = 0; j < n_lists; j++) {
        const float *row = w + index[j][k] * (size_t)KT_PANEL;
        const vector factor = splat(value[j][k]);
        KT_UNROLL
        for (size_t v = 0; v < n * PARTS; v++)
            sum[j][v] = multiply_add(factor, load(row + vector_at(v, stride)), sum[j][v]);
    }
    KT_UNROLL
    for (size_t j = 0; j < n_lists; j++) {
        for (size_t i = k; i < left[j]; i++) {
            const float *row = w + index[j][i] * (size_t)KT_PANEL;
            const vector factor = splat(value[j][i]);
            KT_UNROLL
            for (size_t v = 0; v < n * PARTS; v++)
                sum[j][v] = multiply_add(factor, load(row + vector_at(v, stride)), sum[j][v]);
        }
        KT_UNROLL
        for (size_t v = 0; v < n * PARTS; v++)
            store(b->y + (s + j) * KT_PANEL + vector_at(v, b->stride_y), sum[j][v]);
    }
}

/* Samples s ... s + n_rows - 1 and n panels. */
KT_INLINE void forward_tile(size_t n, size_t n_rows, const forward_block *b, size_t s)
{
    const float *w = b->w + b->begin * KT_PANEL, *x[TILE_ROWS];
    const size_t stride = b->stride_w;
    vector sum[TILE_ROWS][TILE_PANELS * PARTS];
    KT_UNROLL
    for (size_t r = 0; r < n_rows; r++) {
        x[r] = b->in->x + (s + r) * b->in->ld + b->begin;
        KT_UNROLL
        for (size_t v = 0; v < n * PARTS; v++)
            sum[r][v] = load(b->from + (s + r) * b->step_from + vector_at(v, b->stride_from));
    }
    for (size_t i = 0; i < b->end - b->begin; i++) {
        vector row[TILE_PANELS * PARTS];
        KT_UNROLL
        for (size_t v = 0; v < n * PARTS; v++)
            row[v] = load(w + i * KT_PANEL + vector_at(v, stride));
        KT_UNROLL
        for (size_t r = 0; r < n_rows; r++) {
            const vector factor = splat(x[r][i]);
            KT_UNROLL
            for (size_t v = 0; v < n * PARTS; v++)
                sum[r][v] = multiply_add(factor, row[v], sum[r][v]);
        }
    }
    KT_UNROLL
    for (size_t r = 0; r < n_rows; r++)
        KT_UNROLL
    for (size_t v = 0; v < n * PARTS; v++)
        store(b->y + (s + r) * KT_PANEL + vector_at(v, b->stride_y), sum[r][v]);
}

typedef void forward_function(const forward_block *b, size_t s);

/* Few panels alone are too few chains: so many lists at a time. */
#define KT_LISTS_OF(panels) (2 * (panels) > LIST_PANELS ? 1 : 4 * (panels) > LIST_PANELS ? 2 : 4)
#define KT_FORWARD_LISTS(panels)                                         \
    static void forward_list_##panels(const forward_block *b, size_t s)  \
    {                                                                    \
        forward_lists(panels, 1, b, s);                                  \
    }                                                                    \
    static void forward_lists_##panels(const forward_block *b, size_t s) \
    {                                                                    \
        forward_lists(panels, KT_LISTS_OF(panels), b, s);                \
    }
#define KT_FORWARD_TILE(panels, rows)                                            \
    static void forward_tile_##panels##_##rows(const forward_block *b, size_t s) \
    {                                                                            \
        forward_tile(panels, rows, b, s);                                        \
    }
KT_EACH_LIST(KT_FORWARD_LISTS)
KT_EACH_TILE(KT_FORWARD_TILE)

/* [panels - 1][one or several], [panels - 1][rows - 1] */
#define KT_LISTS_ROW(panels)       [(panels)-1] = {forward_list_##panels, forward_lists_##panels},
#define KT_TILES_ROW(panels, rows) [(panels)-1][(rows)-1] = forward_tile_##panels##_##rows,
static forward_function *const forward_lists_of[LIST_PANELS][2] = {KT_EACH_LIST(KT_LISTS_ROW)};
static forward_function *const forward_tiles[TILE_PANELS][TILE_ROWS] = {KT_EACH_TILE(KT_TILES_ROW)};

/* Where at least so many of 100 inputs are not 0, a dense tile is faster. */
enum { DENSE_PERCENT = 70 };

static bool is_dense(const forward_block *b, kt_range samples)
{
    const size_t first = b->begin / 16, last = (b->end + 15) / 16;
    size_t n = 0;
    for (size_t s = samples.begin; s < samples.end; s++) {
        const uint32_t *start = b->in->start + s * b->in->n_starts;
        n += start[last] - start[first];
    }
    return n * 100 >= (samples.end - samples.begin) * (b->end - b->begin) * DENSE_PERCENT;
}

/* n panels, at most TILE_ROWS samples. */
static void forward_samples(const forward_block *block, size_t n, kt_range samples)
{
    const size_t together = (size_t)KT_LISTS_OF(n);
    if (is_dense(block, samples)) {
        for (size_t p = 0; p < n; p += TILE_PANELS) {
            forward_block b = *block;
            b.w += p * b.stride_w, b.from += p * b.stride_from, b.y += p * b.stride_y;
            forward_tiles[kt_smaller(n - p, TILE_PANELS) - 1][samples.end - samples.begin - 1](&b, samples.begin);
        }
        return;
    }
    size_t s = samples.begin;
    for (; s + together <= samples.end; s += together)
        forward_lists_of[n - 1][1](block, s);
    for (; s < samples.end; s++)
        forward_lists_of[n - 1][0](block, s);
}

/* Weights of a block: half of the smallest first-level cache. */
enum { BLOCK_LINES = 384 };

static void forward(const kt_panels *w, const float *bias, const kt_inputs *x, kt_range rows, const kt_panels *y)
{
    const size_t n_groups = (w->n + LIST_PANELS - 1) / LIST_PANELS;
    const size_t n_rows = rows.end - rows.begin, n_tiles = (n_rows + TILE_ROWS - 1) / TILE_ROWS;
    for (size_t g = 0; g < n_groups; g++) {
        const kt_range panels = kt_share(w->n, g, n_groups);
        const size_t p = panels.begin, n = panels.end - p, n_inputs = BLOCK_LINES / n / 16 * 16;
        forward_block b = {.in = x,
                           .w = w->at + p * w->stride,
                           .stride_w = w->stride,
                           .from = bias + p * KT_PANEL,
                           .stride_from = KT_PANEL,
                           .y = y->at + p * y->stride,
                           .stride_y = y->stride};
        for (; b.begin < w->rows; b.begin = b.end) {
            b.end = kt_smaller(b.begin + n_inputs, w->rows);
            for (size_t t = 0; t < n_tiles; t++) {
                const kt_range tile = kt_share(n_rows, t, n_tiles);
                forward_samples(&b, n, (kt_range){rows.begin + tile.begin, rows.begin + tile.end});
            }
            b.from = b.y, b.stride_from = b.stride_y, b.step_from = KT_PANEL;
        }
    }
}

#endif
