/* The optimizers: a row and its loop each, for one instruction set. */
#include <float.h>
#include <math.h>

#include "net/optimizer.h"

#if defined(__AVX512F__)
#include "net/optimizer_estimates.h"
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
