/* What a network is made by: its keys, and what must hold of them. Local and pure. */
#ifndef KTRAIN_NETWORK_SPEC_H
#define KTRAIN_NETWORK_SPEC_H

#include "base/options.h"
#include "base/status.h"

/* Most state vectors of an optimizer (optimizer.h). */
enum { KT_MAX_SLOTS = 2 };

typedef struct kt_network_spec {
    kt_int_list hidden; /* widths, >= 1; none: softmax regression */
    int activation;     /* row of kt_activations */
    int initializer;    /* row of kt_initializers */
    double init_scale;  /* standard deviation or half width of `normal` and `uniform` */
    double dropout;     /* 0 <= dropout < 1 */
    bool batch_norm;
    double batch_norm_momentum, batch_norm_epsilon;
    int products;        /* kt_products_choice */
    int kernels;         /* 0: the best row of kt_simd_rows for this processor; else row kernels - 1 */
    int64_t unit_shards; /* runs of a layer's panels whose contributions to the layer below are added along a tree */
    /* No keys. */
    size_t n_in, n_classes;
    size_t n_shards;            /* most shards a batch comes in; 0 is 1 */
    size_t n_slots;             /* vectors of the optimizer's state that stand beside the parameters */
    size_t max_rows, max_batch; /* of any pass, and of one with a backward; 0: there is none */
} kt_network_spec;

typedef enum kt_products_choice { KT_PRODUCTS_AUTO, KT_PRODUCTS_OWN, KT_PRODUCTS_OPENBLAS } kt_products_choice;

extern const kt_option_rows kt_network_options; /* of kt_network_spec */

/* KT_CONFIG, saying why, when no such network can be made here. */
kt_status kt_network_check_spec(const kt_network_spec *spec);

#endif
