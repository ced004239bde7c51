/* Backward: vectors over samples, weights broadcast. Part of a source that is built for one instruction set. */
#ifndef KTRAIN_PRODUCTS_BACKWARD_H
#define KTRAIN_PRODUCTS_BACKWARD_H

#include "base/shards.h"
#include "net/products.h"
#include "net/products_vector.h"

/* A part of a run: panels [begin, end), whose deltas of the samples at hand stay in the first-level cache. */
typedef struct backward_block {
    const kt_panels *w;
    const float *d; /* of the first sample */
    size_t ld_d, begin, end;
    bool adds;               /* the chains go on, and do not begin */
    const kt_columns *level; /* where they wait; of the tree of runs, below it the sums that they are added to, */
    size_t n_adds;           /* so many */
    size_t first;            /* input of row 0 of the levels */
} backward_block;

/* The deltas of a block and 16 samples, in panels: a third of the smallest first-level cache. */
enum { DELTA_PANELS = 12, MOST_INPUTS = 12, MOST_SQUARES = 4, SQUARE_VECTORS = MOST_SQUARES * PARTS };

/* Inputs i ... i + n_inputs - 1 and 16 n_squares samples. far: the weights of the next inputs are fetched meanwhile. */
KT_INLINE void backward_tile(size_t n_squares, size_t n_inputs, bool far, const backward_block *b, size_t i)
{
    const size_t n = n_squares * PARTS, row = i - b->first;
    const kt_columns *level = b->level;
    vector sum[MOST_INPUTS][SQUARE_VECTORS];
    KT_UNROLL
    for (size_t k = 0; k < n_inputs; k++)
        KT_UNROLL
    for (size_t v = 0; v < n; v++)
        sum[k][v] = b->adds ? load(level->at + (row + k) * level->ld + v * LANES) : splat(0);
    for (size_t p = b->begin; p < b->end; p++) {
        const float *w = b->w->at + p * b->w->stride + i * KT_PANEL, *d = b->d + p * KT_PANEL * b->ld_d;
        for (size_t u = 0; u < KT_PANEL; u++, d += b->ld_d) {
            vector delta[SQUARE_VECTORS];
            if (far)
                __builtin_prefetch(w + (n_inputs + u) * KT_PANEL, 0, 3);
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
    for (size_t l = 0; l < b->n_adds; l++) {
        level--;
        KT_UNROLL
        for (size_t k = 0; k < n_inputs; k++)
            KT_UNROLL
        for (size_t v = 0; v < n; v++)
            sum[k][v] = add(load(level->at + (row + k) * level->ld + v * LANES), sum[k][v]);
    }
    KT_UNROLL
    for (size_t k = 0; k < n_inputs; k++)
        KT_UNROLL
    for (size_t v = 0; v < n; v++)
        store(level->at + (row + k) * level->ld + v * LANES, sum[k][v]);
}

typedef void backward_function(const backward_block *b, size_t i);

/* Tiles of 1, 2 or 4 squares of 16 samples: of all inputs that there are registers for, of weights near or far, and of
 * one input. */
#define KT_BACKWARD(squares, inputs)                                         \
    static void backward_##squares##_near(const backward_block *b, size_t i) \
    {                                                                        \
        backward_tile(squares, inputs, false, b, i);                         \
    }                                                                        \
    static void backward_##squares##_far(const backward_block *b, size_t i)  \
    {                                                                        \
        backward_tile(squares, inputs, true, b, i);                          \
    }                                                                        \
    static void backward_##squares##_one(const backward_block *b, size_t i)  \
    {                                                                        \
        backward_tile(squares, 1, false, b, i);                              \
    }
KT_EACH_BACKWARD(KT_BACKWARD)

typedef struct backward_kind {
    size_t squares, inputs;
    backward_function *several[2], *one; /* [far] */
} backward_kind;

static const backward_kind backward_kinds[] = {
#define KT_BACKWARD_ROW(squares, inputs) \
    {squares, inputs, {backward_##squares##_near, backward_##squares##_far}, backward_##squares##_one},
    KT_EACH_BACKWARD(KT_BACKWARD_ROW)};

/* Sums of one run, n_adds times added to those of runs before it. */
static void backward_run(const backward_kind *kind, backward_block b, kt_range run, kt_range inputs, size_t n_adds)
{
    const size_t n_panels = DELTA_PANELS / kind->squares;
    const bool far = b.w->n * b.w->rows >= FAR_LINES;
    b.begin = run.begin;
    do {
        b.end = kt_smaller(b.begin + n_panels, run.end);
        b.n_adds = b.end == run.end ? n_adds : 0;
        size_t i = inputs.begin;
        for (; i + kind->inputs <= inputs.end; i += kind->inputs)
            kind->several[far](&b, i);
        for (; i < inputs.end; i++)
            kind->one(&b, i);
        b.adds = true;
        b.begin = b.end;
    } while (b.begin < run.end);
}

/* Inputs whose sums wait in memory, at each level of the tree, while runs are added. */
enum { WAITING_INPUTS = 48 };

/* Samples of one tile. Level 0 of the tree is dx itself. */
static void backward_squares(const backward_kind *kind, backward_block b, const kt_runs *runs, size_t n_inputs,
                             kt_columns dx)
{
    _Alignas(64) float waiting[KT_SHARD_LEVELS - 1][WAITING_INPUTS][MOST_SQUARES * KT_PANEL];
    const size_t n_waiting = runs->n == 1 ? n_inputs : WAITING_INPUTS;
    kt_columns level[KT_SHARD_LEVELS];
    for (size_t l = 1; l < KT_SHARD_LEVELS; l++)
        level[l] = (kt_columns){waiting[l - 1][0], MOST_SQUARES * KT_PANEL};
    for (b.first = 0; b.first < n_inputs; b.first += n_waiting) {
        level[0] = (kt_columns){dx.at + b.first * dx.ld, dx.ld};
        for (size_t k = 0, top = 0; k < runs->n; k++, top++) {
            const size_t n_adds = kt_shards_adds(k);
            b.level = &level[top];
            backward_run(kind, b, (kt_range){runs->bound[k], runs->bound[k + 1]},
                         kt_range_from(b.first, n_waiting, n_inputs), n_adds);
            top -= n_adds;
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
        backward_squares(&backward_kinds[kind], b, runs, w->rows, (kt_columns){dx->at + s, dx->ld});
    }
}

#endif
