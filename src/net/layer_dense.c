/* Dense layers: y = x w^T + bias. */
#include "net/layer_private.h"

typedef struct dense {
    kt_layer layer;
    float *weight, *bias; /* [n_out x n_in], [n_out] */
    bool transposed;      /* the weight is kept as [n_in x n_out] (dense.h) */
} dense;

static bool wanted(const kt_network_spec *spec)
{
    (void)spec;
    return true;
}

static void make(kt_layer *layer, kt_maker *maker)
{
    dense *self = (dense *)layer;
    self->transposed = maker->spec->transposed_input && layer->number == 1;
    self->weight = kt_maker_weight(maker, layer->n_out, layer->n_in, self->transposed);
    self->bias = kt_maker_parameter(maker, "bias", layer->n_out);
}

/* The same elements, each at its place; this rank's chunks of them. */
static void initialize_transposed(dense *self, const kt_initial *initial, const kt_drawn_weight *weight)
{
    enum { CHUNK = 1024 };
    const size_t n_in = self->layer.n_in, n_out = self->layer.n_out, n = n_in * n_out;
    float chunk[CHUNK];
    for (size_t e = initial->team->seat * CHUNK; e < n; e += initial->team->n_seats * CHUNK) {
        const kt_range range = {e, e + CHUNK < n ? e + CHUNK : n};
        initial->weights->fill(weight, range, chunk);
        for (size_t i = range.begin; i < range.end; i++)
            self->weight[i % n_in * n_out + i / n_in] = chunk[i - range.begin];
    }
}

static void initialize(kt_layer *layer, const kt_initial *initial, kt_range own)
{
    dense *self = (dense *)layer;
    const kt_range range = {own.begin * layer->n_in, own.end * layer->n_in};
    const kt_drawn_weight weight = {initial->seed, layer->number, layer->n_in, layer->n_out, initial->scale};
    if (self->transposed)
        initialize_transposed(self, initial, &weight);
    else
        initial->weights->fill(&weight, range, self->weight + range.begin);
    kt_layer_fill(own, 0, self->bias);
}

static void add_bias(size_t n, const float *restrict bias, float *restrict y)
{
    for (size_t j = 0; j < n; j++)
        y[j] += bias[j];
}

static kt_dense products_of(const dense *self, const kt_pass *pass)
{
    return (kt_dense){self->layer.n_in, self->layer.n_out, pass->kernels, self->transposed};
}

static void forward(kt_layer *layer, const kt_pass *pass, kt_range own, const float *x, float *y)
{
    const dense *self = (const dense *)layer;
    const kt_rows *rows = &pass->rows;
    const kt_dense products = products_of(self, pass);
    const size_t end = kt_rows_end(rows);
    kt_dense_forward(&products, rows, own, x, self->weight, y);
    for (size_t r = kt_rows_begin(rows); r < end; r++)
        add_bias(own.end - own.begin, self->bias + own.begin, y + r * layer->n_out + own.begin);
}

static void backward(kt_layer *layer, const kt_pass *pass, kt_range own, const kt_flow *flow)
{
    const dense *self = (const dense *)layer;
    const kt_dense products = products_of(self, pass);
    kt_dense_backward(&products, &pass->rows, own, flow->dy, self->weight, flow->dx);
}

const kt_layer_kind kt_layer_dense = {.name = "dense",
                                      .n_bytes = sizeof(dense),
                                      .multiplies = true,
                                      .wanted = wanted,
                                      .make = make,
                                      .initialize = initialize,
                                      .forward = forward,
                                      .backward = backward};
