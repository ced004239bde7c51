/* Going over a seat's tiles. */
#include "engine/gradient.h"

#include <string.h>

#include "base/memory.h"

kt_status kt_gradient_create(kt_gradient *out, const kt_network *network)
{
    *out = (kt_gradient){.products = kt_network_products(network), .parameters = kt_network_parameters(network)};
    return KT_NEW(out->tile, out->products->tile_panels * out->products->tile_inputs * KT_PANEL);
}

void kt_gradient_free(kt_gradient *gradient)
{
    kt_memory_free(gradient->tile);
    *gradient = (kt_gradient){0};
}

/* A tile of the gradient: panels `some` of own ones, inputs from `first` on; g lies in gradient->tile. */
typedef struct tile {
    kt_range some;
    size_t first;
    kt_panels g;
} tile;

typedef void tile_function(void *context, const kt_dense *dense, const tile *t);

/* Panels by panels, and of these inputs by inputs, in order. */
static void each_tile(const kt_gradient *gradient, const kt_dense *d, const kt_dense_sum *sum, tile_function *take,
                      void *context)
{
    const size_t n_own = d->own.end - d->own.begin, n_panels = gradient->products->tile_panels;
    for (size_t p = 0; p < n_own; p += n_panels)
        for (size_t i = 0; i < d->n_in; i += gradient->products->tile_inputs) {
            tile t = {kt_range_from(p, n_panels, n_own), i, {.at = gradient->tile}};
            t.g.n = t.some.end - t.some.begin;
            t.g.rows = kt_smaller(gradient->products->tile_inputs, d->n_in - i);
            t.g.stride = t.g.rows * KT_PANEL;
            kt_dense_gradient(d, sum, i, t.some, &t.g);
            take(context, d, &t);
        }
}

/* g[16 x some] of biases; 0 where they have no gradient. */
static void form_biases(const kt_dense *d, const kt_dense_sum *sum, kt_range some, float *g)
{
    if (d->lost_bias)
        memset(g, 0, (some.end - some.begin) * KT_PANEL * sizeof *g);
    else
        kt_dense_bias_gradient(d, sum, some, g);
}

static kt_dense_sum whole_sum(const kt_gradient *gradient, const kt_rows *rows)
{
    return (kt_dense_sum){gradient->products, rows, {0, rows->shards}};
}

/* ---- into the optimizer ---- */

typedef struct updater {
    const kt_gradient_update *update;
    const kt_tensor *weight;
} updater;

static void update_tile(void *context, const kt_dense *d, const tile *t)
{
    const updater *u = context;
    const size_t n = t->g.rows * KT_PANEL;
    for (size_t p = 0; p < t->g.n; p++)
        kt_optimizer_apply(u->update->optimizer, u->update->updates, u->weight,
                           (d->own.begin + t->some.begin + p) * d->w.stride + t->first * KT_PANEL, n,
                           t->g.at + p * t->g.stride);
}

enum { BIASES_AT_ONCE = 16 }; /* panels */

void kt_gradient_apply(const kt_gradient *gradient, const kt_dense *d, const kt_rows *rows,
                       const kt_gradient_update *update)
{
    const kt_dense_sum sum = whole_sum(gradient, rows);
    const kt_tensor *tensors = gradient->parameters->tensor;
    updater u = {update, &tensors[d->weight]};
    const kt_panels delta = kt_dense_panels(d, d->delta, rows->M);
    const bool is_chain =
        rows->shards == 1 && rows->M <= KT_LEARN_SAMPLES && gradient->products != &kt_products_openblas;
    if (is_chain)
        kt_optimizer_learn(update->optimizer, update->updates, &tensors[d->weight], d->own.begin,
                           &(kt_gradient_of){&d->x, rows->M, &delta});
    else
        each_tile(gradient, d, &sum, update_tile, &u);
    for (size_t p = 0; p < d->own.end - d->own.begin; p += BIASES_AT_ONCE) {
        const kt_range some = kt_range_from(p, BIASES_AT_ONCE, d->own.end - d->own.begin);
        _Alignas(64) float g[BIASES_AT_ONCE * KT_PANEL];
        form_biases(d, &sum, some, g);
        kt_optimizer_apply(update->optimizer, update->updates, &tensors[d->bias], (d->own.begin + p) * KT_PANEL,
                           (some.end - some.begin) * KT_PANEL, g);
    }
}

/* ---- into a vector ---- */

void kt_gradient_form(const kt_gradient *gradient, const kt_dense *d, const kt_dense_sum *sum, kt_range some,
                      float *vector)
{
    const kt_tensor *tensors = gradient->parameters->tensor;
    float *weights = vector + tensors[d->weight].offset + (d->own.begin + some.begin) * d->w.stride;
    const kt_panels g = {weights, some.end - some.begin, d->n_in, d->w.stride};
    if (some.begin == some.end)
        return;
    kt_dense_gradient(d, sum, 0, some, &g);
    form_biases(d, sum, some, vector + tensors[d->bias].offset + (d->own.begin + some.begin) * KT_PANEL);
}

/* ---- squares ---- */

static void add_squares(size_t rows, const float *restrict g, double *restrict squares)
{
    for (size_t r = 0; r < rows; r++)
        for (size_t u = 0; u < KT_PANEL; u++)
            squares[u] += (double)g[r * KT_PANEL + u] * (double)g[r * KT_PANEL + u];
}

static void add_tile_squares(void *context, const kt_dense *d, const tile *t)
{
    double *squares = context;
    (void)d;
    for (size_t p = 0; p < t->g.n; p++)
        add_squares(t->g.rows, t->g.at + p * t->g.stride, squares + (t->some.begin + p) * KT_PANEL);
}

void kt_gradient_squares(const kt_gradient *gradient, const kt_dense *d, const kt_rows *rows, const float *vector,
                         double *squares)
{
    const kt_dense_sum sum = whole_sum(gradient, rows);
    const kt_tensor *tensors = gradient->parameters->tensor;
    const size_t n_own = d->own.end - d->own.begin;
    memset(squares, 0, n_own * KT_PANEL * sizeof *squares);
    if (vector == NULL)
        each_tile(gradient, d, &sum, add_tile_squares, squares);
    for (size_t p = 0; p < n_own; p++) {
        _Alignas(64) float formed[KT_PANEL];
        const float *bias = formed;
        if (vector != NULL) {
            add_squares(d->n_in, vector + tensors[d->weight].offset + (d->own.begin + p) * d->w.stride,
                        squares + p * KT_PANEL);
            bias = vector + tensors[d->bias].offset + (d->own.begin + p) * KT_PANEL;
        } else {
            form_biases(d, &sum, (kt_range){p, p + 1}, formed);
        }
        add_squares(1, bias, squares + p * KT_PANEL);
    }
}
