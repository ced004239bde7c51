/* One layer with all that it may need, for the tests of layer kinds. */
#ifndef KTRAIN_TEST_LAYER_BENCH_H
#define KTRAIN_TEST_LAYER_BENCH_H

#include "base/random.h"
#include "net/activation.h"
#include "net/layer.h"

#include "golden.h"
#include "net/gradient.h"
#include "test.h"

/* NARROW: for difference quotients. WIDE: three tiles of own kernels. The last shards of ROWS are empty. */
enum { ROWS = 7, SHARDS = 8, NARROW = 5, WIDE = 40, N_WIDE = ROWS * WIDE };

/* What the layers of the bench are made by. */
enum { NUMBER = 2 };
static const double RATE = 0.4, MOMENTUM = 0.25, EPSILON = 1e-3;

/* The layer of `width` units, its vectors, and a fixed direction r: the objective is sum r y. */
typedef struct bench {
    size_t width;
    _Alignas(64) char memory[16 * 1024], layer_bytes[256];
    kt_pass pass;
    uint32_t sample[ROWS];
    float x[N_WIDE], y[N_WIDE], r[N_WIDE], dx[N_WIDE];
    float parameters[WIDE * WIDE + WIDE], state[2 * WIDE];
    size_t n_parameters, n_formed, gradient; /* of n_formed parameters: where in memory it is left */
} bench;

static inline const kt_layer_kind *kind_named(const char *name)
{
    size_t k = 0;
    while (strcmp(kt_layer_kind_at(k, kt_kernels_best())->name, name) != 0)
        k++;
    return kt_layer_kind_at(k, kt_kernels_best());
}

static inline kt_layer *layer_of(bench *b)
{
    return (kt_layer *)(void *)b->layer_bytes;
}

/* Dense: weight and bias; batch norm: gain and shift, mean and variance. */
static inline float *bias_of(bench *b)
{
    return b->parameters + b->n_parameters - b->width;
}

static inline float *variance_of(bench *b)
{
    return b->state + b->width;
}

static inline float *gradient_of(bench *b)
{
    return (float *)(void *)(b->memory + b->gradient);
}

static inline void draw(uint32_t number, size_t n, float *out)
{
    const kt_random_place place = {.seed = 11, .purpose = KT_RANDOM_INIT, .layer = number};
    kt_random_normal(&place, 0, n, out);
}

/* The spec wants every kind. */
static inline void make(bench *b, const kt_layer_kind *kind)
{
    const kt_network_spec spec = {.activation = (int)kt_n_activations - 1,
                                  .dropout = RATE,
                                  .batch_norm = true,
                                  .batch_norm_momentum = MOMENTUM,
                                  .batch_norm_epsilon = EPSILON,
                                  .n_shards = SHARDS};
    kt_formed formed = {0};
    kt_maker maker = {.spec = &spec,
                      .max_rows = ROWS,
                      .parameters = {.values = b->parameters},
                      .state = {.values = b->state},
                      .formed = &formed,
                      .memory = {b->memory, 0}};
    if (!kind->wanted(&spec))
        fprintf(stderr, "\n    the spec in layer_bench.h does not want %s: it must\n", kind->name);
    CU_ASSERT_FATAL(kind->wanted(&spec) && kind->n_bytes <= sizeof b->layer_bytes);
    *layer_of(b) = (kt_layer){.kind = kind, .n_in = b->width, .n_out = b->width, .number = NUMBER};
    kind->make(layer_of(b), &maker);
    CU_ASSERT_FATAL(maker.n_formed <= 1 && maker.memory.used <= sizeof b->memory &&
                    maker.parameters.count <= sizeof b->parameters / sizeof(float));
    b->n_parameters = maker.parameters.count;
    b->n_formed = formed.count;
    b->gradient = formed.count > 0 ? (size_t)((const char *)formed.gradient - b->memory) : 0;
}

/* *b must not move after. */
static inline void prepare(bench *b, const kt_layer_kind *kind, size_t width, bool training)
{
    memset(b, 0, sizeof *b);
    b->width = width;
    make(b, kind);
    b->pass = (kt_pass){.training = training, .seed = 5, .epoch = 3, .sample = b->sample, .team = &kt_team_alone};
    b->pass.rows = (kt_rows){ROWS, SHARDS, 0, SHARDS};
    for (uint32_t i = 0; i < ROWS; i++)
        b->sample[i] = 1000 - 7 * i;
    draw(1, ROWS * width, b->x);
    draw(2, ROWS * width, b->r);
    draw(3, b->n_parameters, b->parameters);
    draw(5, width, b->state);
    for (size_t j = 0; j < width; j++)
        variance_of(b)[j] = 0.5f + (float)j;
}

static inline kt_range all_units(const bench *b)
{
    return (kt_range){0, b->width};
}

/* For the columns `own`: from x to y, and from r to dx, which may be r. */
static inline void pass_through(bench *b, const kt_pass *pass, kt_range own)
{
    layer_of(b)->kind->forward(layer_of(b), pass, own, b->x, b->y);
}

static inline void pass_back(bench *b, const kt_pass *pass, kt_range own, float *dx)
{
    layer_of(b)->kind->backward(layer_of(b), pass, own, &(kt_flow){b->x, b->y, b->r, dx});
}

static inline void forward(bench *b)
{
    pass_through(b, &b->pass, all_units(b));
}

static inline void backward(bench *b)
{
    pass_back(b, &b->pass, all_units(b), b->dx);
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

/* What a layer has left beside y and dx. */
static inline bool same_rest(bench *a, bench *b)
{
    return same(a->n_formed, gradient_of(a), gradient_of(b)) && memcmp(a->state, b->state, sizeof a->state) == 0;
}

#endif
