/* Philox's constants, and the loops over many draws. */
#ifndef KTRAIN_RANDOM_PRIVATE_H
#define KTRAIN_RANDOM_PRIVATE_H

#include "base/random.h"
#include "base/simd.h"

enum {
    KT_RANDOM_WORDS = 4,  /* of a Philox block */
    KT_RANDOM_LANES = 16, /* blocks of a group: whole vectors of all instruction sets */
    KT_RANDOM_ROUNDS = 10
};

/* the paper's constants */
#define KT_RANDOM_MULTIPLIER_0 0xD2511F53u
#define KT_RANDOM_MULTIPLIER_1 0xCD9E8D57u
#define KT_RANDOM_WEYL_0       0x9E3779B9u
#define KT_RANDOM_WEYL_1       0xBB67AE85u

typedef struct kt_random_loops {
    /* out[n_groups x LANES x WORDS]: the blocks first_block, first_block + 1, ... of a place. */
    void (*fill_groups)(const kt_random_place *place, uint32_t first_block, size_t n_groups, uint32_t *restrict out);
    void (*above)(const kt_random_place *place, uint32_t first, uint32_t limit, size_t n, const uint32_t *sample,
                  uint16_t *out);
    void (*to_uniform)(size_t n, const uint32_t *restrict bits, float *restrict out);
    void (*to_normal)(size_t n_pairs, const uint32_t *restrict bits, float *restrict out); /* two of each */
} kt_random_loops;

KT_SIMD_DECLARE(const kt_random_loops, kt_random_loops, );

#endif
