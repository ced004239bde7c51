/* Dense linear algebra in float, over OpenBLAS. All matrices are row-major. Everything here is local. */
#ifndef KTRAIN_LINALG_H
#define KTRAIN_LINALG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/* Sets the number of BLAS threads (>= 1) and flush-to-zero, denormals-are-zero in this thread and in OpenBLAS's own.
 * Call once at the start, before any product. */
void kt_linalg_start(int threads);

/* The same for the time until kt_linalg_leave, in a program that is not ktrain's. Several threads may be inside at a
 * time: the first that enters sets the number of threads, and the last that leaves gives the program its own back.
 * threads 0: no product will be asked for, and OpenBLAS stays as it is. */
typedef struct kt_linalg_mode {
    uint64_t rounding; /* of this thread, as it was before */
    bool multiplies;   /* threads was above 0 */
} kt_linalg_mode;
kt_linalg_mode kt_linalg_enter(int threads);
void kt_linalg_leave(kt_linalg_mode before);

/* The kernels OpenBLAS chose for this processor ("SkylakeX"), its version line, and its threads. Never NULL. */
const char *kt_linalg_core(void);
const char *kt_linalg_version(void);
int kt_linalg_threads(void);

/* Compares small products with a plain loop: some OpenBLAS builds are wrong on some processors. KT_INTERNAL, naming
 * the core. */
kt_status kt_linalg_self_test(void);

/* Rows of floats, `ld` apart. */
typedef struct kt_matrix {
    const float *at;
    size_t ld;
} kt_matrix;

/* c[m x n] += a b. a[m x k], or what it is the transpose of, [k x m]; b[k x n]; rows of c are ld_c apart. A result's
 * bits depend on the sizes of the call, each below 2^31. m, n or k may be 0. */
typedef struct kt_linalg_shape {
    size_t m, n, k;
    bool a_transposed;
} kt_linalg_shape;
void kt_linalg_add(kt_linalg_shape shape, kt_matrix a, kt_matrix b, float *c, size_t ld_c);

/* Sum of squares of x[n] in double: 16 sums, of elements l, l + 16, l + 32, ..., in ascending order; then sum l takes
 * sum l + 8, then l + 4, l + 2, l + 1. The same bits on every processor. */
double kt_linalg_sum_squares(size_t n, const float *x);

#endif
