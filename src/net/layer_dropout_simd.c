/* Dropout: y = x / (1 - rate) where the unit's draw is >= rate, else 0. */
#include <assert.h>
#include <math.h>
#include <string.h>

#include "base/random.h"
#include "net/layer_private.h"

typedef struct dropout {
    kt_layer layer;
    double rate;   /* probability of zeroing a unit */
    uint8_t *kept; /* [max_rows x n], the last training pass's mask */
} dropout;

static bool wanted(const kt_network_spec *spec)
{
    return spec->dropout > 0;
}

static void make(kt_layer *layer, kt_maker *maker)
{
    dropout *self = (dropout *)layer;
    self->rate = maker->spec->dropout;
    self->kept = kt_arena_take(&maker->memory, maker->max_rows * layer->n_out, sizeof *self->kept);
}

enum { DRAWS = 1024 };

static float scale_of(const dropout *self)
{
    return (float)(1 / (1 - self->rate));
}

static void mask_units(const dropout *self, size_t n, const float *restrict draw, const float *restrict x,
                       uint8_t *restrict kept, float *restrict y)
{
    /* among multiples of 2^-24 the same cut as `rate`, exact in float */
    const float threshold = (float)(ceil(self->rate * 0x1p24) * 0x1p-24), scale = scale_of(self);
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

static void draw_row(const dropout *self, const kt_pass *pass, size_t row, kt_range own, const float *x, float *y)
{
    const kt_random_place place = {.seed = pass->seed,
                                   .purpose = KT_RANDOM_DROPOUT,
                                   .layer = self->layer.number,
                                   .epoch = pass->epoch,
                                   .sample = pass->sample[row]};
    uint8_t *kept = self->kept + row * self->layer.n_out;
    for (size_t j = own.begin; j < own.end; j += DRAWS) {
        float draw[DRAWS];
        const size_t n_now = own.end - j < DRAWS ? own.end - j : DRAWS;
        kt_random_uniform(&place, (uint32_t)j, n_now, draw);
        mask_units(self, n_now, draw, x + j, kept + j, y + j);
    }
}

static void forward(kt_layer *layer, const kt_pass *pass, kt_range own, const float *x, float *y)
{
    const dropout *self = (const dropout *)layer;
    const size_t n = layer->n_out, begin = kt_rows_begin(&pass->rows), end = kt_rows_end(&pass->rows);
    assert(!pass->training || pass->sample != NULL || pass->rows.M == 0);
    for (size_t r = begin; r < end; r++)
        if (pass->training)
            draw_row(self, pass, r, own, x + r * n, y + r * n);
        else
            memcpy(y + r * n + own.begin, x + r * n + own.begin, (own.end - own.begin) * sizeof *y);
}

/* The mask is kept: a zero output does not tell a dropped unit from a zero input. */
static void backward(kt_layer *layer, const kt_pass *pass, kt_range own, const kt_flow *flow)
{
    const dropout *self = (const dropout *)layer;
    const float scale = scale_of(self);
    const kt_stretches all = kt_layer_stretches(layer, pass, own);
    for (size_t k = 0, at = all.first; k < all.count; k++, at += all.stride)
        if (pass->training)
            mask_derivatives(all.n, self->kept + at, scale, flow->dy + at, flow->dx + at);
        else if (flow->dx != flow->dy)
            memcpy(flow->dx + at, flow->dy + at, all.n * sizeof *flow->dx);
}

const kt_layer_kind KT_SIMD_NAME(kt_layer_dropout) = {.name = "dropout",
                                                      .n_bytes = sizeof(dropout),
                                                      .wanted = wanted,
                                                      .make = make,
                                                      .forward = forward,
                                                      .backward = backward};
