/* The inputs of a dense layer for a batch, and where they are not 0. Each rank has its own. Local. */
#ifndef KTRAIN_INPUTS_H
#define KTRAIN_INPUTS_H

#include <stdint.h>

#include "base/memory.h"

/* Letters: n features; M samples at most, at their places in the batch. What is below x is made by kt_products.note, for the
 * samples that it is asked for; who writes x writes zeros beyond n, too. */
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
} kt_inputs;

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
    return in;
}

#endif
