/* What the network's files share: network_spec.c (what it is made by), network.c (making it), network_pass.c (running it). */
#ifndef KTRAIN_NETWORK_PRIVATE_H
#define KTRAIN_NETWORK_PRIVATE_H

#include "net/network.h"

struct kt_network {
    size_t n_in, n_classes, max_rows, thin_rows;
    const kt_initializer *initializer;
    double init_scale;
    const kt_kernels *kernels;
    kt_team team;
    size_t n_layers;
    kt_layer *layers;
    float **outputs; /* of each layer: [max_rows x n_out] */
    size_t n_dense, n_formed;
    kt_factors *factors; /* of the dense layers, in order */
    kt_formed *formed;   /* of the batch norm layers */
    size_t n_parameters, n_state;
    float *parameters, *state;
    size_t n_tensors, n_state_tensors;
    kt_tensor *tensors, *state_tensors;
    void *own_memory; /* of the vectors, when they are not shared */
};

/* KT_CONFIG, saying why, when no such network can be made here. */
kt_status kt_network_check_spec(const kt_network_spec *spec, size_t max_rows);

#endif
