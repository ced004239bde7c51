/* Dropout: y = x / (1 - rate) where the unit's draw is >= rate, else 0. */
#include <assert.h>
#include <math.h>
#include <string.h>

#include "base/random.h"
#include "net/layer_private.h"

typedef struct dropout {
    kt_layer layer;
    double rate;   /* probability of zeroing a unit */
    uint8_t *kept; /* the last training pass's mask, like its panels */
} dropout;

static bool wanted(const kt_network_spec *spec)
{
    return spec->dropout > 0;
}

static void make(kt_layer *layer, kt_maker *maker)
{
    dropout *self = (dropout *)layer;
    const size_t n_own = layer->own.end - layer->own.begin, M = maker->spec->max_batch;
    self->rate = maker->spec->dropout;
    self->kept = kt_arena_take(&maker->rank, M > 0 ? n_own * kt_panels_stride(M) : 0, sizeof *self->kept);
}

enum { DRAWS = 1024 }; /* whole panels */

static float scale_of(const dropout *self)
{
    return (float)(1 / (1 - self->rate));
}

static void mask_units(float threshold, float scale, const float *restrict draw, const float *restrict x,
                       uint8_t *restrict kept, float *restrict y)
{
    for (size_t u = 0; u < KT_PANEL; u++) {
        kept[u] = (uint8_t) !(draw[u] < threshold);
        y[u] = draw[u] < threshold ? 0 : x[u] * scale;
    }
}

static void mask_derivatives(size_t n, const uint8_t *restrict kept, float scale, const float *dy, float *dx)
{
    for (size_t i = 0; i < n; i++)
        dx[i] = kept[i] ? dy[i] * scale : 0;
}

/* Own units of one sample, whose draws stand one after the other. */
static void draw_row(const dropout *self, const kt_pass *pass, size_t row, const kt_panels *x, const kt_panels *y)
{
    /* among multiples of 2^-24 the same cut as `rate`, exact in float */
    const float threshold = (float)(ceil(self->rate * 0x1p24) * 0x1p-24), scale = scale_of(self);
    const kt_random_place place = {.seed = pass->seed,
                                   .purpose = KT_RANDOM_DROPOUT,
                                   .layer = self->layer.number,
                                   .epoch = pass->epoch,
                                   .sample = pass->sample[row]};
    const kt_range own = self->layer.own;
    for (size_t p = 0; p < x->n; p += DRAWS / KT_PANEL) {
        float draw[DRAWS];
        const size_t n_now = kt_smaller(x->n - p, DRAWS / KT_PANEL);
        kt_random_uniform(&place, (uint32_t)((own.begin + p) * KT_PANEL), n_now * KT_PANEL, draw);
        for (size_t k = 0; k < n_now; k++) {
            const size_t at = (p + k) * x->stride + row * KT_PANEL;
            mask_units(threshold, scale, draw + k * KT_PANEL, x->at + at, self->kept + at, y->at + at);
        }
    }
}

static void forward(kt_layer *layer, const kt_pass *pass, const kt_panels *x, const kt_panels *y)
{
    const dropout *self = (const dropout *)layer;
    assert(!pass->training || pass->sample != NULL || pass->rows.M == 0);
    for (size_t r = pass->range.begin; r < pass->range.end && pass->training; r++)
        draw_row(self, pass, r, x, y);
    for (size_t p = 0; p < x->n && !pass->training; p++)
        memcpy(kt_layer_panel(pass, y, p), kt_layer_panel(pass, x, p), kt_layer_floats(pass) * sizeof(float));
}

/* The mask is kept: a zero output does not tell a dropped unit from a zero input. */
static void backward(kt_layer *layer, const kt_pass *pass, const kt_flow *flow)
{
    const dropout *self = (const dropout *)layer;
    const size_t n = kt_layer_floats(pass);
    for (size_t p = 0; p < flow->dx.n; p++) {
        float *dx = kt_layer_panel(pass, &flow->dx, p), *dy = kt_layer_panel(pass, &flow->dy, p);
        const size_t at = p * flow->dx.stride + pass->range.begin * KT_PANEL;
        if (pass->training)
            mask_derivatives(n, self->kept + at, scale_of(self), dy, dx);
        else if (dx != dy)
            memcpy(dx, dy, n * sizeof *dx);
    }
}

const kt_layer_kind KT_SIMD_NAME(kt_layer_dropout) = {.name = "dropout",
                                                      .n_bytes = sizeof(dropout),
                                                      .wanted = wanted,
                                                      .make = make,
                                                      .forward = forward,
                                                      .backward = backward};
