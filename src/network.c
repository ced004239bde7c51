#include "ktrain/network.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "ktrain/memory.h"

struct kt_network {
    size_t n_in, n_classes, max_rows;
    const kt_initializer *initializer;
    double init_scale;
    size_t n_layers;
    kt_layer *layers;
    float **outputs; /* of each layer: [max_rows x n_out], in `workspace` */
    float *workspace;
    float *delta[2]; /* a layer's dy and dx by turns: [max_rows x widest] */
    double *scratch; /* of the batch norm layers */
    size_t n_parameters, n_state;
    float *parameters, *gradients, *state;
    size_t n_tensors, n_state_tensors;
    kt_tensor *tensors, *state_tensors;
    const float *x; /* of the forward just made; borrowed */
};

/* How much of everything a network needs. */
typedef struct plan {
    size_t n_layers, n_parameters, n_state, n_workspace, n_delta, n_scratch, n_tensors, n_state_tensors;
} plan;

/* A buffer for max_rows rows, in whole cache lines. */
static size_t buffer_size(size_t max_rows, size_t width)
{
    return (max_rows * width + 15) / 16 * 16;
}

static kt_status check_spec(const kt_network_spec *spec, size_t max_rows)
{
    /* OpenBLAS counts in int; a layer's number has 24 bits in the place of a draw. */
    if (spec->n_in < 1 || spec->n_in > INT_MAX || spec->n_classes < 1 || spec->n_classes > INT_MAX)
        return kt_fail(KT_CONFIG, "a network of %zu inputs and %zu classes: both must be from 1 to %d", spec->n_in,
                       spec->n_classes, INT_MAX);
    if (max_rows > INT_MAX)
        return kt_fail(KT_CONFIG, "a batch of %zu rows on one rank: at most %d are possible", max_rows, INT_MAX);
    if (spec->n_hidden >= 1 << 23)
        return kt_fail(KT_CONFIG, "%zu hidden layers: at most %d are possible", spec->n_hidden, (1 << 23) - 1);
    for (size_t i = 0; i < spec->n_hidden; i++)
        if (spec->hidden[i] < 1 || spec->hidden[i] > INT_MAX)
            return kt_fail(KT_CONFIG, "hidden layer %zu has width %lld: it must be from 1 to %d", i + 1,
                           (long long)spec->hidden[i], INT_MAX);
    if (spec->activation < 0 || (size_t)spec->activation >= kt_n_activations || spec->initializer < 0 ||
        (size_t)spec->initializer >= kt_n_initializers)
        return kt_fail(KT_CONFIG, "no such activation (%d) or initializer (%d)", spec->activation, spec->initializer);
    if (!(spec->dropout >= 0 && spec->dropout < 1))
        return kt_fail(KT_CONFIG, "dropout %g: it must be at least 0 and below 1", spec->dropout);
    if (spec->batch_norm &&
        !(spec->batch_norm_epsilon > 0 && spec->batch_norm_momentum >= 0 && spec->batch_norm_momentum <= 1))
        return kt_fail(KT_CONFIG, "batch norm with epsilon %g and momentum %g: they must be above 0, and from 0 to 1",
                       spec->batch_norm_epsilon, spec->batch_norm_momentum);
    return KT_OK;
}

/* No product or sum here overflows: widths, rows and layers are below 2^31, and after each block what has gathered is
 * checked. */
static kt_status make_plan(const kt_network_spec *spec, size_t max_rows, plan *p)
{
    const size_t most = SIZE_MAX / 1024;
    size_t n_in = spec->n_in, widest = spec->n_classes;
    memset(p, 0, sizeof *p);
    KT_TRY(check_spec(spec, max_rows));
    for (size_t i = 0; i <= spec->n_hidden; i++) {
        const bool hidden = i < spec->n_hidden, batch_norm = hidden && spec->batch_norm;
        const size_t n = hidden ? (size_t)spec->hidden[i] : spec->n_classes;
        const size_t n_layers = hidden ? (size_t)2 + spec->batch_norm + (spec->dropout > 0) : 1;
        p->n_layers += n_layers;
        p->n_tensors += batch_norm ? 4 : 2;
        p->n_state_tensors += batch_norm ? 2 : 0;
        p->n_parameters += (n_in + 1 + (batch_norm ? 2 : 0)) * n;
        p->n_state += batch_norm ? 2 * n : 0;
        p->n_scratch += batch_norm ? 4 * n : 0;
        if (p->n_parameters > most || n_layers * buffer_size(max_rows, n) > most - p->n_workspace)
            return kt_fail(KT_NO_MEMORY,
                           "the network is larger than this machine can address: layer %zu of width %zu on %zu inputs",
                           i + 1, n, n_in);
        p->n_workspace += n_layers * buffer_size(max_rows, n);
        widest = n > widest ? n : widest;
        n_in = n;
    }
    p->n_delta = buffer_size(max_rows, widest);
    return KT_OK;
}

size_t kt_network_bytes(const kt_network_spec *spec, size_t max_rows, size_t *n_parameters)
{
    plan p;
    if (n_parameters != NULL)
        *n_parameters = 0;
    if (make_plan(spec, max_rows, &p) != KT_OK)
        return 0;
    if (n_parameters != NULL)
        *n_parameters = p.n_parameters;
    return sizeof(kt_network) + p.n_layers * (sizeof(kt_layer) + sizeof(float *)) +
           (p.n_tensors + p.n_state_tensors) * sizeof(kt_tensor) +
           (2 * p.n_parameters + p.n_state + p.n_workspace + 2 * p.n_delta) * sizeof(float) +
           p.n_scratch * sizeof(double);
}

static kt_status allocate(kt_network *net, const plan *p)
{
    KT_TRY(KT_NEW(net->layers, p->n_layers));
    KT_TRY(KT_NEW(net->outputs, p->n_layers));
    KT_TRY(KT_NEW(net->workspace, p->n_workspace));
    KT_TRY(KT_NEW(net->delta[0], p->n_delta));
    KT_TRY(KT_NEW(net->delta[1], p->n_delta));
    KT_TRY(KT_NEW(net->scratch, p->n_scratch));
    KT_TRY(KT_NEW(net->parameters, p->n_parameters));
    KT_TRY(KT_NEW(net->gradients, p->n_parameters));
    KT_TRY(KT_NEW(net->state, p->n_state));
    KT_TRY(KT_NEW(net->tensors, p->n_tensors));
    return KT_NEW(net->state_tensors, p->n_state_tensors);
}

/* Appends the tensor "name/part" to a vector of *n_elements and returns where it starts. n_in 0: one dimension. */
static size_t add_tensor(kt_tensor *tensors, size_t *n_tensors, size_t *n_elements, const char *name, const char *part,
                         size_t n_out, size_t n_in)
{
    kt_tensor *tensor = &tensors[(*n_tensors)++];
    snprintf(tensor->name, sizeof tensor->name, "%s/%s", name, part);
    tensor->offset = *n_elements;
    tensor->n_dims = n_in > 0 ? 2 : 1;
    tensor->dims[0] = n_out;
    tensor->dims[1] = n_in;
    tensor->count = n_in > 0 ? n_out * n_in : n_out;
    tensor->is_weight = n_in > 0;
    *n_elements += tensor->count;
    return tensor->offset;
}

/* Appends a layer and gives it its output buffer, at *workspace. */
static kt_layer *add_layer(kt_network *net, const kt_layer_kind *kind, unsigned number, size_t n_in, size_t n_out,
                           float **workspace)
{
    kt_layer *layer = &net->layers[net->n_layers];
    layer->kind = kind;
    layer->number = number;
    layer->n_in = n_in;
    layer->n_out = n_out;
    net->outputs[net->n_layers++] = *workspace;
    *workspace += buffer_size(net->max_rows, n_out);
    return layer;
}

/* The layer's two tensors "weight" ([n_out x n_in], or [n_out] when n_in is 0) and "bias", and their gradients. */
static void give_parameters(kt_network *net, kt_layer *layer, const char *name, size_t n_out, size_t n_in)
{
    const size_t weight = add_tensor(net->tensors, &net->n_tensors, &net->n_parameters, name, "weight", n_out, n_in);
    const size_t bias = add_tensor(net->tensors, &net->n_tensors, &net->n_parameters, name, "bias", n_out, 0);
    layer->weight = net->parameters + weight;
    layer->bias = net->parameters + bias;
    layer->d_weight = net->gradients + weight;
    layer->d_bias = net->gradients + bias;
}

static void add_batch_norm(kt_network *net, const kt_network_spec *spec, unsigned number, size_t n, float **workspace,
                           double *scratch)
{
    kt_layer *layer = add_layer(net, &kt_layer_batch_norm, number, n, n, workspace);
    char name[24];
    snprintf(name, sizeof name, "batch_norm%u", number);
    give_parameters(net, layer, name, n, 0);
    layer->mean =
        net->state + add_tensor(net->state_tensors, &net->n_state_tensors, &net->n_state, name, "running_mean", n, 0);
    layer->variance = net->state + add_tensor(net->state_tensors, &net->n_state_tensors, &net->n_state, name,
                                              "running_variance", n, 0);
    layer->momentum = spec->batch_norm_momentum;
    layer->epsilon = spec->batch_norm_epsilon;
    layer->scratch = scratch;
}

static void build(kt_network *net, const kt_network_spec *spec)
{
    float *workspace = net->workspace;
    double *scratch = net->scratch;
    size_t n_in = spec->n_in;
    for (size_t i = 0; i < spec->n_hidden; i++) {
        const size_t n = (size_t)spec->hidden[i];
        const unsigned number = (unsigned)i + 1;
        char name[24];
        snprintf(name, sizeof name, "dense%u", number);
        give_parameters(net, add_layer(net, &kt_layer_dense, number, n_in, n, &workspace), name, n, n_in);
        if (spec->batch_norm) {
            add_batch_norm(net, spec, number, n, &workspace, scratch);
            scratch += 4 * n;
        }
        add_layer(net, &kt_layer_activation, number, n, n, &workspace)->activation = &kt_activations[spec->activation];
        if (spec->dropout > 0)
            add_layer(net, &kt_layer_dropout, number, n, n, &workspace)->rate = spec->dropout;
        n_in = n;
    }
    kt_layer *output = add_layer(net, &kt_layer_dense, (unsigned)spec->n_hidden + 1, n_in, spec->n_classes, &workspace);
    give_parameters(net, output, "output", spec->n_classes, n_in);
}

kt_status kt_network_create(kt_network **out, const kt_network_spec *spec, size_t max_rows)
{
    plan p;
    kt_network *net;
    *out = NULL;
    KT_TRY(make_plan(spec, max_rows, &p));
    KT_TRY(KT_NEW(net, 1));
    net->n_in = spec->n_in;
    net->n_classes = spec->n_classes;
    net->max_rows = max_rows;
    net->initializer = &kt_initializers[spec->initializer];
    net->init_scale = spec->init_scale;
    kt_status status = allocate(net, &p);
    if (status != KT_OK) {
        kt_network_free(net);
        return status;
    }
    build(net, spec);
    *out = net;
    return KT_OK;
}

void kt_network_free(kt_network *net)
{
    if (net == NULL)
        return;
    void *const parts[] = {net->layers,   net->outputs, net->workspace,     net->delta[0],
                           net->delta[1], net->scratch, net->parameters,    net->gradients,
                           net->state,    net->tensors, net->state_tensors, net};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        kt_memory_free(parts[i]);
}

static void fill(size_t n, float value, float *x)
{
    for (size_t i = 0; i < n; i++)
        x[i] = value;
}

void kt_network_initialize(kt_network *net, uint64_t seed)
{
    fill(net->n_parameters, 0, net->parameters);
    for (kt_layer *layer = net->layers; layer < net->layers + net->n_layers; layer++) {
        if (layer->kind == &kt_layer_dense)
            net->initializer->fill(seed, layer->number, layer->n_in, layer->n_out, net->init_scale, layer->weight);
        if (layer->kind == &kt_layer_batch_norm) {
            fill(layer->n_out, 1, layer->weight);
            fill(layer->n_out, 0, layer->mean);
            fill(layer->n_out, 1, layer->variance);
        }
    }
}

kt_status kt_network_forward(kt_network *net, const kt_pass *pass, const float *x, const float **logits)
{
    const float *input = x;
    *logits = NULL;
    if (pass->rows > net->max_rows)
        return kt_fail(KT_INTERNAL, "a batch of %zu rows in a network made for %zu", pass->rows, net->max_rows);
    net->x = x;
    for (size_t l = 0; l < net->n_layers; l++) {
        KT_TRY(net->layers[l].kind->forward(&net->layers[l], pass, input, net->outputs[l]));
        input = net->outputs[l];
    }
    *logits = input;
    return KT_OK;
}

/* Batch norm takes the mean away, and with it the bias before it: the derivative is 0. What rounding leaves of it
 * would become whole
 * steps in optimizers that divide by the gradient's own size, other ones on each number of ranks. */
static void clear_lost_bias(kt_network *net, size_t l)
{
    kt_layer *layer = &net->layers[l];
    if (l + 1 < net->n_layers && net->layers[l + 1].kind == &kt_layer_batch_norm)
        memset(layer->d_bias, 0, layer->n_out * sizeof *layer->d_bias);
}

kt_status kt_network_backward(kt_network *net, const kt_pass *pass, const float *d_logits)
{
    const float *dy = d_logits;
    for (size_t l = net->n_layers; l-- > 0;) {
        const float *input = l > 0 ? net->outputs[l - 1] : net->x;
        float *dx = l > 0 ? net->delta[l % 2] : NULL; /* nobody needs the inputs' derivative */
        KT_TRY(net->layers[l].kind->backward(&net->layers[l], pass, input, net->outputs[l], dy, dx));
        if (pass->training)
            clear_lost_bias(net, l);
        dy = dx;
    }
    return KT_OK;
}

size_t kt_network_n_parameters(const kt_network *net)
{
    return net->n_parameters;
}

float *kt_network_parameters(kt_network *net)
{
    return net->parameters;
}

float *kt_network_gradients(kt_network *net)
{
    return net->gradients;
}

size_t kt_network_n_state(const kt_network *net)
{
    return net->n_state;
}

float *kt_network_state(kt_network *net)
{
    return net->state;
}

const kt_tensor *kt_network_parameter_tensors(const kt_network *net, size_t *n)
{
    *n = net->n_tensors;
    return net->tensors;
}

const kt_tensor *kt_network_state_tensors(const kt_network *net, size_t *n)
{
    *n = net->n_state_tensors;
    return net->state_tensors;
}

size_t kt_network_n_classes(const kt_network *net)
{
    return net->n_classes;
}

size_t kt_network_n_in(const kt_network *net)
{
    return net->n_in;
}

size_t kt_network_max_rows(const kt_network *net)
{
    return net->max_rows;
}
