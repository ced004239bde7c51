/* Philox4x32-10, and the distributions that are drawn from it. */
#include "base/random.h"

#include <string.h>

#include "base/random_private.h"

enum {
    LANES = KT_RANDOM_LANES,
    WORDS = KT_RANDOM_WORDS,
    CHUNK = 1024 /* draws buffered at a time; a multiple of WORDS */
};

void kt_random_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4])
{
    uint32_t c[WORDS], k0 = key[0], k1 = key[1];
    memcpy(c, counter, sizeof c);
    for (int round = 0; round < KT_RANDOM_ROUNDS; round++) {
        uint64_t p0 = (uint64_t)KT_RANDOM_MULTIPLIER_0 * c[0], p1 = (uint64_t)KT_RANDOM_MULTIPLIER_1 * c[2];
        uint32_t c0 = (uint32_t)(p1 >> 32) ^ c[1] ^ k0, c2 = (uint32_t)(p0 >> 32) ^ c[3] ^ k1;
        c[0] = c0, c[1] = (uint32_t)p1, c[2] = c2, c[3] = (uint32_t)p0;
        k0 += KT_RANDOM_WEYL_0, k1 += KT_RANDOM_WEYL_1;
    }
    memcpy(out, c, sizeof c);
}

/* The loops for the instructions that the processor has. */
static const kt_random_loops *loops(void)
{
    static const kt_random_loops *const rows[KT_N_SIMD] = KT_SIMD_EACH(&kt_random_loops);
    return rows[kt_simd_best()];
}

void kt_random_bits(const kt_random_place *place, uint32_t first, size_t n, uint32_t *out)
{
    const size_t n_groups = n / (LANES * WORDS), n_whole = n_groups * LANES * WORDS;
    const uint32_t first_block = first / WORDS;
    loops()->fill_groups(place, first_block, n_groups, out);
    if (n_whole < n) {
        uint32_t last[LANES * WORDS];
        loops()->fill_groups(place, first_block + (uint32_t)(n_whole / WORDS), 1, last);
        memcpy(out + n_whole, last, (n - n_whole) * sizeof *out);
    }
}

void kt_random_above(const kt_random_place *place, uint32_t first, uint32_t limit, size_t n, const uint32_t *sample,
                     uint16_t *out)
{
    loops()->above(place, first, limit, n, sample, out);
}

void kt_random_uniform(const kt_random_place *place, uint32_t first, size_t n, float *out)
{
    uint32_t bits[CHUNK];
    for (size_t i = 0; i < n; i += CHUNK) {
        size_t n_now = n - i < CHUNK ? n - i : CHUNK;
        kt_random_bits(place, first + (uint32_t)i, n_now, bits);
        loops()->to_uniform(n_now, bits, out + i);
    }
}

void kt_random_normal(const kt_random_place *place, uint32_t first, size_t n, float *out)
{
    uint32_t bits[CHUNK];
    for (size_t i = 0; i < n; i += CHUNK) {
        size_t n_now = n - i < CHUNK ? n - i : CHUNK;
        kt_random_bits(place, first + (uint32_t)i, n_now + n_now % 2, bits);
        loops()->to_normal(n_now / 2, bits, out + i);
        if (n_now % 2 == 1) {
            float last[2];
            loops()->to_normal(1, bits + n_now - 1, last);
            out[i + n_now - 1] = last[0];
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
