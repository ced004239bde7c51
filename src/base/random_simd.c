/* Draws by the thousand, for one instruction set. */
#include "base/random_private.h"
#include "base/real.h"

enum { WORDS = KT_RANDOM_WORDS, ROUNDS = KT_RANDOM_ROUNDS };

/* A block in each of LANES lanes of 64 bits. EACH_PAIR: of two vectors side by side, the even lanes, or, from 1 on, the
 * odd ones. product: of the lower halves of lanes; left to gcc, it becomes one of 64 by 64 bits. */
#if defined(__AVX512F__) && !defined(KT_SIMD_LAST)
#include <immintrin.h>
enum { LANES = 8 };
typedef uint64_t lanes __attribute__((vector_size(64)));
#define EACH_PAIR(l) l, l + 8, l + 2, l + 10, l + 4, l + 12, l + 6, l + 14

static inline lanes product(lanes a, uint32_t b)
{
    return (lanes)_mm512_mul_epu32((__m512i)a, _mm512_set1_epi64(b));
}

#elif defined(__AVX2__) && !defined(KT_SIMD_LAST)
#include <immintrin.h>
enum { LANES = 4 };
typedef uint64_t lanes __attribute__((vector_size(32)));
#define EACH_PAIR(l) l, l + 4, l + 2, l + 6

static inline lanes product(lanes a, uint32_t b)
{
    return (lanes)_mm256_mul_epu32((__m256i)a, _mm256_set1_epi64x(b));
}

#else
enum { LANES = 2 };
typedef uint64_t lanes __attribute__((vector_size(16)));
#define EACH_PAIR(l) l, l + 2

#if defined(__SSE2__)
#include <emmintrin.h>
static inline lanes product(lanes a, uint32_t b)
{
    return (lanes)_mm_mul_epu32((__m128i)a, _mm_set1_epi64x(b));
}
#elif defined(__ARM_NEON)
#include <arm_neon.h>
static inline lanes product(lanes a, uint32_t b)
{
    return (lanes)vmull_u32(vmovn_u64((uint64x2_t)a), vdup_n_u32(b));
}
#else
static inline lanes product(lanes a, uint32_t b)
{
    return (a & UINT32_MAX) * b;
}
#endif
#endif
enum { HALF = LANES / 2, HALF_DRAWS = HALF * WORDS };

/* The keys of all rounds. */
typedef struct keys {
    uint64_t of[ROUNDS][2];
} keys;

static inline keys keys_of(uint64_t seed)
{
    keys k;
    for (uint32_t r = 0; r < ROUNDS; r++) {
        k.of[r][0] = (uint32_t)seed + r * KT_RANDOM_WEYL_0;
        k.of[r][1] = (uint32_t)(seed >> 32) + r * KT_RANDOM_WEYL_1;
    }
    return k;
}

/* Word w of all blocks is the lower half of c[w]; the upper half is of no account. */
static inline void philox(const keys *k, lanes c[WORDS])
{
    for (int r = 0; r < ROUNDS; r++) {
        const lanes p0 = product(c[0], KT_RANDOM_MULTIPLIER_0), p1 = product(c[2], KT_RANDOM_MULTIPLIER_1);
        c[0] = (p1 >> 32) ^ c[1] ^ k->of[r][0];
        c[2] = (p0 >> 32) ^ c[3] ^ k->of[r][1];
        c[1] = p1;
        c[3] = p0;
    }
}

/* HALF blocks of a sample's sequence. */
typedef struct run {
    uint32_t sample, block;
} run;

static const uint64_t number[8] = {0, 0, 1, 1, 2, 2, 3, 3}, is_odd[8] = {0, ~0ull, 0, ~0ull, 0, ~0ull, 0, ~0ull};

static inline lanes first_lanes(const uint64_t of[8])
{
    lanes l;
    __builtin_memcpy(&l, of, sizeof l);
    return l;
}

static inline lanes either(uint32_t even, uint32_t odd)
{
    return (first_lanes(is_odd) & odd) | (~first_lanes(is_odd) & even);
}

/* The draws of two runs, one in the even lanes and one in the odd: so their words come in order by shuffles of
 * pairs. */
static inline void draw(const kt_random_place *place, const keys *k, run even, run odd, uint32_t *to_even,
                        uint32_t *to_odd)
{
    lanes c[WORDS] = {either(even.block, odd.block) + first_lanes(number), either(even.sample, odd.sample),
                      (lanes){0} + place->epoch, (lanes){0} + ((uint32_t)place->purpose << 24 | place->layer)};
    philox(k, c);
#if defined(KT_SIMD_LAST)
    for (int w = 0; w < WORDS; w++) {
        to_even[w] = (uint32_t)c[w][0];
        to_odd[w] = (uint32_t)c[w][1];
    }
#else
    const lanes first = (c[0] & UINT32_MAX) | c[1] << 32, last = (c[2] & UINT32_MAX) | c[3] << 32;
    const lanes evens = __builtin_shufflevector(first, last, EACH_PAIR(0));
    const lanes odds = __builtin_shufflevector(first, last, EACH_PAIR(1));
    __builtin_memcpy(to_even, &evens, sizeof evens);
    __builtin_memcpy(to_odd, &odds, sizeof odds);
#endif
}

static void fill_groups(const kt_random_place *place, uint32_t first_block, size_t n_groups, uint32_t *restrict out)
{
    const keys k = keys_of(place->seed);
    for (uint32_t b = 0; b < n_groups * KT_RANDOM_LANES; b += LANES, out += LANES * WORDS)
        draw(place, &k, (run){place->sample, first_block + b}, (run){place->sample, first_block + b + HALF}, out,
             out + HALF_DRAWS);
}

/* Bit u: draw u is greater than the limit. */
static inline uint16_t above_limit(const uint32_t draws[16], uint32_t limit)
{
#if defined(__AVX512F__) && !defined(KT_SIMD_LAST)
    return _mm512_cmpgt_epu32_mask(_mm512_load_si512(draws), _mm512_set1_epi32((int)limit));
#else
    uint32_t bits = 0;
    for (uint32_t u = 0; u < 16; u++)
        bits |= (uint32_t)(draws[u] > limit) << u;
    return (uint16_t)bits;
#endif
}

static void above(const kt_random_place *place, uint32_t first, uint32_t limit, size_t n, const uint32_t *sample,
                  uint16_t *out)
{
    const keys k = keys_of(place->seed);
    for (size_t s = 0; s < n; s += 2) {
        const size_t other = s + 1 < n ? s + 1 : s;
        _Alignas(64) uint32_t draws[2][16];
        for (uint32_t b = 0; b < 16 / WORDS; b += HALF)
            draw(place, &k, (run){sample[s], first / WORDS + b}, (run){sample[other], first / WORDS + b},
                 draws[0] + b * WORDS, draws[1] + b * WORDS);
        out[s] = above_limit(draws[0], limit);
        out[other] = above_limit(draws[other - s], limit);
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

const kt_random_loops KT_SIMD_NAME(kt_random_loops) = {fill_groups, above, to_uniform, to_normal};
