/* Forward: lists of nonzeros, and dense tiles where there are few zeros. Part of a source that is built for one
 * instruction set. */
#ifndef KTRAIN_PRODUCTS_FORWARD_H
#define KTRAIN_PRODUCTS_FORWARD_H

#include "net/products_chains.h"

/* A few panels and a few inputs, whose weights stay in the first-level cache while samples pass. Sums wait in y. */
typedef struct forward_block {
    const kt_inputs *in;
    const float *w; /* of the first panel and input `begin` */
    float *y;       /* of the first panel */
    size_t stride_w, stride_y;
    size_t begin, end; /* of inputs; begin is a multiple of 16 */
    /* What comes next in memory is fetched meanwhile: n_ahead lines of each panel for each sample from `first` on. */
    const float *next;
    size_t first, n_ahead;
} forward_block;

enum { MOST_LISTS = 4 };

KT_INLINE void forward_entry(size_t n, const forward_block *b, size_t i, vector factor, vector *sum)
{
    const float *row = b->w + i * KT_PANEL;
    KT_UNROLL
    for (size_t v = 0; v < n * PARTS; v++)
        sum[v] = multiply_add(factor, load(row + vector_at(v, b->stride_w)), sum[v]);
}

/* What is left of a list from entry k on. One load of four values is less work than four. */
KT_INLINE void forward_list(size_t n, const forward_block *b, const uint32_t *index, const float *value, size_t k,
                            size_t end, vector *sum)
{
    for (; k + 4 <= end; k += 4) {
        const vector four = load_4(value + k);
        forward_entry(n, b, index[k], splat_of(four, 0), sum);
        forward_entry(n, b, index[k + 1], splat_of(four, 1), sum);
        forward_entry(n, b, index[k + 2], splat_of(four, 2), sum);
        forward_entry(n, b, index[k + 3], splat_of(four, 3), sum);
    }
    for (; k < end; k++)
        forward_entry(n, b, index[k], splat(value[k]), sum);
}

KT_INLINE void fetch_ahead(size_t n, const forward_block *b, size_t s, size_t n_samples)
{
    const size_t begin = (s - b->first) * b->n_ahead;
    for (size_t i = begin; i < begin + b->n_ahead * n_samples; i++)
        KT_UNROLL
    for (size_t p = 0; p < n; p++)
        __builtin_prefetch(b->next + p * b->stride_w + i * KT_PANEL, 0, 3);
}

/* Samples s ... s + n_lists - 1 and n panels. The lists are walked side by side as long as all of them last. */
KT_INLINE void forward_visit(size_t n, size_t n_lists, const forward_block *b, size_t s)
{
    const kt_inputs *in = b->in;
    const float *value[MOST_LISTS];
    const uint32_t *index[MOST_LISTS];
    vector sum[MOST_LISTS][LIST_PANELS * PARTS];
    size_t left[MOST_LISTS], common = SIZE_MAX, k = 0;
    fetch_ahead(n, b, s, n_lists);
    KT_UNROLL
    for (size_t j = 0; j < n_lists; j++) {
        const uint32_t *start = in->start + (s + j) * in->n_starts + b->begin / 16;
        index[j] = in->index + (s + j) * in->room + start[0];
        value[j] = in->value + (s + j) * in->room + start[0];
        left[j] = start[(b->end - b->begin + 15) / 16] - start[0];
        common = kt_smaller(common, left[j]);
        for (size_t l = 0; l < 32; l += 16) { /* about where the next lists will be walked */
            __builtin_prefetch(index[j] + n_lists * in->room + l, 0, 3);
            __builtin_prefetch(value[j] + n_lists * in->room + l, 0, 3);
        }
        KT_UNROLL
        for (size_t v = 0; v < n * PARTS; v++)
            sum[j][v] = load(b->y + (s + j) * KT_PANEL + vector_at(v, b->stride_y));
    }
    for (; n_lists > 1 && k < common; k++)
        KT_UNROLL
    for (size_t j = 0; j < n_lists; j++)
        forward_entry(n, b, index[j][k], splat(value[j][k]), sum[j]);
    KT_UNROLL
    for (size_t j = 0; j < n_lists; j++) {
        forward_list(n, b, index[j], value[j], k, left[j], sum[j]);
        KT_UNROLL
        for (size_t v = 0; v < n * PARTS; v++)
            store(b->y + (s + j) * KT_PANEL + vector_at(v, b->stride_y), sum[j][v]);
    }
}

/* Few panels alone are too few chains: so many lists at a time. */
#define KT_LISTS_OF(panels) (2 * (panels) > LIST_PANELS ? 1 : 4 * (panels) > LIST_PANELS ? 2 : 4)

KT_INLINE void forward_lists(size_t n, const forward_block *block, kt_range samples)
{
    forward_block b = *block; /* a copy that no store can change: it stays in registers */
    size_t s = samples.begin;
    b.w -= b.begin * KT_PANEL;
    for (; s + KT_LISTS_OF(n) <= samples.end; s += KT_LISTS_OF(n))
        forward_visit(n, KT_LISTS_OF(n), &b, s);
    for (; KT_LISTS_OF(n) > 1 && s < samples.end; s++)
        forward_visit(n, 1, &b, s);
}

/* Samples s ... s + n_rows - 1 and n panels. */
KT_INLINE void forward_tile(size_t n, size_t n_rows, const forward_block *b, size_t s)
{
    links l = {b->w, b->stride_w, .of_link = 1, .n = b->end - b->begin};
    vector sum[TILE_ROWS][TILE_PANELS * PARTS];
    KT_UNROLL
    for (size_t r = 0; r < n_rows; r++) {
        l.factor[r] = b->in->x + (s + r) * b->in->ld + b->begin;
        KT_UNROLL
        for (size_t v = 0; v < n * PARTS; v++)
            sum[r][v] = load(b->y + (s + r) * KT_PANEL + vector_at(v, b->stride_y));
    }
    links_add(n, n_rows, &l, sum);
    KT_UNROLL
    for (size_t r = 0; r < n_rows; r++)
        KT_UNROLL
    for (size_t v = 0; v < n * PARTS; v++)
        store(b->y + (s + r) * KT_PANEL + vector_at(v, b->stride_y), sum[r][v]);
}

typedef void forward_lists_function(const forward_block *b, kt_range samples);
typedef void forward_tile_function(const forward_block *b, size_t s);

#define KT_FORWARD_LISTS(panels)                                                 \
    static void forward_lists_##panels(const forward_block *b, kt_range samples) \
    {                                                                            \
        forward_lists(panels, b, samples);                                       \
    }
#define KT_FORWARD_TILE(panels, rows)                                            \
    static void forward_tile_##panels##_##rows(const forward_block *b, size_t s) \
    {                                                                            \
        forward_tile(panels, rows, b, s);                                        \
    }
KT_EACH_LIST(KT_FORWARD_LISTS)
KT_EACH_TILE(KT_FORWARD_TILE)

/* [panels - 1], [panels - 1][rows - 1] */
#define KT_LISTS_ROW(panels)       [(panels)-1] = forward_lists_##panels,
#define KT_TILES_ROW(panels, rows) [(panels)-1][(rows)-1] = forward_tile_##panels##_##rows,
static forward_lists_function *const forward_lists_of[LIST_PANELS] = {KT_EACH_LIST(KT_LISTS_ROW)};
static forward_tile_function *const forward_tiles[TILE_PANELS][TILE_ROWS] = {KT_EACH_TILE(KT_TILES_ROW)};

/* Where at least so many of 100 inputs are not 0, a dense tile of n panels is faster: lists for few panels wait for
 * their own sums. */
KT_INLINE size_t dense_percent(size_t n)
{
    return n * PARTS > 4 ? 75 : 50;
}

static bool is_dense(const forward_block *b, size_t n_panels, kt_range samples)
{
    const size_t first = b->begin / 16, last = (b->end + 15) / 16;
    size_t n = 0;
    for (size_t s = samples.begin; s < samples.end; s++) {
        const uint32_t *start = b->in->start + s * b->in->n_starts;
        n += start[last] - start[first];
    }
    return n * 100 >= (samples.end - samples.begin) * (b->end - b->begin) * dense_percent(n_panels);
}

/* n panels, at most TILE_ROWS samples. */
static void forward_samples(const forward_block *block, size_t n, kt_range samples)
{
    if (!is_dense(block, n, samples)) {
        forward_lists_of[n - 1](block, samples);
        return;
    }
    forward_block b = *block;
    fetch_ahead(n, block, samples.begin, samples.end - samples.begin);
    for (size_t p = 0; p < n; p += TILE_PANELS) {
        forward_tiles[kt_smaller(n - p, TILE_PANELS) - 1][samples.end - samples.begin - 1](&b, samples.begin);
        b.w += TILE_PANELS * b.stride_w;
        b.y += TILE_PANELS * b.stride_y;
    }
}

/* All samples of a few panels. far: their weights come from beyond the second-level cache, and the next block of them
 * is fetched while the samples pass one; it finds room beside it. */
static void forward_group(const kt_panels *w, bool far, forward_block b, kt_range rows)
{
    const size_t lines = first_cache_lines() / 4 * (far ? 2 : 3), n_inputs = kt_larger(lines / w->n / 16, 1) * 16;
    const size_t n_rows = rows.end - rows.begin;
    for (; b.begin < w->rows; b.begin = b.end) {
        b.end = kt_smaller(b.begin + n_inputs, w->rows);
        b.w = w->at + b.begin * KT_PANEL;
        b.next = b.end < w->rows ? w->at + b.end * KT_PANEL : w->at + w->n * w->stride;
        b.n_ahead = far ? (n_inputs + n_rows - 1) / n_rows : 0;
        for (size_t s = rows.begin; s < rows.end; s += TILE_ROWS)
            forward_samples(&b, w->n, kt_range_from(s, TILE_ROWS, rows.end));
    }
}

static void begin_with_bias(const float *bias, kt_range rows, const kt_panels *y)
{
    for (size_t p = 0; p < y->n; p++)
        for (size_t s = rows.begin; s < rows.end; s++)
            for (size_t v = 0; v < PARTS; v++)
                store(y->at + p * y->stride + s * KT_PANEL + v * LANES, load(bias + p * KT_PANEL + v * LANES));
}

static void forward_lists_all(const kt_panels *w, const float *bias, const kt_inputs *x, kt_range rows,
                              const kt_panels *y)
{
    const size_t n_groups = (w->n + LIST_PANELS - 1) / LIST_PANELS;
    const bool far = w->n * w->rows >= FAR_LINES && rows.begin < rows.end;
    for (size_t g = 0; g < n_groups; g++) {
        const kt_range panels = kt_share(w->n, g, n_groups);
        const kt_panels some = kt_panels_some(w, panels), sums = kt_panels_some(y, panels);
        const forward_block b = {
            .in = x, .stride_w = w->stride, .y = sums.at, .stride_y = y->stride, .first = rows.begin};
        begin_with_bias(bias + panels.begin * KT_PANEL, rows, &sums);
        forward_group(&some, far, b, rows);
    }
}

/* What lies far is fetched for so many samples at a time: some 32 lines, about as many as can be on their way. */
enum { ITEMS_A_FETCH = 32 / LIST_PANELS };

/* To the second-level cache: the first has no room for two blocks. */
static void fetch_rows(const float *w, size_t stride, size_t n_panels, kt_range inputs)
{
    for (size_t p = 0; p < n_panels; p++)
        for (size_t i = inputs.begin; i < inputs.end; i++)
            __builtin_prefetch(w + p * stride + i * KT_PANEL, 0, 2);
}

/* The inputs of some samples that come after these 64. */
static void fetch_inputs(const chains *c, const uint8_t *sample, size_t n_samples)
{
    for (size_t k = 0; k < n_samples; k++)
        for (size_t i = 64; i < 128; i += 16)
            __builtin_prefetch(c->factor + sample[k] * c->of_item + i, 0, 2);
}

/* 64 inputs from a multiple of that on, and `rows`, at most 256 samples. */
static void forward_bits(const kt_panels *w, const float *bias, const kt_inputs *x, size_t input, kt_range rows,
                         const kt_panels *y)
{
    const size_t most = kt_smaller(LIST_PANELS, first_cache_lines() / 4 * 3 / 64), n_groups = (w->n + most - 1) / most;
    const bool far_w = w->n * w->rows >= FAR_LINES, far_x = x->M * x->ld >= FAR_LINES * KT_PANEL;
    const size_t n_rows = rows.end - rows.begin, at_once = far_w || far_x ? ITEMS_A_FETCH : n_rows;
    uint8_t order[256];
    chains c = {.stride_row = w->stride,
                .factor = x->x + rows.begin * x->ld + input,
                .of_item = x->ld,
                .of_bit = 1,
                .mask = x->bits + input / 64 * x->M + rows.begin,
                .next_mask = 1,
                .bits = bits_between(input, kt_smaller(input + 64, w->rows))};
    order_items(&c, n_rows, order);
    for (size_t g = 0; g < n_groups; g++) {
        const kt_range panels = kt_share(w->n, g, n_groups);
        kt_panels sums = kt_panels_some(y, panels);
        sums.at += rows.begin * KT_PANEL;
        c.row = w->at + panels.begin * w->stride + input * KT_PANEL;
        c.begin = input == 0 ? bias + panels.begin * KT_PANEL : NULL;
        c.level = &sums;
        const float *next =
            w->at + (g + 1 < n_groups ? panels.end * w->stride + input * KT_PANEL : (input + 64) * KT_PANEL);
        for (size_t k = 0; k < n_rows; k += at_once) {
            const size_t n = kt_smaller(n_rows - k, at_once);
            if (far_w)
                fetch_rows(next, w->stride, sums.n, kt_share(64, k / at_once, (n_rows + at_once - 1) / at_once));
            if (far_x && g == 0)
                fetch_inputs(&c, order + k, n);
            chains_all(&c, order + k, n);
        }
    }
}

static void forward(const kt_panels *w, const float *bias, const kt_inputs *x, kt_range rows, const kt_panels *y)
{
    if (rows.end - rows.begin <= KT_LISTED_SAMPLES) {
        forward_lists_all(w, bias, x, rows, y);
        return;
    }
    for (size_t s = rows.begin; s < rows.end; s += 256)
        for (size_t i = 0; i < w->rows; i += 64)
            forward_bits(w, bias, x, i, kt_range_from(s, 256, rows.end), y);
}

#endif
