/* Layer kinds: one table row each. Pure: what ranks must tell each other goes through the team's two calls.
 *
 * Letters: M rows of the whole batch, n_in, n_out features. All arrays are row-major with a row for every row of the
 * batch, of which a call reads and writes those that are computed here (pass->rows), and of these the columns `own` of
 * its rank (dense layers read all columns of their input). */
#ifndef KTRAIN_LAYER_H
#define KTRAIN_LAYER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "net/activation.h"
#include "net/dense.h"
#include "net/initializer.h"

/* What is settled where a pass through the network begins: kt_network_pass fills the first three, the caller the rest. */
typedef struct kt_pass {
    kt_rows rows; /* may be none; such a rank still makes every call */
    const kt_team *team;
    const kt_kernels *kernels; /* for the products; NULL: OpenBLAS */
    bool training;             /* dropout drops, batch norm uses the batch's statistics and updates the running ones */
    uint64_t seed;             /* with epoch and sample: the place of the dropout draws */
    uint32_t epoch;
    const uint32_t *sample; /* M: index of each row in the data set; may be NULL when not training */
    /* Called by every rank of the team when the inputs (or the deltas) of dense layer `layer` are complete in the whole team, so
     * that they can be on their way while the next product is computed; NULL: nobody wants to know */
    void (*announce)(void *context, size_t layer, bool deltas);
    void *announce_context;
} kt_pass;

typedef struct kt_layer kt_layer;

typedef struct kt_layer_kind {
    const char *name; /* "dense" */
    /* y[M x n_out] from x[M x n_in]. y may not alias x. Collective over the teams when the layer uses their calls. */
    void (*forward)(kt_layer *layer, const kt_pass *pass, kt_range own, const float *x, float *y);
    /* dx[M x n_in] from dy[M x n_out], for the inputs `own`; x and y are forward's. dx may be dy, but for dense. Batch
     * norm also leaves its gradients, summed over the whole batch. */
    void (*backward)(kt_layer *layer, const kt_pass *pass, kt_range own, const float *x, const float *y,
                     const float *dy, float *dx);
} kt_layer_kind;

extern const kt_layer_kind kt_layer_dense, kt_layer_activation, kt_layer_dropout, kt_layer_batch_norm;

struct kt_layer {
    const kt_layer_kind *kind;
    size_t n_in, n_out;
    uint32_t number; /* of the dense layer it belongs to, from 1: the place of its draws */
    /* dense: [n_out x n_in], [n_out]; batch norm: gain [n], shift [n]. Borrowed views into the network's vectors */
    float *weight, *bias;
    float *d_weight, *d_bias; /* batch norm: gradients of the same shapes; borrowed */
    float *mean, *variance;   /* batch norm: running statistics [n]; borrowed */
    /* batch norm: running = (1 - momentum) * running + momentum * batch's (variance unbiased, M - 1) */
    double momentum, epsilon;
    bool transposed; /* dense: the weight is kept as [n_in x n_out] (dense.h) */
    double rate;     /* dropout: probability of zeroing a unit */
    uint8_t *kept;   /* dropout: [max_rows x n], the last training pass's mask; borrowed, shared by the team */
    const kt_activation *activation;
    double *scratch; /* batch norm: kt_batch_norm_scratch doubles, borrowed, shared by the team */
};

/* Doubles of scratch for n units and up to n_shards shards. */
size_t kt_batch_norm_scratch(size_t n, size_t n_shards);

#endif
