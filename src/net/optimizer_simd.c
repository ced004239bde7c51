/* The optimizers: a row and its loop each, for one instruction set. */
#include <float.h>
#include <math.h>

#include "net/optimizer.h"

#if defined(__AVX512F__)
#include <immintrin.h>

/* m / (sqrt(v) + epsilon) by one division: a square root and a division of 16 elements keep the divider busy for 16
 * cycles (Zen 4), a division alone for 6. The root comes from the processor's estimate of 1/sqrt(v) to 14 bits,
 * y, and one Newton step: 2 sqrt(v) = s (3 - s y) with s = v y. The moments take two operations each as
 * m + (1 - beta1)(g - m), which loses no accuracy while beta1 >= 1/2. Steps are right
 * to 4 units in the last place (the plain loops': to 3). */
enum { LANES = 16 };
#define INLINE static inline __attribute__((always_inline))

INLINE __m512 all(float x)
{
    return _mm512_set1_ps(x);
}

/* beta old + (1 - beta) new */
INLINE __m512 average(float rest, __m512 new_minus_old, __m512 old)
{
    return _mm512_fmadd_ps(all(rest), new_minus_old, old);
}

/* keep - rate m / (sqrt(v) + epsilon) */
INLINE __m512 descend(const kt_update *u, __m512 keep, __m512 m, __m512 v)
{
    const __m512 positive = _mm512_max_ps(all(FLT_MIN), v);
    const __m512 y = _mm512_rsqrt14_ps(positive), s = _mm512_mul_ps(positive, y);
    const __m512 twice_root_plus = _mm512_fmadd_ps(s, _mm512_fnmadd_ps(s, y, all(3)), all(2 * u->epsilon));
    return _mm512_fnmadd_ps(all(2 * u->rate), _mm512_div_ps(m, twice_root_plus), keep);
}

/* What an update goes over. */
typedef struct cells {
    float *w, *first, *second;
    const float *g;
} cells;

/* The lanes of `on` from i on. is_plain: scale and keep are 1, and multiplying by them is left out. */
INLINE void update_lanes(const kt_update *u, __mmask16 on, size_t i, cells c, bool has_first, bool is_plain)
{
    const __m512 weight = _mm512_maskz_loadu_ps(on, c.w + i), raw = _mm512_maskz_loadu_ps(on, c.g + i);
    const __m512 old_v = _mm512_maskz_loadu_ps(on, c.second + i);
    const __m512 scaled = is_plain ? raw : _mm512_mul_ps(all(u->scale), raw);
    const __m512 gradient = _mm512_fmadd_ps(all(u->l2), weight, scaled);
    const __m512 v = _mm512_min_ps(all(FLT_MAX), average(u->rest2, _mm512_fmsub_ps(gradient, gradient, old_v), old_v));
    __m512 m = gradient;
    _mm512_mask_storeu_ps(c.second + i, on, v);
    if (has_first) {
        const __m512 old_m = _mm512_maskz_loadu_ps(on, c.first + i);
        m = average(u->rest1, _mm512_sub_ps(gradient, old_m), old_m);
        _mm512_mask_storeu_ps(c.first + i, on, m);
    }
    const __m512 kept = is_plain ? weight : _mm512_mul_ps(all(u->keep), weight);
    _mm512_mask_storeu_ps(c.w + i, on, descend(u, kept, m, v));
}

/* No software prefetch: from memory, tiles of 512 to 5000 elements already run at the speed of the memory. */
INLINE void update_all(const kt_update *update, size_t n, cells c, bool has_first, bool is_plain)
{
    const kt_update u = *update; /* a copy that no store to w can change: its constants stay in registers */
    const __mmask16 every = 0xffff;
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        update_lanes(&u, every, i, c, has_first, is_plain);
    if (i < n)
        update_lanes(&u, (__mmask16)(every >> (LANES - (n - i))), i, c, has_first, is_plain);
}

/* For betas of at least 1/2; first NULL: rmsprop. */
static void update_by_estimates(const kt_update *u, size_t n, float *w, const float *g, float *first, float *second)
{
    const bool is_plain = u->scale == 1 && u->keep == 1;
    if (first != NULL && is_plain)
        update_all(u, n, (cells){w, first, second, g}, true, true);
    else if (first != NULL)
        update_all(u, n, (cells){w, first, second, g}, true, false);
    else if (is_plain)
        update_all(u, n, (cells){w, NULL, second, g}, false, true);
    else
        update_all(u, n, (cells){w, NULL, second, g}, false, false);
}
#endif

/* The loops below are float only, without branches or library calls, so that they fill whole vectors. Each starts
 * alike: the gradient takes the coupled decay at the weight as it was, the decoupled one shrinks the weight. */

static void update_sgd(const kt_update *update, size_t n, float *restrict w, const float *restrict g,
                       float *const *slot)
{
    const kt_update u = *update;
    (void)slot;
    for (size_t i = 0; i < n; i++) {
        const float gradient = u.scale * g[i] + u.l2 * w[i];
        w[i] = u.keep * w[i] - u.rate * gradient;
    }
}

static void update_momentum(const kt_update *update, size_t n, float *restrict w, const float *restrict g,
                            float *const *slot)
{
    const kt_update u = *update;
    float *restrict velocity = slot[0];
    for (size_t i = 0; i < n; i++) {
        const float gradient = u.scale * g[i] + u.l2 * w[i];
        const float v = u.momentum * velocity[i] + gradient;
        velocity[i] = v;
        w[i] = u.keep * w[i] - u.rate * v;
    }
}

static void update_nesterov(const kt_update *update, size_t n, float *restrict w, const float *restrict g,
                            float *const *slot)
{
    const kt_update u = *update;
    float *restrict velocity = slot[0];
    for (size_t i = 0; i < n; i++) {
        const float gradient = u.scale * g[i] + u.l2 * w[i];
        const float v = u.momentum * velocity[i] + gradient;
        velocity[i] = v;
        w[i] = u.keep * w[i] - u.rate * (gradient + u.momentum * v);
    }
}

/* A NaN stays one. */
static inline float at_most(float most, float x)
{
    return most < x ? most : x;
}

static inline float root(float v)
{
    return sqrtf(FLT_MIN > v ? FLT_MIN : v);
}

static void update_rmsprop(const kt_update *update, size_t n, float *restrict w, const float *restrict g,
                           float *const *slot)
{
#if defined(__AVX512F__)
    if (update->slow_betas) {
        update_by_estimates(update, n, w, g, NULL, slot[0]);
        return;
    }
#endif
    const kt_update u = *update;
    float *restrict square = slot[0];
    for (size_t i = 0; i < n; i++) {
        const float gradient = u.scale * g[i] + u.l2 * w[i];
        const float v = at_most(FLT_MAX, u.beta2 * square[i] + u.rest2 * (gradient * gradient));
        square[i] = v;
        w[i] = u.keep * w[i] - u.rate * (gradient / (root(v) + u.epsilon));
    }
}

static void update_adam(const kt_update *update, size_t n, float *restrict w, const float *restrict g,
                        float *const *slot)
{
#if defined(__AVX512F__)
    if (update->slow_betas) {
        update_by_estimates(update, n, w, g, slot[0], slot[1]);
        return;
    }
#endif
    const kt_update u = *update;
    float *restrict first = slot[0], *restrict second = slot[1];
    for (size_t i = 0; i < n; i++) {
        const float gradient = u.scale * g[i] + u.l2 * w[i];
        const float m = u.beta1 * first[i] + u.rest1 * gradient;
        const float v = at_most(FLT_MAX, u.beta2 * second[i] + u.rest2 * (gradient * gradient));
        first[i] = m;
        second[i] = v;
        w[i] = u.keep * w[i] - u.rate * (m / (root(v) + u.epsilon));
    }
}

const kt_optimizer_kind KT_SIMD_NAME(kt_optimizers)[] = {
    {"sgd", 0, {NULL}, update_sgd, false, false},
    {"momentum", 1, {"velocity"}, update_momentum, false, false},
    {"nesterov", 1, {"velocity"}, update_nesterov, false, false},
    {"rmsprop", 1, {"square_average"}, update_rmsprop, false, false},
    {"adam", 2, {"first_moment", "second_moment"}, update_adam, false, true},
    {"adamw", 2, {"first_moment", "second_moment"}, update_adam, true, true},
};
#ifdef KT_SIMD_LAST
const size_t kt_n_optimizers = sizeof KT_SIMD_NAME(kt_optimizers) / sizeof KT_SIMD_NAME(kt_optimizers)[0];
#endif
