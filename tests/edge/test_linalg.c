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
    kt_linalg_add((kt_linalg_shape){N, N, N, false}, (kt_matrix){a, N}, (kt_matrix){b, N}, c, N);
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

enum { MOST = 350 * 350 };
static float x[MOST], w[MOST], before[MOST], result[MOST];

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

/* m, n, k */
static const size_t shapes[][3] = {{1, 1, 1},     {1, 5, 7},      {3, 9, 1},     {16, 49, 128}, {16, 257, 33},
                                   {100, 31, 65}, {257, 130, 96}, {16, 16, 784}, {64, 16, 16},  {40, 42, 2100}};

/* How many elements of result[m x n], rows ld apart, are not what was there and the product, and how many between the
 * rows were written. Rows of a and b are `gap` floats longer than they need. */
static size_t count_wrong_of(const kt_linalg_shape *shape, size_t gap, bool spoil)
{
    const size_t ld_a = (shape->a_transposed ? shape->m : shape->k) + gap, ld_b = shape->n + 2 * gap;
    const size_t ld = shape->n + 3 * gap, step_row = shape->a_transposed ? 1 : ld_a, step = ld_a + 1 - step_row;
    const double tolerance = 2e-6 * sqrt((double)(shape->m + shape->n + shape->k));
    size_t n_wrong = 0;
    fill((shape->a_transposed ? shape->k : shape->m) * ld_a, 1, x);
    fill(shape->k * ld_b, 2, w);
    fill(shape->m * ld, 3, before);
    memcpy(result, before, shape->m * ld * sizeof *result);
    kt_linalg_add(*shape, (kt_matrix){x, ld_a}, (kt_matrix){w, ld_b}, result, ld);
    float *one = &result[shape->n / 2];
    *one += spoil ? 1e-3f * fmaxf(1, fabsf(*one)) : 0; /* is_near is relative, too */
    for (size_t i = 0; i < shape->m * ld; i++) {
        const size_t r = i / ld, j = i % ld;
        const double product = j < shape->n ? dot(shape->k, x + r * step_row, step, w + j, ld_b) : 0;
        n_wrong += !is_near((double)result[i], (double)before[i] + product, j < shape->n ? tolerance : 0);
    }
    return n_wrong;
}

/* `spoil` changes one element of each, which must be noticed. */
static size_t count_wrong(size_t gap, bool spoil)
{
    size_t n_wrong = 0;
    for (size_t s = 0; s < sizeof shapes / sizeof shapes[0]; s++)
        for (int transposed = 0; transposed <= 1; transposed++)
            n_wrong += count_wrong_of(&(kt_linalg_shape){shapes[s][0], shapes[s][1], shapes[s][2], transposed == 1},
                                      gap, spoil);
    return n_wrong;
}

static void products(void)
{
    for (size_t gap = 0; gap <= 5; gap += 5) {
        CU_ASSERT(count_wrong(gap, false) == 0);
        CU_ASSERT(count_wrong(gap, true) == 2 * sizeof shapes / sizeof shapes[0]);
    }
}

static void nothing_to_add(void)
{
    float c[2] = {5, 7};
    for (size_t empty = 0; empty < 3; empty++)
        kt_linalg_add((kt_linalg_shape){empty != 0, empty != 1, empty != 2, false}, (kt_matrix){NULL, 1},
                      (kt_matrix){NULL, 1}, c, 1);
    CU_ASSERT(c[0] == 5 && c[1] == 7);
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

static void self_test(void)
{
    KT_CHECK_STATUS(KT_OK, kt_linalg_self_test());
    CU_ASSERT(kt_linalg_core()[0] != '\0');
    CU_ASSERT(strstr(kt_linalg_version(), "OpenBLAS") != NULL);
}

const kt_test kt_tests[] = {
    {"denormal products become zero, on one thread and on two", denormals_are_flushed},
    {"threads that OpenBLAS had before the start are told as well", threads_made_before},
    {"products are added as by the plain loop, whatever lies between rows", products},
    {"an empty product adds nothing", nothing_to_add},
    {"the sum of squares is that of a plain loop", sum_of_squares},
    {"a sum of squares has one order for all instruction sets", squares_have_one_order},
    {"the self test passes and the library says what it is", self_test},
    {NULL, NULL},
};
