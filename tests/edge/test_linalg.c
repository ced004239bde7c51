/* linalg.h against plain loops in double. The first test must run before kt_linalg_start: it shows that denormals are
 * there to be flushed. */
#include "edge/linalg.h"

#include <stdint.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/memory.h"
#include "edge/linalg_private.h"

#include "golden.h"
#include "test.h"

const char *const kt_test_suite = "linalg";

/* Products of 1e-20 with 1e-20 are denormal. Returns how many of the n x n results are not zero. */
static size_t count_denormals(void)
{
    enum { N = 400 }; /* large enough for OpenBLAS to share the work among threads */
    float *a = kt_memory_new(N * N, sizeof *a), *b = kt_memory_new(N * N, sizeof *b),
          *c = kt_memory_new(N * N, sizeof *c);
    size_t n_left = 0;
    CU_ASSERT_FATAL(a != NULL && b != NULL && c != NULL);
    for (size_t i = 0; i < N; i++) {
        a[i * N + i] = 1e-20f;
        for (size_t j = 0; j < N; j++)
            b[i * N + j] = 1e-20f;
    }
    kt_linalg_product(N, N, N, a, b, c);
    for (size_t i = 0; i < N * N; i++) {
        uint32_t bits; /* a comparison would take a denormal for zero */
        memcpy(&bits, &c[i], sizeof bits);
        n_left += bits != 0;
    }
    kt_memory_free(a);
    kt_memory_free(b);
    kt_memory_free(c);
    return n_left;
}

static void denormals_are_flushed(void)
{
#if defined(__x86_64__) || defined(__aarch64__)
    CU_ASSERT(count_denormals() > 0);
    for (int threads = 2; threads >= 1; threads--) {
        kt_linalg_start(threads);
        CU_ASSERT(kt_linalg_threads() == threads);
        CU_ASSERT(count_denormals() == 0);
        CU_ASSERT(count_denormals() == 0);
        volatile float tiny = 1e-20f;
        volatile float product = tiny * tiny;
        CU_ASSERT(product == 0);
    }
#endif
    kt_linalg_start(1);
}

/* OpenBLAS makes its threads when it is loaded, if it is told to have any: this program again, told to have two. */
static void threads_made_before(void)
{
    char path[4096] = "";
    if (readlink("/proc/self/exe", path, sizeof path - 1) <= 0)
        return;
    fflush(stdout);
    const pid_t child = fork();
    int status = -1;
    if (child == 0) {
        setenv("OPENBLAS_NUM_THREADS", "2", 1);
        execl(path, path, "denormal", (char *)NULL);
        _exit(127);
    }
    CU_ASSERT(child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

enum { MOST = 300 * 300 };
static float x[MOST], w[MOST], y[MOST], result[MOST];

static void fill(size_t n, unsigned seed, float *out)
{
    for (size_t i = 0; i < n; i++) {
        seed = seed * 1664525u + 1013904223u;
        out[i] = (float)(seed >> 8) / 8388608.0f - 1;
    }
}

static double dot(size_t k, const float *a, size_t step_a, const float *b, size_t step_b)
{
    double sum = 0;
    for (size_t i = 0; i < k; i++)
        sum += (double)a[i * step_a] * (double)b[i * step_b];
    return sum;
}

/* m, n_in, n_out */
static const size_t shapes[][3] = {{1, 1, 1},     {1, 7, 5},      {3, 1, 9},     {16, 128, 49}, {16, 33, 257},
                                   {100, 65, 31}, {257, 96, 130}, {16, 784, 90}, {64, 784, 37}, {40, 2100, 42}};

/* result[m x n], rows ld apart: NaNs before a product. */
static void mark(size_t m, size_t ld)
{
    for (size_t i = 0; i < m * ld; i++)
        result[i] = NAN;
}

/* How many elements of result[m x n], rows ld apart, are not dot(k, a + r * step_r, step_a, b + j * step_j, step_b),
 * and how many between the rows were written. */
static size_t count_far_from(size_t m, size_t n, size_t ld, size_t k, const float *a, size_t step_r, size_t step_a,
                             const float *b, size_t step_j, size_t step_b, double tolerance)
{
    size_t n_wrong = 0;
    for (size_t r = 0; r < m; r++)
        for (size_t j = 0; j < ld; j++) {
            const double value = (double)result[r * ld + j];
            n_wrong += j < n ? !is_near(value, dot(k, a + r * step_r, step_a, b + j * step_j, step_b), tolerance)
                             : !isnan(value);
        }
    return n_wrong;
}

/* Each of the three products of every shape, rows `gap` more floats apart than they are long; `spoil` changes one
 * element, which must be noticed. */
static size_t count_wrong(size_t gap, bool spoil)
{
    size_t n_wrong = 0;
    for (size_t s = 0; s < sizeof shapes / sizeof shapes[0]; s++) {
        const size_t m = shapes[s][0], n_in = shapes[s][1], n_out = shapes[s][2];
        const size_t ld_x = n_in + gap, ld_w = n_in + 2 * gap, ld_y = n_out + gap, ld = n_out + 3 * gap;
        const size_t ld_in = n_in + 4 * gap;
        const double tolerance = 2e-6 * sqrt((double)(m + n_in + n_out));
        fill(m * ld_x, 1, x);
        fill(n_out * ld_w, 2, w);
        fill(m * ld_y, 3, y);
        mark(m, ld);
        kt_linalg_forward(m, n_in, n_out, x, ld_x, w, ld_w, result, ld);
        result[0] += spoil ? 1e-3f : 0;
        n_wrong += count_far_from(m, n_out, ld, n_in, x, ld_x, 1, w, ld_w, 1, tolerance);
        mark(m, ld_in);
        kt_linalg_backward(m, n_in, n_out, y, ld_y, w, ld_w, result, ld_in);
        result[n_in - 1] += spoil ? 1e-3f : 0;
        n_wrong += count_far_from(m, n_in, ld_in, n_out, y, ld_y, 1, w, 1, ld_w, tolerance);
        mark(n_out, ld_in);
        kt_linalg_gradient(m, n_in, n_out, y, ld_y, x, ld_x, result, ld_in);
        result[n_out / 2 * ld_in] += spoil ? 1e-3f : 0;
        n_wrong += count_far_from(n_out, n_in, ld_in, m, y, 1, ld_y, x, 1, ld_x, tolerance);
    }
    return n_wrong;
}

static void products(void)
{
    for (size_t gap = 0; gap <= 5; gap += 5) {
        CU_ASSERT(count_wrong(gap, false) == 0);
        CU_ASSERT(count_wrong(gap, true) == 3 * sizeof shapes / sizeof shapes[0]);
    }
}

static void overwrite(void)
{
    fill(16, 1, x);
    fill(16, 2, w);
    mark(1, 48); /* what was in the result must not matter */
    kt_linalg_forward(4, 4, 4, x, 4, w, 4, result, 4);
    kt_linalg_backward(4, 4, 4, x, 4, w, 4, result + 16, 4);
    kt_linalg_gradient(4, 4, 4, x, 4, w, 4, result + 32, 4);
    for (size_t i = 0; i < 48; i++)
        CU_ASSERT(isfinite(result[i]));
}

static void no_rows(void)
{
    float none = 5, dw[8] = {1, 2, 3, 7, 4, 5, 6, 7};
    kt_linalg_forward(0, 3, 2, NULL, 3, w, 3, &none, 2);
    kt_linalg_backward(0, 3, 2, NULL, 2, w, 3, &none, 3);
    CU_ASSERT(none == 5);
    kt_linalg_gradient(0, 3, 2, NULL, 2, NULL, 3, dw, 4);
    for (size_t i = 0; i < 8; i++)
        CU_ASSERT(dw[i] == (i % 4 < 3 ? 0 : 7));
}

static void sum_of_squares(void)
{
    fill(1000, 7, x);
    for (size_t n = 0; n < 1000; n += 37) {
        double expected = dot(n, x, 1, x, 1);
        CU_ASSERT(fabs(kt_linalg_sum_squares(n, x) - expected) <= 1e-13 * expected);
    }
}

/* The order that linalg.h promises, whose bits every instruction set gives. */
static double squares_in_order(size_t n, const float *v)
{
    double sum[16] = {0};
    for (size_t i = 0; i < n; i++)
        sum[i % 16] += (double)v[i] * (double)v[i];
    for (size_t half = 8; half > 0; half /= 2)
        for (size_t l = 0; l < half; l++)
            sum[l] += sum[l + half];
    return sum[0];
}

static void squares_have_one_order(void)
{
    static double (*const rows[KT_N_SIMD])(size_t, const float *) = KT_SIMD_EACH(kt_linalg_squares);
    fill(1000, 11, x);
    for (size_t row = 0; row < KT_N_SIMD; row++)
        for (size_t n = 0; n < 1000 && kt_simd_rows[row].supported(); n++)
            CU_ASSERT(rows[row](n, x) == squares_in_order(n, x));
}

static void plain_product(void)
{
    fill(5 * 7, 1, x);
    fill(7 * 3, 2, w);
    kt_linalg_product(5, 3, 7, x, w, result);
    for (size_t i = 0; i < 15; i++)
        CU_ASSERT(is_near((double)result[i], dot(7, x + i / 3 * 7, 1, w + i % 3, 3), 1e-6));
}

static void self_test(void)
{
    KT_CHECK_STATUS(KT_OK, kt_linalg_self_test());
    CU_ASSERT(kt_linalg_core()[0] != '\0');
    CU_ASSERT(strstr(kt_linalg_version(), "OpenBLAS") != NULL);
}

const kt_test kt_tests[] = {
    {"denormal products become zero, on one thread and on two", denormals_are_flushed},
    {"threads that OpenBLAS had before the start are told as well", threads_made_before},
    {"forward, backward and gradient are the plain loops, whatever lies between rows", products},
    {"what a result held before does not matter", overwrite},
    {"no rows: nothing is written, and the gradient is zero", no_rows},
    {"the sum of squares is that of a plain loop", sum_of_squares},
    {"a sum of squares has one order for all instruction sets", squares_have_one_order},
    {"the plain product is right", plain_product},
    {"the self test passes and the library says what it is", self_test},
    {NULL, NULL},
};
