/* Draws by the thousand, for one instruction set. */
#include "base/random_private.h"
#include "base/real.h"

/* One round of KT_RANDOM_LANES blocks at once. */
static inline void round_lanes(uint32_t c[KT_RANDOM_WORDS][KT_RANDOM_LANES], uint32_t k0, uint32_t k1)
{
    for (int l = 0; l < KT_RANDOM_LANES; l++) {
        uint64_t p0 = (uint64_t)KT_RANDOM_MULTIPLIER_0 * c[0][l], p1 = (uint64_t)KT_RANDOM_MULTIPLIER_1 * c[2][l];
        uint32_t old1 = c[1][l], old3 = c[3][l];
        c[0][l] = (uint32_t)(p1 >> 32) ^ old1 ^ k0;
        c[1][l] = (uint32_t)p1;
        c[2][l] = (uint32_t)(p0 >> 32) ^ old3 ^ k1;
        c[3][l] = (uint32_t)p0;
    }
}

static void fill_groups(const uint32_t counter[3], const uint32_t key[2], uint32_t first_block, size_t n_groups,
                        uint32_t *restrict out)
{
    uint32_t k[2] = {key[0], key[1]};
    for (size_t g = 0; g < n_groups; g++, out += KT_RANDOM_LANES * KT_RANDOM_WORDS, first_block += KT_RANDOM_LANES) {
        uint32_t c[KT_RANDOM_WORDS][KT_RANDOM_LANES];
        for (uint32_t l = 0; l < KT_RANDOM_LANES; l++)
            c[0][l] = first_block + l, c[1][l] = counter[0], c[2][l] = counter[1], c[3][l] = counter[2];
        for (uint32_t round = 0; round < KT_RANDOM_ROUNDS; round++)
            round_lanes(c, k[0] + round * KT_RANDOM_WEYL_0, k[1] + round * KT_RANDOM_WEYL_1);
        for (int l = 0; l < KT_RANDOM_LANES; l++)
            for (int w = 0; w < KT_RANDOM_WORDS; w++)
                out[l * KT_RANDOM_WORDS + w] = c[w][l];
    }
}

static void to_uniform(size_t n, const uint32_t *restrict bits, float *restrict out)
{
    for (size_t i = 0; i < n; i++)
        out[i] = (float)(int32_t)(bits[i] >> 8) * 0x1p-24f; /* below 2^24, so exact; signed converts faster */
}

static void to_normal(size_t n_pairs, const uint32_t *restrict bits, float *restrict out)
{
    for (size_t i = 0; i < n_pairs; i++) {
        double cosine, sine;
        const double radius = __builtin_sqrt(-2 * kt_real_log(((double)bits[2 * i] + 1) * 0x1p-32));
        kt_real_turn(bits[2 * i + 1], &cosine, &sine);
        out[2 * i] = (float)(radius * cosine);
        out[2 * i + 1] = (float)(radius * sine);
    }
}

const kt_random_loops KT_SIMD_NAME(kt_random_loops) = {fill_groups, to_uniform, to_normal};
