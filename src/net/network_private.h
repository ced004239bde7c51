/* What the network's files share: network.c (making it), network_pass.c (running it). */
#ifndef KTRAIN_NETWORK_PRIVATE_H
#define KTRAIN_NETWORK_PRIVATE_H

#include "net/initializer.h"
#include "net/network.h"

enum { KT_MOST_LAYERS = 4 }; /* between two dense ones */

/* What follows a dense layer, up to the next. */
typedef struct kt_block {
    size_t n_layers;
    kt_layer *layers[KT_MOST_LAYERS];
    float *outputs[KT_MOST_LAYERS]; /* own panels */
    size_t *panel_bound;            /* [n_seats + 1]: seat t has panels [panel_bound[t], panel_bound[t + 1]) */
} kt_block;

struct kt_network {
    kt_network_spec spec;
    const kt_initializer *initializer;
    const kt_products *products;
    size_t simd;
    kt_team team;
    size_t n_blocks; /* the last is the output layer's */
    kt_dense *dense; /* [n_blocks] */
    kt_block *blocks;
    float *logits, *d_logits;                          /* [max_rows x n_classes], [max_batch x n_classes] */
    size_t *letter_size, *letter_parts, *letter_bound; /* of kt_letters */
    float *sums;                                       /* what the seat adds of derivatives */
    size_t letter_bytes;
    kt_maker maker; /* the vectors with their tensors */
    void *own_shared;
    size_t shared_bytes, rank_bytes;
    char *rank_memory;
};

#endif
