/* Batch normalization over the whole batch of all ranks (Ioffe and Szegedy 2015; running statistics as in PyTorch).
 *
 * xhat = (x - mean) / sqrt(variance + epsilon), y = gain xhat + shift; gain and shift are parameters. All
 * sums are in double, shard by shard of the batch (shards.h), and the variance is summed around the mean in a second
 * pass: with sum x^2 - (sum x)^2 / M a large mean would eat its digits. */
#include <math.h>
#include <string.h>

#include "net/layer_private.h"

/* A rank reads and writes its own units, so nothing here waits for the ranks of its own team. Arrays are [16 x
 * panels]. */
typedef struct batch_norm {
    kt_layer layer;
    float *gain, *shift, *d_gain, *d_shift;
    float *mean, *variance; /* running = (1 - momentum) running + momentum batch's (unbiased, M - 1) */
    double momentum, epsilon;
    double *now, *inverse;    /* mean and 1 / deviation of this pass */
    double *total;            /* [2 x n] */
    double *sums, *shared[2]; /* of each shard [2 x n]: for one team, and, in turn, for all */
    size_t n, turn;           /* n: floats of an array */
} batch_norm;

static bool wanted(const kt_network_spec *spec)
{
    return spec->batch_norm;
}

static void make(kt_layer *layer, kt_maker *maker)
{
    batch_norm *self = (batch_norm *)layer;
    const size_t n = kt_panels_count(layer->n) * KT_PANEL, n_shards = kt_larger(maker->spec->n_shards, 1);
    self->n = n;
    self->gain = kt_maker_parameter(maker, "weight", layer->n);
    self->d_gain = kt_maker_gradient(maker, layer->n);
    self->shift = kt_maker_parameter(maker, "bias", layer->n);
    self->d_shift = kt_maker_gradient(maker, layer->n);
    self->mean = kt_maker_state(maker, "running_mean", layer->n);
    self->variance = kt_maker_state(maker, "running_variance", layer->n);
    self->momentum = maker->spec->batch_norm_momentum;
    self->epsilon = maker->spec->batch_norm_epsilon;
    self->now = kt_arena_take(&maker->rank, n, sizeof *self->now);
    self->inverse = kt_arena_take(&maker->rank, n, sizeof *self->inverse);
    self->total = kt_arena_take(&maker->rank, 2 * n, sizeof *self->total);
    self->sums = kt_arena_take(&maker->rank, 2 * n_shards * n, sizeof *self->sums);
    for (size_t i = 0; i < 2; i++)
        self->shared[i] = kt_arena_take(&maker->shared, 2 * n_shards * n, sizeof *self->sums);
}

static void fill(kt_range units, float value, float *x)
{
    for (size_t u = units.begin; u < units.end; u++)
        x[u] = value;
}

static void initialize(kt_layer *layer)
{
    batch_norm *self = (batch_norm *)layer;
    const kt_range own = kt_layer_units(layer);
    fill(own, 1, self->gain);
    fill(own, 0, self->shift);
    fill(own, 0, self->mean);
    fill(own, 1, self->variance);
}

/* Floats of an array before panel p of those that are computed here. */
static size_t place_of(const batch_norm *self, size_t p)
{
    return (self->layer.own.begin + p) * KT_PANEL;
}

/* y of the units of one panel, from `at` on in the arrays, for m samples. */
static void normalize(const batch_norm *self, size_t at, size_t m, const float *restrict x, float *restrict y)
{
    const double *restrict mean = self->now + at, *restrict inverse = self->inverse + at;
    const float *restrict gain = self->gain + at, *restrict shift = self->shift + at;
    for (size_t r = 0; r < m; r++, x += KT_PANEL, y += KT_PANEL)
        for (size_t u = 0; u < KT_PANEL; u++)
            y[u] = (float)((double)gain[u] * (((double)x[u] - mean[u]) * inverse[u]) + (double)shift[u]);
}

/* dx = gain / deviation * (dy - mean_dy - xhat mean_dy_xhat); the two means, in total, are 0 when the statistics do not
 * depend on x. */
static void propagate(const batch_norm *self, size_t at, size_t m, const float *restrict x, const float *dy, float *dx)
{
    const double *restrict mean = self->now + at, *restrict inverse = self->inverse + at;
    const double *restrict mean_dy = self->total + at, *restrict mean_dy_xhat = self->total + self->n + at;
    const float *restrict gain = self->gain + at;
    for (size_t r = 0; r < m; r++, x += KT_PANEL, dy += KT_PANEL, dx += KT_PANEL)
        for (size_t u = 0; u < KT_PANEL; u++) {
            const double xhat = ((double)x[u] - mean[u]) * inverse[u];
            dx[u] = (float)((double)gain[u] * inverse[u] * ((double)dy[u] - mean_dy[u] - xhat * mean_dy_xhat[u]));
        }
}

/* A sum over a batch: how many sums there are of each unit, and what one sample adds to those of a panel. */
typedef struct summand {
    size_t n_sums;
    void (*add)(const batch_norm *self, size_t at, const float *x, const float *dy, double *sums);
} summand;

static void add_values(const batch_norm *self, size_t at, const float *restrict x, const float *restrict dy,
                       double *restrict sum)
{
    (void)self, (void)at, (void)dy;
    for (size_t u = 0; u < KT_PANEL; u++)
        sum[u] += (double)x[u];
}

static void add_deviations(const batch_norm *self, size_t at, const float *restrict x, const float *restrict dy,
                           double *restrict sum)
{
    const double *restrict mean = self->now + at;
    (void)dy;
    for (size_t u = 0; u < KT_PANEL; u++)
        sum[u] += ((double)x[u] - mean[u]) * ((double)x[u] - mean[u]);
}

/* dy, and dy xhat. */
static void add_derivatives(const batch_norm *self, size_t at, const float *restrict x, const float *restrict dy,
                            double *restrict sums)
{
    const double *restrict mean = self->now + at, *restrict inverse = self->inverse + at;
    double *restrict sum_dy_xhat = sums + self->n;
    for (size_t u = 0; u < KT_PANEL; u++) {
        sums[u] += (double)dy[u];
        sum_dy_xhat[u] += (double)dy[u] * (((double)x[u] - mean[u]) * inverse[u]);
    }
}

static const summand of_values = {1, add_values}, of_deviations = {1, add_deviations},
                     of_derivatives = {2, add_derivatives};

/* One panel of a shard's sums. dy->at may be NULL. */
static void sum_shard(const batch_norm *self, kt_range rows, size_t p, const summand *of, const kt_flow *flow,
                      double *shard)
{
    const size_t at = place_of(self, p);
    for (size_t k = 0; k < of->n_sums; k++)
        memset(shard + k * self->n + at, 0, KT_PANEL * sizeof *shard);
    for (size_t r = rows.begin; r < rows.end; r++) {
        const size_t row = p * flow->x.stride + r * KT_PANEL;
        of->add(self, at, flow->x.at + row, flow->dy.at == NULL ? NULL : flow->dy.at + row, shard + at);
    }
}

/* The sums of the shards that are computed here. */
static void sum_shards(const batch_norm *self, const kt_rows *rows, const summand *of, const kt_flow *flow,
                       double *sums)
{
    for (size_t v = rows->first; v < rows->end; v++)
        for (size_t p = 0; p < flow->x.n; p++)
            sum_shard(self, kt_share(rows->M, v, rows->shards), p, of, flow, sums + v * of->n_sums * self->n);
}

/* total[n_sums x n], own units = the sum over the whole batch. Of what every seat computes one writes what other teams
 * get; the others may still read what was written before the last time. Collective over the teams. */
static void sum_batch(batch_norm *self, const kt_pass *pass, const summand *of, const kt_flow *flow, double *total)
{
    const size_t n = self->n, n_own = flow->x.n * KT_PANEL, first = self->layer.own.begin * KT_PANEL;
    const kt_rows *rows = &pass->rows;
    const bool others = pass->team->gather_all != NULL;
    double *sums = others ? self->shared[self->turn ^= 1] : self->sums;
    if (!others || !self->layer.whole || pass->team->seat == 0)
        sum_shards(self, rows, of, flow, sums);
    if (others)
        pass->team->gather_all(pass->team->context, sums, rows->shards, of->n_sums * n * sizeof *total);
    for (size_t k = 0; k < of->n_sums; k++)
        kt_shards_add_f64(rows->shards, n_own, of->n_sums * n, sums + k * n + first, total + k * n + first);
}

static void divide(size_t n, double *values, double by)
{
    for (size_t i = 0; i < n; i++)
        values[i] /= by;
}

/* Mean, and the biased variance into total. */
static void batch_statistics(batch_norm *self, const kt_pass *pass, const kt_panels *x)
{
    const kt_flow flow = {.x = *x};
    const double M = (double)pass->rows.M;
    const size_t first = self->layer.own.begin * KT_PANEL, n_own = x->n * KT_PANEL;
    sum_batch(self, pass, &of_values, &flow, self->now);
    divide(n_own, self->now + first, M);
    sum_batch(self, pass, &of_deviations, &flow, self->total);
    divide(n_own, self->total + first, M);
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

static void take_running(batch_norm *self, kt_range own)
{
    for (size_t j = own.begin; j < own.end; j++) {
        self->now[j] = (double)self->mean[j];
        self->total[j] = (double)self->variance[j];
    }
}

static void forward(kt_layer *layer, const kt_pass *pass, const kt_panels *x, const kt_panels *y)
{
    batch_norm *self = (batch_norm *)layer;
    const kt_range own = kt_layer_units(layer);
    const size_t m = pass->range.end - pass->range.begin;
    if (pass->rows.M == 0)
        return;
    if (pass->training) {
        batch_statistics(self, pass, x);
        update_running(self, own, pass->rows.M);
    } else {
        take_running(self, own);
    }
    for (size_t j = own.begin; j < own.end; j++)
        self->inverse[j] = 1 / sqrt(self->total[j] + self->epsilon);
    for (size_t p = 0; p < x->n; p++)
        normalize(self, place_of(self, p), m, kt_layer_panel(pass, x, p), kt_layer_panel(pass, y, p));
}

static void backward(kt_layer *layer, const kt_pass *pass, const kt_flow *flow)
{
    batch_norm *self = (batch_norm *)layer;
    const kt_rows *rows = &pass->rows;
    const kt_range own = kt_layer_units(layer);
    const size_t n = self->n, m = pass->range.end - pass->range.begin, first = place_of(self, 0);
    sum_batch(self, pass, &of_derivatives, flow, self->total);
    for (size_t j = own.begin; j < own.end; j++) {
        self->d_shift[j] = (float)self->total[j];
        self->d_gain[j] = (float)self->total[n + j];
    }
    /* Outside training the statistics do not depend on x. */
    for (size_t k = 0; k < 2; k++)
        divide(flow->x.n * KT_PANEL, self->total + k * n + first,
               pass->training && rows->M > 0 ? (double)rows->M : HUGE_VAL);
    for (size_t p = 0; p < flow->x.n; p++)
        propagate(self, place_of(self, p), m, kt_layer_panel(pass, &flow->x, p), kt_layer_panel(pass, &flow->dy, p),
                  kt_layer_panel(pass, &flow->dx, p));
}

const kt_layer_kind KT_SIMD_NAME(kt_layer_batch_norm) = {.name = "batch_norm",
                                                         .n_bytes = sizeof(batch_norm),
                                                         .centers = true,
                                                         .wanted = wanted,
                                                         .make = make,
                                                         .initialize = initialize,
                                                         .forward = forward,
                                                         .backward = backward};
