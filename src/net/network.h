/* A fully connected network: hidden blocks of dense, [batch norm], activation, [dropout]; then a dense output layer
 * (logits).
 *
 * All parameters are one vector, all running statistics another, so that updating and saving are one call that no layer
 * can forget. A gradient is not kept: backward leaves its factors, and who needs a tile of it forms it.
 *
 * A network may be in memory that a team of ranks shares: each rank has a kt_network of its own around the same
 * vectors, and forward and backward are calls that the whole team makes, each rank computing its own units. They end
 * with a barrier: what they leave is complete for every rank. */
#ifndef KTRAIN_NETWORK_H
#define KTRAIN_NETWORK_H

#include "net/layer.h"

typedef struct kt_network kt_network;

/* Room for batches of up to max_rows rows, in memory of its own, for one rank alone. *out is NULL on failure.
 * Parameters are zero until initialized. */
kt_status kt_network_create(kt_network **out, const kt_network_spec *spec, size_t max_rows);

/* The same in `memory` (borrowed, zeroed, 64-byte aligned, kt_network_pool_bytes) that the team's ranks share. Local:
 * each rank calls it. */
kt_status kt_network_create_in_pool(kt_network **out, const kt_network_spec *spec, size_t max_rows, const kt_team *team,
                                    void *memory);
void kt_network_free(kt_network *network);

/* Bytes for kt_network_create_in_pool; most of them are only touched when used. n_parameters may be NULL. KT_CONFIG when
 * such a network cannot be made here; both are 0 then. Local. */
kt_status kt_network_pool_bytes(const kt_network_spec *spec, size_t max_rows, size_t *n_bytes, size_t *n_parameters);

/* Weights by the initializer, biases and shifts 0, gains 1, running mean 0 and variance 1. Each rank its own rows, so
 * that memory lies near who updates it; ends with a barrier of the team. */
void kt_network_initialize(kt_network *network, uint64_t seed);

/* Views, owned by the network, each vector 64-byte aligned. */
size_t kt_network_n_parameters(const kt_network *network);
float *kt_network_parameters(kt_network *network);
size_t kt_network_n_state(const kt_network *network); /* running statistics; 0 without batch norm */
float *kt_network_state(kt_network *network);
const kt_tensor *kt_network_parameter_tensors(const kt_network *network, size_t *n);
const kt_tensor *kt_network_state_tensors(const kt_network *network, size_t *n);
const kt_team *kt_network_team(const kt_network *network);
size_t kt_network_n_classes(const kt_network *network);
size_t kt_network_n_in(const kt_network *network);

/* Where the caller puts inputs [max_rows x n_in] before forward (rows of pass->rows), and the loss its derivative
 * [max_rows x n_classes] before backward. Owned by the network, shared by the team: fill, then kt_team_barrier. */
float *kt_network_input(kt_network *network);
float *kt_network_d_logits(kt_network *network);

/* A pass of these rows through this network; what else it needs is 0. Local. */
kt_pass kt_network_pass(const kt_network *network, kt_rows rows);

/* The logits [M x n_classes] of the rows here; valid until the next forward. M is at most max_rows. */
const float *kt_network_forward(kt_network *network, const kt_pass *pass);

/* From d_logits, the loss's derivative for the forward just made (same pass), to the factors of every gradient. */
void kt_network_backward(kt_network *network, const kt_pass *pass);

/* What the gradient of a dense layer is made of, as the last pass has left it: d_weight = delta^T x, d_bias = the sum
 * of delta's rows. */
typedef struct kt_factors {
    kt_dense dense;      /* its kernels are the pass's */
    kt_range own_rows;   /* of the weight as it is kept: this rank's in this pass */
    kt_range own_units;  /* of the bias: this rank's in this pass */
    size_t tall, wide;   /* the weight as it is kept: [n_out x n_in], or transposed */
    size_t weight, bias; /* offsets in the parameter vector; bias = weight + n_in n_out */
    float *x, *delta;    /* [max_rows x n_in], [max_rows x n_out] */
    bool lost_bias;      /* batch norm follows and takes the bias away: its gradient is 0 */
} kt_factors;

const kt_factors *kt_network_factors(const kt_network *network, size_t *n);

const kt_formed *kt_network_formed(const kt_network *network, size_t *n);

/* The row of kt_kernels_table that it uses for thin batches. */
const kt_kernels *kt_network_kernels(const kt_network *network);

#endif
