/* Activation functions: one table row each. Local and pure. Values are computed in double, of functions whose bits are
 * the same everywhere (base/real.h), and rounded once: so the tables of all instruction sets give the same bits. */
#ifndef KTRAIN_ACTIVATION_H
#define KTRAIN_ACTIVATION_H

#include "base/simd.h"

typedef struct kt_activation {
    const char *name;
    /* y[n] = f(x[n]). A NaN stays a NaN, so that divergence shows. y does not overlap x. */
    void (*forward)(size_t n, const float *x, float *y);
    /* dx = dy * f'(x); y = f(x) is given too. dx may be dy, but overlaps none of the others. */
    void (*backward)(size_t n, const float *x, const float *y, const float *dy, float *dx);
} kt_activation;

/* relu, leaky_relu (slope 0.01), elu (alpha 1), gelu (exact, erf), silu, tanh, sigmoid */
extern const kt_activation *const kt_activations; /* for names */
extern const size_t kt_n_activations;
KT_SIMD_DECLARE(const kt_activation, kt_activations, []);

#endif
