/* Golden vectors of the unit tests: tests/golden/<file>.txt, written by tests/golden/make_golden.py. */
#ifndef KTRAIN_TEST_GOLDEN_H
#define KTRAIN_TEST_GOLDEN_H

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "test.h"

/* Reads the line `name` of tests/golden/`file` into out[n]. Asserts, and zeroes out, when there is no such line of n
 * values. */
static inline void golden_read(const char *file, const char *name, size_t n, double *out)
{
    char path[64], found[64];
    size_t count = 0;
    bool is_right = false;
    snprintf(path, sizeof path, "tests/golden/%s", file);
    memset(out, 0, n * sizeof *out);
    FILE *stream = fopen(kt_test_source(path), "r");
    while (stream != NULL && !is_right && fscanf(stream, "%63s %zu", found, &count) == 2) {
        const bool wanted = strcmp(found, name) == 0 && count == n;
        for (size_t i = 0; i < count; i++) {
            double value;
            if (fscanf(stream, "%lf", &value) != 1)
                break;
            if (wanted)
                out[i] = value;
        }
        is_right = wanted;
    }
    if (stream != NULL)
        fclose(stream);
    if (!is_right)
        fprintf(stderr, "\n    no line %s of %zu values in %s: tests/golden/make_golden.py makes it\n", name, n, path);
    CU_ASSERT(is_right);
}

/* The same as float; at most 4096 values. */
static inline void golden_read_float(const char *file, const char *name, size_t n, float *out)
{
    double values[4096];
    CU_ASSERT_FATAL(n <= 4096);
    golden_read(file, name, n, values);
    for (size_t i = 0; i < n; i++)
        out[i] = (float)values[i];
}

/* |a - b| <= tolerance * max(1, |b|); a NaN is not near anything. */
static inline bool is_near(double a, double b, double tolerance)
{
    return fabs(a - b) <= tolerance * fmax(1, fabs(b));
}

/* How many of actual[n] are not near expected[n]; prints the first. */
static inline size_t count_far(size_t n, const float *actual, const double *expected, double tolerance)
{
    size_t n_far = 0;
    for (size_t i = 0; i < n; i++)
        if (!is_near((double)actual[i], expected[i], tolerance) && n_far++ == 0)
            fprintf(stderr, "\n    element %zu is %.9g, not %.9g\n", i, (double)actual[i], expected[i]);
    return n_far;
}

/* How many of actual[n] differ from line `name` of `file`; at most 4096 values. */
static inline size_t golden_far(const char *file, const char *name, size_t n, const float *actual, double tolerance)
{
    double expected[4096];
    CU_ASSERT_FATAL(n <= 4096);
    golden_read(file, name, n, expected);
    return count_far(n, actual, expected, tolerance);
}

#endif
