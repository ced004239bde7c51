/* Functions of a double by additions, multiplications, fused multiply-adds, divisions and square roots alone, each
 * rounded correctly: so they have the same bits on every processor, by every compiler and in vectors of any length,
 * which no system's <math.h> promises. docs/numbers.md states them for another program. Local and pure.
 *
 * Loops over them fill whole vectors: there are no branches, no tables and no calls. Polynomials are the best ones by
 * Remez's exchange (tools/fit_real.py, 50 digits), rounded to double, evaluated by Horner's rule; the error that stands
 * beside each is that of the polynomial before rounding, relative to the function. A NaN stays one. Numbers below
 * 2^-1022 count as 0 and come out as 0. */
#ifndef KTRAIN_REAL_H
#define KTRAIN_REAL_H

#include <stdint.h>

static inline uint64_t kt_real_bits(double x)
{
    uint64_t bits;
    __builtin_memcpy(&bits, &x, sizeof bits);
    return bits;
}

static inline double kt_real_of_bits(uint64_t bits)
{
    double x;
    __builtin_memcpy(&x, &bits, sizeof x);
    return x;
}

/* a b + c in float, rounded once, by processors without such an instruction, too: the product is exact in double, and a
 * sum in double that is cut to an odd last digit when it has more of them rounds to the same float as the exact one
 * (Boldo, Melquiond: "Emulation of FMA and correctly rounded sums", 2008). */
static inline float kt_real_fma_float(float a, float b, float c)
{
#if defined(__FMA__) || defined(__aarch64__)
    return __builtin_fmaf(a, b, c);
#else
    const double product = (double)a * (double)b, sum = product + (double)c, added = sum - product;
    const double error = (product - (sum - added)) + ((double)c - added), outward = sum > 0 ? error : -error;
    const uint64_t bits = kt_real_bits(sum), is_even = (bits & 1) - 1;
    const uint64_t step = outward > 0 ? 1 : outward < 0 ? UINT64_MAX : 0;
    return (float)kt_real_of_bits(bits + (step & is_even));
#endif
}

/* x = k ln 2 + r with a whole k and |r| <= ln 2 / 2: the result is e^r - 1, and *exponent k << 52. For |x| < 2^20. */
static inline double kt_real_exp_reduced(double x, uint64_t *exponent)
{
    const double shifter = 0x1.8p52; /* a sum with it has no fraction, and its last bits are k */
    const double shifted = __builtin_fma(x, 0x1.71547652b82fep+0, shifter), k = shifted - shifter;
    const double r = __builtin_fma(-k, 0x1.abc9e3b39803fp-56, __builtin_fma(-k, 0x1.62e42fefa39efp-1, x));
    double p = 0x1.ad7f88b9dd914p-26; /* (e^r - 1 - r) / r^2: 3.7e-18 */
    p = __builtin_fma(p, r, 0x1.28ad731740566p-22);
    p = __builtin_fma(p, r, 0x1.71df253f8af97p-19);
    p = __builtin_fma(p, r, 0x1.a0199a0c19ccfp-16);
    p = __builtin_fma(p, r, 0x1.a01a012a61a12p-13);
    p = __builtin_fma(p, r, 0x1.6c16c1842a2ddp-10);
    p = __builtin_fma(p, r, 0x1.1111111127bc1p-7);
    p = __builtin_fma(p, r, 0x1.555555555087cp-5);
    p = __builtin_fma(p, r, 0x1.55555555554fap-3);
    p = __builtin_fma(p, r, 0x1.000000000000ap-1);
    *exponent = kt_real_bits(shifted) << 52;
    return __builtin_fma(r * r, p, r);
}

/* e^x, to 1 unit in the last place. */
static inline double kt_real_exp(double x)
{
    uint64_t exponent;
    const double y = 1 + kt_real_exp_reduced(x, &exponent), scaled = kt_real_of_bits(kt_real_bits(y) + exponent);
    const double above = x < -708 ? 0 : scaled;
    const double below = x > 0x1.62e42fefa39efp+9 ? __builtin_inf() : above;
    return x != x ? x : below;
}

/* e^x - 1, to 2 units. */
static inline double kt_real_expm1(double x)
{
    uint64_t exponent;
    const double y = kt_real_exp_reduced(x, &exponent), half = kt_real_of_bits(kt_real_bits(0.5) + exponent);
    const double value = 2 * __builtin_fma(half, y, half - 0.5);
    const double above = x < -64 ? -1 : value;
    const double below = x > 0x1.62e42fefa39efp+9 ? __builtin_inf() : above;
    return x != x ? x : below;
}

/* The natural logarithm, to 0.9 units: of x = 2^k (1 + f) with 1 + f from sqrt(1/2) to sqrt(2), by s = f / (2 + f). */
static inline double kt_real_log(double x)
{
    const uint64_t low = UINT64_C(0x3fe6a09e667f3bcd), moved = kt_real_bits(x) - low; /* the bits of sqrt(1/2) */
    const double f = kt_real_of_bits((moved & (((uint64_t)1 << 52) - 1)) + low) - 1;
    const double k = kt_real_of_bits(((moved + ((uint64_t)1023 << 52)) >> 52) | kt_real_bits(0x1p52)) - (0x1p52 + 1023);
    const double s = f / (2 + f), z = s * s, half_square = 0.5 * f * f;
    double p = 0x1.2f063502597d9p-3; /* (2 artanh(s) - 2 s) / s^3: 1.3e-18 */
    p = __builtin_fma(p, z, 0x1.39a1a712f1209p-3);
    p = __builtin_fma(p, z, 0x1.74663f9f5e20ap-3);
    p = __builtin_fma(p, z, 0x1.c71c52061ea12p-3);
    p = __builtin_fma(p, z, 0x1.24924941f4d2ep-2);
    p = __builtin_fma(p, z, 0x1.999999997fd7bp-2);
    p = __builtin_fma(p, z, 0x1.5555555555592p-1);
    const double rest = __builtin_fma(s, __builtin_fma(z, p, half_square), k * 0x1.ef35793c76730p-45);
    const double value = __builtin_fma(k, 0x1.62e42fefa3800p-1, f - (half_square - rest));
    const double finite = x > 0x1.fffffffffffffp+1023 ? x : value;
    const double positive = x < 0x1p-1022 ? -__builtin_inf() : finite;
    return x >= 0 ? positive : __builtin_nan("");
}

/* x^n for x from 0 to 1: squared and multiplied from n's last bit on, with numbers of twice the digits, rounded once.
 * Below 2^-900 it is 0. */
static inline double kt_real_power(double x, uint64_t n)
{
    double high = 1, low = 0, square = x, square_low = 0;
    for (; n > 0; n >>= 1) {
        if (n & 1) {
            const double product = high * square, error = __builtin_fma(high, square, -product);
            const double rest = __builtin_fma(high, square_low, __builtin_fma(low, square, error));
            high = product + rest;
            low = rest - (high - product);
        }
        const double product = square * square, error = __builtin_fma(square, square, -product);
        const double rest = __builtin_fma(2 * square, square_low, error);
        square = product + rest;
        square_low = rest - (square - product);
        if (high < 0x1p-900 || (square < 0x1p-900 && n > 1))
            return 0;
    }
    return high;
}

/* tanh, to 3 units. */
static inline double kt_real_tanh(double x)
{
    const double t = kt_real_expm1(-2 * __builtin_fabs(x)), size = t / (2 + t);
    return x < 0 ? size : -size;
}

/* 1 / (1 + e^-x), to 2 units. */
static inline double kt_real_logistic(double x)
{
    const double e = kt_real_exp(-__builtin_fabs(x));
    return (x < 0 ? e : 1) / (1 + e);
}

/* The density of the normal distribution. */
static inline double kt_real_normal_density(double x)
{
    return 0x1.9884533d43651p-2 * kt_real_exp(-0.5 * x * x);
}

/* Its distribution function, to 1e-15 of itself also far to the left, of an x whose square is exact: a float. With a =
 * |x| and t = (a - 4) / (a + 4), (a + 4) e^(a^2 / 2) times what lies beyond a is a polynomial of t for all a <= 40. */
static inline double kt_real_normal_below(double x)
{
    const double size = __builtin_fabs(x), a = size > 40 ? 40 : size, inverse = 1 / (a + 4), t = (a - 4) * inverse;
    double p = -0x1.50eb851cbc3f6p-30; /* 2.1e-17 */
    p = __builtin_fma(p, t, -0x1.ba6aa767f40f6p-32);
    p = __builtin_fma(p, t, 0x1.f8772d37f8c73p-27);
    p = __builtin_fma(p, t, 0x1.17ae4fdad5cf9p-26);
    p = __builtin_fma(p, t, -0x1.4bbb0b026ed02p-24);
    p = __builtin_fma(p, t, -0x1.50ec12918c2fbp-23);
    p = __builtin_fma(p, t, 0x1.1b95fe9102cf7p-22);
    p = __builtin_fma(p, t, 0x1.125dece157bd7p-20);
    p = __builtin_fma(p, t, -0x1.4fa1d4e5eb4bep-21);
    p = __builtin_fma(p, t, -0x1.8d4b098de7735p-18);
    p = __builtin_fma(p, t, 0x1.7fd43b22b1620p-21);
    p = __builtin_fma(p, t, 0x1.26d077a7a3565p-15);
    p = __builtin_fma(p, t, -0x1.001097bc867abp-19);
    p = __builtin_fma(p, t, -0x1.e4a422b69fde0p-13);
    p = __builtin_fma(p, t, 0x1.17a4a5a60f334p-13);
    p = __builtin_fma(p, t, 0x1.ab825fb48244ep-10);
    p = __builtin_fma(p, t, -0x1.c81719c8cebb4p-9);
    p = __builtin_fma(p, t, -0x1.ee27610449a5cp-8);
    p = __builtin_fma(p, t, 0x1.eec4cc3e43c57p-5);
    p = __builtin_fma(p, t, -0x1.7dff2bff6844dp-3);
    p = __builtin_fma(p, t, 0x1.8c6dbf2cfc30cp-2);
    p = __builtin_fma(p, t, -0x1.373e3a893c28ap-1);
    p = __builtin_fma(p, t, 0x1.82b4bb8c94dcep-1);
    const double tail = kt_real_exp(-0.5 * a * a) * (p * inverse);
    return x < 0 ? tail : 1 - tail;
}

/* cos and sin of t pi / 4, |t| <= 1, to 1 unit. */
static inline double kt_real_cos_octant(double t)
{
    const double z = t * t;
    double p = -0x1.b263da19b160dp-42; /* (cos - 1) / z: 3.9e-20 */
    p = __builtin_fma(p, z, 0x1.f9cc41010ac62p-34);
    p = __builtin_fma(p, z, -0x1.a6d1ec7e845eep-26);
    p = __builtin_fma(p, z, 0x1.e1f506836859fp-19);
    p = __builtin_fma(p, z, -0x1.55d3c7e3c9287p-12);
    p = __builtin_fma(p, z, 0x1.03c1f081b5aaep-6);
    p = __builtin_fma(p, z, -0x1.3bd3cc9be45dep-2);
    return __builtin_fma(p, z, 1);
}

static inline double kt_real_sin_octant(double t)
{
    const double z = t * t;
    double p = 0x1.e3ff3a8413d94p-38; /* (sin / t - pi / 4) / z: 3.7e-18 */
    p = __builtin_fma(p, z, -0x1.e30098e401c65p-30);
    p = __builtin_fma(p, z, 0x1.5078300cb0db7p-22);
    p = __builtin_fma(p, z, -0x1.32d2cce3249ebp-15);
    p = __builtin_fma(p, z, 0x1.466bc67758cbbp-9);
    p = __builtin_fma(p, z, -0x1.4abbce625be46p-4);
    p = __builtin_fma(p, z, 0x1.1a62633145c07p-55); /* pi / 4 in two numbers */
    return __builtin_fma(t, 0x1.921fb54442d18p-1, t * p);
}

/* cos(pi p), p from 0 to 1. */
static inline double kt_real_cos_half_turn(double p)
{
    const double quarter = p < 0.25 ? 0 : p < 0.75 ? 1 : 2, t = 2 * (2 * p - quarter);
    const double cosine = kt_real_cos_octant(t), sine = kt_real_sin_octant(t);
    return quarter == 0 ? cosine : quarter == 1 ? -sine : -cosine;
}

/* cos and sin of 2 pi u / 2^32: the quarter turn that is nearest, and the rest of at most an eighth. */
static inline void kt_real_turn(uint32_t u, double *cosine, double *sine)
{
    const uint32_t quarter = (u + ((uint32_t)1 << 29)) >> 30;
    const double t = (double)(int32_t)(u - (quarter << 30)) * 0x1p-29;
    const double c = kt_real_cos_octant(t), s = kt_real_sin_octant(t);
    const double x = quarter & 1 ? s : c, y = quarter & 1 ? c : s;
    *cosine = (quarter + 1) & 2 ? -x : x;
    *sine = quarter & 2 ? -y : y;
}

#endif
