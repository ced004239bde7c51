/* What a network is made by: its keys, and what must hold of them. Local and pure. */
#ifndef KTRAIN_NETWORK_SPEC_H
#define KTRAIN_NETWORK_SPEC_H

#include "base/options.h"
#include "base/status.h"

typedef struct kt_network_spec {
    kt_int_list hidden; /* widths, >= 1; none: softmax regression */
    int activation;     /* row of kt_activations */
    int initializer;    /* row of kt_initializers */
    double init_scale;  /* standard deviation or half width of `normal` and `uniform` */
    double dropout;     /* 0 <= dropout < 1 */
    bool batch_norm;
    double batch_norm_momentum, batch_norm_epsilon;
    int64_t thin_rows; /* batches of up to so many rows go through own kernels, larger ones through OpenBLAS */
    int kernels;       /* 0: the best of kt_kernels_table for this processor; else row kernels - 1 */
    /* No keys. */
    size_t n_in, n_classes;
    size_t n_shards;       /* most shards a batch comes in; 0 is 1 */
    bool transposed_input; /* the first weight is kept as [n_in x n_out] (dense.h): for inputs with many zeros */
} kt_network_spec;

extern const kt_option_rows kt_network_options; /* of kt_network_spec */

/* KT_CONFIG, saying why, when no such network can be made here for batches of max_rows rows. */
kt_status kt_network_check_spec(const kt_network_spec *spec, size_t max_rows);

#endif
