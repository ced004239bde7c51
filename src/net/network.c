#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "net/network_private.h"

/* How much of everything a network needs: floats of the shared vectors, and what each rank has of its own. */
typedef struct plan {
    size_t n_layers, n_dense, n_formed, n_parameters, n_state, n_workspace, n_tensors, n_state_tensors;
} plan;

/* A mask of a byte for each unit and row. */
static size_t mask_floats(size_t max_rows, size_t n)
{
    return max_rows * n / sizeof(float) + 1;
}

/* No product or sum here overflows: widths, rows and layers are below 2^31, and after each block what has gathered is
 * checked. */
static kt_status make_plan(const kt_network_spec *spec, size_t max_rows, plan *p)
{
    const size_t most = SIZE_MAX / 1024, n_shards = spec->n_shards > 0 ? spec->n_shards : 1;
    size_t n_in = spec->n_in;
    memset(p, 0, sizeof *p);
    KT_TRY(kt_network_check_spec(spec, max_rows));
    p->n_workspace = kt_memory_in_lines(max_rows * spec->n_in);
    for (size_t i = 0; i <= spec->hidden.n; i++) {
        const bool hidden = i < spec->hidden.n, batch_norm = hidden && spec->batch_norm;
        const size_t n = hidden ? (size_t)spec->hidden.values[i] : spec->n_classes;
        const size_t n_layers = hidden ? (size_t)2 + spec->batch_norm + (spec->dropout > 0) : 1;
        const size_t n_norm =
            batch_norm ? kt_memory_in_lines(2 * n) + 2 * kt_batch_norm_scratch(kt_memory_in_lines(n), n_shards) : 0;
        const size_t n_mask = hidden && spec->dropout > 0 ? kt_memory_in_lines(mask_floats(max_rows, n)) : 0;
        const size_t n_here =
            (n_layers + 1) * kt_memory_in_lines(max_rows * n) + n_norm + n_mask; /* outputs and delta */
        p->n_layers += n_layers;
        p->n_dense++;
        p->n_formed += batch_norm;
        p->n_tensors += batch_norm ? 4 : 2;
        p->n_state_tensors += batch_norm ? 2 : 0;
        p->n_parameters += (n_in + 1 + (batch_norm ? 2 : 0)) * n;
        p->n_state += batch_norm ? 2 * n : 0;
        if (p->n_parameters > most || n_here > most - p->n_workspace)
            return kt_fail(KT_CONFIG,
                           "the network is larger than this machine can address, with layer %zu of width %zu on %zu "
                           "inputs: model.hidden and train.batch_size must be smaller",
                           i + 1, n, n_in);
        p->n_workspace += n_here;
        n_in = n;
    }
    return KT_OK;
}

static size_t shared_floats(const plan *p)
{
    return kt_memory_in_lines(p->n_parameters) + kt_memory_in_lines(p->n_state) + p->n_workspace;
}

kt_status kt_network_shared_bytes(const kt_network_spec *spec, size_t max_rows, size_t *n_bytes, size_t *n_parameters)
{
    plan p;
    const kt_status status = make_plan(spec, max_rows, &p);
    *n_bytes = status == KT_OK ? shared_floats(&p) * sizeof(float) : 0;
    if (n_parameters != NULL)
        *n_parameters = status == KT_OK ? p.n_parameters : 0;
    return status;
}

static kt_status allocate(kt_network *net, const plan *p)
{
    KT_TRY(KT_NEW(net->layers, p->n_layers));
    KT_TRY(KT_NEW(net->outputs, p->n_layers));
    KT_TRY(KT_NEW(net->factors, p->n_dense));
    KT_TRY(KT_NEW(net->formed, p->n_formed));
    KT_TRY(KT_NEW(net->tensors, p->n_tensors));
    return KT_NEW(net->state_tensors, p->n_state_tensors);
}

/* The next n floats of the shared memory. */
static float *take(float **memory, size_t n)
{
    float *here = *memory;
    *memory += kt_memory_in_lines(n);
    return here;
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

/* Appends a layer and gives it its output buffer. */
static kt_layer *add_layer(kt_network *net, const kt_layer_kind *kind, unsigned number, size_t n_in, size_t n_out,
                           float **memory)
{
    kt_layer *layer = &net->layers[net->n_layers];
    layer->kind = kind;
    layer->number = number;
    layer->n_in = n_in;
    layer->n_out = n_out;
    net->outputs[net->n_layers++] = take(memory, net->max_rows * n_out);
    return layer;
}

/* The layer's two tensors "weight" ([n_out x n_in], or [n_out] when n_in is 0) and "bias". Returns where the weight
 * starts; the bias follows. */
static size_t give_parameters(kt_network *net, kt_layer *layer, const char *name, size_t n_out, size_t n_in)
{
    const size_t weight = add_tensor(net->tensors, &net->n_tensors, &net->n_parameters, name, "weight", n_out, n_in);
    const size_t bias = add_tensor(net->tensors, &net->n_tensors, &net->n_parameters, name, "bias", n_out, 0);
    layer->weight = net->parameters + weight;
    layer->bias = net->parameters + bias;
    return weight;
}

static void add_dense(kt_network *net, const kt_network_spec *spec, const char *name, unsigned number, size_t n_in,
                      size_t n_out, float *x, float **memory)
{
    kt_layer *layer = add_layer(net, &kt_layer_dense, number, n_in, n_out, memory);
    const size_t weight = give_parameters(net, layer, name, n_out, n_in);
    layer->transposed = spec->transposed_input && net->n_dense == 0;
    net->tensors[net->n_tensors - 2].transposed = layer->transposed;
    net->factors[net->n_dense++] = (kt_factors){.dense = {n_in, n_out, NULL, layer->transposed},
                                                .tall = layer->transposed ? n_in : n_out,
                                                .wide = layer->transposed ? n_out : n_in,
                                                .weight = weight,
                                                .bias = weight + n_in * n_out,
                                                .x = x,
                                                .delta = take(memory, net->max_rows * n_out),
                                                .lost_bias = spec->batch_norm && number <= spec->hidden.n};
}

static void add_batch_norm(kt_network *net, const kt_network_spec *spec, unsigned number, size_t n, float **memory)
{
    kt_layer *layer = add_layer(net, &kt_layer_batch_norm, number, n, n, memory);
    char name[24];
    snprintf(name, sizeof name, "batch_norm%u", number);
    const size_t weight = give_parameters(net, layer, name, n, 0);
    layer->mean =
        net->state + add_tensor(net->state_tensors, &net->n_state_tensors, &net->n_state, name, "running_mean", n, 0);
    layer->variance = net->state + add_tensor(net->state_tensors, &net->n_state_tensors, &net->n_state, name,
                                              "running_variance", n, 0);
    layer->momentum = spec->batch_norm_momentum;
    layer->epsilon = spec->batch_norm_epsilon;
    layer->d_weight = take(memory, 2 * n);
    layer->d_bias = layer->d_weight + n;
    const size_t n_scratch = kt_batch_norm_scratch(kt_memory_in_lines(n), spec->n_shards > 0 ? spec->n_shards : 1);
    layer->scratch = (double *)(void *)take(memory, 2 * n_scratch);
    net->formed[net->n_formed++] = (kt_formed){weight, 2 * n, layer->d_weight};
}

static void add_dropout(kt_network *net, double rate, unsigned number, size_t n, float **memory)
{
    kt_layer *layer = add_layer(net, &kt_layer_dropout, number, n, n, memory);
    layer->rate = rate;
    layer->kept = (uint8_t *)take(memory, mask_floats(net->max_rows, n));
}

static void build(kt_network *net, const kt_network_spec *spec, const plan *p, float *memory)
{
    net->parameters = take(&memory, p->n_parameters);
    net->state = take(&memory, p->n_state);
    float *x = take(&memory, net->max_rows * spec->n_in);
    size_t n_in = spec->n_in;
    for (size_t i = 0; i < spec->hidden.n; i++) {
        const size_t n = (size_t)spec->hidden.values[i];
        const unsigned number = (unsigned)i + 1;
        char name[24];
        snprintf(name, sizeof name, "dense%u", number);
        add_dense(net, spec, name, number, n_in, n, x, &memory);
        if (spec->batch_norm)
            add_batch_norm(net, spec, number, n, &memory);
        add_layer(net, &kt_layer_activation, number, n, n, &memory)->activation = &kt_activations[spec->activation];
        if (spec->dropout > 0)
            add_dropout(net, spec->dropout, number, n, &memory);
        x = net->outputs[net->n_layers - 1];
        n_in = n;
    }
    add_dense(net, spec, "output", (unsigned)spec->hidden.n + 1, n_in, spec->n_classes, x, &memory);
}

static kt_status create(kt_network *net, const kt_network_spec *spec, const plan *p, void *memory)
{
    KT_TRY(allocate(net, p));
    if (memory == NULL)
        memory = net->own_memory = kt_memory_new(shared_floats(p), sizeof(float));
    if (memory == NULL)
        return KT_NO_MEMORY;
    build(net, spec, p, memory);
    return KT_OK;
}

kt_status kt_network_create_shared(kt_network **out, const kt_network_spec *spec, size_t max_rows, const kt_team *team,
                                   void *memory)
{
    plan p;
    kt_network *net;
    *out = NULL;
    KT_TRY(make_plan(spec, max_rows, &p));
    KT_TRY(KT_NEW(net, 1));
    net->n_in = spec->n_in;
    net->n_classes = spec->n_classes;
    net->max_rows = max_rows;
    net->thin_rows = (size_t)spec->thin_rows;
    net->initializer = &kt_initializers[spec->initializer];
    net->init_scale = spec->init_scale;
    net->kernels = spec->kernels == 0 ? kt_kernels_best() : kt_kernels_table[spec->kernels - 1];
    net->team = *team;
    kt_status status = create(net, spec, &p, memory);
    if (status != KT_OK) {
        kt_network_free(net);
        return status;
    }
    *out = net;
    return KT_OK;
}

kt_status kt_network_create(kt_network **out, const kt_network_spec *spec, size_t max_rows)
{
    return kt_network_create_shared(out, spec, max_rows, &kt_team_alone, NULL);
}

void kt_network_free(kt_network *net)
{
    if (net == NULL)
        return;
    void *const parts[] = {net->layers,  net->outputs,       net->factors,    net->formed,
                           net->tensors, net->state_tensors, net->own_memory, net};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        kt_memory_free(parts[i]);
}

static void fill(kt_range own, float value, float *x)
{
    for (size_t i = own.begin; i < own.end; i++)
        x[i] = value;
}

/* The same elements, each at its place; this part's chunks of them. */
static void initialize_transposed(kt_network *net, const kt_layer *layer, uint64_t seed)
{
    enum { CHUNK = 1024 };
    const size_t n_in = layer->n_in, n_out = layer->n_out, n = n_in * n_out;
    float chunk[CHUNK];
    for (size_t e = net->team.seat * CHUNK; e < n; e += net->team.n_seats * CHUNK) {
        const kt_elements part = {e, e + CHUNK < n ? e + CHUNK : n};
        net->initializer->fill(seed, layer->number, n_in, n_out, net->init_scale, part, chunk);
        for (size_t i = part.begin; i < part.end; i++)
            layer->weight[i % n_in * n_out + i / n_in] = chunk[i - part.begin];
    }
}

void kt_network_initialize(kt_network *net, uint64_t seed)
{
    for (kt_layer *layer = net->layers; layer < net->layers + net->n_layers; layer++) {
        const kt_range own = kt_dense_own(layer->n_out, true, &net->team);
        const kt_elements part = {own.begin * layer->n_in, own.end * layer->n_in};
        if (layer->kind == &kt_layer_dense) {
            if (layer->transposed)
                initialize_transposed(net, layer, seed);
            else
                net->initializer->fill(seed, layer->number, layer->n_in, layer->n_out, net->init_scale, part,
                                       layer->weight + part.begin);
            fill(own, 0, layer->bias);
        }
        if (layer->kind == &kt_layer_batch_norm) {
            fill(own, 1, layer->weight);
            fill(own, 0, layer->bias);
            fill(own, 0, layer->mean);
            fill(own, 1, layer->variance);
        }
    }
    kt_team_barrier(&net->team);
}

size_t kt_network_n_parameters(const kt_network *net)
{
    return net->n_parameters;
}

float *kt_network_parameters(kt_network *net)
{
    return net->parameters;
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

const kt_team *kt_network_team(const kt_network *net)
{
    return &net->team;
}

float *kt_network_input(kt_network *net)
{
    return net->factors[0].x;
}

float *kt_network_d_logits(kt_network *net)
{
    return net->factors[net->n_dense - 1].delta;
}

const kt_factors *kt_network_factors(const kt_network *net, size_t *n)
{
    *n = net->n_dense;
    return net->factors;
}

const kt_formed *kt_network_formed(const kt_network *net, size_t *n)
{
    *n = net->n_formed;
    return net->formed;
}
