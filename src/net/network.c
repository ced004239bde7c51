/* Making a network. */
#include <stdint.h>
#include <stdio.h>

#include "base/memory.h"
#include "net/network_private.h"

/* The layers that the spec asks for, block by block, as they will be made. */
static kt_status add_layer(kt_network *net, const kt_layer_kind *kind, size_t number, size_t n_in, size_t n_out)
{
    kt_layer *layer = kt_memory_new(1, kind->n_bytes);
    if (layer == NULL)
        return KT_NO_MEMORY;
    layer->kind = kind;
    layer->number = (uint32_t)number;
    layer->n_in = n_in;
    layer->n_out = n_out;
    net->layers[net->n_layers++] = layer;
    return KT_OK;
}

static kt_status add_layers(kt_network *net, const kt_network_spec *spec)
{
    size_t n_in = spec->n_in, n_kinds = 0;
    while (kt_layer_kind_at(n_kinds, net->kernels) != NULL)
        n_kinds++;
    KT_TRY(KT_NEW(net->layers, spec->hidden.n * n_kinds + 1));
    for (size_t i = 0; i < spec->hidden.n; i++)
        for (size_t k = 0; k < n_kinds; k++) {
            const kt_layer_kind *kind = kt_layer_kind_at(k, net->kernels);
            if (!kind->wanted(spec))
                continue;
            KT_TRY(add_layer(net, kind, i + 1, n_in, (size_t)spec->hidden.values[i]));
            n_in = (size_t)spec->hidden.values[i];
        }
    return add_layer(net, kt_layer_kind_at(0, net->kernels), spec->hidden.n + 1, n_in, spec->n_classes);
}

/* The factors of layer l, which has just been made and whose tensors begin with the weight. */
// NOLINTNEXTLINE(readability-non-const-parameter): the factors keep both
static void add_factors(kt_network *net, size_t l, const kt_tensor *weight, float *x, float *delta)
{
    const size_t n_out = weight->dims[0], n_in = weight->dims[1];
    net->factors[net->n_dense++] =
        (kt_factors){.dense = {n_in, n_out, NULL, weight->transposed},
                     .tall = weight->transposed ? n_in : n_out,
                     .wide = weight->transposed ? n_out : n_in,
                     .weight = weight->offset,
                     .bias = weight->offset + weight->count,
                     .x = x,
                     .delta = delta,
                     .lost_bias = l + 1 < net->n_layers && net->layers[l + 1]->kind->centers};
}

/* Layer by layer, with outputs and deltas: counts when there is no memory yet, else hands it out. */
static kt_status make_layers(kt_network *net)
{
    kt_maker *maker = &net->maker;
    const size_t most = SIZE_MAX / 1024;
    float *x = kt_arena_take(&maker->memory, net->max_rows * net->n_in, sizeof *x);
    maker->parameters.n = maker->parameters.count = maker->state.n = maker->state.count = maker->n_formed = 0;
    for (size_t l = 0; l < net->n_layers; l++) {
        kt_layer *layer = net->layers[l];
        const size_t tensor = maker->parameters.n;
        if (l + 1 < net->n_layers)
            snprintf(maker->layer, sizeof maker->layer, "%s%u", layer->kind->name, (unsigned)layer->number);
        else
            snprintf(maker->layer, sizeof maker->layer, "output");
        layer->kind->make(layer, maker);
        if (layer->kind->multiplies) {
            float *delta = kt_arena_take(&maker->memory, net->max_rows * layer->n_out, sizeof *delta);
            if (net->factors != NULL)
                add_factors(net, l, &maker->parameters.tensor[tensor], x, delta);
        }
        x = kt_arena_take(&maker->memory, net->max_rows * layer->n_out, sizeof *x);
        net->outputs[l] = x;
        if (maker->parameters.count > most || maker->memory.used > most)
            return kt_fail(KT_CONFIG,
                           "the network is larger than this machine can address, with layer %u of width %zu on %zu "
                           "inputs: model.hidden and train.batch_size must be smaller",
                           (unsigned)layer->number, layer->n_out, layer->n_in);
    }
    return KT_OK;
}

/* The two vectors, once it is known how long they are. */
static void take_vectors(kt_maker *maker)
{
    maker->parameters.values = kt_arena_take(&maker->memory, maker->parameters.count, sizeof(float));
    maker->state.values = kt_arena_take(&maker->memory, maker->state.count, sizeof(float));
}

/* Everything but the memory: maker.memory.used says how much it is. */
static kt_status plan(kt_network *net, const kt_network_spec *spec, size_t max_rows)
{
    KT_TRY(kt_network_check_spec(spec, max_rows));
    net->n_in = spec->n_in;
    net->n_classes = spec->n_classes;
    net->max_rows = net->maker.max_rows = max_rows;
    net->thin_rows = (size_t)spec->thin_rows;
    net->initializer = &kt_initializers[spec->initializer];
    net->init_scale = spec->init_scale;
    net->kernels = spec->kernels == 0 ? kt_kernels_best() : kt_kernels_table[spec->kernels - 1];
    net->maker.spec = spec;
    KT_TRY(add_layers(net, spec));
    KT_TRY(KT_NEW(net->outputs, net->n_layers));
    KT_TRY(make_layers(net));
    take_vectors(&net->maker);
    return KT_OK;
}

static kt_status build(kt_network *net, void *memory)
{
    kt_maker *maker = &net->maker;
    KT_TRY(KT_NEW(net->factors, net->n_layers));
    KT_TRY(KT_NEW(maker->formed, maker->n_formed));
    KT_TRY(KT_NEW(maker->parameters.tensor, maker->parameters.n));
    KT_TRY(KT_NEW(maker->state.tensor, maker->state.n));
    if (memory == NULL)
        memory = net->own_memory = kt_memory_new(maker->memory.used, 1);
    if (memory == NULL)
        return KT_NO_MEMORY;
    maker->memory = (kt_arena){memory, 0};
    take_vectors(maker);
    return make_layers(net);
}

static void free_parts(kt_network *net)
{
    void *const owned[] = {
        net->layers,       net->outputs,   net->factors, net->maker.parameters.tensor, net->maker.state.tensor,
        net->maker.formed, net->own_memory};
    for (size_t l = 0; l < net->n_layers; l++)
        kt_memory_free(net->layers[l]);
    for (size_t i = 0; i < sizeof owned / sizeof owned[0]; i++)
        kt_memory_free(owned[i]);
}

kt_status kt_network_pool_bytes(const kt_network_spec *spec, size_t max_rows, size_t *n_bytes, size_t *n_parameters)
{
    kt_network net = {0};
    const kt_status status = plan(&net, spec, max_rows);
    *n_bytes = status == KT_OK ? net.maker.memory.used : 0;
    if (n_parameters != NULL)
        *n_parameters = status == KT_OK ? net.maker.parameters.count : 0;
    free_parts(&net);
    return status;
}

kt_status kt_network_create_in_pool(kt_network **out, const kt_network_spec *spec, size_t max_rows, const kt_team *team,
                                    void *memory)
{
    kt_network *net;
    *out = NULL;
    KT_TRY(KT_NEW(net, 1));
    net->team = *team;
    kt_status status = plan(net, spec, max_rows);
    if (status == KT_OK)
        status = build(net, memory);
    net->maker.spec = NULL; /* it was borrowed */
    if (status == KT_OK)
        *out = net;
    else
        kt_network_free(net);
    return status;
}

kt_status kt_network_create(kt_network **out, const kt_network_spec *spec, size_t max_rows)
{
    return kt_network_create_in_pool(out, spec, max_rows, &kt_team_alone, NULL);
}

void kt_network_free(kt_network *net)
{
    if (net == NULL)
        return;
    free_parts(net);
    kt_memory_free(net);
}

void kt_network_initialize(kt_network *net, uint64_t seed)
{
    const kt_initial initial = {seed, net->initializer, net->init_scale, &net->team};
    for (size_t l = 0; l < net->n_layers; l++) {
        kt_layer *layer = net->layers[l];
        if (layer->kind->initialize != NULL)
            layer->kind->initialize(layer, &initial, kt_dense_own(layer->n_out, true, &net->team));
    }
    kt_team_barrier(&net->team);
}

size_t kt_network_n_parameters(const kt_network *net)
{
    return net->maker.parameters.count;
}

float *kt_network_parameters(kt_network *net)
{
    return net->maker.parameters.values;
}

size_t kt_network_n_state(const kt_network *net)
{
    return net->maker.state.count;
}

float *kt_network_state(kt_network *net)
{
    return net->maker.state.values;
}

const kt_tensor *kt_network_parameter_tensors(const kt_network *net, size_t *n)
{
    *n = net->maker.parameters.n;
    return net->maker.parameters.tensor;
}

const kt_tensor *kt_network_state_tensors(const kt_network *net, size_t *n)
{
    *n = net->maker.state.n;
    return net->maker.state.tensor;
}

size_t kt_network_n_classes(const kt_network *net)
{
    return net->n_classes;
}

size_t kt_network_n_in(const kt_network *net)
{
    return net->n_in;
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
    *n = net->maker.n_formed;
    return net->maker.formed;
}
