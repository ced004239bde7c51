/* Backward: vectors over samples, weights broadcast. Part of a source that is built for one instruction set. */
#ifndef KTRAIN_PRODUCTS_BACKWARD_H
#define KTRAIN_PRODUCTS_BACKWARD_H

#include "base/shards.h"
#include "net/products.h"
#include "net/products_vector.h"

/* A part of a run: units [begin, end), whole panels, whose deltas of the samples at hand stay in the first-level cache. */
typedef struct backward_block {
    const kt_panels *w;
    const float *d; /* of the first sample */
    size_t ld_d, begin, end;
    bool adds; /* the chains go on, and do not begin */
} backward_block;

/* The deltas of a block and 16 samples, in panels: a third of the smallest first-level cache. */
enum { DELTA_PANELS = 12, MOST_INPUTS = 12, SQUARE_VECTORS = 4 * PARTS };

/* Sums of inputs i ... i + n_inputs - 1 and 16 n_squares samples; row i is at `to`. */
KT_INLINE void backward_tile(size_t n_squares, size_t n_inputs, const backward_block *b, size_t i, kt_columns to)
{
    const size_t n = n_squares * PARTS;
    vector sum[MOST_INPUTS][SQUARE_VECTORS];
    KT_UNROLL
    for (size_t k = 0; k < n_inputs; k++)
        KT_UNROLL
    for (size_t v = 0; v < n; v++)
        sum[k][v] = b->adds ? load(to.at + k * to.ld + v * LANES) : splat(0);
    for (size_t p = b->begin; p < b->end; p++) {
        const float *w = b->w->at + p * b->w->stride + i * KT_PANEL, *d = b->d + p * KT_PANEL * b->ld_d;
        for (size_t u = 0; u < KT_PANEL; u++, d += b->ld_d) {
            vector delta[SQUARE_VECTORS];
            KT_UNROLL
            for (size_t v = 0; v < n; v++)
                delta[v] = load(d + v * LANES);
            KT_UNROLL
            for (size_t k = 0; k < n_inputs; k++) {
                const vector weight = splat(w[k * KT_PANEL + u]);
                KT_UNROLL
                for (size_t v = 0; v < n; v++)
                    sum[k][v] = multiply_add(weight, delta[v], sum[k][v]);
            }
        }
    }
    KT_UNROLL
    for (size_t k = 0; k < n_inputs; k++)
        KT_UNROLL
    for (size_t v = 0; v < n; v++)
        store(to.at + k * to.ld + v * LANES, sum[k][v]);
}

typedef void backward_function(const backward_block *b, size_t i, kt_columns to);

/* Tiles of 1, 2 and 4 squares of 16 samples, of all inputs that there are registers for, or of one. */
#define KT_BACKWARD(squares, inputs)                                                          \
    static void backward_##squares(const backward_block *b, size_t i, kt_columns to)          \
    {                                                                                         \
        backward_tile(squares, inputs, b, i, to);                                             \
    }                                                                                         \
    static void backward_##squares##_of_one(const backward_block *b, size_t i, kt_columns to) \
    {                                                                                         \
        backward_tile(squares, 1, b, i, to);                                                  \
    }
KT_EACH_BACKWARD(KT_BACKWARD)

static const struct backward_kind {
    size_t squares, inputs;
    backward_function *several, *one;
} backward_kinds[] = {
#define KT_BACKWARD_ROW(squares, inputs) {squares, inputs, backward_##squares, backward_##squares##_of_one},
    KT_EACH_BACKWARD(KT_BACKWARD_ROW)};

/* The level of the tree that holds sums of inputs; others are added to it. */
static void add_rows(size_t n_rows, size_t n_columns, kt_columns from, kt_columns to)
{
    for (size_t r = 0; r < n_rows; r++)
        for (size_t s = 0; s < n_columns; s += LANES)
            store(to.at + r * to.ld + s, add(load(to.at + r * to.ld + s), load(from.at + r * from.ld + s)));
}

/* Sums of one run: panels [run.begin, run.end), inputs, into `to`. */
static void backward_run(const struct backward_kind *kind, backward_block b, kt_range run, kt_range inputs,
                         kt_columns to)
{
    const size_t n_panels = DELTA_PANELS / kind->squares;
    b.adds = false;
    if (run.begin == run.end)
        for (size_t i = 0; i < inputs.end - inputs.begin; i++)
            for (size_t s = 0; s < kind->squares * KT_PANEL; s += LANES)
                store(to.at + i * to.ld + s, splat(0));
    for (b.begin = run.begin; b.begin < run.end; b.begin = b.end) {
        b.end = kt_smaller(b.begin + n_panels, run.end);
        size_t i = inputs.begin;
        for (; i + kind->inputs <= inputs.end; i += kind->inputs)
            kind->several(&b, i, (kt_columns){to.at + (i - inputs.begin) * to.ld, to.ld});
        for (; i < inputs.end; i++)
            kind->one(&b, i, (kt_columns){to.at + (i - inputs.begin) * to.ld, to.ld});
        b.adds = true;
    }
}

/* Inputs whose sums of 64 samples wait in memory, at each level of the tree, while runs are added. */
enum { WAITING_INPUTS = 48, MOST_SQUARES = 4 };

/* Samples of one tile. Level 0 of the tree is dx itself. */
static void backward_squares(const struct backward_kind *kind, const backward_block *b, const kt_runs *runs,
                             size_t n_inputs, kt_columns dx)
{
    _Alignas(64) float waiting[KT_SHARD_LEVELS - 1][WAITING_INPUTS][MOST_SQUARES * KT_PANEL];
    const size_t n_waiting = runs->n == 1 ? n_inputs : WAITING_INPUTS, n_samples = kind->squares * KT_PANEL;
    for (size_t i = 0; i < n_inputs; i += n_waiting) {
        const kt_range inputs = kt_range_from(i, n_waiting, n_inputs);
        kt_columns level[KT_SHARD_LEVELS] = {{dx.at + i * dx.ld, dx.ld}};
        for (size_t l = 1; l < KT_SHARD_LEVELS; l++)
            level[l] = (kt_columns){waiting[l - 1][0], MOST_SQUARES * KT_PANEL};
        for (size_t k = 0, top = 0; k < runs->n; k++, top++) {
            backward_run(kind, *b, (kt_range){runs->bound[k], runs->bound[k + 1]}, inputs, level[top]);
            for (size_t done = k; done % 2 == 1; done /= 2, top--)
                add_rows(inputs.end - i, n_samples, level[top], level[top - 1]);
        }
    }
}

static void backward(const kt_panels *w, const kt_runs *runs, const kt_columns *d, kt_range rows, const kt_columns *dx)
{
    const size_t first = rows.begin / KT_PANEL * KT_PANEL;
    for (size_t s = first, n; s < rows.end; s += n * KT_PANEL) {
        const size_t squares = (rows.end - s + KT_PANEL - 1) / KT_PANEL;
        size_t kind = sizeof backward_kinds / sizeof backward_kinds[0] - 1;
        while (backward_kinds[kind].squares > squares)
            kind--;
        n = backward_kinds[kind].squares;
        const backward_block b = {.w = w, .d = d->at + s, .ld_d = d->ld};
        backward_squares(&backward_kinds[kind], &b, runs, w->rows, (kt_columns){dx->at + s, dx->ld});
    }
}

#endif
