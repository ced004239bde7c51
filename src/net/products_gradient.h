/* Gradients: masks of nonzeros, and dense tiles where there are few zeros. Part of a source that is built for one
 * instruction set. */
#ifndef KTRAIN_PRODUCTS_GRADIENT_H
#define KTRAIN_PRODUCTS_GRADIENT_H

#include "base/shards.h"
#include "net/products.h"
#include "net/products_chains.h"

enum { INPUTS_TOGETHER = KT_ORDERED_INPUTS };

/* Fetches a share, number `share` of n_shares, of samples that come next: their inputs from `first` on, and their
 * deltas. */
static void fetch_next(const kt_inputs *in, size_t first, const kt_panels *d, kt_range next, size_t share,
                       size_t n_shares)
{
    const kt_range some = kt_share(next.end - next.begin, share, n_shares);
    for (size_t s = next.begin + some.begin; s < next.begin + some.end; s++) {
        for (size_t i = first; i < kt_smaller(first + INPUTS_TOGETHER, in->ld); i += KT_PANEL)
            __builtin_prefetch(in->x + s * in->ld + i, 0, 3);
        for (size_t p = 0; p < d->n; p++)
            __builtin_prefetch(d->at + p * d->stride + s * KT_PANEL, 0, 3);
    }
}

/* A few panels, and those of INPUTS_TOGETHER inputs, the first of which is number `first`, that are in `inputs`. */
typedef struct gradient_part {
    const kt_inputs *in;
    const kt_panels *d;
    size_t first;
    kt_range inputs;
    bool in_turn; /* by their numbers: what is written lies far, and the processor fetches what comes next in memory */
} gradient_part;

/* Its inputs in the order that was noted for a word of samples, or in their own: of no word (in->words). Returns their
 * number. */
static size_t take_order(const gradient_part *part, size_t word, uint8_t item[INPUTS_TOGETHER])
{
    const kt_inputs *in = part->in;
    const uint8_t *order = kt_inputs_order(in, word, part->first);
    const bool by_order = word < in->words && !part->in_turn && order[0] != KT_NO_ORDER;
    size_t n = 0;
    for (size_t k = 0; k < kt_smaller(INPUTS_TOGETHER, in->n - part->first); k++) {
        const size_t i = by_order ? order[k] : k;
        item[n] = (uint8_t)i;
        n += part->first + i >= part->inputs.begin && part->first + i < part->inputs.end;
    }
    return n;
}

/* The sum of one shard, of samples `rows`. The levels' row 0 is input `first`. */
static void gradient_shard(const gradient_part *part, kt_range rows, const kt_panels *level, size_t n_adds)
{
    static const _Alignas(64) float zeros[LIST_PANELS * KT_PANEL];
    const kt_inputs *in = part->in;
    const kt_panels *d = part->d;
    const size_t first = part->first;
    const bool far = in->M * in->ld >= FAR_LINES * KT_PANEL;
    const size_t n_together = LIST_PANELS * 64 > first_cache_lines() / 4 * 3 ? 32 : 64;
    chains c = {.stride_row = d->stride,
                .of_item = 1,
                .of_bit = in->ld,
                .next_mask = in->words,
                .begin = zeros,
                .level = level};
    size_t s = rows.begin, e;
    do {
        uint8_t item[INPUTS_TOGETHER];
        const bool is_empty = s == rows.end;
        const size_t word = is_empty ? 0 : s / 64;
        const size_t n_items = take_order(part, is_empty ? in->words : word, item);
        e = kt_smaller((s / n_together + 1) * n_together, rows.end);
        c.bits = is_empty ? 0 : bits_between(s, e);
        c.row = d->at + word * 64 * KT_PANEL;
        c.factor = in->x + word * 64 * in->ld + first;
        c.mask = in->mask + first * in->words + word;
        c.n_adds = e == rows.end ? n_adds : 0;
        const kt_range next = kt_range_from(e, far ? n_together : 0, in->M);
        for (size_t k = 0; k < n_items; k += far ? 8 : n_items) {
            fetch_next(in, first, d, next, k / 8, (n_items + 7) / 8);
            chains_all(&c, item + k, kt_smaller(n_items - k, far ? 8 : n_items));
        }
        c.begin = NULL;
        s = e;
    } while (s < rows.end);
}

/* Several shards. Level 0 of the tree is g itself; others wait in memory. */
static void gradient_tree(const gradient_part *part, const kt_shard_rows *shards, kt_panels g)
{
    _Alignas(64) float waiting[KT_SHARD_LEVELS - 1][LIST_PANELS][INPUTS_TOGETHER][KT_PANEL];
    kt_panels level[KT_SHARD_LEVELS] = {g};
    for (size_t l = 1; l < KT_SHARD_LEVELS; l++)
        level[l] = (kt_panels){waiting[l - 1][0][0], g.n, INPUTS_TOGETHER, INPUTS_TOGETHER * KT_PANEL};
    for (size_t k = 0, top = 0; k < shards->n; k++, top++) {
        const size_t n_adds = kt_shards_adds(k);
        gradient_shard(part, (kt_range){shards->row[k], shards->row[k + 1]}, &level[top], n_adds);
        top -= n_adds;
    }
}

static void gradient(const kt_inputs *x, size_t first, const kt_shard_rows *shards, const kt_panels *d,
                     const kt_panels *g)
{
    const bool in_turn = g->n * g->rows >= (size_t)4 * FAR_LINES;
    for (size_t p = 0; p < d->n; p += LIST_PANELS) {
        const kt_range panels = kt_range_from(p, LIST_PANELS, d->n), inputs = {first, first + g->rows};
        const kt_panels some = kt_panels_some(d, panels), sums = kt_panels_some(g, panels);
        for (size_t i = first / INPUTS_TOGETHER * INPUTS_TOGETHER; i < inputs.end; i += INPUTS_TOGETHER) {
            kt_panels to = sums;
            to.at = (float *)((uintptr_t)to.at + (i - first) * KT_PANEL * sizeof(float)); /* perhaps before it */
            gradient_tree(&(gradient_part){x, &some, i, inputs, in_turn}, shards, to);
        }
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
                for (size_t n_adds = kt_shards_adds(k); n_adds > 0; n_adds--)
                    sum = add(level[--top], sum);
                level[top] = sum;
            }
            store(g + p * KT_PANEL + v * LANES, level[0]);
        }
}

#endif
