/* Finite differences: the derivative of a scalar function of floats, against a gradient somebody claims. */
#ifndef KTRAIN_TEST_GRADIENT_H
#define KTRAIN_TEST_GRADIENT_H

#include <math.h>
#include <stdbool.h>
#include <stddef.h>

/* The function, at whatever is in the vector that the caller shares with it. */
typedef double gradient_objective(void *context);

/* (f(x + h) - f(x - h)) / 2h for two h, combined so that the error is of the fourth order. */
static inline double gradient_quotient(gradient_objective *f, void *context, float *x, double step)
{
    const float kept = *x;
    double quotient[2];
    for (int k = 0; k < 2; k++) {
        const float above = (float)((double)kept + (k + 1) * step), below = (float)((double)kept - (k + 1) * step);
        *x = above;
        quotient[k] = f(context);
        *x = below;
        quotient[k] = (quotient[k] - f(context)) / ((double)above - (double)below); /* the step as it became in float */
    }
    *x = kept;
    return (4 * quotient[0] - quotient[1]) / 3;
}

/* How many elements of gradient[n] are not the slope of f at x[n].
 *
 * Steps and tolerance fit functions of order 1 computed in float, whose rounding gives 1e-7 / step. The smaller steps
 * are for those elements where the larger reaches over a kink (relu at 0); a gradient wrong by 1e-3 agrees with
 * none. */
static inline size_t gradient_count_wrong(gradient_objective *f, void *context, size_t n, float *x,
                                          const float *gradient)
{
    static const double steps[] = {0x1p-7, 0x1p-9, 0x1p-11}, TOLERANCE = 4e-4;
    size_t n_wrong = 0;
    for (size_t i = 0; i < n; i++) {
        const double claimed = (double)gradient[i];
        bool is_right = false;
        for (size_t s = 0; s < sizeof steps / sizeof steps[0] && !is_right; s++)
            is_right =
                fabs(gradient_quotient(f, context, &x[i], steps[s]) - claimed) <= TOLERANCE * fmax(1, fabs(claimed));
        n_wrong += !is_right;
    }
    return n_wrong;
}

#endif
