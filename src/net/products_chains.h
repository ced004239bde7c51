/* Chains over the set bits of words, which forward and gradients of many samples are made of: an item is a sample or an
 * input, a bit an input or a sample whose factor is not 0. Part of a source that is built for one instruction set. */
#ifndef KTRAIN_PRODUCTS_CHAINS_H
#define KTRAIN_PRODUCTS_CHAINS_H

#include "net/products.h"
#include "net/products_vector.h"

/* One word of each of up to 256 items, and a few panels: what is multiplied stays in the first-level cache. */
typedef struct chains {
    const float *row; /* that of bit 0, of the first panel */
    size_t stride_row;
    const float *factor;    /* of item 0 and bit 0, */
    size_t of_item, of_bit; /* floats to the next item's, and to the next bit's */
    const uint64_t *mask;   /* item 0's word, */
    size_t next_mask;       /* words to the next item's */
    uint64_t bits;          /* that count */
    const float *begin;     /* [panels][KT_PANEL]: where chains begin; NULL: they go on from what stands in *level */
    const kt_panels *level; /* row k: item k's chains; of a tree, below it the sums that they are added to, */
    size_t n_adds;          /* so many */
} chains;

KT_INLINE void chains_begin(size_t n, const chains *c, size_t item, vector *sum)
{
    const float *from = c->begin != NULL ? c->begin : c->level->at + item * KT_PANEL;
    const size_t stride = c->begin != NULL ? KT_PANEL : c->level->stride;
    KT_UNROLL
    for (size_t v = 0; v < n * PARTS; v++)
        sum[v] = load(from + vector_at(v, stride));
}

KT_INLINE void chains_end(size_t n, const chains *c, size_t item, vector *sum)
{
    const kt_panels *level = c->level;
    for (size_t l = 0; l < c->n_adds; l++) {
        level--;
        KT_UNROLL
        for (size_t v = 0; v < n * PARTS; v++)
            sum[v] = add(load(level->at + item * KT_PANEL + vector_at(v, level->stride)), sum[v]);
    }
    KT_UNROLL
    for (size_t v = 0; v < n * PARTS; v++)
        store(level->at + item * KT_PANEL + vector_at(v, level->stride), sum[v]);
}

/* The chains' next link, at the first of the bits. */
KT_INLINE void chains_link(size_t n, const chains *c, const float *factor, uint64_t *bits, vector *sum)
{
    const size_t bit = (size_t)__builtin_ctzll(*bits);
    const vector value = splat(factor[bit * c->of_bit]);
    const float *row = c->row + bit * KT_PANEL;
    KT_UNROLL
    for (size_t v = 0; v < n * PARTS; v++)
        sum[v] = multiply_add(value, load(row + vector_at(v, c->stride_row)), sum[v]);
    *bits &= *bits - 1;
}

enum { MOST_ITEMS = 4 };

/* n_items items and n panels. They are walked side by side as long as all of them last. */
KT_INLINE void chains_of_items(size_t n, size_t n_items, const chains *c, const uint8_t *item)
{
    vector sum[MOST_ITEMS][LIST_PANELS * PARTS];
    const float *factor[MOST_ITEMS];
    uint64_t bits[MOST_ITEMS];
    int common = 64;
    KT_UNROLL
    for (size_t k = 0; k < n_items; k++) {
        bits[k] = c->mask[item[k] * c->next_mask] & c->bits;
        factor[k] = c->factor + item[k] * c->of_item;
        common = __builtin_popcountll(bits[k]) < common ? __builtin_popcountll(bits[k]) : common;
        chains_begin(n, c, item[k], sum[k]);
    }
    for (; n_items > 1 && common > 0; common--)
        KT_UNROLL
    for (size_t k = 0; k < n_items; k++)
        chains_link(n, c, factor[k], &bits[k], sum[k]);
    KT_UNROLL
    for (size_t k = 0; k < n_items; k++) {
        while (bits[k] != 0)
            chains_link(n, c, factor[k], &bits[k], sum[k]);
        chains_end(n, c, item[k], sum[k]);
    }
}

/* So many items at a time are as many chains as there are registers for. */
#define KT_ITEMS_OF(panels) \
    (2 * (panels)*PARTS > MOST_CHAINS ? 1 : 4 * (panels)*PARTS > MOST_CHAINS ? 2 : (size_t)MOST_ITEMS)

KT_INLINE void chains_few(size_t n, const chains *all, const uint8_t *item, size_t n_items)
{
    const chains c = *all; /* a copy that no store can change: it stays in registers */
    size_t k = 0;
    for (; k + KT_ITEMS_OF(n) <= n_items; k += KT_ITEMS_OF(n))
        chains_of_items(n, KT_ITEMS_OF(n), &c, item + k);
    for (; KT_ITEMS_OF(n) > 1 && k < n_items; k++)
        chains_of_items(n, 1, &c, item + k);
}

/* Zeros and all, of n_items items and n panels. */
KT_INLINE void chains_tile(size_t n, size_t n_items, const chains *c, const uint8_t *item)
{
    const size_t first = (size_t)__builtin_ctzll(c->bits), end = 64 - (size_t)__builtin_clzll(c->bits);
    links l = {c->row + first * KT_PANEL, c->stride_row, .of_link = c->of_bit, .n = end - first};
    vector sum[TILE_ROWS][TILE_PANELS * PARTS];
    KT_UNROLL
    for (size_t k = 0; k < n_items; k++) {
        l.factor[k] = c->factor + item[k] * c->of_item + first * c->of_bit;
        chains_begin(n, c, item[k], sum[k]);
    }
    links_add(n, n_items, &l, sum);
    KT_UNROLL
    for (size_t k = 0; k < n_items; k++)
        chains_end(n, c, item[k], sum[k]);
}

typedef void chains_few_function(const chains *c, const uint8_t *item, size_t n_items);
typedef void chains_tile_function(const chains *c, const uint8_t *item);

#define KT_CHAINS_FEW(panels)                                                             \
    static void chains_few_##panels(const chains *c, const uint8_t *item, size_t n_items) \
    {                                                                                     \
        chains_few(panels, c, item, n_items);                                             \
    }
#define KT_CHAINS_TILE(panels, items)                                                \
    static void chains_tile_##panels##_##items(const chains *c, const uint8_t *item) \
    {                                                                                \
        chains_tile(panels, items, c, item);                                         \
    }
KT_EACH_LIST(KT_CHAINS_FEW)
KT_EACH_TILE(KT_CHAINS_TILE)

/* [panels - 1], [panels - 1][items - 1] */
#define KT_CHAINS_FEW_ROW(panels)         [(panels)-1] = chains_few_##panels,
#define KT_CHAINS_TILE_ROW(panels, items) [(panels)-1][(items)-1] = chains_tile_##panels##_##items,
static chains_few_function *const chains_of_few[LIST_PANELS] = {KT_EACH_LIST(KT_CHAINS_FEW_ROW)};
static chains_tile_function *const chains_tiles[TILE_PANELS][TILE_ROWS] = {KT_EACH_TILE(KT_CHAINS_TILE_ROW)};

static size_t bits_of_item(const chains *c, size_t item)
{
    return (size_t)__builtin_popcountll(c->mask[item * c->next_mask] & c->bits);
}

/* Items are best taken in the order of how many bits they have: then a processor guesses right where loops end, and
 * those with few zeros come last, together. */
static void order_items(const chains *c, size_t n_items, uint8_t *item)
{
    uint16_t place[64 + 2] = {0};
    for (size_t k = 0; k < n_items; k++)
        place[bits_of_item(c, k) + 1]++;
    for (size_t b = 0; b < 64; b++)
        place[b + 1] = (uint16_t)(place[b + 1] + place[b]);
    for (size_t k = 0; k < n_items; k++)
        item[place[bits_of_item(c, k)]++] = (uint8_t)k;
}

/* Where at least so many of 100 bits are set a dense tile of n panels is faster. */
enum { FEW_ZEROS_PERCENT = 75 };

static void chains_dense(const chains *all, const uint8_t *item, size_t n_items)
{
    const size_t n_panels = all->level->n;
    for (size_t p = 0; p < n_panels; p += TILE_PANELS) {
        kt_panels level[KT_SHARD_LEVELS];
        chains c = *all;
        const kt_range some = kt_range_from(p, TILE_PANELS, n_panels);
        for (size_t l = 0; l <= c.n_adds; l++)
            level[c.n_adds - l] = kt_panels_some(all->level - l, some);
        c.level = level + c.n_adds;
        c.row += p * c.stride_row;
        c.begin = c.begin == NULL ? NULL : c.begin + p * KT_PANEL;
        for (size_t k = 0; k < n_items; k += TILE_ROWS)
            chains_tiles[some.end - some.begin - 1][kt_smaller(n_items - k, TILE_ROWS) - 1](&c, item + k);
    }
}

/* At most LIST_PANELS panels; the items in their order. */
static void chains_all(const chains *c, const uint8_t *item, size_t n_items)
{
    const size_t n_bits = (size_t)__builtin_popcountll(c->bits);
    size_t n_few = n_items;
    while (n_few > 0 && n_bits > 0 && bits_of_item(c, item[n_few - 1]) * 100 >= n_bits * FEW_ZEROS_PERCENT)
        n_few--;
    chains_of_few[c->level->n - 1](c, item, n_few);
    if (n_few < n_items)
        chains_dense(c, item + n_few, n_items - n_few);
}

#endif
