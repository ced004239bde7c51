/* Counter-based random numbers: every draw is a function of (seed, purpose, position).
 *
 * The generator is Philox4x32-10 (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2, 3", SC11).
 * Nothing is kept between calls, so any rank can make any draw, and a resumed run makes the same ones.
 *
 * Layout, which tools/torch_reference.py repeats: the key is the seed's (low, high) 32 bits; the counter is
 * (position / 4, sample, epoch, purpose << 24 | layer), and draw number `position` is word position % 4 of the block.
 * Everything here is local and pure. */
#ifndef KTRAIN_RANDOM_H
#define KTRAIN_RANDOM_H

#include <stddef.h>
#include <stdint.h>

typedef enum kt_random_purpose {
    KT_RANDOM_SPLIT = 1,
    KT_RANDOM_ORDER = 2,
    KT_RANDOM_INIT = 3,
    KT_RANDOM_DROPOUT = 4
} kt_random_purpose;

/* Where in the space of all draws a sequence starts. Unused fields are 0. layer < 2^24. */
typedef struct kt_random_place {
    uint64_t seed;
    kt_random_purpose purpose;
    uint32_t layer, epoch, sample;
} kt_random_place;

/* Philox4x32-10 of one counter under one key (for tests against the published vectors). */
void kt_random_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);

/* out[n] = draws first, first + 1, ... of the sequence at `place`. first is a multiple of 4, first + n at most 2^32. */
void kt_random_bits(const kt_random_place *place, uint32_t first, size_t n, uint32_t *out);

/* Bit u of out[k]: whether draw first + u, u < 16, of sample[k]'s sequence, k < n, is greater than the limit. first is
 * a multiple of 4. */
void kt_random_above(const kt_random_place *place, uint32_t first, uint32_t limit, size_t n, const uint32_t *sample,
                     uint16_t *out);

/* out[n] uniform in [0, 1): (bits >> 8) / 2^24, one draw each. */
void kt_random_uniform(const kt_random_place *place, uint32_t first, size_t n, float *out);

/* out[n] standard normal by Box-Muller in double: draws a = 2i and b = 2i+1 give numbers 2i, r cos(2 pi b / 2^32), and
 * 2i+1, the sine, with r = sqrt(-2 log((a + 1) / 2^32)), by the functions of real.h. first is a multiple of 4. */
void kt_random_normal(const kt_random_place *place, uint32_t first, size_t n, float *out);

/* Shuffles items[n] (Fisher-Yates from the last item down: item i changes places with item draw(i) * (i + 1) >> 32). n
 * < 2^32. */
void kt_random_shuffle(const kt_random_place *place, size_t n, uint32_t *items);

#endif
