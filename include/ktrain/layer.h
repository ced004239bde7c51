/* Layer kinds: one table row each. Pure: what must be added over the ranks goes through the pass's sum hook.
 *
 * Letters: m rows of this rank in the batch, M rows of the whole batch over all ranks, n_in, n_out features. All
 * arrays row-major. */
#ifndef KTRAIN_LAYER_H
#define KTRAIN_LAYER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ktrain/activation.h"
#include "ktrain/initializer.h"
#include "ktrain/status.h"

/* Adds values[n] over all ranks, in place; every rank gets the same result. */
typedef kt_status kt_sum_function(void *context, double *values, size_t n);

/* What the layers need to know of the step they are in. */
typedef struct kt_pass {
    bool training; /* dropout drops, batch norm uses the batch's statistics and updates the running ones */
    uint64_t seed; /* with epoch and sample: the place of the dropout draws */
    uint32_t epoch;
    const uint32_t *sample; /* m: index of each row in the data set; may be NULL when not training */
    size_t rows;            /* m; 0 is allowed, such a rank still makes every call to sum */
    size_t rows_global;     /* M */
    kt_sum_function *sum;   /* NULL: this rank is alone */
    void *sum_context;
} kt_pass;

typedef struct kt_layer kt_layer;

typedef struct kt_layer_kind {
    const char *name; /* "dense" */
    /* y[m x n_out] from x[m x n_in]. y may not alias x. Collective when pass->sum is and the layer uses it. */
    kt_status (*forward)(kt_layer *layer, const kt_pass *pass, const float *x, float *y);
    /* dx[m x n_in] from dy[m x n_out], and the layer's gradients (overwritten, not added). x and y are forward's. dx
     * is NULL when nobody needs it. */
    kt_status (*backward)(kt_layer *layer, const kt_pass *pass, const float *x, const float *y, const float *dy,
                          float *dx);
} kt_layer_kind;

extern const kt_layer_kind kt_layer_dense, kt_layer_activation, kt_layer_dropout, kt_layer_batch_norm;

struct kt_layer {
    const kt_layer_kind *kind;
    size_t n_in, n_out;
    uint32_t number; /* of the dense layer it belongs to, from 1: the place of its draws */
    /* dense: [n_out x n_in], [n_out]; batch norm: gain [n], shift [n]. Borrowed views into the network's vectors */
    float *weight, *bias;
    float *d_weight, *d_bias; /* gradients of the same shapes; borrowed */
    float *mean, *variance;   /* batch norm: running statistics [n]; borrowed */
    /* batch norm: running = (1 - momentum) * running + momentum * batch's (variance unbiased, M - 1) */
    double momentum, epsilon;
    double rate; /* dropout: probability of zeroing a unit */
    const kt_activation *activation;
    double *scratch; /* batch norm: [4 n], borrowed: the batch's mean and 1/deviation, and sums */
};

#endif
