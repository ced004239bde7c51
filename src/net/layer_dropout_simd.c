/* Dropout: y = x / (1 - rate) where the unit's draw is >= rate, else 0. */
#include <assert.h>
#include <math.h>
#include <string.h>

#include "base/random.h"
#include "net/layer_private.h"

typedef struct dropout {
    kt_layer layer;
    double rate;    /* probability of zeroing a unit */
    uint16_t *kept; /* the last training pass's mask, [own panels x rows of the pass]: a bit for each unit */
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
    self->kept = kt_arena_take(&maker->rank, n_own * M, sizeof *self->kept);
}

static float scale_of(const dropout *self)
{
    return (float)(1 / (1 - self->rate));
}

/* y = x * scale where a row's bit is set, else 0; of a panel. y may be x. */
static void mask_rows(size_t n_rows, const uint16_t *kept, float scale, const float *x, float *y)
{
    for (size_t r = 0; r < n_rows; r++, x += KT_PANEL, y += KT_PANEL) {
        const uint32_t bits = kept[r];
#pragma omp simd
        for (uint32_t u = 0; u < KT_PANEL; u++)
            y[u] = bits & 1u << u ? x[u] * scale : 0;
    }
}

/* Draws are compared as the integers that they are made of: a unit is dropped when the first 24 bits are below the
 * rate. */
static void draw_panel(const dropout *self, const kt_pass *pass, size_t p, uint16_t *kept)
{
    const kt_random_place place = {
        .seed = pass->seed, .purpose = KT_RANDOM_DROPOUT, .layer = self->layer.number, .epoch = pass->epoch};
    const uint32_t limit = (uint32_t)(ceil(self->rate * 0x1p24) * 0x1p8 - 1);
    const kt_range rows = pass->range;
    kt_random_above(&place, (uint32_t)((self->layer.own.begin + p) * KT_PANEL), limit, rows.end - rows.begin,
                    pass->sample + rows.begin, kept);
}

static void forward(kt_layer *layer, const kt_pass *pass, const kt_panels *x, const kt_panels *y)
{
    const dropout *self = (const dropout *)layer;
    const size_t n_rows = pass->range.end - pass->range.begin;
    assert(!pass->training || pass->sample != NULL || pass->rows.M == 0);
    for (size_t p = 0; p < x->n; p++) {
        const float *from = kt_layer_panel(pass, x, p);
        float *to = kt_layer_panel(pass, y, p);
        if (pass->training) {
            uint16_t *kept = self->kept + p * n_rows;
            draw_panel(self, pass, p, kept);
            mask_rows(n_rows, kept, scale_of(self), from, to);
        } else {
            memcpy(to, from, kt_layer_floats(pass) * sizeof *to);
        }
    }
}

/* The mask is kept: a zero output does not tell a dropped unit from a zero input. */
static void backward(kt_layer *layer, const kt_pass *pass, const kt_flow *flow)
{
    const dropout *self = (const dropout *)layer;
    const size_t n_rows = pass->range.end - pass->range.begin;
    for (size_t p = 0; p < flow->dx.n; p++) {
        float *dx = kt_layer_panel(pass, &flow->dx, p), *dy = kt_layer_panel(pass, &flow->dy, p);
        if (pass->training)
            mask_rows(n_rows, self->kept + p * n_rows, scale_of(self), dy, dx);
        else if (dx != dy)
            memcpy(dx, dy, kt_layer_floats(pass) * sizeof *dx);
    }
}

const kt_layer_kind KT_SIMD_NAME(kt_layer_dropout) = {.name = "dropout",
                                                      .n_bytes = sizeof(dropout),
                                                      .wanted = wanted,
                                                      .make = make,
                                                      .forward = forward,
                                                      .backward = backward};
