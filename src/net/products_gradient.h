/* Gradients: masks of nonzeros, and dense tiles where there are few zeros. Part of a source that is built for one
 * instruction set. */
#ifndef KTRAIN_PRODUCTS_GRADIENT_H
#define KTRAIN_PRODUCTS_GRADIENT_H

#include "base/shards.h"
#include "net/products.h"
#include "net/products_line.h"

/* Sums of inputs i ... i + n_inputs - 1 and n panels. */
KT_INLINE void gradient_tile(size_t n, size_t n_inputs, const gradient_block *b, size_t i, kt_panels to)
{
    const size_t begin = (size_t)__builtin_ctzll(b->samples), end = 64 - (size_t)__builtin_clzll(b->samples);
    const float *x = b->in->x + b->word * 64 * b->in->ld + i, *d = b->d;
    const size_t stride = b->stride_d, ld = b->in->ld;
    vector sum[TILE_ROWS][TILE_PANELS * PARTS];
    KT_UNROLL
    for (size_t k = 0; k < n_inputs; k++)
        KT_UNROLL
    for (size_t v = 0; v < n * PARTS; v++)
        sum[k][v] = b->adds ? load(to.at + k * KT_PANEL + vector_at(v, to.stride)) : splat(0);
    for (size_t s = begin; s < end; s++) {
        vector delta[TILE_PANELS * PARTS];
        KT_UNROLL
        for (size_t v = 0; v < n * PARTS; v++)
            delta[v] = load(d + s * KT_PANEL + vector_at(v, stride));
        KT_UNROLL
        for (size_t k = 0; k < n_inputs; k++) {
            const vector factor = splat(x[s * ld + k]);
            KT_UNROLL
            for (size_t v = 0; v < n * PARTS; v++)
                sum[k][v] = multiply_add(factor, delta[v], sum[k][v]);
        }
    }
    KT_UNROLL
    for (size_t k = 0; k < n_inputs; k++)
        KT_UNROLL
    for (size_t v = 0; v < n * PARTS; v++)
        store(to.at + k * KT_PANEL + vector_at(v, to.stride), sum[k][v]);
}

typedef void gradient_lines_function(const gradient_block *b, kt_range inputs, kt_panels to);
typedef void gradient_tile_function(const gradient_block *b, size_t i, kt_panels to);

#define KT_GRADIENT_LINES(panels)                                                               \
    static void gradient_lines_##panels(const gradient_block *b, kt_range inputs, kt_panels to) \
    {                                                                                           \
        for (size_t i = inputs.begin; i < inputs.end; i++, to.at += KT_PANEL)                   \
            gradient_line(panels, b, b->adds, i, to.at, to.stride);                             \
    }
#define KT_GRADIENT_TILE(panels, rows)                                                           \
    static void gradient_tile_##panels##_##rows(const gradient_block *b, size_t i, kt_panels to) \
    {                                                                                            \
        gradient_tile(panels, rows, b, i, to);                                                   \
    }
KT_EACH_LIST(KT_GRADIENT_LINES)
KT_EACH_TILE(KT_GRADIENT_TILE)

/* [panels - 1], [panels - 1][rows - 1] */
#define KT_GRADIENT_LINES_ROW(panels)      [(panels)-1] = gradient_lines_##panels,
#define KT_GRADIENT_TILE_ROW(panels, rows) [(panels)-1][(rows)-1] = gradient_tile_##panels##_##rows,
static gradient_lines_function *const gradient_lines[LIST_PANELS] = {KT_EACH_LIST(KT_GRADIENT_LINES_ROW)};
static gradient_tile_function *const gradient_tiles[TILE_PANELS][TILE_ROWS] = {KT_EACH_TILE(KT_GRADIENT_TILE_ROW)};

/* As dense_percent of products_forward.h; here lists are walked one at a time. */
KT_INLINE size_t few_zeros_percent(size_t n)
{
    return n * PARTS > 4 ? 75 : n * PARTS > 2 ? 50 : 25;
}

static bool has_few_zeros(const gradient_block *b, size_t n_panels, kt_range inputs)
{
    size_t n = 0;
    for (size_t i = inputs.begin; i < inputs.end; i++)
        n += (size_t)__builtin_popcountll(b->in->mask[i * b->in->words + b->word] & b->samples);
    return n * 100 >=
           (inputs.end - inputs.begin) * (size_t)__builtin_popcountll(b->samples) * few_zeros_percent(n_panels);
}

/* Fetches the share of the next samples that belongs to inputs from i on. */
static void fetch_next(const gradient_block *b, size_t n_panels, kt_range inputs, size_t i)
{
    const size_t n_shares = (inputs.end - inputs.begin + TILE_ROWS - 1) / TILE_ROWS;
    const size_t n = (b->next.end - b->next.begin + n_shares - 1) / n_shares;
    const kt_range some = kt_range_from(b->next.begin + (i - inputs.begin) / TILE_ROWS * n, n, b->next.end);
    for (size_t s = some.begin; s < some.end; s++) {
        for (size_t k = inputs.begin; k < inputs.end; k += KT_PANEL)
            __builtin_prefetch(b->in->x + s * b->in->ld + k, 0, 3);
        for (size_t p = 0; p < n_panels; p++)
            __builtin_prefetch(b->d + p * b->stride_d + (s - b->word * 64) * KT_PANEL, 0, 3);
    }
}

/* to: row 0 is the first of the inputs. */
static void gradient_word(const gradient_block *block, kt_range inputs, kt_panels to)
{
    for (size_t i = inputs.begin; i < inputs.end; i += TILE_ROWS) {
        const kt_range some = kt_range_from(i, TILE_ROWS, inputs.end);
        kt_panels at = to;
        if (block->next.begin < block->next.end)
            fetch_next(block, to.n, inputs, i);
        at.at += (i - inputs.begin) * KT_PANEL;
        if (!has_few_zeros(block, to.n, some)) {
            gradient_lines[to.n - 1](block, some, at);
            continue;
        }
        for (size_t p = 0; p < to.n; p += TILE_PANELS) {
            gradient_block b = *block;
            b.d += p * b.stride_d;
            gradient_tiles[kt_smaller(to.n - p, TILE_PANELS) - 1][some.end - i - 1](&b, i, at);
            at.at += TILE_PANELS * at.stride;
        }
    }
}

/* The sum of one shard: of samples [rows.begin, rows.end). d: of the first panel. */
static void gradient_shard(const kt_inputs *in, const float *d, size_t stride_d, kt_range rows, kt_range inputs,
                           kt_panels to)
{
    gradient_block b = {.in = in, .stride_d = stride_d};
    const bool far = in->M * in->ld >= FAR_LINES * KT_PANEL;
    const size_t n_together = LIST_PANELS * 64 > first_cache_lines() / 4 * 3 ? 32 : 64;
    for (size_t s = rows.begin, e; s < rows.end; s = e) {
        e = kt_smaller((s / n_together + 1) * n_together, rows.end);
        b.word = s / 64;
        b.d = d + b.word * 64 * KT_PANEL;
        b.samples = bits_between(s, e);
        b.next = kt_range_from(e, far ? n_together : 0, in->M);
        gradient_word(&b, inputs, to);
        b.adds = true;
    }
    for (size_t p = 0; p < to.n && rows.begin == rows.end; p++)
        for (size_t i = 0; i < (inputs.end - inputs.begin) * KT_PANEL; i += LANES)
            store(to.at + p * to.stride + i, splat(0));
}

static void add_panels(size_t n_rows, kt_panels from, kt_panels to)
{
    for (size_t p = 0; p < to.n; p++)
        for (size_t i = 0; i < n_rows * KT_PANEL; i += LANES) {
            float *sum = to.at + p * to.stride + i;
            store(sum, add(load(sum), load(from.at + p * from.stride + i)));
        }
}

/* Inputs whose sums wait in memory, at each level of the tree, while shards are added. */
enum { WAITING_LINES = 60 };

/* A few panels and several shards. Level 0 of the tree is g itself. */
static void gradient_tree(const kt_inputs *x, size_t first, const kt_shard_rows *shards, const kt_panels *d,
                          kt_panels g)
{
    _Alignas(64) float waiting[KT_SHARD_LEVELS - 1][LIST_PANELS][WAITING_LINES][KT_PANEL];
    for (size_t i = 0; i < g.rows; i += WAITING_LINES) {
        const kt_range inputs = kt_range_from(first + i, WAITING_LINES, first + g.rows);
        kt_panels level[KT_SHARD_LEVELS] = {{g.at + i * KT_PANEL, g.n, g.rows, g.stride}};
        for (size_t l = 1; l < KT_SHARD_LEVELS; l++)
            level[l] = (kt_panels){waiting[l - 1][0][0], g.n, WAITING_LINES, WAITING_LINES * KT_PANEL};
        for (size_t k = 0, top = 0; k < shards->n; k++, top++) {
            const kt_range rows = {shards->row[k], shards->row[k + 1]};
            gradient_shard(x, d->at, d->stride, rows, inputs, level[top]);
            for (size_t done = k; done % 2 == 1; done /= 2, top--)
                add_panels(inputs.end - inputs.begin, level[top], level[top - 1]);
        }
    }
}

static void gradient(const kt_inputs *x, size_t first, const kt_shard_rows *shards, const kt_panels *d,
                     const kt_panels *g)
{
    for (size_t p = 0; p < d->n; p += LIST_PANELS) {
        const kt_range panels = kt_range_from(p, LIST_PANELS, d->n);
        const kt_panels some = kt_panels_some(d, panels);
        if (shards->n == 1)
            gradient_shard(x, some.at, d->stride, (kt_range){shards->row[0], shards->row[1]},
                           (kt_range){first, first + g->rows}, kt_panels_some(g, panels));
        else
            gradient_tree(x, first, shards, &some, kt_panels_some(g, panels));
    }
}

static void bias_gradient(const kt_shard_rows *shards, const kt_panels *d, float *g)
{
    for (size_t p = 0; p < d->n; p++)
        for (size_t v = 0; v < PARTS; v++) {
            const float *delta = d->at + p * d->stride + v * LANES;
            vector level[KT_SHARD_LEVELS];
            for (size_t k = 0, top = 0; k < shards->n; k++, top++) {
                vector sum = splat(0);
                for (size_t s = shards->row[k]; s < shards->row[k + 1]; s++)
                    sum = add(sum, load(delta + s * KT_PANEL));
                for (size_t done = k; done % 2 == 1; done /= 2)
                    sum = add(level[--top], sum);
                level[top] = sum;
            }
            store(g + p * KT_PANEL + v * LANES, level[0]);
        }
}

#endif
