/* activation.h against PyTorch's functions and difference quotients. */
#include "net/activation.h"

#include "bits.h"
#include "golden.h"
#include "net/gradient.h"
#include "test.h"

const char *const kt_test_suite = "activation";

enum { N = 41 };

/* The objective is sum r f(x). */
typedef struct bench {
    const kt_activation *activation;
    float x[N], y[N], r[N], dx[N];
} bench;

static double objective(void *context)
{
    bench *b = context;
    double sum = 0;
    b->activation->forward(N, b->x, b->y);
    for (size_t i = 0; i < N; i++)
        sum += (double)b->r[i] * (double)b->y[i];
    return sum;
}

static void derivatives(void)
{
    for (size_t a = 0; a < kt_n_activations; a++) {
        bench b = {.activation = &kt_activations[a]};
        for (size_t i = 0; i < N; i++) {
            b.x[i] = (float)i / 8 - 2.53f;
            b.r[i] = i % 2 == 0 ? 1 : -0.7f;
        }
        objective(&b);
        b.activation->backward(N, b.x, b.y, b.r, b.dx);
        CU_ASSERT(gradient_count_wrong(objective, &b, N, b.x, b.dx) == 0);
        for (size_t i = 0; i < N; i += 3)
            b.dx[i] += 0.002f;
        CU_ASSERT(gradient_count_wrong(objective, &b, N, b.x, b.dx) == (N + 2) / 3);
    }
}

/* dx in the place of dy, as in a network. */
static void in_place(void)
{
    enum { MOST = 1013 };
    static const size_t lengths[] = {0, 1, 7, 64, 100, MOST};
    static float x[MOST], y[MOST], dy[MOST], dx[MOST];
    for (size_t a = 0; a < kt_n_activations; a++)
        for (size_t l = 0; l < sizeof lengths / sizeof lengths[0]; l++) {
            const size_t n = lengths[l];
            for (size_t i = 0; i < n; i++) {
                x[i] = (float)i / 100 - 4.1f;
                dy[i] = (float)(i % 17) / 4 - 2;
            }
            kt_activations[a].forward(n, x, y);
            kt_activations[a].backward(n, x, y, dy, dx);
            kt_activations[a].backward(n, x, y, dy, dy);
            CU_ASSERT(memcmp(dx, dy, n * sizeof *dx) == 0);
        }
}

static void values(void)
{
    enum { POINTS = 65 };
    float x[POINTS], y[POINTS];
    double expected[POINTS];
    golden_read_float("activation.txt", "x", POINTS, x);
    for (size_t a = 0; a < kt_n_activations; a++) {
        golden_read("activation.txt", kt_activations[a].name, POINTS, expected);
        kt_activations[a].forward(POINTS, x, y);
        for (size_t i = 0; i < POINTS; i++) /* half a unit in the last place, and leaky_relu's slope is a float, too */
            CU_ASSERT(fabs((double)y[i] - expected[i]) <= 1.01 * (double)FLT_EPSILON * fabs(expected[i]));
    }
}

static void far_out(void)
{
    const float x[] = {-1e30f, -1e4f, -104, -88, 88, 104, 1e4f, 1e30f}, ones[] = {1, 1, 1, 1, 1, 1, 1, 1};
    for (size_t a = 0; a < kt_n_activations; a++) {
        float y[8], dx[8];
        kt_activations[a].forward(8, x, y);
        kt_activations[a].backward(8, x, y, ones, dx);
        for (size_t i = 0; i < 8; i++) {
            CU_ASSERT(isfinite(y[i]) && isfinite(dx[i]) && dx[i] >= -0.2f && dx[i] <= 1.2f);
            CU_ASSERT(fabsf(y[i]) <= fabsf(x[i]));
        }
    }
}

/* What the functions of one row of kt_simd_rows do to everything. */
static uint64_t bits_of(const kt_activation *activation)
{
    enum { MOST = 4000 };
    static float x[MOST], y[MOST], dy[MOST];
    uint64_t sum = 0;
    for (size_t n = 0; n <= MOST; n += n < 70 ? 1 : MOST - 70) {
        bits_fill(n, (uint32_t)n, x);
        bits_fill(n, (uint32_t)n + 1, dy);
        activation->forward(n, x, y);
        bits_add(n, y, &sum);
        activation->backward(n, x, y, dy, dy);
        bits_add(n, dy, &sum);
    }
    return sum;
}

static void same_bits(void)
{
    static const kt_activation *const rows[KT_N_SIMD] = KT_SIMD_EACH(kt_activations);
    static const bits_known known[] = {
        {"relu", UINT64_C(0xcebad12dfda54ec9)},    {"leaky_relu", UINT64_C(0xb8ccc0ecd3a64b78)},
        {"elu", UINT64_C(0xc13c4f5f9ba56c88)},     {"gelu", UINT64_C(0x9f0abd5d5d2fec74)},
        {"silu", UINT64_C(0xfaa172cc95b003ac)},    {"tanh", UINT64_C(0xae3399e4ce36bded)},
        {"sigmoid", UINT64_C(0x64c3df4e3e222c29)},
    };
    for (size_t a = 0; a < kt_n_activations; a++) {
        const char *name = kt_activations[a].name;
        const uint64_t expected =
            bits_expected(sizeof known / sizeof known[0], known, name, bits_of(&kt_activations[a]));
        for (size_t row = 0; row < KT_N_SIMD; row++)
            if (kt_simd_rows[row].supported())
                CU_ASSERT(bits_are(expected, bits_of(&rows[row][a]), name));
    }
}

static void pass_nan(void)
{
    const float x = NAN;
    for (size_t a = 0; a < kt_n_activations; a++) {
        float y;
        kt_activations[a].forward(1, &x, &y);
        CU_ASSERT(isnan(y));
    }
}

const kt_test kt_tests[] = {
    {"every derivative is the difference quotient", derivatives},
    {"backward in place is backward", in_place},
    {"every function is PyTorch's", values},
    {"all stay finite far from zero", far_out},
    {"a NaN goes through all", pass_nan},
    {"every instruction set gives the same bits, the ones that they always were", same_bits},
    {NULL, NULL},
};
