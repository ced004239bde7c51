/* Batch normalization over the whole batch of all ranks (Ioffe and Szegedy 2015; running statistics as in PyTorch).
 *
 * xhat = (x - mean) / sqrt(variance + epsilon), y = gain xhat + shift; gain is layer->weight, shift layer->bias.
 * layer->scratch is [4 x n]: mean, 1 / deviation, and two rows of sums. All sums are in double, and the variance is
 * summed around the mean in a second pass: with sum x^2 - (sum x)^2 / M a large mean would eat its digits. */
#include "ktrain/layer.h"

#include <math.h>
#include <string.h>

#include "ktrain/simd.h"

KT_CLONES
static void add_rows(size_t m, size_t n, const float *restrict x, double *restrict sum)
{
    for (size_t r = 0; r < m; r++, x += n)
        for (size_t j = 0; j < n; j++)
            sum[j] += (double)x[j];
}

KT_CLONES
static void add_squares(size_t m, size_t n, const float *restrict x, const double *restrict mean, double *restrict sum)
{
    for (size_t r = 0; r < m; r++, x += n)
        for (size_t j = 0; j < n; j++)
            sum[j] += ((double)x[j] - mean[j]) * ((double)x[j] - mean[j]);
}

KT_CLONES
static void normalize(size_t m, size_t n, const float *restrict x, const double *restrict mean,
                      const double *restrict inverse, const float *restrict gain, const float *restrict shift,
                      float *restrict y)
{
    for (size_t r = 0; r < m; r++, x += n, y += n)
        for (size_t j = 0; j < n; j++)
            y[j] = (float)((double)gain[j] * (((double)x[j] - mean[j]) * inverse[j]) + (double)shift[j]);
}

/* sum_dy[j] += dy, sum_dy_xhat[j] += dy xhat */
KT_CLONES
static void add_products(size_t m, size_t n, const float *restrict x, const float *restrict dy,
                         const double *restrict mean, const double *restrict inverse, double *restrict sum_dy,
                         double *restrict sum_dy_xhat)
{
    for (size_t r = 0; r < m; r++, x += n, dy += n)
        for (size_t j = 0; j < n; j++) {
            sum_dy[j] += (double)dy[j];
            sum_dy_xhat[j] += (double)dy[j] * (((double)x[j] - mean[j]) * inverse[j]);
        }
}

/* dx = gain / deviation * (dy - mean_dy - xhat mean_dy_xhat); the two means are 0 when the statistics do not depend on
 * x. */
KT_CLONES
static void propagate(size_t m, size_t n, const float *restrict x, const float *restrict dy,
                      const double *restrict mean, const double *restrict inverse, const float *restrict gain,
                      const double *restrict mean_dy, const double *restrict mean_dy_xhat, float *restrict dx)
{
    for (size_t r = 0; r < m; r++, x += n, dy += n, dx += n)
        for (size_t j = 0; j < n; j++) {
            const double xhat = ((double)x[j] - mean[j]) * inverse[j];
            dx[j] = (float)((double)gain[j] * inverse[j] * ((double)dy[j] - mean_dy[j] - xhat * mean_dy_xhat[j]));
        }
}

static kt_status sum_over_ranks(const kt_pass *pass, double *values, size_t n)
{
    return pass->sum == NULL ? KT_OK : pass->sum(pass->sum_context, values, n);
}

static void divide(size_t n, double *values, double by)
{
    for (size_t j = 0; j < n; j++)
        values[j] /= by;
}

/* Mean into row 0 and biased variance into row 2 of scratch. */
static kt_status batch_statistics(kt_layer *layer, const kt_pass *pass, const float *x)
{
    const size_t n = layer->n_out, m = pass->rows;
    double *mean = layer->scratch, *variance = layer->scratch + 2 * n;
    memset(layer->scratch, 0, 4 * n * sizeof *mean);
    add_rows(m, n, x, mean);
    KT_TRY(sum_over_ranks(pass, mean, n));
    divide(n, mean, (double)pass->rows_global);
    add_squares(m, n, x, mean, variance);
    KT_TRY(sum_over_ranks(pass, variance, n));
    divide(n, variance, (double)pass->rows_global);
    return KT_OK;
}

static void update_running(kt_layer *layer, size_t rows_global)
{
    const size_t n = layer->n_out;
    const double *mean = layer->scratch, *variance = layer->scratch + 2 * n;
    /* of one sample 0, not 0 / 0 */
    const double momentum = layer->momentum, M = (double)rows_global, unbias = M > 1 ? M / (M - 1) : 1;
    for (size_t j = 0; j < n; j++) {
        layer->mean[j] = (float)((1 - momentum) * (double)layer->mean[j] + momentum * mean[j]);
        layer->variance[j] = (float)((1 - momentum) * (double)layer->variance[j] + momentum * unbias * variance[j]);
    }
}

static kt_status batch_norm_forward(kt_layer *layer, const kt_pass *pass, const float *x, float *y)
{
    const size_t n = layer->n_out;
    double *mean = layer->scratch, *inverse = layer->scratch + n, *variance = layer->scratch + 2 * n;
    if (pass->rows_global == 0)
        return KT_OK;
    if (pass->training) {
        KT_TRY(batch_statistics(layer, pass, x));
        update_running(layer, pass->rows_global);
    } else {
        for (size_t j = 0; j < n; j++) {
            mean[j] = (double)layer->mean[j];
            variance[j] = (double)layer->variance[j];
        }
    }
    for (size_t j = 0; j < n; j++)
        inverse[j] = 1 / sqrt(variance[j] + layer->epsilon);
    normalize(pass->rows, n, x, mean, inverse, layer->weight, layer->bias, y);
    return KT_OK;
}

/* The layer's own gradients stay this rank's part: they are added over the ranks with all others. dx needs the whole
 * batch's sums. */
static kt_status batch_norm_backward(kt_layer *layer, const kt_pass *pass, const float *x, const float *y,
                                     const float *dy, float *dx)
{
    (void)y;
    const size_t n = layer->n_out, m = pass->rows;
    const double *mean = layer->scratch, *inverse = layer->scratch + n;
    double *sum_dy = layer->scratch + 2 * n, *sum_dy_xhat = layer->scratch + 3 * n;
    memset(sum_dy, 0, 2 * n * sizeof *sum_dy);
    add_products(m, n, x, dy, mean, inverse, sum_dy, sum_dy_xhat);
    for (size_t j = 0; j < n; j++) {
        layer->d_bias[j] = (float)sum_dy[j];
        layer->d_weight[j] = (float)sum_dy_xhat[j];
    }
    if (pass->training && pass->rows_global > 0) {
        KT_TRY(sum_over_ranks(pass, sum_dy, 2 * n));
        divide(2 * n, sum_dy, (double)pass->rows_global);
    } else {
        memset(sum_dy, 0, 2 * n * sizeof *sum_dy);
    }
    if (dx != NULL)
        propagate(m, n, x, dy, mean, inverse, layer->weight, sum_dy, sum_dy_xhat, dx);
    return KT_OK;
}

const kt_layer_kind kt_layer_batch_norm = {"batch_norm", batch_norm_forward, batch_norm_backward};
