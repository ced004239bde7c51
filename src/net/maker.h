/* What the layers of a network are made from: tensors in the vectors that are saved and updated, and other memory. Local.
 *
 * A network is made twice by the same calls: first without memory, when everything is counted and every pointer is
 * NULL, then with memory of that size. */
#ifndef KTRAIN_MAKER_H
#define KTRAIN_MAKER_H

#include "base/memory.h"
#include "net/network_spec.h"
#include "net/team.h"
#include "net/tensor.h"

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

/* The next tensor "layer/part" of the parameters: a weight [n_out x n_in], or any other [n]. Returns this seat's values. */
float *kt_maker_weight(kt_maker *maker, size_t n_out, size_t n_in);
float *kt_maker_parameter(kt_maker *maker, const char *part, size_t n);

/* The gradient of the last parameter, which backward leaves whole. */
float *kt_maker_gradient(kt_maker *maker, size_t n);

/* The next tensor "layer/part" [n] of the state. */
float *kt_maker_state(kt_maker *maker, const char *part, size_t n);

#endif
