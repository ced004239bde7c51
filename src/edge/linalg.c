/* Products by OpenBLAS, cut so that sizes fit its integers. */
#include "edge/linalg.h"

#include <cblas.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#if defined(__SSE__)
#include <xmmintrin.h>
#endif

#include "base/memory.h"
#include "edge/linalg_private.h"

/* OpenBLAS exports this without declaring it. Its threads exist since the library was loaded and have the processor's
 * default mode; a thread inherits the mode of its creator, so they are ended here, and OpenBLAS makes new ones from
 * our thread when it needs them. */
extern int blas_thread_shutdown_(void) __attribute__((weak));

/* How this thread rounds, and the bits of it that flush to zero and take denormals for zero. */
#if defined(__SSE__)
enum { FLUSH = 0x8040 };
#elif defined(__aarch64__)
enum { FLUSH = 1 << 24 }; /* FZ does both */
#else
enum { FLUSH = 0 };
#endif

static uint64_t rounding(void)
{
    uint64_t mode = 0;
#if defined(__SSE__)
    mode = _mm_getcsr();
#elif defined(__aarch64__)
    __asm__ volatile("mrs %0, fpcr" : "=r"(mode));
#endif
    return mode;
}

static void set_rounding(uint64_t mode)
{
#if defined(__SSE__)
    _mm_setcsr((unsigned)mode);
#elif defined(__aarch64__)
    __asm__ volatile("msr fpcr, %0" : : "r"(mode));
#else
    (void)mode;
#endif
}

static void set_threads(int threads)
{
    openblas_set_num_threads(threads < 1 ? 1 : threads);
    if (blas_thread_shutdown_ != NULL)
        blas_thread_shutdown_(); /* after setting the number, which would make them again */
}

void kt_linalg_start(int threads)
{
    set_rounding(rounding() | FLUSH);
    set_threads(threads);
}

/* Who is inside, and the number of threads that the program had before. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int n_inside, threads_before;

kt_linalg_mode kt_linalg_enter(int threads)
{
    const kt_linalg_mode before = {rounding(), threads > 0};
    set_rounding(before.rounding | FLUSH);
    if (threads <= 0)
        return before;
    pthread_mutex_lock(&lock);
    if (n_inside++ == 0) {
        threads_before = openblas_get_num_threads();
        if (threads_before != 1 || threads > 1)
            set_threads(threads);
    }
    pthread_mutex_unlock(&lock);
    return before;
}

void kt_linalg_leave(kt_linalg_mode before)
{
    set_rounding(before.rounding);
    if (!before.multiplies)
        return;
    pthread_mutex_lock(&lock);
    if (--n_inside == 0 && openblas_get_num_threads() != threads_before)
        set_threads(threads_before);
    pthread_mutex_unlock(&lock);
}

const char *kt_linalg_core(void)
{
    const char *core = openblas_get_corename();
    return core == NULL ? "unknown" : core;
}

const char *kt_linalg_version(void)
{
    const char *version = openblas_get_config();
    return version == NULL ? "unknown" : version;
}

int kt_linalg_threads(void)
{
    return openblas_get_num_threads();
}

/* C[m x n] = A B; rows of A, B and C are lda, ldb and ldc apart. Sizes are checked against
 * INT_MAX where networks and data sets are made. */
static void product(CBLAS_TRANSPOSE trans_a, CBLAS_TRANSPOSE trans_b, size_t m, size_t n, size_t k, const float *a,
                    size_t lda, const float *b, size_t ldb, float *c, size_t ldc)
{
    cblas_sgemm(CblasRowMajor, trans_a, trans_b, (blasint)m, (blasint)n, (blasint)k, 1.0f, a, (blasint)lda, b,
                (blasint)ldb, 0.0f, c, (blasint)ldc);
}

void kt_linalg_forward(size_t m, size_t n_in, size_t n_out, const float *x, size_t ld_x, const float *w, size_t ld_w,
                       float *y, size_t ld_y)
{
    if (m > 0)
        product(CblasNoTrans, CblasTrans, m, n_out, n_in, x, ld_x, w, ld_w, y, ld_y);
}

void kt_linalg_backward(size_t m, size_t n_in, size_t n_out, const float *d, size_t ld_d, const float *w, size_t ld_w,
                        float *dx, size_t ld_dx)
{
    if (m > 0)
        product(CblasNoTrans, CblasNoTrans, m, n_in, n_out, d, ld_d, w, ld_w, dx, ld_dx);
}

void kt_linalg_gradient(size_t m, size_t n_in, size_t n_out, const float *d, size_t ld_d, const float *x, size_t ld_x,
                        float *g, size_t ld_g)
{
    if (m > 0)
        product(CblasTrans, CblasNoTrans, n_out, n_in, m, d, ld_d, x, ld_x, g, ld_g);
    for (size_t o = 0; o < n_out && m == 0; o++)
        memset(g + o * ld_g, 0, n_in * sizeof *g);
}

void kt_linalg_add(kt_linalg_shape shape, const float *a, size_t ld_a, const float *b, size_t ld_b, float *c,
                   size_t ld_c)
{
    if (shape.m > 0 && shape.n > 0 && shape.k > 0)
        cblas_sgemm(CblasRowMajor, shape.a_transposed ? CblasTrans : CblasNoTrans, CblasNoTrans, (blasint)shape.m,
                    (blasint)shape.n, (blasint)shape.k, 1.0f, a, (blasint)ld_a, b, (blasint)ld_b, 1.0f, c,
                    (blasint)ld_c);
}

void kt_linalg_product(size_t m, size_t n, size_t k, const float *a, const float *b, float *c)
{
    if (m > 0 && n > 0)
        product(CblasNoTrans, CblasNoTrans, m, n, k, a, k, b, n, c, n);
}

double kt_linalg_sum_squares(size_t n, const float *x)
{
    static double (*const rows[KT_N_SIMD])(size_t, const float *) = KT_SIMD_EACH(kt_linalg_squares);
    return rows[kt_simd_best()](n, x);
}

/* Small whole numbers: every partial sum is exact in float, so the order of adding does not matter and equality can be
 * asked for. */
static void fill_whole(size_t n, unsigned seed, float *x)
{
    for (size_t i = 0; i < n; i++) {
        seed = seed * 1664525u + 1013904223u;
        x[i] = (float)(int)(seed >> 24) / 16 - 8;
        x[i] = (float)(int)x[i];
    }
}

static float dot(size_t k, const float *a, size_t step_a, const float *b, size_t step_b)
{
    float sum = 0;
    for (size_t i = 0; i < k; i++)
        sum += a[i * step_a] * b[i * step_b];
    return sum;
}

/* True when all three products of one shape are exact. x[m x k], w[n x k], y[m x n]; result has room for the
 * largest. */
static bool shape_is_right(size_t m, size_t n, size_t k, const float *x, const float *w, const float *y, float *result)
{
    size_t n_wrong = 0;
    kt_linalg_forward(m, k, n, x, k, w, k, result, n);
    for (size_t i = 0; i < m * n; i++)
        n_wrong += result[i] != dot(k, x + i / n * k, 1, w + i % n * k, 1);
    kt_linalg_backward(m, k, n, y, n, w, k, result, k);
    for (size_t i = 0; i < m * k; i++)
        n_wrong += result[i] != dot(n, y + i / k * n, 1, w + i % k, k);
    kt_linalg_gradient(m, k, n, y, n, x, k, result, k);
    for (size_t i = 0; i < n * k; i++)
        n_wrong += result[i] != dot(m, y + i / k, n, x + i % k, k);
    return n_wrong == 0;
}

kt_status kt_linalg_self_test(void)
{
    /* m, n, k */
    static const size_t shapes[][3] = {{1, 49, 128}, {16, 128, 100}, {7, 33, 65}, {64, 50, 31}, {130, 70, 129}};
    enum { MOST = 130 * 130 };
    kt_status status = KT_NO_MEMORY;
    float *memory = kt_memory_new(4 * MOST, sizeof *memory);
    if (memory == NULL)
        return status;
    float *x = memory, *w = memory + MOST, *y = memory + 2 * MOST, *result = memory + 3 * MOST;
    fill_whole(MOST, 1, x);
    fill_whole(MOST, 2, w);
    fill_whole(MOST, 3, y);
    status = KT_OK;
    for (size_t s = 0; s < sizeof shapes / sizeof shapes[0] && status == KT_OK; s++)
        if (!shape_is_right(shapes[s][0], shapes[s][1], shapes[s][2], x, w, y, result))
            status =
                kt_fail(KT_INTERNAL,
                        "OpenBLAS's %s kernels give wrong products (%zu x %zu x %zu): set OPENBLAS_CORETYPE to another "
                        "processor type, for example Haswell",
                        kt_linalg_core(), shapes[s][0], shapes[s][1], shapes[s][2]);
    kt_memory_free(memory);
    return status;
}
