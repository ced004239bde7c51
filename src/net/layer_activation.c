/* Activations, unit by unit (activation.h). */
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
    ((activation *)layer)->function = &kt_activations_table[kt_simd_best()][maker->spec->activation];
}

static void forward(kt_layer *layer, const kt_pass *pass, kt_range own, const float *x, float *y)
{
    const activation *self = (const activation *)layer;
    const kt_stretches all = kt_layer_stretches(layer, pass, own);
    for (size_t k = 0, at = all.first; k < all.count; k++, at += all.stride)
        self->function->forward(all.n, x + at, y + at);
}

static void backward(kt_layer *layer, const kt_pass *pass, kt_range own, const kt_flow *flow)
{
    const activation *self = (const activation *)layer;
    const kt_stretches all = kt_layer_stretches(layer, pass, own);
    for (size_t k = 0, at = all.first; k < all.count; k++, at += all.stride)
        self->function->backward(all.n, flow->x + at, flow->y + at, flow->dy + at, flow->dx + at);
}

const kt_layer_kind kt_layer_activation = {.name = "activation",
                                           .n_bytes = sizeof(activation),
                                           .wanted = wanted,
                                           .make = make,
                                           .forward = forward,
                                           .backward = backward};
