/* Activations, unit by unit (activation.h), for one instruction set. */
#include "net/activation.h"
#include "net/layer_private.h"

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
