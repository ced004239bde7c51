/* What the layer kinds share. */
#ifndef KTRAIN_LAYER_PRIVATE_H
#define KTRAIN_LAYER_PRIVATE_H

#include "base/simd.h"
#include "net/layer.h"

/* The kinds, in the order of a hidden block. EACH: there for each instruction set (x_simd.c), which it gains from. */
#define KT_LAYERS(ONE, EACH) \
    EACH(batch_norm)         \
    EACH(activation)         \
    EACH(dropout)

#define KT_DECLARE_LAYER(name)      extern const kt_layer_kind kt_layer_##name;
#define KT_DECLARE_LAYER_EACH(name) KT_SIMD_DECLARE(const kt_layer_kind, kt_layer_##name, );
KT_LAYERS(KT_DECLARE_LAYER, KT_DECLARE_LAYER_EACH)

/* Floats of the samples computed here in one panel, which stand one after the other, and where they begin. */
static inline size_t kt_layer_floats(const kt_pass *pass)
{
    return (pass->range.end - pass->range.begin) * KT_PANEL;
}

static inline float *kt_layer_panel(const kt_pass *pass, const kt_panels *of, size_t p)
{
    return of->at + p * of->stride + pass->range.begin * KT_PANEL;
}

/* Units of the layer that are computed here. */
static inline kt_range kt_layer_units(const kt_layer *layer)
{
    return (kt_range){kt_smaller(layer->own.begin * KT_PANEL, layer->n),
                      kt_smaller(layer->own.end * KT_PANEL, layer->n)};
}

#endif
