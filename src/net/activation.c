/* The table of activations, each a formula for its value and its derivative. */
#include "net/activation.h"

#include <math.h>

static const float LEAK = 0.01f;
static const float INVERSE_SQRT_2 = 0.70710678f;
static const float INVERSE_SQRT_2_PI = 0.39894228f;

/* Each row is two expressions of one element; the loops around them are the same. */
#define ACTIVATION(name, value, derivative)                                                                        \
    static void name##_forward(size_t n, const float *restrict x_of, float *restrict y_of)                         \
    {                                                                                                              \
        for (size_t i = 0; i < n; i++) {                                                                           \
            const float x = x_of[i];                                                                               \
            y_of[i] = (value);                                                                                     \
        }                                                                                                          \
    }                                                                                                              \
    static void name##_backward(size_t n, const float *restrict x_of, const float *restrict y_of, const float *dy, \
                                float *dx)                                                                         \
    {                                                                                                              \
        for (size_t i = 0; i < n; i++) {                                                                           \
            const float x = x_of[i], y = y_of[i];                                                                  \
            (void)x, (void)y;                                                                                      \
            dx[i] = dy[i] * (derivative);                                                                          \
        }                                                                                                          \
    }

/* The exponential is of a number <= 0 only, so nothing overflows. */
static inline float logistic(float x)
{
    const float e = expf(-fabsf(x));
    return x < 0 ? e / (1 + e) : 1 / (1 + e);
}

/* Normal distribution function; erfc keeps its digits far to the left. */
static inline float normal_cdf(float x)
{
    return 0.5f * erfcf(-x * INVERSE_SQRT_2);
}

static inline float normal_density(float x)
{
    return INVERSE_SQRT_2_PI * expf(-0.5f * x * x);
}

/* f(0) = 0 and f'(0) = 0, as usual; the comparisons let a NaN through. */
/* clang-format off */
ACTIVATION(relu, x <= 0 ? 0 : x, x <= 0 ? 0.0f : 1.0f)
ACTIVATION(leaky_relu, x <= 0 ? LEAK * x : x, x <= 0 ? LEAK : 1.0f)
ACTIVATION(elu, x <= 0 ? expm1f(x) : x, x <= 0 ? y + 1 : 1.0f)
ACTIVATION(gelu, x * normal_cdf(x), normal_cdf(x) + x * normal_density(x))
ACTIVATION(silu, x * logistic(x), logistic(x) * (1 + x * logistic(-x)))
ACTIVATION(tanh_, tanhf(x), 1 - y * y)
ACTIVATION(sigmoid, logistic(x), y * (1 - y))
/* clang-format on */

const kt_activation kt_activations[] = {
    {"relu", relu_forward, relu_backward},
    {"leaky_relu", leaky_relu_forward, leaky_relu_backward},
    {"elu", elu_forward, elu_backward},
    {"gelu", gelu_forward, gelu_backward},
    {"silu", silu_forward, silu_backward},
    {"tanh", tanh__forward, tanh__backward},
    {"sigmoid", sigmoid_forward, sigmoid_backward},
};
const size_t kt_n_activations = sizeof kt_activations / sizeof kt_activations[0];
