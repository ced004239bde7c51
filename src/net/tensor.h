/* Named parts of the vectors that a network is made of, as memory and as files have them. Local and pure.
 *
 * All parameters are one vector, their state of the optimizer others that look the same, running statistics another: so
 * summing, updating and saving are calls that no layer can forget. Each tensor takes whole cache lines of its vector; what
 * does not belong to it is 0. */
#ifndef KTRAIN_TENSOR_H
#define KTRAIN_TENSOR_H

#include <stdbool.h>

#include "net/panels.h"

/* Most state vectors of an optimizer (optimizer.h). */
enum { KT_MAX_SLOTS = 2 };

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

/* A tensor, as a file has it, from its place in a vector, and back. file[n], memory[room]. */
void kt_tensor_to_file(const kt_tensor *tensor, const float *memory, float *file);
void kt_tensor_from_file(const kt_tensor *tensor, const float *file, float *memory);

#endif
