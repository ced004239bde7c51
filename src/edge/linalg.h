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

/* Products of one tile each; ld_a floats lie between a's rows. A result's bits depend on the sizes of the call. m may
 * be 0 in all three.
 *
 * y[m x n_out] = x[m x n_in] w^T, w[n_out x n_in]. */
void kt_linalg_forward(size_t m, size_t n_in, size_t n_out, const float *x, size_t ld_x, const float *w, size_t ld_w,
                       float *y, size_t ld_y);

/* dx[m x n_in] = d[m x n_out] w. */
void kt_linalg_backward(size_t m, size_t n_in, size_t n_out, const float *d, size_t ld_d, const float *w, size_t ld_w,
                        float *dx, size_t ld_dx);

/* g[n_out x n_in] = d^T x; zero when m = 0. */
void kt_linalg_gradient(size_t m, size_t n_in, size_t n_out, const float *d, size_t ld_d, const float *x, size_t ld_x,
                        float *g, size_t ld_g);

/* c[m x n] += a b. a[m x k], or what it is the transpose of, [k x m]; b[k x n]. m, n or k may be 0. */
typedef struct kt_linalg_shape {
    size_t m, n, k;
    bool a_transposed;
} kt_linalg_shape;
void kt_linalg_add(kt_linalg_shape shape, const float *a, size_t ld_a, const float *b, size_t ld_b, float *c,
                   size_t ld_c);

/* Sum of squares of x[n] in double: 16 sums, of elements l, l + 16, l + 32, ..., in ascending order; then sum l takes sum
 * l + 8, then l + 4, l + 2, l + 1. The same bits on every processor. */
double kt_linalg_sum_squares(size_t n, const float *x);

/* C[m x n] = A[m x k] B[k x n], for benchmarks. */
void kt_linalg_product(size_t m, size_t n, size_t k, const float *a, const float *b, float *c);

#endif
