/* One vector register of the instruction set that a file is built for, for the kernels only. */
#ifndef KTRAIN_KERNELS_VECTOR_H
#define KTRAIN_KERNELS_VECTOR_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define KT_INLINE static inline __attribute__((always_inline))

/* Small arrays of vectors live in registers only when the loops over them are gone early: gcc wants to be told, clang
 * does it later when told. */
#if defined(__clang__)
#define KT_UNROLL
#else
#define KT_UNROLL _Pragma("GCC unroll 16")
#endif

/* v is in a register from here on: not loaded anew for each use, at gcc's discretion. And in memory, to make room. */
#if defined(__x86_64__)
#define KT_TO_REGISTER(v) __asm__("" : "+v"(v))
#else
#define KT_TO_REGISTER(v) (void)(v)
#endif
#define KT_TO_MEMORY(v) __asm__("" : "+m"(v))

/* A load or store moves the first n lanes (1 <= n <= LANES) and touches no memory beyond; lanes not loaded are 0.
 * multiply_add is a builtin: left to the compiler, a * b + c may be fused in one place and not in another.
 * nonzero_bits: bit l is set where lane l is not 0 (also where it is NaN). */
#if defined(__AVX512F__)
#include <immintrin.h>
enum { LANES = 16, REGISTERS = 32 };
#define EACH_LANE(f, h)                                                                                           \
    f(0, h), f(1, h), f(2, h), f(3, h), f(4, h), f(5, h), f(6, h), f(7, h), f(8, h), f(9, h), f(10, h), f(11, h), \
        f(12, h), f(13, h), f(14, h), f(15, h)
typedef __m512 vector;
typedef uint32_t integers __attribute__((vector_size(64)));

KT_INLINE vector splat(float value)
{
    return _mm512_set1_ps(value);
}
KT_INLINE vector load(const float *p, size_t n)
{
    return n == LANES ? _mm512_loadu_ps(p) : _mm512_maskz_loadu_ps((__mmask16)((1u << n) - 1), p);
}
KT_INLINE void store(float *p, vector v, size_t n)
{
    if (n == LANES)
        _mm512_storeu_ps(p, v);
    else
        _mm512_mask_storeu_ps(p, (__mmask16)((1u << n) - 1), v);
}
KT_INLINE vector multiply_add(vector a, vector b, vector c)
{
    return _mm512_fmadd_ps(a, b, c);
}
KT_INLINE uint32_t nonzero_bits(vector v)
{
    return _mm512_cmp_ps_mask(v, _mm512_setzero_ps(), _CMP_NEQ_UQ);
}

#elif defined(__AVX2__) && defined(__FMA__)
#include <immintrin.h>
enum { LANES = 8, REGISTERS = 16 };
#define EACH_LANE(f, h) f(0, h), f(1, h), f(2, h), f(3, h), f(4, h), f(5, h), f(6, h), f(7, h)
typedef __m256 vector;
typedef uint32_t integers __attribute__((vector_size(32)));

KT_INLINE vector splat(float value)
{
    return _mm256_set1_ps(value);
}
KT_INLINE __m256i first_lanes(size_t n)
{
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
KT_INLINE vector load(const float *p, size_t n)
{
    return n == LANES ? _mm256_loadu_ps(p) : _mm256_maskload_ps(p, first_lanes(n));
}
KT_INLINE void store(float *p, vector v, size_t n)
{
    if (n == LANES)
        _mm256_storeu_ps(p, v);
    else
        _mm256_maskstore_ps(p, first_lanes(n), v);
}
KT_INLINE vector multiply_add(vector a, vector b, vector c)
{
    return _mm256_fmadd_ps(a, b, c);
}
KT_INLINE uint32_t nonzero_bits(vector v)
{
    return (uint32_t)_mm256_movemask_ps(_mm256_cmp_ps(v, _mm256_setzero_ps(), _CMP_NEQ_UQ));
}

#else
enum { LANES = 4, REGISTERS = 16 };
#define EACH_LANE(f, h) f(0, h), f(1, h), f(2, h), f(3, h)
typedef float vector __attribute__((vector_size(16)));
typedef uint32_t integers __attribute__((vector_size(16)));

KT_INLINE vector splat(float value)
{
    return (vector){value, value, value, value};
}
KT_INLINE vector load(const float *p, size_t n)
{
    vector v = {0};
    if (n == LANES)
        memcpy(&v, p, sizeof v);
    else
        for (size_t l = 0; l < n; l++)
            v[l] = p[l];
    return v;
}
KT_INLINE void store(float *p, vector v, size_t n)
{
    if (n == LANES)
        memcpy(p, &v, sizeof v);
    else
        for (size_t l = 0; l < n; l++)
            p[l] = v[l];
}
/* Rounded twice: the kernels are built with -ffp-contract=off. */
KT_INLINE vector multiply_add(vector a, vector b, vector c)
{
    return a * b + c;
}
KT_INLINE uint32_t nonzero_bits(vector v)
{
    uint32_t bits = 0;
    for (uint32_t l = 0; l < LANES; l++)
        bits |= (uint32_t)(v[l] != 0) << l;
    return bits;
}
#endif

/* Lane l of the result: a[l] + a[l + h] where bit h of l is 0, b[l - h] + b[l] where it is 1. */
#define KT_LOWER(l, h) ((l) & (h) ? (l) - (h) + LANES : (l))
#define KT_UPPER(l, h) ((l) & (h) ? (l) + LANES : (l) + (h))
#define KT_FOLD(a, b, h) \
    (__builtin_shufflevector(a, b, EACH_LANE(KT_LOWER, h)) + __builtin_shufflevector(a, b, EACH_LANE(KT_UPPER, h)))

/* Lane l of the result: the sum of the lanes of v[l], halves added to halves, always in this order. Overwrites v. */
KT_INLINE vector fold(vector v[LANES])
{
#if defined(__AVX512F__)
    KT_UNROLL
    for (size_t j = 0; j < 8; j++)
        v[j] = KT_FOLD(v[j], v[j + 8], 8);
#endif
#if defined(__AVX512F__) || (defined(__AVX2__) && defined(__FMA__))
    KT_UNROLL
    for (size_t j = 0; j < 4; j++)
        v[j] = KT_FOLD(v[j], v[j + 4], 4);
#endif
    KT_UNROLL
    for (size_t j = 0; j < 2; j++)
        v[j] = KT_FOLD(v[j], v[j + 2], 2);
    return KT_FOLD(v[0], v[1], 1);
}

KT_INLINE size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

#endif
