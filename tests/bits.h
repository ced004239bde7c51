/* For tests that every instruction set gives the same bits, and the ones that they always were: a sum of all bits of
 * all results, for each row of kt_simd_rows. */
#ifndef KTRAIN_TEST_BITS_H
#define KTRAIN_TEST_BITS_H

#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/simd.h"

/* Any x[n]: of all signs and sizes, and at some places infinities, zeros, denormals and NaN. */
static inline void bits_fill(size_t n, uint32_t seed, float *x)
{
    static const float edges[] = {0, -0.0f, INFINITY, -INFINITY, NAN, FLT_MIN, -FLT_MIN, 1e-45f, FLT_MAX, -FLT_MAX};
    for (size_t i = 0; i < n; i++) {
        seed = seed * 1664525 + 1013904223;
        x[i] = (i % 2 ? 20 : ldexpf(1, (int)(seed >> 8) % 40 - 30)) * ((float)((double)seed * 0x1p-31) - 1);
    }
    for (size_t i = 0; i < sizeof edges / sizeof edges[0] && 7 * i + 3 < n; i++)
        x[7 * i + 3] = edges[i];
}

static inline void bits_add_word(uint64_t bits, uint64_t *sum)
{
    *sum = *sum * UINT64_C(6364136223846793005) + bits + 1;
}

/* Which NaN it is has no meaning. */
static inline void bits_add(size_t n, const float *x, uint64_t *sum)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t bits = 0x7fc00000;
        if (!isnan(x[i]))
            memcpy(&bits, &x[i], sizeof bits);
        bits_add_word(bits, sum);
    }
}

static inline void bits_add_double(double x, uint64_t *sum)
{
    uint64_t bits = UINT64_C(0x7ff8000000000000);
    if (!isnan(x))
        memcpy(&bits, &x, sizeof bits);
    bits_add_word(bits, sum);
}

/* The sums of some rows of a table. */
typedef struct bits_known {
    const char *name;
    uint64_t sum;
} bits_known;

/* The sum that row `name` always had; `sum` for a row that is not among those known[n]. */
static inline uint64_t bits_expected(size_t n, const bits_known *known, const char *name, uint64_t sum)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(known[i].name, name) == 0)
            return known[i].sum;
    return sum;
}

/* True when the sum is the expected one; says which it is when not. */
static inline bool bits_are(uint64_t expected, uint64_t sum, const char *row)
{
    if (sum != expected)
        fprintf(stderr, "\n    %s: the sum of all bits is 0x%016" PRIx64 "\n", row, sum);
    return sum == expected;
}

#endif
