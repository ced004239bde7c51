/* Initial weights: one table row each. Local and pure.
 *
 * Element e = o * n_in + i of layer `layer` is draw number e mod 2^32 of the place
 * {seed, KT_RANDOM_INIT, layer, epoch = e / 2^32}. */
#ifndef KTRAIN_INITIALIZER_H
#define KTRAIN_INITIALIZER_H

#include <stddef.h>
#include <stdint.h>

#include "base/share.h"

/* The weight [n_out x n_in] of layer number `layer`. */
typedef struct kt_drawn_weight {
    uint64_t seed;
    uint32_t layer;
    size_t n_in, n_out;
    double scale; /* of the last two rows */
} kt_drawn_weight;

typedef struct kt_initializer {
    const char *name;
    /* w[range.end - range.begin] = elements `range` of the weight, from (seed, layer, element). range.begin is a
     * multiple of 4. */
    void (*fill)(const kt_drawn_weight *weight, kt_range range, float *w);
} kt_initializer;

/* Normal with deviation: he sqrt(2 / n_in), glorot sqrt(2 / (n_in + n_out)), lecun sqrt(1 / n_in), normal `scale`.
 * Uniform with half width: he_uniform sqrt(6 / n_in), glorot_uniform sqrt(6 / (n_in + n_out)),
 * lecun_uniform sqrt(3 / n_in), uniform `scale`. */
/* he, glorot, lecun, he_uniform, glorot_uniform, lecun_uniform, normal, uniform */
extern const kt_initializer kt_initializers[];
extern const size_t kt_n_initializers;

#endif
