/* One layer with all that it may need, for the tests of layer kinds. */
#ifndef KTRAIN_TEST_LAYER_BENCH_H
#define KTRAIN_TEST_LAYER_BENCH_H

#include "base/random.h"
#include "net/activation.h"
#include "net/layer.h"

#include "golden.h"
#include "net/gradient.h"
#include "test.h"

/* NARROW: for difference quotients. WIDE: three panels, the last not full. The last shards of ROWS are empty. */
enum { ROWS = 7, SHARDS = 8, NARROW = 5, WIDE = 40, MOST_PANELS = 3, STRIDE = 12 * KT_PANEL, N = MOST_PANELS * STRIDE };

/* What the layers of the bench are made by. */
enum { NUMBER = 2 };

enum { MOST_UNITS = MOST_PANELS * KT_PANEL };

/* The panels `own` of a layer of `width` units, and a fixed direction r: the objective is sum r y. Units beyond the
 * last, and what lies between panels, are 0. */
typedef struct bench {
    size_t width;
    kt_range own;
    _Alignas(64) char memory[32 * 1024], shared[32 * 1024], layer_bytes[256];
    _Alignas(64) float x[N], y[N], r[N], dx[N];
    _Alignas(64) float parameters[2 * MOST_UNITS],
        state[2 * MOST_UNITS]; /* batch norm: gain and shift, mean and variance */
    kt_pass pass;
    uint32_t sample[ROWS];
    kt_tensor parameter_tensors[2], state_tensors[2];
    size_t n_parameters, n_formed;
    kt_formed formed[2];
} bench;

static inline const kt_layer_kind *kind_named(const char *name)
{
    size_t k = 0;
    while (strcmp(kt_layer_kind_at(k, kt_simd_best())->name, name) != 0)
        k++;
    return kt_layer_kind_at(k, kt_simd_best());
}

static inline kt_layer *layer_of(bench *b)
{
    return (kt_layer *)(void *)b->layer_bytes;
}

/* Unit j of row r. */
static inline size_t place(size_t r, size_t j)
{
    return j / KT_PANEL * STRIDE + r * KT_PANEL + j % KT_PANEL;
}

static inline void draw(uint32_t number, size_t n, float *out)
{
    const kt_random_place place = {.seed = 11, .purpose = KT_RANDOM_INIT, .layer = number};
    kt_random_normal(&place, 0, n, out);
}

static inline void draw_rows(uint32_t number, size_t width, float *panels)
{
    float rows[ROWS * WIDE];
    draw(number, ROWS * width, rows);
    for (size_t i = 0; i < ROWS * width; i++)
        panels[place(i / width, i % width)] = rows[i];
}

/* The spec wants every kind. */
static const kt_network_spec bench_spec = {.activation = 6,
                                           .dropout = 0.4,
                                           .batch_norm = true,
                                           .batch_norm_momentum = 0.25,
                                           .batch_norm_epsilon = 1e-3,
                                           .unit_shards = 1,
                                           .n_shards = SHARDS,
                                           .max_rows = ROWS,
                                           .max_batch = ROWS};

/* shared: memory of the team. Every seat has all of a layer when `whole`. */
static inline void make(bench *b, const kt_layer_kind *kind, char *shared, bool whole)
{
    kt_maker maker = {.spec = &bench_spec,
                      .team = &kt_team_alone,
                      .whole = whole,
                      .own = b->own,
                      .parameters = {1, {b->parameters}, .tensor = b->parameter_tensors},
                      .state = {1, {b->state}, .tensor = b->state_tensors},
                      .formed = b->formed,
                      .shared = {shared, 0},
                      .rank = {b->memory, 0}};
    if (!kind->wanted(&bench_spec))
        fprintf(stderr, "\n    the spec in layer_bench.h does not want %s: it must\n", kind->name);
    CU_ASSERT_FATAL(kind->wanted(&bench_spec) && kind->n_bytes <= sizeof b->layer_bytes);
    *layer_of(b) = (kt_layer){.kind = kind, .n = b->width, .own = b->own, .whole = whole, .number = NUMBER};
    kind->make(layer_of(b), &maker);
    CU_ASSERT_FATAL(maker.n_formed <= 2 && maker.rank.used <= sizeof b->memory &&
                    maker.shared.used <= sizeof b->shared && maker.parameters.n <= 2 && maker.state.n <= 2);
    b->n_parameters = maker.parameters.n;
    b->n_formed = maker.n_formed;
}

/* *b must not move after. */
static inline void prepare_panels(bench *b, const kt_layer_kind *kind, size_t width, kt_range own, bool training)
{
    memset(b, 0, sizeof *b);
    b->width = width;
    b->own = own;
    make(b, kind, b->shared, false);
    b->pass = (kt_pass){.training = training, .seed = 5, .epoch = 3, .sample = b->sample, .team = &kt_team_alone};
    b->pass.rows = (kt_rows){ROWS, SHARDS, 0, SHARDS};
    for (uint32_t i = 0; i < ROWS; i++)
        b->sample[i] = 1000 - 7 * i;
    draw_rows(1, width, b->x);
    draw_rows(2, width, b->r);
    for (uint32_t t = 0; t < b->n_parameters; t++)
        draw(3 + t, width, b->parameter_tensors[t].here[0]);
    draw(5, width, b->state);
    for (size_t j = 0; j < width; j++)
        b->state[kt_memory_in_lines(width) + j] = 0.5f + (float)j;
}

static inline void prepare(bench *b, const kt_layer_kind *kind, size_t width, bool training)
{
    prepare_panels(b, kind, width, (kt_range){0, kt_panels_count(width)}, training);
}

/* Batch norm's shift, running variance, and gradients of gain (0) and shift (1). */
static inline float *shift_of(bench *b)
{
    return b->parameter_tensors[1].here[0];
}

static inline float *variance_of(bench *b)
{
    return b->state_tensors[1].here[0];
}

static inline float *gradient_of(bench *b, size_t which)
{
    return (float *)(uintptr_t)b->formed[which].gradient;
}

static inline kt_panels own_panels(const bench *b, float *of)
{
    return (kt_panels){of + b->own.begin * STRIDE, b->own.end - b->own.begin, ROWS, STRIDE};
}

/* From x to y, and from r to dx, which may be r. */
static inline void pass_through(bench *b, kt_pass *pass)
{
    const kt_panels x = own_panels(b, b->x), y = own_panels(b, b->y);
    pass->range = kt_rows_range(&pass->rows);
    layer_of(b)->kind->forward(layer_of(b), pass, &x, &y);
}

static inline void pass_back(bench *b, kt_pass *pass, float *dx)
{
    const kt_flow flow = {own_panels(b, b->x), own_panels(b, b->y), own_panels(b, b->r), own_panels(b, dx)};
    pass->range = kt_rows_range(&pass->rows);
    layer_of(b)->kind->backward(layer_of(b), pass, &flow);
}

static inline void forward(bench *b)
{
    pass_through(b, &b->pass);
}

static inline void backward(bench *b)
{
    pass_back(b, &b->pass, b->dx);
}

static inline double objective(void *context)
{
    bench *b = context;
    double sum = 0;
    forward(b);
    for (size_t i = 0; i < N; i++)
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

/* The panels that a has, in these two arrays. */
static inline bool same_panels(const bench *a, const float *of_a, const float *of_b)
{
    const size_t first = a->own.begin * STRIDE;
    return same((a->own.end - a->own.begin) * STRIDE, of_a + first, of_b + first);
}

/* What a layer has left of own units beside y and dx. */
static inline bool same_rest(bench *a, bench *b)
{
    const size_t first = kt_smaller(a->own.begin * KT_PANEL, a->width),
                 end = kt_smaller(a->own.end * KT_PANEL, a->width);
    bool is_same = a->n_formed == b->n_formed;
    for (size_t k = 0; k < a->n_formed; k++)
        is_same &= same(end - first, gradient_of(a, k) + first, gradient_of(b, k) + first);
    for (size_t k = 0; k < 2; k++) {
        const size_t at = k * kt_memory_in_lines(a->width) + first;
        is_same &= same(end - first, a->state + at, b->state + at);
    }
    return is_same;
}

#endif
