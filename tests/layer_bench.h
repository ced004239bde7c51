/* One layer with all that it may need, for the tests of layer kinds. */
#ifndef KTRAIN_TEST_LAYER_BENCH_H
#define KTRAIN_TEST_LAYER_BENCH_H

#include "ktrain/layer.h"
#include "ktrain/random.h"

#include "golden.h"
#include "gradient.h"
#include "test.h"

enum { ROWS = 7, N_IN = 5, N_OUT = 5, N_X = ROWS * N_IN, N_Y = ROWS * N_OUT, N_W = N_OUT * N_IN };

/* The layer, its vectors, and a fixed direction r: the objective is sum r y. */
typedef struct bench {
    kt_layer layer;
    kt_pass pass;
    uint32_t sample[ROWS];
    float x[N_X], y[N_Y], r[N_Y], dx[N_X];
    float weight[N_W], bias[N_OUT], d_weight[N_W], d_bias[N_OUT], mean[N_OUT], variance[N_OUT];
    double scratch[4 * N_OUT];
} bench;

static inline void draw(uint32_t number, size_t n, float *out)
{
    const kt_random_place place = {.seed = 11, .purpose = KT_RANDOM_INIT, .layer = number};
    kt_random_normal(&place, 0, n, out);
}

static inline void prepare(bench *b, const kt_layer_kind *kind, bool training)
{
    memset(b, 0, sizeof *b);
    b->layer = (kt_layer){.kind = kind,
                          .n_in = N_IN,
                          .n_out = N_OUT,
                          .number = 2,
                          .weight = b->weight,
                          .bias = b->bias,
                          .d_weight = b->d_weight,
                          .d_bias = b->d_bias,
                          .mean = b->mean,
                          .variance = b->variance,
                          .momentum = 0.25,
                          .epsilon = 1e-3,
                          .rate = 0.4,
                          .scratch = b->scratch};
    b->pass =
        (kt_pass){.training = training, .seed = 5, .epoch = 3, .sample = b->sample, .rows = ROWS, .rows_global = ROWS};
    for (uint32_t i = 0; i < ROWS; i++)
        b->sample[i] = 1000 - 7 * i;
    draw(1, N_X, b->x);
    draw(2, N_Y, b->r);
    draw(3, N_W, b->weight);
    draw(4, N_OUT, b->bias);
    draw(5, N_OUT, b->mean);
    for (size_t j = 0; j < N_OUT; j++)
        b->variance[j] = 0.5f + (float)j;
}

static inline kt_status forward(bench *b)
{
    return b->layer.kind->forward(&b->layer, &b->pass, b->x, b->y);
}

static inline kt_status backward(bench *b)
{
    return b->layer.kind->backward(&b->layer, &b->pass, b->x, b->y, b->r, b->dx);
}

static inline double objective(void *context)
{
    bench *b = context;
    double sum = 0;
    if (forward(b) != KT_OK)
        return NAN;
    for (size_t i = 0; i < N_Y; i++)
        sum += (double)b->r[i] * (double)b->y[i];
    return sum;
}

/* Checks one gradient, and that the same gradient with one element changed by 0.01 is refused. */
static inline void check_gradient(bench *b, size_t n, float *x, float *gradient)
{
    CU_ASSERT(gradient_count_wrong(objective, b, n, x, gradient) == 0);
    gradient[n / 2] += 0.01f;
    CU_ASSERT(gradient_count_wrong(objective, b, n, x, gradient) == 1);
    gradient[n / 2] -= 0.01f;
}

#endif
