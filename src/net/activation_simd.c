/* The activations, each a formula for its value and its derivative, and their layer, for one instruction set. */
#include "base/real.h"
#include "net/activation.h"
#include "net/layer_private.h"

/* Each row is two expressions of one element, computed in `real` and rounded once to float; the loops around them are
 * the same. */
#define ACTIVATION(name, real, value, derivative)                                                           \
    static void name##_forward(size_t n, const float *x_of, float *y_of)                                    \
    {                                                                                                       \
        _Pragma("omp simd") for (size_t i = 0; i < n; i++)                                                  \
        {                                                                                                   \
            const real x = (real)x_of[i];                                                                   \
            y_of[i] = (float)(value);                                                                       \
        }                                                                                                   \
    }                                                                                                       \
    static void name##_backward(size_t n, const float *x_of, const float *y_of, const float *dy, float *dx) \
    {                                                                                                       \
        _Pragma("omp simd") for (size_t i = 0; i < n; i++)                                                  \
        {                                                                                                   \
            const real x = (real)x_of[i], y = (real)y_of[i];                                                \
            (void)x, (void)y;                                                                               \
            dx[i] = (float)((real)dy[i] * (derivative));                                                    \
        }                                                                                                   \
    }

#define LEAK 0.01f

/* f(0) = 0 and f'(0) = 0, as usual; the comparisons let a NaN through. */
/* clang-format off */
ACTIVATION(relu, float, x <= 0 ? 0 : x, x <= 0 ? 0.0f : 1.0f)
ACTIVATION(leaky_relu, float, x <= 0 ? LEAK * x : x, x <= 0 ? LEAK : 1.0f)
ACTIVATION(elu, double, x <= 0 ? kt_real_expm1(x) : x, x <= 0 ? y + 1 : 1)
ACTIVATION(gelu, double, x * kt_real_normal_below(x), kt_real_normal_below(x) + x * kt_real_normal_density(x))
ACTIVATION(silu, double, x * kt_real_logistic(x), kt_real_logistic(x) * (1 + x * kt_real_logistic(-x)))
ACTIVATION(tanh, double, kt_real_tanh(x), 1 - y * y)
ACTIVATION(sigmoid, double, kt_real_logistic(x), y * (1 - y))
/* clang-format on */

const kt_activation KT_SIMD_NAME(kt_activations)[] = {
    {"relu", relu_forward, relu_backward},
    {"leaky_relu", leaky_relu_forward, leaky_relu_backward},
    {"elu", elu_forward, elu_backward},
    {"gelu", gelu_forward, gelu_backward},
    {"silu", silu_forward, silu_backward},
    {"tanh", tanh_forward, tanh_backward},
    {"sigmoid", sigmoid_forward, sigmoid_backward},
};
#ifdef KT_SIMD_LAST
const kt_activation *const kt_activations = KT_SIMD_NAME(kt_activations);
const size_t kt_n_activations = sizeof KT_SIMD_NAME(kt_activations) / sizeof KT_SIMD_NAME(kt_activations)[0];
#endif

/* ---- the layer ---- */

typedef struct activation {
    kt_layer layer;
    const kt_activation *function;
} activation;

static bool wanted(const kt_network_spec *spec)
{
    (void)spec;
    return true;
}

static void make(kt_layer *layer, kt_maker *maker)
{
    ((activation *)layer)->function = &KT_SIMD_NAME(kt_activations)[maker->spec->activation];
}

static void forward(kt_layer *layer, const kt_pass *pass, const kt_panels *x, const kt_panels *y)
{
    const activation *self = (const activation *)layer;
    for (size_t p = 0; p < x->n; p++)
        self->function->forward(kt_layer_floats(pass), kt_layer_panel(pass, x, p), kt_layer_panel(pass, y, p));
}

static void backward(kt_layer *layer, const kt_pass *pass, const kt_flow *flow)
{
    const activation *self = (const activation *)layer;
    for (size_t p = 0; p < flow->x.n; p++)
        self->function->backward(kt_layer_floats(pass), kt_layer_panel(pass, &flow->x, p),
                                 kt_layer_panel(pass, &flow->y, p), kt_layer_panel(pass, &flow->dy, p),
                                 kt_layer_panel(pass, &flow->dx, p));
}

const kt_layer_kind KT_SIMD_NAME(kt_layer_activation) = {.name = "activation",
                                                         .n_bytes = sizeof(activation),
                                                         .wanted = wanted,
                                                         .make = make,
                                                         .forward = forward,
                                                         .backward = backward};
