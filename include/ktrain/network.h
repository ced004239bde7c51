/* A fully connected network: hidden blocks of dense, [batch norm], activation, [dropout]; then a dense output layer
 * (logits).
 *
 * All parameters are one vector, all gradients another, all running statistics a third, so that summing, updating,
 * clipping and saving are one call that no layer can forget. Local, but forward and backward are collective when
 * pass->sum is. */
#ifndef KTRAIN_NETWORK_H
#define KTRAIN_NETWORK_H

#include "ktrain/layer.h"

typedef struct kt_network kt_network;

typedef struct kt_network_spec {
    size_t n_in, n_classes;
    size_t n_hidden;       /* 0: softmax regression */
    const int64_t *hidden; /* widths, >= 1; borrowed during the call */
    int activation;        /* row of kt_activations */
    int initializer;       /* row of kt_initializers */
    double init_scale;     /* standard deviation or half width of `normal` and `uniform` */
    double dropout;        /* 0 <= dropout < 1 */
    bool batch_norm;
    double batch_norm_momentum, batch_norm_epsilon;
} kt_network_spec;

/* A named part of a vector. Weights are [n_out, n_in]. */
typedef struct kt_tensor {
    char name[48]; /* "dense1/weight", "batch_norm1/running_mean", "output/bias": path below /model in a checkpoint */
    size_t offset; /* in its vector, in elements */
    size_t n_dims, dims[2];
    size_t count;
    bool is_weight; /* a dense layer's weight: what L2 applies to */
} kt_tensor;

/* Room for batches of up to max_rows rows (of this rank). *out is NULL on failure. Parameters are zero until
 * initialized. */
kt_status kt_network_create(kt_network **out, const kt_network_spec *spec, size_t max_rows);
void kt_network_free(kt_network *network);

/* Weights by the initializer, biases and shifts 0, gains 1, running mean 0 and variance 1. */
void kt_network_initialize(kt_network *network, uint64_t seed);

/* Views, owned by the network, each vector 64-byte aligned. */
size_t kt_network_n_parameters(const kt_network *network);
float *kt_network_parameters(kt_network *network);
float *kt_network_gradients(kt_network *network);
size_t kt_network_n_state(const kt_network *network); /* running statistics; 0 without batch norm */
float *kt_network_state(kt_network *network);
const kt_tensor *kt_network_parameter_tensors(const kt_network *network, size_t *n);
const kt_tensor *kt_network_state_tensors(const kt_network *network, size_t *n);
size_t kt_network_n_classes(const kt_network *network);
size_t kt_network_n_in(const kt_network *network);
size_t kt_network_max_rows(const kt_network *network);

/* Bytes that kt_network_create would allocate, without allocating. 0 when it overflows. */
size_t kt_network_bytes(const kt_network_spec *spec, size_t max_rows, size_t *n_parameters);

/* *logits[rows x n_classes] of x[rows x n_in]; valid until the next forward. x must stay until backward has run. */
kt_status kt_network_forward(kt_network *network, const kt_pass *pass, const float *x, const float **logits);

/* Fills the gradients from d_logits[rows x n_classes], the loss's derivative for the forward just made (same pass). */
kt_status kt_network_backward(kt_network *network, const kt_pass *pass, const float *d_logits);

#endif
