/* Gradients of dense layers, formed from what backward has left: straight into the optimizer, tile by tile, or into a
 * vector. Each seat forms those of its own panels; where every seat has all of a layer each may take a share. Local. */
#ifndef KTRAIN_GRADIENT_H
#define KTRAIN_GRADIENT_H

#include "net/network.h"
#include "net/optimizer.h"

/* Room for a tile. */
typedef struct kt_gradient {
    const kt_products *products;
    const kt_tensors *parameters; /* borrowed */
    float *tile;
} kt_gradient;

/* For the layers of `network`, borrowed. *out may be freed after a failure, too. KT_NO_MEMORY. */
kt_status kt_gradient_create(kt_gradient *out, const kt_network *network);
void kt_gradient_free(kt_gradient *gradient);

/* An optimizer's step. */
typedef struct kt_gradient_update {
    const kt_optimizer *optimizer;
    const kt_updates *updates;
} kt_gradient_update;

/* Updates own panels, and their biases, by their gradient over all rows of `rows`. */
void kt_gradient_apply(const kt_gradient *gradient, const kt_dense *dense, const kt_rows *rows,
                       const kt_gradient_update *update);

/* The gradient over what `sum` says, of panels `some` of own ones (numbered from 0), to its places in a vector. */
void kt_gradient_form(const kt_gradient *gradient, const kt_dense *dense, const kt_dense_sum *sum, kt_range some,
                      float *vector);

/* squares[16 x own panels]: of the gradient over all rows, the squares of a unit's weights, in the order of inputs, and
 * of its bias, in double. From `vector`, where it has been formed; NULL: it is formed tile by tile, and forgotten. */
void kt_gradient_squares(const kt_gradient *gradient, const kt_dense *dense, const kt_rows *rows, const float *vector,
                         double *squares);

#endif
