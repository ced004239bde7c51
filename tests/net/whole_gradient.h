/* The gradient of a network as one vector, like that of its parameters, formed from what backward leaves: what the
 * exchange never has, and is compared with. */
#ifndef KTRAIN_TEST_WHOLE_GRADIENT_H
#define KTRAIN_TEST_WHOLE_GRADIENT_H

#include <string.h>

#include "net/network.h"
#include "net/optimizer.h"

/* What a seat owns of the gradient over all rows of the batch, which must be here; gradient[room of the parameters],
 * 64-byte aligned. Of a seat that is alone: all. */
static inline void network_whole_gradient(kt_network *net, const kt_rows *rows, float *gradient)
{
    const kt_tensor *tensors = kt_network_parameters(net)->tensor;
    const kt_dense_sum sum = {kt_network_products(net), rows, {0, rows->shards}};
    size_t n_layers, n_formed;
    const kt_dense *dense = kt_network_dense(net, &n_layers);
    for (const kt_dense *d = dense; d < dense + n_layers; d++) {
        const kt_range some = {0, d->own.end - d->own.begin};
        float *weight = gradient + tensors[d->weight].offset + d->own.begin * d->w.stride;
        float *bias = gradient + tensors[d->bias].offset + d->own.begin * KT_PANEL;
        const kt_panels g = {weight, some.end, d->n_in, d->w.stride};
        if (some.end == 0)
            continue;
        kt_dense_gradient(d, &sum, 0, some, &g);
        if (d->lost_bias)
            memset(bias, 0, some.end * KT_PANEL * sizeof *bias);
        else
            kt_dense_bias_gradient(d, &sum, some, bias);
    }
    const kt_formed *formed = kt_network_formed(net, &n_formed);
    for (const kt_formed *f = formed; f < formed + n_formed; f++)
        for (size_t i = f->own.begin; i < f->own.end; i++)
            gradient[tensors[f->tensor].offset + i] = f->gradient[i];
}

/* A step by it, of what the seat owns. */
static inline void network_update(kt_network *net, const kt_optimizer *optimizer, const kt_updates *updates,
                                  const float *gradient)
{
    const kt_tensor *tensors = kt_network_parameters(net)->tensor;
    size_t n_layers, n_formed;
    const kt_dense *dense = kt_network_dense(net, &n_layers);
    for (const kt_dense *d = dense; d < dense + n_layers; d++) {
        const kt_tensor *w = &tensors[d->weight], *b = &tensors[d->bias];
        const size_t n_own = d->own.end - d->own.begin, first = d->own.begin * d->w.stride;
        kt_optimizer_apply(optimizer, updates, w, first, n_own * d->w.stride, gradient + w->offset + first);
        kt_optimizer_apply(optimizer, updates, b, d->own.begin * KT_PANEL, n_own * KT_PANEL,
                           gradient + b->offset + d->own.begin * KT_PANEL);
    }
    const kt_formed *formed = kt_network_formed(net, &n_formed);
    for (const kt_formed *f = formed; f < formed + n_formed; f++)
        kt_optimizer_apply(optimizer, updates, &tensors[f->tensor], f->own.begin, f->own.end - f->own.begin,
                           gradient + tensors[f->tensor].offset + f->own.begin);
}

/* A vector of some tensors, as files have them, one after the other: file[n_elements]. */
static inline const float *vector_to_file(const kt_tensors *tensors, const float *vector, float *file)
{
    size_t at = 0;
    for (const kt_tensor *t = tensors->tensor; t < tensors->tensor + tensors->n; at += t++->n)
        kt_tensor_to_file(t, vector + t->offset, file + at);
    return file;
}

/* How many floats of a vector belong to no element, and are not 0. */
static inline size_t count_outside(const kt_tensors *tensors, const float *vector)
{
    size_t n_outside = 0;
    for (const kt_tensor *t = tensors->tensor; t < tensors->tensor + tensors->n; t++) {
        const size_t n_units = t->dims[0], stride = t->is_weight ? kt_panels_stride(t->dims[1]) : KT_PANEL;
        const size_t rows = t->is_weight ? t->dims[1] : 1;
        for (size_t i = 0; i < t->room; i++) {
            const size_t unit = i / stride * KT_PANEL + i % KT_PANEL, row = i % stride / KT_PANEL;
            n_outside += (unit >= n_units || row >= rows) && vector[t->offset + i] != 0;
        }
    }
    return n_outside;
}

#endif
