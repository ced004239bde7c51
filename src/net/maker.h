/* What the layers of a network are made from: tensors in the vectors that are saved and updated, and other memory. Local.
 *
 * A network is made twice by the same calls: first without memory, when everything is counted and every pointer is
 * NULL, then with memory of that size. */
#ifndef KTRAIN_MAKER_H
#define KTRAIN_MAKER_H

#include "base/memory.h"
#include "net/network_spec.h"

/* A named part of a vector. Weights are [n_out, n_in]. */
typedef struct kt_tensor {
    char name[48]; /* "dense1/weight", "batch_norm1/running_mean", "output/bias": path below /model in a checkpoint */
    size_t offset; /* in its vector, in elements */
    size_t n_dims, dims[2];
    size_t count;
    bool is_weight;  /* a dense layer's weight: what L2 applies to */
    bool transposed; /* in its vector it stands as [n_in, n_out] (dense.h), in files as dims say */
} kt_tensor;

/* A vector and its tensors, one after the other. */
typedef struct kt_tensors {
    float *values; /* [count]; NULL while counting, as is tensor */
    size_t count, n;
    kt_tensor *tensor; /* [n] */
} kt_tensors;

/* A gradient that backward leaves whole, summed over all ranks: batch norm's gains and shifts. */
typedef struct kt_formed {
    size_t offset, count; /* in the parameter vector */
    const float *gradient;
} kt_formed;

typedef struct kt_maker {
    const kt_network_spec *spec;
    size_t max_rows; /* of a batch */
    char layer[24];  /* name of the layer that is made: "dense1" */
    kt_tensors parameters, state;
    size_t n_formed;
    kt_formed *formed; /* [n_formed]; NULL while counting */
    kt_arena memory;   /* shared by the team; whatever is not in the vectors */
} kt_maker;

/* The next tensor "layer/part" of the parameters: a weight [n_out x n_in], kept as [n_in x n_out] when it is
 * transposed, or any other [n]. */
float *kt_maker_weight(kt_maker *maker, size_t n_out, size_t n_in, bool transposed);
float *kt_maker_parameter(kt_maker *maker, const char *part, size_t n);

/* The gradient of the last n parameters, which backward leaves whole. */
float *kt_maker_gradient(kt_maker *maker, size_t n);

/* The next tensor "layer/part" [n] of the state. */
float *kt_maker_state(kt_maker *maker, const char *part, size_t n);

#endif
