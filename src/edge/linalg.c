/* Products by OpenBLAS. */
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

void kt_linalg_add(kt_linalg_shape shape, kt_matrix a, kt_matrix b, float *c, size_t ld_c)
{
    if (shape.m > 0 && shape.n > 0 && shape.k > 0)
        cblas_sgemm(CblasRowMajor, shape.a_transposed ? CblasTrans : CblasNoTrans, CblasNoTrans, (blasint)shape.m,
                    (blasint)shape.n, (blasint)shape.k, 1.0f, a.at, (blasint)a.ld, b.at, (blasint)b.ld, 1.0f, c,
                    (blasint)ld_c);
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

/* True when a product of one shape, added twice, is exact. */
static bool shape_is_right(const size_t *shape, const float *a, const float *b, float *c)
{
    const size_t m = shape[0], n = shape[1], k = shape[2];
    size_t n_wrong = 0;
    for (int t = 0; t <= 1; t++) { /* a as it is, and transposed */
        const size_t ld = t == 1 ? m : k, row = t == 1 ? 1 : k, column = t == 1 ? m : 1;
        memset(c, 0, m * n * sizeof *c);
        for (int times = 0; times < 2; times++)
            kt_linalg_add((kt_linalg_shape){m, n, k, t == 1}, (kt_matrix){a, ld}, (kt_matrix){b, n}, c, n);
        for (size_t i = 0; i < m * n; i++)
            n_wrong += c[i] != 2 * dot(k, a + i / n * row, column, b + i % n, n);
    }
    return n_wrong == 0;
}

kt_status kt_linalg_self_test(void)
{
    /* m, n, k */
    static const size_t shapes[][3] = {{1, 49, 128}, {16, 128, 100}, {7, 33, 65}, {64, 50, 31}, {130, 70, 129}};
    enum { MOST = 130 * 130 };
    kt_status status = KT_NO_MEMORY;
    float *memory = kt_memory_new(3 * MOST, sizeof *memory);
    if (memory == NULL)
        return status;
    float *a = memory, *b = memory + MOST, *c = memory + 2 * MOST;
    fill_whole(MOST, 1, a);
    fill_whole(MOST, 2, b);
    status = KT_OK;
    for (size_t s = 0; s < sizeof shapes / sizeof shapes[0] && status == KT_OK; s++)
        if (!shape_is_right(shapes[s], a, b, c))
            status =
                kt_fail(KT_INTERNAL,
                        "OpenBLAS's %s kernels give wrong products (%zu x %zu x %zu): set OPENBLAS_CORETYPE to another "
                        "processor type, for example Haswell",
                        kt_linalg_core(), shapes[s][0], shapes[s][1], shapes[s][2]);
    kt_memory_free(memory);
    return status;
}
