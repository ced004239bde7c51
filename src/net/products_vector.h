/* One vector register of the instruction set that a file is built for, and tiles of them, for the products only. */
#ifndef KTRAIN_PRODUCTS_VECTOR_H
#define KTRAIN_PRODUCTS_VECTOR_H

#include <math.h>
#include <stdatomic.h>
#include <stdint.h>
#include <unistd.h>

#include "net/panels.h"

#define KT_INLINE static inline __attribute__((always_inline))

/* Small arrays of vectors live in registers only when the loops over them are gone early: gcc wants to be told, clang
 * does it later when told. */
#if defined(__clang__)
#define KT_UNROLL _Pragma("clang loop unroll(full)")
#else
#define KT_UNROLL _Pragma("GCC unroll 32")
#endif

/* LANES of a vector. LIST_PANELS: so many panels of one sample are chains enough to keep the multiply-adds busy.
 * MOST_CHAINS: vectors of sums that leave registers for their operands.
 * KT_EACH_BACKWARD: f for the squares of 16 samples, and the inputs, of tiles that fit the registers.
 * TILE_PANELS times TILE_ROWS (samples, or inputs) are the sums of a dense tile, and leave registers for its operands.
 * KT_EACH_LIST and KT_EACH_TILE: f for every number of panels, and of panels and rows.
 * load_4 and splat_of: four floats from anywhere, and the l-th of them in all lanes.
 * at_most, at_least: a NaN in a stays. load_any, store_any: of any alignment.
 * Multiply-adds are asked for by name: left to the compiler, a * b + c may be fused in one place and not in another. */
#if defined(KT_SIMD_LAST)
#define KT_EACH_BACKWARD(f) f(1, 1)
enum { LANES = 16, LIST_PANELS = 1, MOST_CHAINS = 1, TILE_PANELS = 1, TILE_ROWS = 1 };
#define KT_EACH_LIST(f) f(1)
#define KT_EACH_TILE(f) f(1, 1)
typedef struct vector {
    float lane[LANES];
} vector;

KT_INLINE vector splat(float value)
{
    vector v;
    for (size_t l = 0; l < LANES; l++)
        v.lane[l] = value;
    return v;
}
KT_INLINE vector load(const float *p)
{
    vector v;
    for (size_t l = 0; l < LANES; l++)
        v.lane[l] = p[l];
    return v;
}
KT_INLINE void store(float *p, vector v)
{
    for (size_t l = 0; l < LANES; l++)
        p[l] = v.lane[l];
}
KT_INLINE vector load_4(const float *p)
{
    vector v;
    for (size_t l = 0; l < 4; l++)
        v.lane[l] = p[l];
    return v;
}
KT_INLINE vector splat_of(vector v, int l)
{
    return splat(v.lane[l]);
}
KT_INLINE vector add(vector a, vector b)
{
    for (size_t l = 0; l < LANES; l++)
        a.lane[l] += b.lane[l];
    return a;
}
KT_INLINE vector multiply_add(vector a, vector b, vector c)
{
    for (size_t l = 0; l < LANES; l++)
        c.lane[l] = fmaf(a.lane[l], b.lane[l], c.lane[l]);
    return c;
}
KT_INLINE vector multiply(vector a, vector b)
{
    for (size_t l = 0; l < LANES; l++)
        a.lane[l] *= b.lane[l];
    return a;
}
KT_INLINE vector divide(vector a, vector b)
{
    for (size_t l = 0; l < LANES; l++)
        a.lane[l] /= b.lane[l];
    return a;
}
KT_INLINE vector root(vector a)
{
    for (size_t l = 0; l < LANES; l++)
        a.lane[l] = sqrtf(a.lane[l]);
    return a;
}
KT_INLINE vector at_most(vector most, vector a)
{
    for (size_t l = 0; l < LANES; l++)
        a.lane[l] = most.lane[l] < a.lane[l] ? most.lane[l] : a.lane[l];
    return a;
}
KT_INLINE vector at_least(vector least, vector a)
{
    for (size_t l = 0; l < LANES; l++)
        a.lane[l] = least.lane[l] > a.lane[l] ? least.lane[l] : a.lane[l];
    return a;
}
KT_INLINE vector load_any(const float *p)
{
    return load(p);
}
KT_INLINE void store_any(float *p, vector v)
{
    store(p, v);
}

#elif defined(__AVX512F__)
#include <immintrin.h>
#define KT_EACH_BACKWARD(f)        f(1, 12) f(2, 12) f(4, 6)
enum { LANES = 16, LIST_PANELS = 8, MOST_CHAINS = 16, TILE_PANELS = 4, TILE_ROWS = 6 };
#define KT_EACH_LIST(f)            f(1) f(2) f(3) f(4) f(5) f(6) f(7) f(8)
#define KT_EACH_TILE_OF(f, panels) f(panels, 1) f(panels, 2) f(panels, 3) f(panels, 4) f(panels, 5) f(panels, 6)
#define KT_EACH_TILE(f)            KT_EACH_TILE_OF(f, 1) KT_EACH_TILE_OF(f, 2) KT_EACH_TILE_OF(f, 3) KT_EACH_TILE_OF(f, 4)
#define KT_EACH_LANE(f, h)                                                                                        \
    f(0, h), f(1, h), f(2, h), f(3, h), f(4, h), f(5, h), f(6, h), f(7, h), f(8, h), f(9, h), f(10, h), f(11, h), \
        f(12, h), f(13, h), f(14, h), f(15, h)
typedef __m512 vector;

KT_INLINE vector splat(float value)
{
    return _mm512_set1_ps(value);
}
KT_INLINE vector load(const float *p)
{
    return _mm512_load_ps(p);
}
KT_INLINE void store(float *p, vector v)
{
    _mm512_store_ps(p, v);
}
KT_INLINE vector load_4(const float *p)
{
    return _mm512_castps128_ps512(_mm_loadu_ps(p));
}
KT_INLINE vector splat_of(vector v, int l)
{
    return _mm512_permutexvar_ps(_mm512_set1_epi32(l), v);
}
KT_INLINE vector add(vector a, vector b)
{
    return _mm512_add_ps(a, b);
}
KT_INLINE vector multiply_add(vector a, vector b, vector c)
{
    return _mm512_fmadd_ps(a, b, c);
}
KT_INLINE vector multiply(vector a, vector b)
{
    return _mm512_mul_ps(a, b);
}
KT_INLINE vector divide(vector a, vector b)
{
    return _mm512_div_ps(a, b);
}
KT_INLINE vector root(vector a)
{
    return _mm512_sqrt_ps(a);
}
KT_INLINE vector at_most(vector most, vector a)
{
    return _mm512_min_ps(most, a);
}
KT_INLINE vector at_least(vector least, vector a)
{
    return _mm512_max_ps(least, a);
}
KT_INLINE vector load_any(const float *p)
{
    return _mm512_loadu_ps(p);
}
KT_INLINE void store_any(float *p, vector v)
{
    _mm512_storeu_ps(p, v);
}

#elif defined(__AVX2__) && defined(__FMA__)
#include <immintrin.h>
#define KT_EACH_BACKWARD(f) f(1, 6)
enum { LANES = 8, LIST_PANELS = 4, MOST_CHAINS = 8, TILE_PANELS = 1, TILE_ROWS = 6 };
#define KT_EACH_LANE(f, h)  f(0, h), f(1, h), f(2, h), f(3, h), f(4, h), f(5, h), f(6, h), f(7, h)
typedef __m256 vector;

KT_INLINE vector splat(float value)
{
    return _mm256_set1_ps(value);
}
KT_INLINE vector load(const float *p)
{
    return _mm256_load_ps(p);
}
KT_INLINE void store(float *p, vector v)
{
    _mm256_store_ps(p, v);
}
KT_INLINE vector load_4(const float *p)
{
    return _mm256_castps128_ps256(_mm_loadu_ps(p));
}
KT_INLINE vector splat_of(vector v, int l)
{
    return _mm256_permutevar8x32_ps(v, _mm256_set1_epi32(l));
}
KT_INLINE vector add(vector a, vector b)
{
    return _mm256_add_ps(a, b);
}
KT_INLINE vector multiply_add(vector a, vector b, vector c)
{
    return _mm256_fmadd_ps(a, b, c);
}
KT_INLINE vector multiply(vector a, vector b)
{
    return _mm256_mul_ps(a, b);
}
KT_INLINE vector divide(vector a, vector b)
{
    return _mm256_div_ps(a, b);
}
KT_INLINE vector root(vector a)
{
    return _mm256_sqrt_ps(a);
}
KT_INLINE vector at_most(vector most, vector a)
{
    return _mm256_min_ps(most, a);
}
KT_INLINE vector at_least(vector least, vector a)
{
    return _mm256_max_ps(least, a);
}
KT_INLINE vector load_any(const float *p)
{
    return _mm256_loadu_ps(p);
}
KT_INLINE void store_any(float *p, vector v)
{
    _mm256_storeu_ps(p, v);
}

#elif defined(__ARM_NEON)
#include <arm_neon.h>
#define KT_EACH_BACKWARD(f) f(1, 6)
enum { LANES = 4, LIST_PANELS = 4, MOST_CHAINS = 16, TILE_PANELS = 1, TILE_ROWS = 6 };
#define KT_EACH_LANE(f, h)  f(0, h), f(1, h), f(2, h), f(3, h)
typedef float32x4_t vector;

KT_INLINE vector splat(float value)
{
    return vdupq_n_f32(value);
}
KT_INLINE vector load(const float *p)
{
    return vld1q_f32(p);
}
KT_INLINE void store(float *p, vector v)
{
    vst1q_f32(p, v);
}
KT_INLINE vector load_4(const float *p)
{
    return vld1q_f32(p);
}
KT_INLINE vector splat_of(vector v, int l)
{
    return splat(v[l]);
}
KT_INLINE vector add(vector a, vector b)
{
    return vaddq_f32(a, b);
}
KT_INLINE vector multiply_add(vector a, vector b, vector c)
{
    return vfmaq_f32(c, a, b);
}
KT_INLINE vector multiply(vector a, vector b)
{
    return vmulq_f32(a, b);
}
KT_INLINE vector divide(vector a, vector b)
{
    return vdivq_f32(a, b);
}
KT_INLINE vector root(vector a)
{
    return vsqrtq_f32(a);
}
KT_INLINE vector at_most(vector most, vector a)
{
    return vminq_f32(most, a);
}
KT_INLINE vector at_least(vector least, vector a)
{
    return vmaxq_f32(least, a);
}
KT_INLINE vector load_any(const float *p)
{
    return vld1q_f32(p);
}
KT_INLINE void store_any(float *p, vector v)
{
    vst1q_f32(p, v);
}
#else
#error "a row of kt_simd_rows for which there are no vectors"
#endif

#ifndef KT_EACH_LIST
#define KT_EACH_LIST(f) f(1) f(2) f(3) f(4)
#define KT_EACH_TILE(f) f(1, 1) f(1, 2) f(1, 3) f(1, 4) f(1, 5) f(1, 6)
#endif

/* Lines of the first-level cache; where the system does not say, of a small one. Asked once: a virtual machine may take
 * microseconds for it. */
static inline size_t first_cache_lines(void)
{
    static _Atomic size_t lines;
    size_t n = atomic_load_explicit(&lines, memory_order_relaxed);
    if (n == 0) {
        long bytes = 0;
#if defined(_SC_LEVEL1_DCACHE_SIZE)
        bytes = sysconf(_SC_LEVEL1_DCACHE_SIZE);
#endif
        n = bytes >= 16384 ? (size_t)bytes / 64 : 512;
        atomic_store_explicit(&lines, n, memory_order_relaxed);
    }
    return n;
}

/* Weights of so many lines come from beyond the second-level cache. */
enum { FAR_LINES = 16384 };

/* A line of a panel is PARTS vectors. Those of n panels' lines: how far the v-th of them is from the first. */
enum { PARTS = KT_PANEL / LANES };

KT_INLINE size_t vector_at(size_t v, size_t stride)
{
    return v / PARTS * stride + v % PARTS * LANES;
}

/* Links of chains, zeros and all: of a few items and n panels, as many as there are registers for. */
typedef struct links {
    const float *row; /* of the first link, of the first panel; the next one's is KT_PANEL floats further on */
    size_t stride_row;
    const float *factor[TILE_ROWS]; /* of each item and the first link */
    size_t of_link, n;              /* floats to the next link's; links */
} links;

KT_INLINE void links_add(size_t n, size_t n_items, const links *all, vector sum[][TILE_PANELS * PARTS])
{
    const float *row = all->row;
    const size_t stride = all->stride_row, of_link = all->of_link;
    for (size_t at = 0; at < all->n * of_link; at += of_link, row += KT_PANEL) {
        vector line[TILE_PANELS * PARTS];
        KT_UNROLL
        for (size_t v = 0; v < n * PARTS; v++)
            line[v] = load(row + vector_at(v, stride));
        KT_UNROLL
        for (size_t k = 0; k < n_items; k++) {
            const vector factor = splat(all->factor[k][at]);
            KT_UNROLL
            for (size_t v = 0; v < n * PARTS; v++)
                sum[k][v] = multiply_add(factor, line[v], sum[k][v]);
        }
    }
}

/* Bits of samples [s, e) in their word. */
KT_INLINE uint64_t bits_between(size_t s, size_t e)
{
    return ~(uint64_t)0 << s % 64 & ~(uint64_t)0 >> (63 - (e - 1) % 64);
}

#endif
