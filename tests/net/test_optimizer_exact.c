/* optimizer.h against double precision, one element at a time: Adam and its like divide by roots that may be
 * anything. */
#include "net/optimizer.h"

#include "edge/linalg.h"

#include "bits.h"
#include "test.h"

const char *const kt_test_suite = "optimizer_exact";

static kt_optimizer_spec spec_of(size_t kind)
{
    return (kt_optimizer_spec){
        .kind = (int)kind, .momentum = 0.9, .beta1 = 0.8, .beta2 = 0.95, .epsilon = 1e-6, .l2_form = KT_L2_BATCH};
}

/* One element with its state; rmsprop's is slot[0]. */
typedef struct element {
    float w, slot[KT_MAX_SLOTS];
} element;

/* One step of it without decay; *u: its constants. */
static element step_of(const kt_optimizer_spec *spec, float g, element e, kt_update *u)
{
    kt_tensor one = {.here = {&e.w}};
    kt_optimizer *optimizer;
    for (size_t k = 0; k < KT_MAX_SLOTS; k++)
        one.here[1 + k] = &e.slot[k];
    KT_CHECK_STATUS(KT_OK,
                    kt_optimizer_create(&optimizer, spec, kt_simd_best(), &(kt_tensors){.n = 1, .tensor = &one}));
    const kt_updates updates = kt_optimizer_prepare(optimizer, 2, 0.25, 1, 1);
    kt_optimizer_apply(optimizer, &updates, &one, 0, 1, &g);
    *u = updates.others;
    kt_optimizer_free(optimizer);
    return e;
}

/* |actual - expected| is within some units in the last place of `size`; denormals may be 0. */
static bool is_within(double units, double actual, double expected, double size)
{
    return fabs(actual - expected) <= units * 0x1p-23 * size + (double)FLT_MIN;
}

/* A step from 0 against double: the moments, and the direction from the moments as they were rounded. */
static void check_element(const kt_optimizer_spec *spec, float g, float m, float v)
{
    const bool has_first = kt_optimizers[spec->kind].n_slots == 2;
    const element before = {0, {has_first ? m : v, v}};
    kt_update u;
    const element after = step_of(spec, g, before, &u);
    const double new_m = (double)(has_first ? after.slot[0] : g), new_v = (double)after.slot[has_first];
    const double part1 = (double)u.beta1 * (double)m, part2 = (double)u.rest1 * (double)g;
    const double v_exact = (double)u.beta2 * (double)v + (double)u.rest2 * (double)g * (double)g;
    const double denominator = sqrt(fmax(new_v, (double)FLT_MIN)) + (double)u.epsilon;
    const double expected = -(double)u.rate * new_m / denominator;
    CU_ASSERT(is_within(2, (double)after.w, expected, fabs(expected)));
    CU_ASSERT(is_within(1, new_v, fmin(v_exact, (double)FLT_MAX), fmin(v_exact, (double)FLT_MAX)));
    CU_ASSERT(!has_first || is_within(1, new_m, part1 + part2, fabs(part1) + fabs(part2)));
}

/* Of the rows of the table that divide by a root. */
static bool has_root(size_t kind)
{
    return strcmp(kt_optimizers[kind].name, "rmsprop") == 0 || kt_optimizers[kind].n_slots == 2;
}

/* Every v with every g; m is as large as g, so that the direction stays in range. */
static void check_sizes(const kt_optimizer_spec *spec)
{
    static const float sizes[] = {0, 2e-38f, 3e-30f, 1e-20f, 5e-9f, 1e-8f, 0.3f, 1, 7e5f, 1e19f, 3e25f, 1e38f, FLT_MAX};
    enum { N_SIZES = sizeof sizes / sizeof sizes[0] };
    for (size_t i = 0; i < N_SIZES; i++)
        for (size_t j = 0; j < N_SIZES && sizes[j] < 1e25f; j++) {
            const float v = sizes[i], g = sizes[j];
            const double direction = (double)g / (sqrt(fmax((double)v, (double)FLT_MIN)) + spec->epsilon);
            check_element(spec, g, 0.5f * g, v);
            check_element(spec, -g, 2 * g, v);
            if (direction < 1e30)
                check_element(spec, 0, g, v);
        }
}

static void any_size(void)
{
    static const double betas[][2] = {{0.9, 0.999}, {0.5, 0.5}, {0.25, 0}, {0, 0.25}};
    for (size_t kind = 0; kind < kt_n_optimizers; kind++)
        for (size_t b = 0; has_root(kind) && b < sizeof betas / sizeof betas[0]; b++)
            for (int is_zero = 0; is_zero <= 1; is_zero++) {
                kt_optimizer_spec spec = spec_of(kind);
                spec.beta1 = betas[b][0];
                spec.beta2 = betas[b][1];
                spec.epsilon = is_zero ? 0 : 1e-8;
                check_sizes(&spec);
            }
}

static void many_values(void)
{
    for (size_t kind = 0; kind < kt_n_optimizers; kind++)
        for (int i = 0; has_root(kind) && i < 20000; i++) {
            const kt_optimizer_spec spec = spec_of(kind);
            const float x = (float)i, v = fabsf(sinf(x)) * ldexpf(1, i % 60 - 50);
            check_element(&spec, cosf(3 * x) * sqrtf(v), sinf(5 * x), v);
        }
}

static void without_gradient(void)
{
    for (size_t kind = 0; kind < kt_n_optimizers; kind++)
        for (int is_zero = 0; is_zero <= 1; is_zero++) {
            kt_optimizer_spec spec = spec_of(kind);
            kt_update u;
            spec.epsilon = is_zero ? 0 : 1e-8;
            const element e = step_of(&spec, 0, (element){1.5f, {0, 0}}, &u);
            CU_ASSERT(e.w == 1.5f && e.slot[0] == 0 && e.slot[1] == 0);
        }
}

static void overflow_and_nan(void)
{
    const element zero = {0, {0, 0}};
    for (size_t kind = 0; kind < kt_n_optimizers; kind++) {
        const kt_optimizer_spec spec = spec_of(kind);
        kt_update u;
        if (has_root(kind)) { /* the square overflows: the element still goes on */
            const element once = step_of(&spec, 1e30f, zero, &u), twice = step_of(&spec, 1, once, &u);
            CU_ASSERT(once.slot[kt_optimizers[kind].n_slots - 1] == FLT_MAX);
            CU_ASSERT(isfinite(once.w) && once.w < 0 && isfinite(twice.w));
        }
        CU_ASSERT(isnan(step_of(&spec, NAN, zero, &u).w));
        CU_ASSERT(!isfinite(step_of(&spec, INFINITY, zero, &u).w));
    }
}

/* What the loop of one row of kt_simd_rows does to everything. */
static uint64_t bits_of(const kt_optimizer_kind *kind)
{
    enum { MOST = 500 };
    static float w[MOST], g[MOST], first[MOST], second[MOST];
    uint64_t sum = 0;
    for (size_t n = 0; n <= MOST; n += n < 50 ? 1 : 90) {
        const float decay = n % 2 ? 0.01f : 0, epsilon = n % 3 ? 1e-8f : 0;
        const kt_update u = {0.7f, decay, 1 - decay, 0.1f, 0.9f, 0.9f, 0.1f, 0.999f, 0.001f, epsilon};
        bits_fill(n, (uint32_t)n, w);
        bits_fill(n, (uint32_t)n + 1, g);
        bits_fill(n, (uint32_t)n + 2, first);
        bits_fill(n, (uint32_t)n + 3, second);
        for (int step = 0; step < 2; step++)
            kind->update(&u, n, g, (float *const[]){w, first, second});
        bits_add(n, w, &sum);
        bits_add(n, first, &sum);
        bits_add(n, second, &sum);
    }
    return sum;
}

static void same_bits(void)
{
    static const kt_optimizer_kind *const rows[KT_N_SIMD] = KT_SIMD_EACH(kt_optimizers);
    static const bits_known known[] = {
        {"sgd", UINT64_C(0x33dc8078aa30c7ad)},      {"momentum", UINT64_C(0x2bae2fca53b98dea)},
        {"nesterov", UINT64_C(0xd24d286b259ca8b4)}, {"rmsprop", UINT64_C(0x7306467a389549c2)},
        {"adam", UINT64_C(0x7f005dda8713c236)},     {"adamw", UINT64_C(0x7f005dda8713c236)},
    };
    for (size_t kind = 0; kind < kt_n_optimizers; kind++) {
        const char *name = kt_optimizers[kind].name;
        const uint64_t expected =
            bits_expected(sizeof known / sizeof known[0], known, name, bits_of(&kt_optimizers[kind]));
        for (size_t row = 0; row < KT_N_SIMD; row++)
            if (kt_simd_rows[row].supported())
                CU_ASSERT(bits_are(expected, bits_of(&rows[row][kind]), name));
    }
}

static void same_bits_without_denormals(void)
{
    static const kt_optimizer_kind *const rows[KT_N_SIMD] = KT_SIMD_EACH(kt_optimizers);
    const kt_linalg_mode before = kt_linalg_enter(0);
    for (size_t kind = 0; kind < kt_n_optimizers; kind++)
        for (size_t row = 0; row < KT_N_SIMD; row++)
            if (kt_simd_rows[row].supported())
                CU_ASSERT(bits_of(&rows[row][kind]) == bits_of(&kt_optimizers[kind]));
    kt_linalg_leave(before);
}

const kt_test kt_tests[] = {
    {"steps are right to 2 units in the last place from the smallest to the largest squares", any_size},
    {"steps are right to 2 units in the last place for many values", many_values},
    {"an element that never had a gradient stays as it is", without_gradient},
    {"a square that overflows stays finite, a gradient that is not a number shows", overflow_and_nan},
    {"every instruction set gives the same bits, the ones that they always were", same_bits},
    {"so they do where denormals are flushed to 0", same_bits_without_denormals},
    {NULL, NULL},
};
