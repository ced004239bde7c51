/* The gradient of a network as one vector, formed by one rank from the factors that backward leaves: what the exchange
 * never has, and is compared with. */
#ifndef KTRAIN_TEST_WHOLE_GRADIENT_H
#define KTRAIN_TEST_WHOLE_GRADIENT_H

#include <string.h>

#include "base/memory.h"
#include "net/network.h"

static inline void whole_gradient_of_layer(const kt_network *net, const kt_pass *pass, size_t l, float *gradient,
                                           float *scratch)
{
    size_t n;
    const kt_factors *f = &kt_network_factors(net, &n)[l];
    const kt_shard_node all = {0, pass->rows.shards};
    for (size_t r = 0; r < f->tall; r += KT_DENSE_UNITS)
        for (size_t c = 0; c < f->wide; c += KT_DENSE_COLUMNS)
            kt_dense_gradient(&f->dense, &pass->rows, all, kt_range_from(r, KT_DENSE_UNITS, f->tall),
                              kt_range_from(c, KT_DENSE_COLUMNS, f->wide), f->delta, f->x,
                              gradient + f->weight + r * f->wide + c, f->wide, NULL, scratch);
    for (size_t o = 0; o < f->dense.n_out; o += KT_DENSE_UNITS)
        kt_dense_bias_gradient(&f->dense, &pass->rows, all, kt_range_from(o, KT_DENSE_UNITS, f->dense.n_out), f->delta,
                               gradient + f->bias + o);
    if (f->lost_bias && pass->training)
        memset(gradient + f->bias, 0, f->dense.n_out * sizeof *gradient);
}

/* gradient[n_parameters] over all rows of the pass, which must be here. KT_NO_MEMORY. */
static inline kt_status network_whole_gradient(const kt_network *net, const kt_pass *pass, float *gradient)
{
    float *scratch;
    size_t n;
    KT_TRY(KT_NEW(scratch, kt_dense_scratch()));
    kt_network_factors(net, &n);
    for (size_t l = 0; l < n; l++)
        whole_gradient_of_layer(net, pass, l, gradient, scratch);
    const kt_formed *formed = kt_network_formed(net, &n);
    for (size_t i = 0; i < n; i++)
        memcpy(gradient + formed[i].offset, formed[i].gradient, formed[i].count * sizeof *gradient);
    kt_memory_free(scratch);
    return KT_OK;
}

#endif
