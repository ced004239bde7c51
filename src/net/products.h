/* The products of dense layers. Local and pure.
 *
 * One definition for every row of the table (docs/numbers.md): an element of a product is one chain of fused
 * multiply-adds in ascending order of the index that is summed over, and chains are added along a binary tree
 * (shards.h): over the shards of a batch in a gradient, over runs of panels in derivatives of inputs. Zeros may be left
 * out, which changes no bit of a finite number but the sign of a zero. So all rows of the table give the same bits, in
 * any tile, from lists of nonzeros or densely, on any number of ranks.
 *
 * All memory is 64-byte aligned. Results overlap no operand. */
#ifndef KTRAIN_PRODUCTS_H
#define KTRAIN_PRODUCTS_H

#include <stdint.h>

#include "base/memory.h"
#include "base/simd.h"
#include "net/panels.h"

/* ---- the inputs of a layer ---- */

/* The inputs of a dense layer for a batch, and where they are not 0; each rank has its own.
 *
 * Letters: n features; M samples at most, at their places in the batch. What is below x is made by kt_products.note,
 * for the samples that it is asked for; who writes x writes zeros beyond n, too. */
typedef struct kt_inputs {
    size_t M, n, ld; /* ld: floats from a sample to the next, a multiple of 16 */
    float *x;        /* [M x ld] */
    size_t room;     /* of a list */
    uint32_t *index; /* [M x room]: the numbers of a sample's nonzero features, ascending, */
    float *value;    /* [M x room]: and their values */
    size_t n_starts; /* of a sample: (n + 15) / 16 + 1 */
    uint32_t *start; /* [M x n_starts]: where the features from 16 k on begin in a list; the last: where it ends */
    size_t words;    /* of a feature: (M + 63) / 64 */
    uint64_t *mask;  /* [n x words], and room for more: bit s % 64 of word s / 64 is set where sample s is not 0 */
    uint64_t *bits;  /* [(n + 63) / 64 x M]: bit i % 64 of row i / 64 is set where feature i is not 0 */
    uint8_t *order;  /* of each word, and its features from KT_ORDERED_INPUTS k on: how gradients take them
                      * (kt_inputs_order); it begins with KT_NO_ORDER where there is none */
} kt_inputs;

/* For up to so many samples lists are made; for more, `bits` and `order` instead. */
enum { KT_LISTED_SAMPLES = 48, KT_ORDERED_INPUTS = 128, KT_NO_ORDER = 255 };

/* The order of features from `input` on, a multiple of KT_ORDERED_INPUTS: numbers from there. */
static inline uint8_t *kt_inputs_order(const kt_inputs *in, size_t word, size_t input)
{
    const size_t n_groups = (in->n + KT_ORDERED_INPUTS - 1) / KT_ORDERED_INPUTS;
    return in->order + (word * n_groups + input / KT_ORDERED_INPUTS) * KT_ORDERED_INPUTS;
}

/* Floats from a sample to the next: an odd number of lines, so that a column's do not fall on the same places of the
 * first-level cache. */
static inline size_t kt_inputs_ld(size_t n)
{
    return ((n + 15) / 16 | 1) * 16;
}

/* Counts the memory, or hands it out when the arena has some. */
static inline kt_inputs kt_inputs_take(kt_arena *arena, size_t M, size_t n)
{
    kt_inputs in = {.M = M, .n = n, .ld = kt_inputs_ld(n), .room = (n + 31) / 16 * 16, .words = (M + 63) / 64};
    in.n_starts = (n + 15) / 16 + 1;
    in.x = kt_arena_take(arena, M * in.ld, sizeof *in.x);
    in.index = kt_arena_take(arena, M * in.room, sizeof *in.index);
    in.value = kt_arena_take(arena, M * in.room, sizeof *in.value);
    in.start = kt_arena_take(arena, M * in.n_starts, sizeof *in.start);
    in.mask = kt_arena_take(arena, (n + 15) / 16 * 16 * in.words, sizeof *in.mask);
    in.bits = kt_arena_take(arena, (n + 63) / 64 * M, sizeof *in.bits);
    in.order = kt_arena_take(arena, (n + KT_ORDERED_INPUTS - 1) / KT_ORDERED_INPUTS * KT_ORDERED_INPUTS * in.words,
                             sizeof *in.order);
    return in;
}

/* ---- products ---- */

/* A node of the tree over runs: run k is panels [bound[k], bound[k + 1]), perhaps none; n, a power of two, of them. */
typedef struct kt_runs {
    size_t n;
    const size_t *bound;
} kt_runs;

/* A node of the tree over the shards of a batch: shard k is samples [row[k], row[k + 1]), perhaps none; n, a power of
 * two, of them. */
typedef struct kt_shard_rows {
    size_t n;
    const size_t *row;
} kt_shard_rows;

typedef struct kt_products {
    const char *name;
    /* Gradients that go straight into the optimizer are asked for in tiles of so many panels and inputs, or fewer. */
    size_t tile_panels, tile_inputs;
    /* Derivatives of inputs are asked for from a multiple of so many inputs of the layer on, up to another or the
     * last. */
    size_t inputs_at_once;

    /* Makes the masks of samples `rows`, and their lists, or bits and order: of those that `changed`, the others were
     * noted with such rows before. What there is of other samples stays. */
    void (*note)(const kt_inputs *in, kt_range rows, kt_range changed);

    /* y of samples `rows`: each element a chain over the inputs that begins with bias[unit]. y->n == w->n, bias[16
     * w->n]; these very rows are noted. */
    void (*forward)(const kt_panels *w, const float *bias, const kt_inputs *x, kt_range rows, const kt_panels *y);

    /* dx (row i: input i, of w->rows) of samples `rows`, and perhaps of others in the same 16: the sum over the node's
     * runs of chains over their units, which begin with +0. d: row u is unit u of w. */
    void (*backward)(const kt_panels *w, const kt_runs *runs, const kt_columns *d, kt_range rows, const kt_columns *dx);

    /* g of inputs first ... first + g->rows - 1: the sum over the node's shards of chains over their samples, which
     * begin with +0. g->n == d->n panels, any number; x is noted. */
    void (*gradient)(const kt_inputs *x, size_t first, const kt_shard_rows *shards, const kt_panels *d,
                     const kt_panels *g);

    /* g[16 d->n]: the same of an input that is 1 in all samples. */
    void (*bias_gradient)(const kt_shard_rows *shards, const kt_panels *d, float *g);

    /* The same numbers in the other order, for samples `rows` (and perhaps others in the same 16): row 16 p + u of the
     * columns is unit u of panel p. */
    void (*to_columns)(const kt_panels *from, kt_range rows, const kt_columns *to);
    void (*to_panels)(const kt_columns *from, kt_range rows, const kt_panels *to);
} kt_products;

/* A row for each of kt_simd_rows; and OpenBLAS's, whose chains are its own. */
extern const kt_products *const kt_products_table[KT_N_SIMD];
extern const kt_products kt_products_openblas;

/* As a kt_products_choice (network_spec.h) says, with the row `simd` of instructions. */
const kt_products *kt_products_chosen(int choice, size_t simd);

#endif
