/* What the network's files share: network.c (making it), network_pass.c (running it). */
#ifndef KTRAIN_NETWORK_PRIVATE_H
#define KTRAIN_NETWORK_PRIVATE_H

#include "net/network.h"

struct kt_network {
    size_t n_in, n_classes, max_rows, thin_rows;
    const kt_initializer *initializer;
    double init_scale;
    const kt_kernels *kernels;
    kt_team team;
    size_t n_layers, n_dense;
    kt_layer **layers;
    float **outputs;     /* of each layer: [max_rows x n_out] */
    kt_factors *factors; /* [n_dense], in order */
    kt_maker maker;      /* the vectors with their tensors */
    void *own_memory;    /* of everything, when it is not shared */
};

#endif
