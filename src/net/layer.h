/* Layer kinds: one table row each. Pure: what ranks must tell each other goes through the team's two calls.
 *
 * Letters: M rows of the whole batch, n_in, n_out features. All arrays are row-major with a row for every row of the
 * batch, of which a call reads and writes those that are computed here (pass->rows), and of these the columns `own` of
 * its rank (layers that multiply read all columns of their input). */
#ifndef KTRAIN_LAYER_H
#define KTRAIN_LAYER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/dense.h"
#include "net/initializer.h"
#include "net/maker.h"

/* What is settled where a pass through the network begins: kt_network_pass fills the first three, the caller the rest. */
typedef struct kt_pass {
    kt_rows rows; /* may be none; such a rank still makes every call */
    const kt_team *team;
    const kt_kernels *kernels; /* for the products; NULL: OpenBLAS */
    bool training;             /* dropout drops, batch norm uses the batch's statistics and updates the running ones */
    uint64_t seed;             /* with epoch and sample: the place of the dropout draws */
    uint32_t epoch;
    const uint32_t *sample; /* M: index of each row in the data set; may be NULL when not training */
    /* Called by every rank of the team when the inputs (or the deltas) of dense layer `layer` are complete in the whole team, so
     * that they can be on their way while the next product is computed; NULL: nobody wants to know */
    void (*announce)(void *context, size_t layer, bool deltas);
    void *announce_context;
} kt_pass;

typedef struct kt_layer kt_layer;

/* How the parameters begin. */
typedef struct kt_initial {
    uint64_t seed;
    const kt_initializer *weights;
    double scale; /* of the initializer */
    const kt_team *team;
} kt_initial;

/* What flows through a layer: x[M x n_in], y[M x n_out], and the objective's derivatives by them. */
typedef struct kt_flow {
    const float *x, *y, *dy;
    float *dx;
} kt_flow;

typedef struct kt_layer_kind {
    const char *name; /* "dense": the second one's tensors are "dense2/weight" ... */
    size_t n_bytes;   /* of its struct, which begins with a kt_layer */
    bool multiplies;  /* its outputs need all inputs, so a team has to be done with these, and its gradient is made of
                         factors (network.h) */
    bool centers;     /* what is added to all of an input's rows changes no output: a bias before it has no gradient */
    bool (*wanted)(const kt_network_spec *spec); /* in hidden blocks */
    /* Takes its settings from the maker's spec, and its tensors and memory from the maker. Called twice (maker.h). */
    void (*make)(kt_layer *layer, kt_maker *maker);
    /* The parameters and state of the units `own` as they begin; NULL when it has none. */
    void (*initialize)(kt_layer *layer, const kt_initial *initial, kt_range own);
    /* y[M x n_out] from x[M x n_in]. y may not alias x. Collective over the teams when the layer uses their calls. */
    void (*forward)(kt_layer *layer, const kt_pass *pass, kt_range own, const float *x, float *y);
    /* dx from all others, for the inputs `own`. dx may be dy, but for a layer that multiplies. A layer that does not and
     * has parameters leaves their gradients, summed over the whole batch. */
    void (*backward)(kt_layer *layer, const kt_pass *pass, kt_range own, const kt_flow *flow);
} kt_layer_kind;

struct kt_layer {
    const kt_layer_kind *kind;
    size_t n_in, n_out;
    uint32_t number; /* of the dense layer it belongs to, from 1: the place of its draws */
};

/* Kind number i of those that make up a hidden block, from its inputs to its outputs, with loops for these kernels'
 * instructions; NULL after the last. The first, a dense layer, is the output layer, too. */
const kt_layer_kind *kt_layer_kind_at(size_t i, const kt_kernels *kernels);

#endif
