/* The gradient of a network in one vector, by its definition alone (docs/numbers.md): what ranks form in tiles, or
 * never have, is compared with it. */
#ifndef KTRAIN_TEST_PLAIN_GRADIENT_H
#define KTRAIN_TEST_PLAIN_GRADIENT_H

#include <math.h>
#include <string.h>

#include "net/network.h"

/* Delta of unit o, sample r, in the panels that backward left on a rank that owns all. */
static inline float plain_delta(const kt_dense *d, size_t M, size_t r, size_t o)
{
    return d->delta[o / KT_PANEL * kt_panels_stride(M) + r * KT_PANEL + o % KT_PANEL];
}

/* A chain for each shard, and the tree. i: an input; n_in: the bias. */
static inline float plain_element(const kt_dense *d, const kt_rows *rows, size_t i, size_t o)
{
    kt_shard_node nodes[KT_MAX_SHARDS];
    float sums[KT_MAX_SHARDS], total;
    for (size_t v = 0; v < rows->shards; v++) {
        const kt_range shard = kt_share(rows->M, v, rows->shards);
        float sum = 0;
        for (size_t r = shard.begin; r < shard.end; r++)
            sum = fmaf(i < d->n_in ? d->x.x[r * d->x.ld + i] : 1, plain_delta(d, rows->M, r, o), sum);
        nodes[v] = (kt_shard_node){v, 1};
        sums[v] = sum;
    }
    kt_shards_add_f32(nodes, rows->shards, 1, 1, sums, &total);
    return total;
}

static inline void plain_layer(const kt_dense *d, const kt_tensor *tensors, const kt_rows *rows, float *gradient)
{
    float *weights = gradient + tensors[d->weight].offset, *biases = gradient + tensors[d->bias].offset;
    for (size_t o = 0; o < d->n_out; o++) {
        for (size_t i = 0; i < d->n_in; i++)
            weights[o / KT_PANEL * kt_panels_stride(d->n_in) + i * KT_PANEL + o % KT_PANEL] =
                plain_element(d, rows, i, o);
        biases[o] = d->lost_bias ? 0 : plain_element(d, rows, d->n_in, o);
    }
}

/* gradient[room of a vector of parameters] over all rows, after backward on a rank alone. */
static inline void plain_gradient(kt_network *network, const kt_rows *rows, float *gradient)
{
    const kt_tensors *parameters = kt_network_parameters(network);
    size_t n;
    memset(gradient, 0, parameters->room * sizeof *gradient);
    const kt_dense *dense = kt_network_dense(network, &n);
    for (size_t l = 0; l < n; l++)
        plain_layer(&dense[l], parameters->tensor, rows, gradient);
    const kt_formed *formed = kt_network_formed(network, &n);
    for (size_t i = 0; i < n; i++)
        memcpy(gradient + parameters->tensor[formed[i].tensor].offset, formed[i].gradient,
               parameters->tensor[formed[i].tensor].n * sizeof *gradient);
}

#endif
