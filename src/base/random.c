#include "base/random.h"

#include <math.h>
#include <string.h>

#include "base/simd.h"

enum {
    WORDS = 4,  /* of a Philox block */
    LANES = 16, /* blocks made side by side: one AVX-512 vector of each word */
    ROUNDS = 10,
    CHUNK = 1024 /* draws buffered at a time; a multiple of WORDS */
};

static const uint32_t MULTIPLIER_0 = 0xD2511F53u, MULTIPLIER_1 = 0xCD9E8D57u; /* the paper's constants */
static const uint32_t WEYL_0 = 0x9E3779B9u, WEYL_1 = 0xBB67AE85u;

void kt_random_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4])
{
    uint32_t c[WORDS], k0 = key[0], k1 = key[1];
    memcpy(c, counter, sizeof c);
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t p0 = (uint64_t)MULTIPLIER_0 * c[0], p1 = (uint64_t)MULTIPLIER_1 * c[2];
        uint32_t c0 = (uint32_t)(p1 >> 32) ^ c[1] ^ k0, c2 = (uint32_t)(p0 >> 32) ^ c[3] ^ k1;
        c[0] = c0, c[1] = (uint32_t)p1, c[2] = c2, c[3] = (uint32_t)p0;
        k0 += WEYL_0, k1 += WEYL_1;
    }
    memcpy(out, c, sizeof c);
}

/* One round of LANES blocks at once. */
static inline void round_lanes(uint32_t c[WORDS][LANES], uint32_t k0, uint32_t k1)
{
    for (int l = 0; l < LANES; l++) {
        uint64_t p0 = (uint64_t)MULTIPLIER_0 * c[0][l], p1 = (uint64_t)MULTIPLIER_1 * c[2][l];
        uint32_t old1 = c[1][l], old3 = c[3][l];
        c[0][l] = (uint32_t)(p1 >> 32) ^ old1 ^ k0;
        c[1][l] = (uint32_t)p1;
        c[2][l] = (uint32_t)(p0 >> 32) ^ old3 ^ k1;
        c[3][l] = (uint32_t)p0;
    }
}

/* out[n_groups x LANES x WORDS]: the blocks first_block, first_block + 1, ... of a place; counter holds its other
 * three words. */
KT_CLONES
static void fill_groups(const uint32_t counter[3], const uint32_t key[2], uint32_t first_block, size_t n_groups,
                        uint32_t *restrict out)
{
    uint32_t k[2] = {key[0], key[1]};
    for (size_t g = 0; g < n_groups; g++, out += LANES * WORDS, first_block += LANES) {
        uint32_t c[WORDS][LANES];
        for (uint32_t l = 0; l < LANES; l++)
            c[0][l] = first_block + l, c[1][l] = counter[0], c[2][l] = counter[1], c[3][l] = counter[2];
        for (uint32_t round = 0; round < ROUNDS; round++)
            round_lanes(c, k[0] + round * WEYL_0, k[1] + round * WEYL_1);
        for (int l = 0; l < LANES; l++)
            for (int w = 0; w < WORDS; w++)
                out[l * WORDS + w] = c[w][l];
    }
}

void kt_random_bits(const kt_random_place *place, uint32_t first, size_t n, uint32_t *out)
{
    const uint32_t counter[3] = {place->sample, place->epoch, (uint32_t)place->purpose << 24 | place->layer};
    const uint32_t key[2] = {(uint32_t)place->seed, (uint32_t)(place->seed >> 32)};
    const size_t n_groups = n / (LANES * WORDS), n_whole = n_groups * LANES * WORDS;
    const uint32_t first_block = first / WORDS;
    fill_groups(counter, key, first_block, n_groups, out);
    if (n_whole < n) {
        uint32_t last[LANES * WORDS];
        fill_groups(counter, key, first_block + (uint32_t)(n_whole / WORDS), 1, last);
        memcpy(out + n_whole, last, (n - n_whole) * sizeof *out);
    }
}

KT_CLONES
static void bits_to_uniform(size_t n, const uint32_t *restrict bits, float *restrict out)
{
    for (size_t i = 0; i < n; i++)
        out[i] = (float)(int32_t)(bits[i] >> 8) * 0x1p-24f; /* below 2^24, so exact; signed converts faster */
}

void kt_random_uniform(const kt_random_place *place, uint32_t first, size_t n, float *out)
{
    uint32_t bits[CHUNK];
    for (size_t i = 0; i < n; i += CHUNK) {
        size_t n_now = n - i < CHUNK ? n - i : CHUNK;
        kt_random_bits(place, first + (uint32_t)i, n_now, bits);
        bits_to_uniform(n_now, bits, out + i);
    }
}

void kt_random_normal(const kt_random_place *place, uint32_t first, size_t n, float *out)
{
    static const double TWO_PI = 6.283185307179586476925;
    uint32_t bits[CHUNK];
    for (size_t i = 0; i < n; i += CHUNK) {
        size_t n_now = n - i < CHUNK ? n - i : CHUNK;
        kt_random_bits(place, first + (uint32_t)i, n_now + n_now % 2, bits);
        for (size_t j = 0; j < n_now; j += 2) {
            double radius = sqrt(-2 * log(((double)bits[j] + 1) * 0x1p-32));
            double angle = TWO_PI * ((double)bits[j + 1] * 0x1p-32);
            out[i + j] = (float)(radius * cos(angle));
            if (j + 1 < n_now)
                out[i + j + 1] = (float)(radius * sin(angle));
        }
    }
}

void kt_random_shuffle(const kt_random_place *place, size_t n, uint32_t *items)
{
    uint32_t bits[CHUNK];
    size_t end = n;
    while (end > 1) {
        size_t begin = (end - 1) / CHUNK * CHUNK;
        kt_random_bits(place, (uint32_t)begin, end - begin, bits);
        for (size_t i = end; i-- > begin;) {
            size_t other = (size_t)((uint64_t)bits[i - begin] * (i + 1) >> 32);
            uint32_t item = items[i];
            items[i] = items[other];
            items[other] = item;
        }
        end = begin;
    }
}
