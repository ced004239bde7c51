/* One layer with all that it may need, for the tests of layer kinds. */
#ifndef KTRAIN_TEST_LAYER_BENCH_H
#define KTRAIN_TEST_LAYER_BENCH_H

#include "base/random.h"
#include "net/layer.h"

#include "golden.h"
#include "net/gradient.h"
#include "test.h"

/* NARROW: for difference quotients. WIDE: three tiles of own kernels. The last shards of ROWS are empty. */
enum { ROWS = 7, SHARDS = 8, NARROW = 5, WIDE = 40, N_WIDE = ROWS * WIDE };

/* The layer of `width` units, its vectors, and a fixed direction r: the objective is sum r y. */
typedef struct bench {
    size_t width;
    kt_layer layer;
    kt_pass pass;
    uint32_t sample[ROWS];
    float x[N_WIDE], y[N_WIDE], r[N_WIDE], dx[N_WIDE];
    float weight[WIDE * WIDE], bias[WIDE], d_weight[WIDE], d_bias[WIDE], mean[WIDE], variance[WIDE];
    double scratch[(4 + 2 * SHARDS) * WIDE];
    uint8_t kept[N_WIDE];
} bench;

static inline void draw(uint32_t number, size_t n, float *out)
{
    const kt_random_place place = {.seed = 11, .purpose = KT_RANDOM_INIT, .layer = number};
    kt_random_normal(&place, 0, n, out);
}

/* *b must not move after. */
static inline void prepare(bench *b, const kt_layer_kind *kind, size_t width, bool training)
{
    memset(b, 0, sizeof *b);
    CU_ASSERT(kt_batch_norm_scratch(WIDE, SHARDS) <= sizeof b->scratch / sizeof b->scratch[0]);
    b->width = width;
    b->layer = (kt_layer){.kind = kind,
                          .n_in = width,
                          .n_out = width,
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
                          .kept = b->kept,
                          .activation = &kt_activations[kt_n_activations - 1],
                          .scratch = b->scratch};
    b->pass = (kt_pass){.training = training, .seed = 5, .epoch = 3, .sample = b->sample, .team = &kt_team_alone};
    b->pass.rows = (kt_rows){ROWS, SHARDS, 0, SHARDS};
    for (uint32_t i = 0; i < ROWS; i++)
        b->sample[i] = 1000 - 7 * i;
    draw(1, ROWS * width, b->x);
    draw(2, ROWS * width, b->r);
    draw(3, width * width, b->weight);
    draw(4, width, b->bias);
    draw(5, width, b->mean);
    for (size_t j = 0; j < width; j++)
        b->variance[j] = 0.5f + (float)j;
}

static inline kt_range all_units(const bench *b)
{
    return (kt_range){0, b->width};
}

static inline void forward(bench *b)
{
    b->layer.kind->forward(&b->layer, &b->pass, all_units(b), b->x, b->y);
}

static inline void backward(bench *b)
{
    b->layer.kind->backward(&b->layer, &b->pass, all_units(b), b->x, b->y, b->r, b->dx);
}

static inline double objective(void *context)
{
    bench *b = context;
    double sum = 0;
    forward(b);
    for (size_t i = 0; i < ROWS * b->width; i++)
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

/* NaNs of one pattern, which nobody computes. */
static inline void mark(size_t n, float *x)
{
    memset(x, 0xff, n * sizeof *x);
}

static inline bool same(size_t n, const float *a, const float *b)
{
    return memcmp(a, b, n * sizeof *a) == 0;
}

#endif
