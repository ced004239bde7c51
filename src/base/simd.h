/* One source, several instruction sets: x_simd.c is compiled once for each row of kt_simd_rows (src/CMakeLists.txt),
 * and what it exports is named KT_SIMD_NAME(x): x_avx512, x_avx2, x_portable. Who uses it takes the row that the
 * processor supports, at run time. All is built with -ffp-contract=off, so rows give the same bits. Local and pure. */
#ifndef KTRAIN_SIMD_H
#define KTRAIN_SIMD_H

#include <stdbool.h>
#include <stddef.h>

/* Numbers of the rows, best first; the last is supported everywhere. KT_SIMD_EACH: an initializer with each row's x,
 * KT_SIMD_SAME: with the same x for all. KT_SIMD_DECLARE: external objects or (with dimensions) arrays of one type. */
#if defined(__x86_64__)
enum { KT_SIMD_ROW_avx512, KT_SIMD_ROW_avx2, KT_SIMD_ROW_portable, KT_N_SIMD };
#define KT_SIMD_EACH(x)                    \
    {                                      \
        x##_avx512, x##_avx2, x##_portable \
    }
#define KT_SIMD_SAME(x) \
    {                   \
        x, x, x         \
    }
#define KT_SIMD_DECLARE(type, x, dimensions) \
    extern type x##_avx512 dimensions, x##_avx2 dimensions, x##_portable dimensions
#elif defined(__aarch64__)
enum { KT_SIMD_ROW_neon, KT_SIMD_ROW_portable, KT_N_SIMD };
#define KT_SIMD_EACH(x)        \
    {                          \
        x##_neon, x##_portable \
    }
#define KT_SIMD_SAME(x) \
    {                   \
        x, x            \
    }
#define KT_SIMD_DECLARE(type, x, dimensions) extern type x##_neon dimensions, x##_portable dimensions
#else
enum { KT_SIMD_ROW_portable, KT_N_SIMD };
#define KT_SIMD_EACH(x) \
    {                   \
        x##_portable    \
    }
#define KT_SIMD_SAME(x) \
    {                   \
        x               \
    }
#define KT_SIMD_DECLARE(type, x, dimensions) extern type x##_portable dimensions
#endif

/* In x_simd.c, where KT_SIMD is the name of the row: x_avx512 of x, and so the row's number of KT_SIMD_ROW. */
#define KT_SIMD_JOIN(x, row)        x##_##row
#define KT_SIMD_JOIN_VALUES(x, row) KT_SIMD_JOIN(x, row)
#define KT_SIMD_NAME(x)             KT_SIMD_JOIN_VALUES(x, KT_SIMD)

typedef struct kt_simd_row {
    const char *name; /* "avx512" */
    bool (*supported)(void);
} kt_simd_row;

extern const kt_simd_row kt_simd_rows[KT_N_SIMD];

/* The best row that this processor supports. */
size_t kt_simd_best(void);

/* Whether this processor multiplies and adds in one operation. */
bool kt_simd_fuses(void);

#endif
