/* Kinds of layers between two dense ones: a table row each. Pure: what ranks tell each other goes through the team.
 *
 * A layer computes the units of its block's own panels (dense.h), sample by sample of those that are computed here
 * (pass->rows). x, y, dx, dy are panels of these units; unit u of panel p is unit (own.begin + p) * 16 + u of the
 * layer. */
#ifndef KTRAIN_LAYER_H
#define KTRAIN_LAYER_H

#include <stdint.h>

#include "net/dense.h"

/* What is settled where a pass through the network begins. */
typedef struct kt_pass {
    kt_rows rows;  /* may be none; such a rank still makes every call */
    bool training; /* dropout drops, batch norm uses the batch's statistics and updates the running ones */
    uint64_t seed; /* with epoch and sample: the place of the dropout draws */
    uint32_t epoch;
    const uint32_t *sample; /* M: index of each row in the data set; may be NULL when not training */
    kt_range kept;          /* last rows of the range, perhaps none, whose inputs are as they were in an earlier pass */
    /* kt_network_forward fills these. */
    kt_range range; /* of rows */
    const kt_team *team;
} kt_pass;

typedef struct kt_layer kt_layer;

/* What flows through a layer, and the objective's derivatives by it. */
typedef struct kt_flow {
    kt_panels x, y, dy, dx; /* dx may be dy */
} kt_flow;

typedef struct kt_layer_kind {
    const char *name; /* "batch_norm": the second block's tensors are "batch_norm2/weight" ... */
    size_t n_bytes;   /* of its struct, which begins with a kt_layer */
    bool centers;     /* what is added to all of a unit's rows changes no output: a bias before it has no gradient */
    bool (*wanted)(const kt_network_spec *spec);
    /* Takes its settings from the maker's spec, and its tensors and memory from the maker. Called twice (tensor.h). */
    void (*make)(kt_layer *layer, kt_maker *maker);
    /* The parameters and state of own units as they begin; NULL when it has none. */
    void (*initialize)(kt_layer *layer);
    /* y from x. Collective over the teams when the layer uses their calls. */
    void (*forward)(kt_layer *layer, const kt_pass *pass, const kt_panels *x, const kt_panels *y);
    /* dx from all others. A layer with parameters leaves their gradients, summed over the whole batch. */
    void (*backward)(kt_layer *layer, const kt_pass *pass, const kt_flow *flow);
} kt_layer_kind;

struct kt_layer {
    const kt_layer_kind *kind;
    size_t n;        /* units */
    kt_range own;    /* panels */
    bool whole;      /* every seat computes all panels */
    uint32_t number; /* of its block, from 1: the place of its draws */
};

/* Kind number i of those that follow a dense layer in a hidden block, from its inputs to its outputs, with loops for
 * these instructions (simd.h); NULL after the last. */
const kt_layer_kind *kt_layer_kind_at(size_t i, size_t simd);

#endif
