/* What the layer kinds share. */
#ifndef KTRAIN_LAYER_PRIVATE_H
#define KTRAIN_LAYER_PRIVATE_H

#include "base/simd.h"
#include "net/layer.h"

/* The kinds, in the order of a hidden block. EACH: there for each instruction set (x_simd.c), which it gains from. */
#define KT_LAYERS(ONE, EACH) \
    ONE(dense)               \
    EACH(batch_norm)         \
    ONE(activation)          \
    EACH(dropout)

#define KT_DECLARE_LAYER(name)      extern const kt_layer_kind kt_layer_##name;
#define KT_DECLARE_LAYER_EACH(name) KT_SIMD_DECLARE(const kt_layer_kind, kt_layer_##name, );
KT_LAYERS(KT_DECLARE_LAYER, KT_DECLARE_LAYER_EACH)

/* Rows of own columns as runs of n neighbours: one run when the columns are all. */
typedef struct kt_stretches {
    size_t first, count, n, stride; /* run k starts at first + k * stride */
} kt_stretches;

static inline kt_stretches kt_layer_stretches(const kt_layer *layer, const kt_pass *pass, kt_range own)
{
    const size_t width = layer->n_out, begin = kt_rows_begin(&pass->rows);
    const size_t m = kt_rows_end(&pass->rows) - begin;
    if (own.begin == 0 && own.end == width)
        return (kt_stretches){begin * width, 1, m * width, 0};
    return (kt_stretches){begin * width + own.begin, m, own.end - own.begin, width};
}

static inline void kt_layer_fill(kt_range own, float value, float *x)
{
    for (size_t i = own.begin; i < own.end; i++)
        x[i] = value;
}

#endif
