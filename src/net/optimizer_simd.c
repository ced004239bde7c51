/* The optimizers: a row and its loop each, for one instruction set. */
#include <float.h>

#include "base/real.h"
#include "net/optimizer.h"

/* The loops below are float only, without branches or library calls, so that they fill whole vectors. Roots and divisions
 * are correctly rounded: the divider works beside the multiply-adds of other elements, so they cost little. The pragma
 * says that vectors do not overlap, which saves a check before each loop: many are short. */

/* The gradient takes the coupled decay at the weight as it was. */
static inline float with_decay(const kt_update *u, float w, float g)
{
    return kt_real_fma_float(u->l2, w, kt_real_fma_float(u->scale, g, 0));
}

/* The decoupled decay shrinks the weight. */
static inline float descend(const kt_update *u, float w, float direction)
{
    return kt_real_fma_float(-u->rate, direction, u->keep * w);
}

static inline float average(float beta, float rest, float old, float new)
{
    return kt_real_fma_float(rest, new, beta * old);
}

/* Of the mean square; a NaN stays one. */
static inline float finite_average(float beta, float rest, float old, float new)
{
    const float v = average(beta, rest, old, new);
    return FLT_MAX < v ? FLT_MAX : v;
}

static inline float normalized(const kt_update *u, float m, float v)
{
    return m / (__builtin_sqrtf(FLT_MIN > v ? FLT_MIN : v) + u->epsilon);
}

static void update_sgd(const kt_update *update, size_t n, float *w, const float *g, float *const *slot)
{
    const kt_update u = *update; /* a copy that no store to w can change: its constants stay in registers */
    (void)slot;
#pragma omp simd
    for (size_t i = 0; i < n; i++)
        w[i] = descend(&u, w[i], with_decay(&u, w[i], g[i]));
}

static void update_momentum(const kt_update *update, size_t n, float *w, const float *g, float *const *slot)
{
    const kt_update u = *update;
    float *velocity = slot[0];
#pragma omp simd
    for (size_t i = 0; i < n; i++) {
        velocity[i] = kt_real_fma_float(u.momentum, velocity[i], with_decay(&u, w[i], g[i]));
        w[i] = descend(&u, w[i], velocity[i]);
    }
}

static void update_nesterov(const kt_update *update, size_t n, float *w, const float *g, float *const *slot)
{
    const kt_update u = *update;
    float *velocity = slot[0];
#pragma omp simd
    for (size_t i = 0; i < n; i++) {
        const float gradient = with_decay(&u, w[i], g[i]);
        velocity[i] = kt_real_fma_float(u.momentum, velocity[i], gradient);
        w[i] = descend(&u, w[i], kt_real_fma_float(u.momentum, velocity[i], gradient));
    }
}

static void update_rmsprop(const kt_update *update, size_t n, float *w, const float *g, float *const *slot)
{
    const kt_update u = *update;
    float *square = slot[0];
#pragma omp simd
    for (size_t i = 0; i < n; i++) {
        const float gradient = with_decay(&u, w[i], g[i]);
        square[i] = finite_average(u.beta2, u.rest2, square[i], gradient * gradient);
        w[i] = descend(&u, w[i], normalized(&u, gradient, square[i]));
    }
}

static void update_adam(const kt_update *update, size_t n, float *w, const float *g, float *const *slot)
{
    const kt_update u = *update;
    float *first = slot[0], *second = slot[1];
#pragma omp simd
    for (size_t i = 0; i < n; i++) {
        const float gradient = with_decay(&u, w[i], g[i]);
        first[i] = average(u.beta1, u.rest1, first[i], gradient);
        second[i] = finite_average(u.beta2, u.rest2, second[i], gradient * gradient);
        w[i] = descend(&u, w[i], normalized(&u, first[i], second[i]));
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
