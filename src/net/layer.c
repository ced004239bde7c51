#include "net/layer.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "base/random.h"

/* ---- dense: y = x w^T + bias ---- */

static void add_bias(size_t n, const float *restrict bias, float *restrict y)
{
    for (size_t j = 0; j < n; j++)
        y[j] += bias[j];
}

static kt_dense products_of(const kt_layer *layer, const kt_pass *pass)
{
    return (kt_dense){layer->n_in, layer->n_out, pass->kernels, layer->transposed};
}

static void dense_forward(kt_layer *layer, const kt_pass *pass, kt_range own, const float *x, float *y)
{
    const kt_rows *rows = &pass->rows;
    const kt_dense products = products_of(layer, pass);
    const size_t end = kt_rows_end(rows);
    kt_dense_forward(&products, rows, own, x, layer->weight, y);
    for (size_t r = kt_rows_begin(rows); r < end; r++)
        add_bias(own.end - own.begin, layer->bias + own.begin, y + r * layer->n_out + own.begin);
}

static void dense_backward(kt_layer *layer, const kt_pass *pass, kt_range own, const float *x, const float *y,
                           const float *dy, float *dx)
{
    (void)x, (void)y;
    const kt_dense products = products_of(layer, pass);
    kt_dense_backward(&products, &pass->rows, own, dy, layer->weight, dx);
}

const kt_layer_kind kt_layer_dense = {"dense", dense_forward, dense_backward};

/* ---- activation ---- */

/* Rows of own columns as runs of n neighbours: one run when the columns are all. */
typedef struct runs {
    size_t first, count, n, stride; /* run k starts at first + k * stride */
} runs;

static runs runs_of(const kt_layer *layer, const kt_pass *pass, kt_range own)
{
    const size_t width = layer->n_out, begin = kt_rows_begin(&pass->rows);
    const size_t m = kt_rows_end(&pass->rows) - begin;
    if (own.begin == 0 && own.end == width)
        return (runs){begin * width, 1, m * width, 0};
    return (runs){begin * width + own.begin, m, own.end - own.begin, width};
}

static void activation_forward(kt_layer *layer, const kt_pass *pass, kt_range own, const float *x, float *y)
{
    const runs all = runs_of(layer, pass, own);
    for (size_t k = 0, at = all.first; k < all.count; k++, at += all.stride)
        layer->activation->forward(all.n, x + at, y + at);
}

static void activation_backward(kt_layer *layer, const kt_pass *pass, kt_range own, const float *x, const float *y,
                                const float *dy, float *dx)
{
    const runs all = runs_of(layer, pass, own);
    for (size_t k = 0, at = all.first; k < all.count; k++, at += all.stride)
        layer->activation->backward(all.n, x + at, y + at, dy + at, dx + at);
}

const kt_layer_kind kt_layer_activation = {"activation", activation_forward, activation_backward};

/* ---- dropout: y = x / (1 - rate) where the unit's draw is >= rate, else 0 ---- */

enum { DRAWS = 1024 };

static void mask_units(size_t n, const float *restrict draw, float threshold, float scale, const float *restrict x,
                       uint8_t *restrict kept, float *restrict y)
{
    for (size_t i = 0; i < n; i++) {
        kept[i] = (uint8_t) !(draw[i] < threshold);
        y[i] = draw[i] < threshold ? 0 : x[i] * scale;
    }
}

static void mask_derivatives(size_t n, const uint8_t *restrict kept, float scale, const float *dy, float *dx)
{
    for (size_t i = 0; i < n; i++)
        dx[i] = kept[i] ? dy[i] * scale : 0;
}

static void draw_row(const kt_layer *layer, const kt_pass *pass, size_t row, kt_range own, const float *x, float *y)
{
    const float scale = (float)(1 / (1 - layer->rate));
    /* among multiples of 2^-24 the same cut as `rate`, exact in float */
    const float threshold = (float)(ceil(layer->rate * 0x1p24) * 0x1p-24);
    const kt_random_place place = {.seed = pass->seed,
                                   .purpose = KT_RANDOM_DROPOUT,
                                   .layer = layer->number,
                                   .epoch = pass->epoch,
                                   .sample = pass->sample[row]};
    uint8_t *kept = layer->kept + row * layer->n_out;
    for (size_t j = own.begin; j < own.end; j += DRAWS) {
        float draw[DRAWS];
        const size_t n_now = own.end - j < DRAWS ? own.end - j : DRAWS;
        kt_random_uniform(&place, (uint32_t)j, n_now, draw);
        mask_units(n_now, draw, threshold, scale, x + j, kept + j, y + j);
    }
}

static void dropout_forward(kt_layer *layer, const kt_pass *pass, kt_range own, const float *x, float *y)
{
    const size_t n = layer->n_out, begin = kt_rows_begin(&pass->rows), end = kt_rows_end(&pass->rows);
    assert(!pass->training || pass->sample != NULL || pass->rows.M == 0);
    for (size_t r = begin; r < end; r++)
        if (pass->training)
            draw_row(layer, pass, r, own, x + r * n, y + r * n);
        else
            memcpy(y + r * n + own.begin, x + r * n + own.begin, (own.end - own.begin) * sizeof *y);
}

/* The mask is kept: a zero output does not tell a dropped unit from a zero input. */
static void dropout_backward(kt_layer *layer, const kt_pass *pass, kt_range own, const float *x, const float *y,
                             const float *dy, float *dx)
{
    (void)x, (void)y;
    const float scale = (float)(1 / (1 - layer->rate));
    const runs all = runs_of(layer, pass, own);
    for (size_t k = 0, at = all.first; k < all.count; k++, at += all.stride)
        if (pass->training)
            mask_derivatives(all.n, layer->kept + at, scale, dy + at, dx + at);
        else if (dx != dy)
            memcpy(dx + at, dy + at, all.n * sizeof *dx);
}

const kt_layer_kind kt_layer_dropout = {"dropout", dropout_forward, dropout_backward};
