/* A fully connected network: hidden blocks of dense, [batch norm], activation, [dropout]; then a dense output layer
 * (logits).
 *
 * All parameters are one vector, their state of the optimizer others like it, all running statistics another
 * (tensor.h). A gradient is not kept: backward leaves what it is made of, who needs a tile forms it (dense.h).
 *
 * Several ranks may make up a team: each has a kt_network of its own around the same vectors, and forward and backward
 * are calls that the whole team makes, each seat computing its own panels. Only activations and sums of derivatives go
 * from one seat to another, by mail (team.h). */
#ifndef KTRAIN_NETWORK_H
#define KTRAIN_NETWORK_H

#include "net/layer.h"

typedef struct kt_network kt_network;

/* What a seat needs: of memory that the team shares, of its own, and in an outbox. */
typedef struct kt_network_room {
    size_t shared_bytes, rank_bytes, letter_bytes;
    size_t n_parameters;             /* elements, as files have them */
    size_t n_floats, n_state_floats; /* of a vector of them, and of the running statistics */
} kt_network_room;

/* KT_CONFIG when such a network cannot be made here; *out is zeroed then. Local and pure. */
kt_status kt_network_measure(const kt_network_spec *spec, const kt_team *team, kt_network_room *out);

/* Where the weights and biases of each dense layer will lie in a vector, as kt_dense.floats: out[spec->hidden.n + 1];
 * the last ones end it. As kt_network_measure. */
kt_status kt_network_places(const kt_network_spec *spec, kt_range *out);

/* In memory of its own, for one rank alone. *out is NULL on failure. Parameters are zero until initialized. */
kt_status kt_network_create(kt_network **out, const kt_network_spec *spec);

/* The same for a seat of a team, in `shared` memory (borrowed, zeroed, 64-byte aligned, shared_bytes). Local: each rank
 * calls it. */
kt_status kt_network_create_in_team(kt_network **out, const kt_network_spec *spec, const kt_team *team, void *shared);
void kt_network_free(kt_network *network);

/* Weights by the initializer, biases and shifts 0, gains 1, running mean 0 and variance 1, all else 0. Each
 * rank its own panels, so that memory lies near who updates it; ends with a barrier of the team. */
void kt_network_initialize(kt_network *network, uint64_t seed);

/* Writes zeros to own panels of all vectors, where they will lie. Local. */
void kt_network_touch(kt_network *network);

/* Copies of their own get what was written into the vectors: parameters, state of the optimizer, statistics. Local,
 * when no other seat writes to them. */
void kt_network_take_vectors(kt_network *network);

/* Views, owned by the network, each vector 64-byte aligned. */
const kt_tensors *kt_network_parameters(const kt_network *network);
const kt_tensors *kt_network_state(const kt_network *network); /* running statistics; none without batch norm */
const kt_team *kt_network_team(const kt_network *network);
const kt_network_spec *kt_network_spec_of(const kt_network *network); /* its list of widths is not there */
const kt_products *kt_network_products(const kt_network *network);
size_t kt_network_simd(const kt_network *network); /* row of kt_simd_rows that its loops are for */

/* The dense layers, in order. */
kt_dense *kt_network_dense(kt_network *network, size_t *n);
const kt_formed *kt_network_formed(const kt_network *network, size_t *n);

/* Where the caller puts row r of the inputs [n_in] before forward (the next row is kt_inputs_ld(n_in) floats further
 * on), and the loss's derivatives [rows x n_classes] before backward: each seat for itself, for all rows that are
 * computed here. Owned by the network. */
float *kt_network_input(kt_network *network, size_t r);
float *kt_network_d_logits(kt_network *network);

/* The logits [rows x n_classes] after forward. */
const float *kt_network_logits(const kt_network *network);

/* All rows of the pass that are computed here, at most max_rows. Collective over the team. */
void kt_network_forward(kt_network *network, kt_pass *pass);

/* From d_logits, the loss's derivative for the forward just made (same pass), to what every gradient is made of.
 * Collective over the team; when the pass is one for training, at most max_batch rows. */
void kt_network_backward(kt_network *network, const kt_pass *pass);

#endif
