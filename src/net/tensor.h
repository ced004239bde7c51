/* Named parts of the vectors that a network is made of, in memory and in files; and who hands them out. Local.
 *
 * All parameters are one vector, their state of the optimizer others that look the same, running statistics another: so
 * summing, updating and saving are calls that no layer can forget. Each tensor takes whole cache lines of its vector;
 * what does not belong to it is 0. */
#ifndef KTRAIN_TENSOR_H
#define KTRAIN_TENSOR_H

#include "base/memory.h"
#include "net/network_spec.h"
#include "net/panels.h"
#include "net/team.h"

typedef struct kt_tensor {
    char name[48]; /* "dense1/weight", "batch_norm1/running_mean", "output/bias": path below /model in a checkpoint */
    size_t n_dims,
        dims[2];         /* in a file; a weight is [n_out, n_in] there, and panels [n_out / 16][n_in][16] in memory */
    size_t n;            /* elements in a file */
    size_t offset, room; /* floats in its vector, */
    size_t per_panel;    /* and of a panel of units */
    size_t block;        /* number of the dense layer that it belongs to, from 0 */
    bool is_weight;      /* a dense layer's weight: what L2 applies to */
    bool whole;          /* each seat of a team has a copy of its own, of which seat 0's is the vector's */
    float *here[1 + KT_MAX_SLOTS]; /* this seat's values: parameter (or statistic), and the optimizer's state */
} kt_tensor;

/* Vectors and their tensors, one after the other. */
typedef struct kt_tensors {
    size_t n_vectors;                /* 1, and one for each vector of the optimizer's state */
    float *vector[1 + KT_MAX_SLOTS]; /* [room] each; NULL while counting, as is tensor */
    size_t room, n_elements;         /* floats of a vector; elements in a file */
    size_t n;
    kt_tensor *tensor; /* [n] */
} kt_tensors;

/* A tensor, as a file has it, from its place in a vector, and back. file[n], memory[room]; n_rows of dims[0]: file
 * [n_rows, ...]. */
void kt_tensor_to_file(const kt_tensor *tensor, const float *memory, float *file);
void kt_tensor_rows_to_file(const kt_tensor *tensor, const float *memory, size_t first, size_t n_rows, float *file);
void kt_tensor_from_file(const kt_tensor *tensor, const float *file, float *memory);

/* What the layers of a network are made from. A network is made twice by the same calls: first without memory, when
 * everything is counted and every pointer is NULL, then with memory of that size. */

/* A gradient that backward leaves whole, summed over the whole batch: batch norm's gains and shifts. */
typedef struct kt_formed {
    size_t block, tensor;  /* their numbers */
    kt_range own;          /* elements that are updated here */
    const float *gradient; /* [room of the tensor] */
} kt_formed;

typedef struct kt_maker {
    const kt_network_spec *spec;
    const kt_team *team;
    char layer[24]; /* name of the layer that is made: "dense1" */
    size_t block;   /* number of the block that is made */
    bool whole;     /* every seat has a copy of what is made */
    kt_range own;   /* panels of it that are computed here */
    kt_tensors parameters, state;
    size_t n_formed;
    kt_formed *formed; /* [n_formed]; NULL while counting */
    kt_arena shared;   /* by the team */
    kt_arena rank;     /* this rank's own */
} kt_maker;

/* The next tensor "layer/part" of the parameters: a weight [n_out x n_in], or any other [n]. Returns this seat's
 * values. */
float *kt_maker_weight(kt_maker *maker, size_t n_out, size_t n_in);
float *kt_maker_parameter(kt_maker *maker, const char *part, size_t n);

/* The gradient of the last parameter, which backward leaves whole. */
float *kt_maker_gradient(kt_maker *maker, size_t n);

/* The next tensor "layer/part" [n] of the state. */
float *kt_maker_state(kt_maker *maker, const char *part, size_t n);

#endif
