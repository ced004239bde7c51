#include "ktrain/layer.h"

#include <math.h>
#include <string.h>

#include "ktrain/linalg.h"
#include "ktrain/random.h"
#include "ktrain/simd.h"

/* ---- dense: y = x w^T + bias ---- */

KT_CLONES
static void add_bias(size_t m, size_t n, const float *restrict bias, float *restrict y)
{
    for (size_t r = 0; r < m; r++, y += n)
        for (size_t j = 0; j < n; j++)
            y[j] += bias[j];
}

KT_CLONES
static void sum_rows(size_t m, size_t n, const float *restrict dy, float *restrict sum)
{
    memset(sum, 0, n * sizeof *sum);
    for (size_t r = 0; r < m; r++, dy += n)
        for (size_t j = 0; j < n; j++)
            sum[j] += dy[j];
}

static kt_status dense_forward(kt_layer *layer, const kt_pass *pass, const float *x, float *y)
{
    kt_linalg_forward(pass->rows, layer->n_in, layer->n_out, x, layer->weight, y);
    add_bias(pass->rows, layer->n_out, layer->bias, y);
    return KT_OK;
}

static kt_status dense_backward(kt_layer *layer, const kt_pass *pass, const float *x, const float *y, const float *dy,
                                float *dx)
{
    (void)y;
    kt_linalg_gradient(pass->rows, layer->n_in, layer->n_out, dy, x, layer->d_weight);
    sum_rows(pass->rows, layer->n_out, dy, layer->d_bias);
    if (dx != NULL)
        kt_linalg_backward(pass->rows, layer->n_in, layer->n_out, dy, layer->weight, dx);
    return KT_OK;
}

const kt_layer_kind kt_layer_dense = {"dense", dense_forward, dense_backward};

/* ---- activation ---- */

static kt_status activation_forward(kt_layer *layer, const kt_pass *pass, const float *x, float *y)
{
    layer->activation->forward(pass->rows * layer->n_out, x, y);
    return KT_OK;
}

static kt_status activation_backward(kt_layer *layer, const kt_pass *pass, const float *x, const float *y,
                                     const float *dy, float *dx)
{
    if (dx != NULL)
        layer->activation->backward(pass->rows * layer->n_out, x, y, dy, dx);
    return KT_OK;
}

const kt_layer_kind kt_layer_activation = {"activation", activation_forward, activation_backward};

/* ---- dropout: y = x / (1 - rate) where the unit's draw is >= rate, else 0 ---- */

enum { DRAWS = 1024 };

KT_CLONES
static void mask_units(size_t n, const float *restrict draw, float threshold, float scale, const float *restrict in,
                       float *restrict out)
{
    for (size_t i = 0; i < n; i++)
        out[i] = draw[i] < threshold ? 0 : in[i] * scale;
}

/* Forward and backward are the same product with the mask, which is drawn again rather than kept: a zero output does
 * not tell a dropped unit from a zero input. */
static kt_status apply_mask(const kt_layer *layer, const kt_pass *pass, const float *in, float *out)
{
    const size_t n = layer->n_out;
    if (!pass->training || layer->rate <= 0) {
        memcpy(out, in, pass->rows * n * sizeof *out);
        return KT_OK;
    }
    if (pass->sample == NULL && pass->rows > 0)
        return kt_fail(KT_INTERNAL, "dropout in training needs the sample index of every row");
    const float scale = (float)(1 / (1 - layer->rate));
    /* among multiples of 2^-24 the same cut as `rate`, exact in float */
    const float threshold = (float)(ceil(layer->rate * 0x1p24) * 0x1p-24);
    for (size_t r = 0; r < pass->rows; r++) {
        const kt_random_place place = {.seed = pass->seed,
                                       .purpose = KT_RANDOM_DROPOUT,
                                       .layer = layer->number,
                                       .epoch = pass->epoch,
                                       .sample = pass->sample[r]};
        for (size_t j = 0; j < n; j += DRAWS) {
            float draw[DRAWS];
            const size_t n_now = n - j < DRAWS ? n - j : DRAWS;
            kt_random_uniform(&place, (uint32_t)j, n_now, draw);
            mask_units(n_now, draw, threshold, scale, in + r * n + j, out + r * n + j);
        }
    }
    return KT_OK;
}

static kt_status dropout_forward(kt_layer *layer, const kt_pass *pass, const float *x, float *y)
{
    return apply_mask(layer, pass, x, y);
}

static kt_status dropout_backward(kt_layer *layer, const kt_pass *pass, const float *x, const float *y, const float *dy,
                                  float *dx)
{
    (void)x, (void)y;
    return dx == NULL ? KT_OK : apply_mask(layer, pass, dy, dx);
}

const kt_layer_kind kt_layer_dropout = {"dropout", dropout_forward, dropout_backward};
