/* real.h against long double, and the bits that docs/numbers.md promises. */
#include "base/real.h"

#include <float.h>
#include <math.h>

#include "bits.h"
#include "test.h"

const char *const kt_test_suite = "real";

/* |actual - expected| in units of the last place of `expected`. */
static double units(double actual, long double expected)
{
    if (expected == 0)
        return actual == 0 ? 0 : INFINITY;
    const int exponent = ilogbl(expected);
    return (double)(fabsl((long double)actual - expected) / ldexpl(1, exponent - 52));
}

static bool is_below(double limit, double error)
{
    if (error >= limit)
        fprintf(stderr, "\n    an error of %g units, not below %g\n", error, limit);
    return error < limit;
}

/* Points of a range, among them its ends, that hit no pattern. */
enum { N_POINTS = 200000 };

static double point(double first, double last, int i)
{
    const double a = (double)i / N_POINTS;
    return i == N_POINTS ? last : first + (last - first) * a;
}

typedef double function(double);
typedef long double exact(long double);

/* The largest error over [first, last]. */
static double worst(function *f, exact *g, double first, double last)
{
    double most = 0;
    for (int i = 0; i <= N_POINTS; i++) {
        const double x = point(first, last, i), error = units(f(x), g((long double)x));
        most = error > most ? error : most;
    }
    return most;
}

/* The same over both signs of all sizes from 2^first to 2^last. */
static double worst_of_sizes(function *f, exact *g, double first, double last)
{
    double most = 0;
    for (int i = 0; i <= N_POINTS; i++) {
        const double x = exp2(point(first, last, i)) * (i % 2 ? 1 : -1), error = units(f(x), g((long double)x));
        most = error > most ? error : most;
    }
    return most;
}

static void exponentials(void)
{
    CU_ASSERT(is_below(1, worst(kt_real_exp, expl, -708, 709.78)));
    CU_ASSERT(is_below(1, worst_of_sizes(kt_real_exp, expl, -60, 0)));
    CU_ASSERT(is_below(2, worst(kt_real_expm1, expm1l, -40, 709.78)));
    CU_ASSERT(is_below(2, worst_of_sizes(kt_real_expm1, expm1l, -900, 3)));
    CU_ASSERT(kt_real_exp(0) == 1 && kt_real_expm1(0) == 0);
    CU_ASSERT(isfinite(kt_real_exp(0x1.62e42fefa39efp+9)) && isfinite(kt_real_expm1(0x1.62e42fefa39efp+9)));
    CU_ASSERT(kt_real_exp(709.79) == INFINITY && kt_real_expm1(709.79) == INFINITY);
    CU_ASSERT(kt_real_exp(1e300) == INFINITY && kt_real_exp(INFINITY) == INFINITY);
    CU_ASSERT(kt_real_exp(-708.1) == 0 && kt_real_exp(-1e300) == 0 && kt_real_exp(-INFINITY) == 0);
    CU_ASSERT(kt_real_expm1(-64) == -1 && kt_real_expm1(-1e300) == -1 && kt_real_expm1(-INFINITY) == -1);
    CU_ASSERT(isnan(kt_real_exp(NAN)) && isnan(kt_real_expm1(NAN)));
}

static double log_of_power(double x)
{
    return kt_real_log(exp2(x));
}

static long double log_of_power_exact(long double x)
{
    return logl((long double)exp2((double)x));
}

static void logarithms(void)
{
    CU_ASSERT(is_below(0.9, worst(kt_real_log, logl, 0.5, 2)));
    CU_ASSERT(is_below(0.9, worst(kt_real_log, logl, 1e-9, 100)));
    CU_ASSERT(is_below(0.9, worst(log_of_power, log_of_power_exact, -1022, 1023.999)));
    CU_ASSERT(kt_real_log(1) == 0);
    CU_ASSERT(units(kt_real_log(1 - 0x1p-53), logl(1 - 0x1p-53L)) < 0.6);
    CU_ASSERT(units(kt_real_log(1 + 0x1p-52), logl(1 + 0x1p-52L)) < 0.6);
    CU_ASSERT(units(kt_real_log(DBL_MIN), logl(DBL_MIN)) < 0.9 && units(kt_real_log(DBL_MAX), logl(DBL_MAX)) < 0.9);
    CU_ASSERT(kt_real_log(0) == -INFINITY && kt_real_log(DBL_MIN / 4) == -INFINITY &&
              kt_real_log(INFINITY) == INFINITY);
    CU_ASSERT(isnan(kt_real_log(-1)) && isnan(kt_real_log(-INFINITY)) && isnan(kt_real_log(NAN)));
}

static long double logistic_exact(long double x)
{
    return 1 / (1 + expl(-x));
}

static void sigmoids(void)
{
    CU_ASSERT(is_below(3, worst(kt_real_tanh, tanhl, -30, 30)) &&
              is_below(3, worst_of_sizes(kt_real_tanh, tanhl, -900, 3)));
    CU_ASSERT(is_below(2, worst(kt_real_logistic, logistic_exact, -700, 100)));
    CU_ASSERT(kt_real_tanh(0) == 0 && kt_real_tanh(1e9) == 1 && kt_real_tanh(-INFINITY) == -1);
    CU_ASSERT(kt_real_logistic(INFINITY) == 1 && kt_real_logistic(-INFINITY) == 0 && kt_real_logistic(0) == 0.5);
    CU_ASSERT(isnan(kt_real_tanh(NAN)) && isnan(kt_real_logistic(NAN)));
}

static long double below_exact(long double x)
{
    return erfcl(-x / sqrtl(2)) / 2;
}

static long double density_exact(long double x)
{
    return expl(-x * x / 2) / sqrtl(2 * acosl(-1));
}

/* Of floats only: their squares are exact. */
static double below_of_float(double x)
{
    return kt_real_normal_below((double)(float)x);
}

static long double below_of_float_exact(long double x)
{
    return below_exact((long double)(float)(double)x);
}

static void normal(void)
{
    CU_ASSERT(is_below(5, worst(below_of_float, below_of_float_exact, -37, 10)));
    CU_ASSERT(is_below(5, worst_of_sizes(below_of_float, below_of_float_exact, -100, 3)));
    CU_ASSERT(is_below(3, worst_of_sizes(kt_real_normal_density, density_exact, -100, 1)));
    CU_ASSERT(kt_real_normal_below(0) == 0.5 && kt_real_normal_below(40) == 1 && kt_real_normal_below(-40) == 0);
    CU_ASSERT(kt_real_normal_below(INFINITY) == 1 && kt_real_normal_below(-INFINITY) == 0);
    CU_ASSERT(kt_real_normal_density(INFINITY) == 0);
    CU_ASSERT(isnan(kt_real_normal_below(NAN)) && isnan(kt_real_normal_density(NAN)));
}

/* The angle has 64 digits as a long double, and a cosine near 0 as many fewer as it is small. */
static double units_of_turn(double actual, long double expected)
{
    return units(actual, expected) * fmin(1, (double)fabsl(expected) * 64);
}

static double turn_error(uint32_t u)
{
    const long double angle = 2 * acosl(-1) * (long double)(int32_t)u / 0x1p32L;
    double cosine, sine;
    kt_real_turn(u, &cosine, &sine);
    return u % (1u << 30) == 0 ? 0 : fmax(units_of_turn(cosine, cosl(angle)), units_of_turn(sine, sinl(angle)));
}

static double first_sine_error(uint32_t u)
{
    double cosine, sine;
    kt_real_turn(u, &cosine, &sine);
    return units(sine, sinl(2 * acosl(-1) * (long double)(int32_t)u / 0x1p32L));
}

static void turns(void)
{
    double most = 0, cosine, sine;
    for (uint32_t i = 0; i < N_POINTS; i++)
        most = fmax(most, turn_error(i * 2654435761u));
    for (uint32_t i = 0; i < 4096; i++) /* around every eighth */
        most = fmax(most, turn_error((i % 8 << 29) + i / 8 * 1001 - 256256));
    for (uint32_t u = 1; u < 4096; u++)
        most = fmax(most, fmax(first_sine_error(u), first_sine_error(-u)));
    CU_ASSERT(is_below(1, most));
    for (uint32_t quarter = 0; quarter < 4; quarter++) {
        kt_real_turn(quarter << 30, &cosine, &sine);
        CU_ASSERT(cosine == (quarter == 0) - (quarter == 2) && sine == (quarter == 1) - (quarter == 3));
    }
}

static long double cos_half_turn_exact(long double p)
{
    return cosl(acosl(-1) * p);
}

static void half_turns(void)
{
    CU_ASSERT(is_below(1, worst(kt_real_cos_half_turn, cos_half_turn_exact, 0, 0.49)));
    CU_ASSERT(is_below(1, worst(kt_real_cos_half_turn, cos_half_turn_exact, 0.51, 1)));
    CU_ASSERT(kt_real_cos_half_turn(0) == 1 && kt_real_cos_half_turn(0.5) == 0 && kt_real_cos_half_turn(1) == -1);
    CU_ASSERT(isnan(kt_real_cos_half_turn(NAN)));
}

static void powers(void)
{
    static const double bases[] = {0, 1e-300, 0.1, 0.5, 0.9, 0.99, 0.999, 0.9999, 1 - 1e-9, 1 - 0x1p-53, 1};
    for (size_t b = 0; b < sizeof bases / sizeof bases[0]; b++)
        for (uint64_t n = 0; n < 2000000; n = n < 300 ? n + 1 : n * 9 / 8) {
            const double x = bases[b], y = kt_real_power(x, n);
            /* y ln x within 2^-64 of itself: the exact power has 53 digits where that is small */
            const long double expected = expl((long double)n * logl((long double)x));
            if (n == 0 || x == 1)
                CU_ASSERT(y == 1);
            if (n > 0 && (x == 0 || expected < 0x1p-900L))
                CU_ASSERT(y == 0);
            if (n > 0 && x > 0 && x < 1 && expected >= 0x1p-900L)
                CU_ASSERT(is_below(0.51 + (double)-logl(expected) * 0x1p-9, units(y, expected)));
        }
    CU_ASSERT(kt_real_power(0.99, 3) == (double)(0.99L * 0.99L * 0.99L));
    CU_ASSERT(kt_real_power(1 - 0x1p-53, UINT64_MAX) == 0 && kt_real_power(1, UINT64_MAX) == 1);
    CU_ASSERT(isnan(kt_real_power(NAN, 2)));
}

static bool is_fused(float a, float b, float c)
{
    uint64_t actual = 0, expected = 0;
    bits_add(1, (const float[]){kt_real_fma_float(a, b, c)}, &actual);
    bits_add(1, (const float[]){fmaf(a, b, c)}, &expected);
    return actual == expected;
}

/* Also where the sum is nearly 0, and where the product decides how a half is rounded. */
static void fused(void)
{
    enum { N = 3000 };
    static float x[3][N];
    for (uint32_t seed = 0; seed < 60; seed++) {
        for (uint32_t i = 0; i < 3; i++)
            bits_fill(N, 3 * seed + i, x[i]);
        for (size_t i = 0; i < N; i++) {
            const float a = x[0][i], b = x[1][(i + seed) % N], c = x[2][(i + 5 * seed) % N];
            CU_ASSERT(is_fused(a, b, c) && is_fused(a, b, -a * b) && is_fused(a, b, nextafterf(-a * b, c)));
            CU_ASSERT(is_fused(a * 0x1p-20f, 1 + FLT_EPSILON * (float)seed, 3) && is_fused(FLT_EPSILON / 2, a, 1));
        }
    }
}

/* The last bits of some values, so that no processor, compiler or option changes one unseen. */
static void same_bits(void)
{
    uint64_t sum = 0;
    for (int i = 0; i < 4000; i++) {
        const double x = (i - 2000) / 77.0;
        double cosine, sine;
        kt_real_turn((uint32_t)i * 2654435761u, &cosine, &sine);
        const double values[] = {kt_real_exp(x),
                                 kt_real_expm1(x),
                                 kt_real_log(x * x),
                                 kt_real_tanh(x),
                                 kt_real_logistic(x),
                                 kt_real_normal_below((double)(float)x),
                                 kt_real_normal_density(x),
                                 kt_real_cos_half_turn(i / 4000.0),
                                 kt_real_power(i / 4000.0, 77),
                                 cosine,
                                 sine};
        for (size_t k = 0; k < sizeof values / sizeof values[0]; k++)
            bits_add_double(values[k], &sum);
    }
    CU_ASSERT(bits_are(UINT64_C(0x50e8ed0fa578e3a8), sum, "real"));
}

const kt_test kt_tests[] = {
    {"e^x and e^x - 1 are right to the last digit, from 0 to infinity", exponentials},
    {"logarithms are right to the last digit, and of impossible numbers NaN", logarithms},
    {"tanh and the logistic function keep all digits on both sides", sigmoids},
    {"the normal distribution keeps its digits far to the left", normal},
    {"cosine and sine of a whole turn are right to the last digit", turns},
    {"the cosine of a half turn is right to the last digit", half_turns},
    {"powers are right to the last digit for any exponent", powers},
    {"a multiply-add in float is rounded once", fused},
    {"all give the bits they always gave", same_bits},
    {NULL, NULL},
};
