/* Batch normalization over the whole batch of all ranks (Ioffe and Szegedy 2015; running statistics as in PyTorch).
 *
 * xhat = (x - mean) / sqrt(variance + epsilon), y = gain xhat + shift; gain and shift are parameters. All
 * sums are in double, shard by shard of the batch (shards.h), and the variance is summed around the mean in a second
 * pass: with sum x^2 - (sum x)^2 / M a large mean would eat its digits. */
#include <math.h>
#include <string.h>

#include "net/layer_private.h"

/* A rank reads and writes its own columns, so nothing here waits for the ranks of its own team. */
typedef struct batch_norm {
    kt_layer layer;
    float *gain, *shift, *d_gain, *d_shift; /* [n] */
    float *mean, *variance; /* [n]: running = (1 - momentum) running + momentum batch's (unbiased, M - 1) */
    double momentum, epsilon;
    double *now, *inverse; /* [n]: mean and 1 / deviation of this pass */
    double *total, *sums;  /* [2 x n], and of each shard */
} batch_norm;

static bool wanted(const kt_network_spec *spec)
{
    return spec->batch_norm;
}

static void make(kt_layer *layer, kt_maker *maker)
{
    batch_norm *self = (batch_norm *)layer;
    const size_t n = layer->n_out, n_shards = maker->spec->n_shards > 0 ? maker->spec->n_shards : 1;
    self->gain = kt_maker_parameter(maker, "weight", n);
    self->shift = kt_maker_parameter(maker, "bias", n);
    self->d_gain = kt_maker_gradient(maker, 2 * n);
    self->d_shift = self->d_gain != NULL ? self->d_gain + n : NULL;
    self->mean = kt_maker_state(maker, "running_mean", n);
    self->variance = kt_maker_state(maker, "running_variance", n);
    self->momentum = maker->spec->batch_norm_momentum;
    self->epsilon = maker->spec->batch_norm_epsilon;
    self->now = kt_arena_take(&maker->memory, n, sizeof *self->now);
    self->inverse = kt_arena_take(&maker->memory, n, sizeof *self->inverse);
    self->total = kt_arena_take(&maker->memory, 2 * n, sizeof *self->total);
    self->sums = kt_arena_take(&maker->memory, 2 * n_shards * n, sizeof *self->sums);
}

static void initialize(kt_layer *layer, const kt_initial *initial, kt_range own)
{
    batch_norm *self = (batch_norm *)layer;
    (void)initial;
    kt_layer_fill(own, 1, self->gain);
    kt_layer_fill(own, 0, self->shift);
    kt_layer_fill(own, 0, self->mean);
    kt_layer_fill(own, 1, self->variance);
}

/* y of the columns `own` of a row. */
static void normalize(const batch_norm *self, kt_range own, const float *restrict x, float *restrict y)
{
    const double *restrict mean = self->now, *restrict inverse = self->inverse;
    const float *restrict gain = self->gain, *restrict shift = self->shift;
    for (size_t j = own.begin; j < own.end; j++)
        y[j] = (float)((double)gain[j] * (((double)x[j] - mean[j]) * inverse[j]) + (double)shift[j]);
}

/* dx = gain / deviation * (dy - mean_dy - xhat mean_dy_xhat) of a row; the two means, in total, are 0 when the statistics
 * do not depend on x. */
static void propagate(const batch_norm *self, kt_range own, const float *restrict x, const float *dy, float *dx)
{
    const double *restrict mean = self->now, *restrict inverse = self->inverse;
    const double *restrict mean_dy = self->total, *restrict mean_dy_xhat = self->total + self->layer.n_out;
    const float *restrict gain = self->gain;
    for (size_t j = own.begin; j < own.end; j++) {
        const double xhat = ((double)x[j] - mean[j]) * inverse[j];
        dx[j] = (float)((double)gain[j] * inverse[j] * ((double)dy[j] - mean_dy[j] - xhat * mean_dy_xhat[j]));
    }
}

/* A sum over a batch: its n_sums vectors [n], and what is added to the columns `own` of them for one row of x and dy (which
 * may be NULL). */
typedef struct summand {
    size_t n_sums;
    void (*add)(const batch_norm *self, kt_range own, const float *x, const float *dy, double *sums);
} summand;

static void add_values(const batch_norm *self, kt_range own, const float *restrict x, const float *restrict dy,
                       double *restrict sum)
{
    (void)self, (void)dy;
    for (size_t j = own.begin; j < own.end; j++)
        sum[j] += (double)x[j];
}

static void add_deviations(const batch_norm *self, kt_range own, const float *restrict x, const float *restrict dy,
                           double *restrict sum)
{
    const double *restrict mean = self->now;
    (void)dy;
    for (size_t j = own.begin; j < own.end; j++)
        sum[j] += ((double)x[j] - mean[j]) * ((double)x[j] - mean[j]);
}

/* dy, and dy xhat. */
static void add_derivatives(const batch_norm *self, kt_range own, const float *restrict x, const float *restrict dy,
                            double *restrict sums)
{
    const double *restrict mean = self->now, *restrict inverse = self->inverse;
    double *restrict sum_dy_xhat = sums + self->layer.n_out;
    for (size_t j = own.begin; j < own.end; j++) {
        sums[j] += (double)dy[j];
        sum_dy_xhat[j] += (double)dy[j] * (((double)x[j] - mean[j]) * inverse[j]);
    }
}

static const summand of_values = {1, add_values}, of_deviations = {1, add_deviations},
                     of_derivatives = {2, add_derivatives};

/* total[n_sums x n], own columns = the sum over the whole batch. Collective over the teams. */
static void sum_batch(const batch_norm *self, const kt_pass *pass, kt_range own, const summand *of, const kt_flow *flow,
                      double *total)
{
    const size_t n = self->layer.n_out, n_own = own.end - own.begin;
    const kt_rows *rows = &pass->rows;
    for (size_t v = rows->first; v < rows->end; v++) {
        const kt_range in = kt_share(rows->M, v, rows->shards);
        double *shard = self->sums + v * of->n_sums * n;
        for (size_t k = 0; k < of->n_sums; k++)
            memset(shard + k * n + own.begin, 0, n_own * sizeof *shard);
        for (size_t r = in.begin; r < in.end; r++)
            of->add(self, own, flow->x + r * n, flow->dy == NULL ? NULL : flow->dy + r * n, shard);
    }
    if (pass->team->gather_all != NULL)
        pass->team->gather_all(pass->team->context, self->sums, rows->shards, of->n_sums * n * sizeof *total);
    for (size_t k = 0; k < of->n_sums; k++)
        kt_shards_add_f64(rows->shards, n_own, of->n_sums * n, self->sums + k * n + own.begin,
                          total + k * n + own.begin);
}

static void divide(kt_range own, double *values, double by)
{
    for (size_t j = own.begin; j < own.end; j++)
        values[j] /= by;
}

/* Mean, and the biased variance into total. */
static void batch_statistics(batch_norm *self, const kt_pass *pass, kt_range own, const float *x)
{
    const kt_flow flow = {.x = x};
    const double M = (double)pass->rows.M;
    sum_batch(self, pass, own, &of_values, &flow, self->now);
    divide(own, self->now, M);
    sum_batch(self, pass, own, &of_deviations, &flow, self->total);
    divide(own, self->total, M);
}

/* One sample says nothing of the spread, so it says nothing at all. */
static void update_running(batch_norm *self, kt_range own, size_t n_rows)
{
    const double momentum = self->momentum, M = (double)n_rows, unbias = M / (M - 1);
    if (n_rows < 2)
        return;
    for (size_t j = own.begin; j < own.end; j++) {
        self->mean[j] = (float)((1 - momentum) * (double)self->mean[j] + momentum * self->now[j]);
        self->variance[j] = (float)((1 - momentum) * (double)self->variance[j] + momentum * unbias * self->total[j]);
    }
}

static void forward(kt_layer *layer, const kt_pass *pass, kt_range own, const float *x, float *y)
{
    batch_norm *self = (batch_norm *)layer;
    const kt_rows *rows = &pass->rows;
    const size_t n = layer->n_out, end = kt_rows_end(rows);
    if (rows->M == 0)
        return;
    if (pass->training) {
        batch_statistics(self, pass, own, x);
        update_running(self, own, rows->M);
    } else {
        for (size_t j = own.begin; j < own.end; j++) {
            self->now[j] = (double)self->mean[j];
            self->total[j] = (double)self->variance[j];
        }
    }
    for (size_t j = own.begin; j < own.end; j++)
        self->inverse[j] = 1 / sqrt(self->total[j] + self->epsilon);
    for (size_t r = kt_rows_begin(rows); r < end; r++)
        normalize(self, own, x + r * n, y + r * n);
}

static void backward(kt_layer *layer, const kt_pass *pass, kt_range own, const kt_flow *flow)
{
    batch_norm *self = (batch_norm *)layer;
    const kt_rows *rows = &pass->rows;
    const size_t n = layer->n_out, end = kt_rows_end(rows);
    double *sum_dy = self->total, *sum_dy_xhat = self->total + n;
    sum_batch(self, pass, own, &of_derivatives, flow, self->total);
    for (size_t j = own.begin; j < own.end; j++) {
        self->d_shift[j] = (float)sum_dy[j];
        self->d_gain[j] = (float)sum_dy_xhat[j];
    }
    /* Outside training the statistics do not depend on x. */
    divide(own, sum_dy, pass->training && rows->M > 0 ? (double)rows->M : HUGE_VAL);
    divide(own, sum_dy_xhat, pass->training && rows->M > 0 ? (double)rows->M : HUGE_VAL);
    for (size_t r = kt_rows_begin(rows); r < end; r++)
        propagate(self, own, flow->x + r * n, flow->dy + r * n, flow->dx + r * n);
}

const kt_layer_kind KT_SIMD_NAME(kt_layer_batch_norm) = {.name = "batch_norm",
                                                         .n_bytes = sizeof(batch_norm),
                                                         .centers = true,
                                                         .wanted = wanted,
                                                         .make = make,
                                                         .initialize = initialize,
                                                         .forward = forward,
                                                         .backward = backward};
