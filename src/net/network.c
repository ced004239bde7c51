/* Making a network. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "net/network_private.h"

/* ---- what it is made of ---- */

static kt_status add_layer(kt_network *net, kt_block *block, const kt_layer_kind *kind)
{
    kt_layer *layer = kt_memory_new(1, kind->n_bytes);
    if (layer == NULL)
        return KT_NO_MEMORY;
    layer->kind = kind;
    layer->number = (uint32_t)(block - net->blocks + 1);
    block->layers[block->n_layers++] = layer;
    return KT_OK;
}

/* The layers of the hidden blocks; the last block, of the output layer, has none. */
static kt_status add_layers(kt_network *net)
{
    for (kt_block *block = net->blocks; block + 1 < net->blocks + net->n_blocks; block++)
        for (size_t k = 0; kt_layer_kind_at(k, net->simd) != NULL; k++)
            if (kt_layer_kind_at(k, net->simd)->wanted(&net->spec))
                KT_TRY(add_layer(net, block, kt_layer_kind_at(k, net->simd)));
    return KT_OK;
}

static size_t width_of(const kt_network *net, size_t l)
{
    return l + 1 < net->n_blocks ? (size_t)net->spec.hidden.values[l] : net->spec.n_classes;
}

/* Whose the panels of a block are, and the longest letter that they make. */
static void deal(kt_network *net, size_t l)
{
    const kt_dense *d = &net->dense[l];
    const size_t max_batch = kt_smaller(net->spec.max_batch, net->spec.max_rows), n_seats = net->team.n_seats;
    size_t *bound = net->blocks[l].panel_bound, most_panels = 0, most_nodes = 0;
    for (size_t t = 0; t < n_seats && n_seats > 1 && !d->whole; t++) {
        kt_shard_node nodes[KT_MAX_SHARD_NODES];
        const kt_range own = kt_dense_share(&net->spec, d->n_in, d->n_out, t, n_seats);
        const kt_range runs = kt_share(d->unit_shards, t, n_seats);
        bound[t] = own.begin;
        bound[t + 1] = own.end;
        net->letter_parts[t] = kt_shards_nodes(runs.begin, runs.end, nodes);
        most_panels = kt_larger(most_panels, own.end - own.begin);
        most_nodes = kt_larger(most_nodes, net->letter_parts[t]);
    }
    const size_t activations = most_panels * KT_PANEL * net->spec.max_rows;
    const size_t derivatives = l > 0 && max_batch > 0 ? most_nodes * d->n_in * kt_dense_ld(max_batch) : 0;
    net->letter_bytes = kt_larger(net->letter_bytes, kt_larger(activations, derivatives) * sizeof(float));
}

static void make_layers(kt_network *net, size_t l)
{
    kt_maker *maker = &net->maker;
    kt_block *block = &net->blocks[l];
    kt_dense *d = &net->dense[l];
    const size_t room = (d->own.end - d->own.begin) * kt_panels_stride(net->spec.max_rows);
    d->lost_bias = false;
    for (size_t k = 0; k < block->n_layers; k++) {
        kt_layer *layer = block->layers[k];
        snprintf(maker->layer, sizeof maker->layer, "%s%u", layer->kind->name, (unsigned)layer->number);
        layer->n = d->n_out;
        layer->own = d->own;
        layer->whole = d->whole;
        layer->kind->make(layer, maker);
        block->outputs[k] = kt_arena_take(&maker->rank, room, sizeof(float));
        d->lost_bias |= layer->kind->centers;
    }
}

/* Everything that is in the two arenas: counts when there is no memory yet, else hands it out. */
static kt_status make(kt_network *net)
{
    kt_maker *maker = &net->maker;
    const size_t most = SIZE_MAX / 1024;
    maker->parameters.n = maker->parameters.room = maker->parameters.n_elements = 0;
    maker->state.n = maker->state.room = maker->state.n_elements = maker->n_formed = 0;
    size_t n_in = net->spec.n_in, widest = 0;
    for (size_t l = 0; l < net->n_blocks; l++) {
        const size_t n_out = width_of(net, l);
        maker->block = l;
        snprintf(maker->layer, sizeof maker->layer, l + 1 < net->n_blocks ? "dense%zu" : "output", l + 1);
        kt_dense_make(&net->dense[l], maker, n_in, n_out);
        make_layers(net, l);
        deal(net, l);
        if (maker->parameters.room > most || maker->shared.used > most || maker->rank.used > most)
            return kt_fail(KT_CONFIG,
                           "the network is larger than this machine can address, with layer %zu of width %zu on %zu "
                           "inputs: model.hidden and train.batch_size must be smaller",
                           l + 1, n_out, n_in);
        widest = kt_larger(widest, kt_panels_count(n_out) * KT_PANEL);
        n_in = n_out;
    }
    const size_t max_batch = kt_smaller(net->spec.max_batch, net->spec.max_rows);
    net->logits = kt_arena_take(&maker->rank, net->spec.max_rows * n_in, sizeof(float));
    net->d_logits = kt_arena_take(&maker->rank, max_batch * n_in, sizeof(float));
    net->sums = kt_arena_take(&maker->rank, max_batch > 0 ? widest * kt_dense_ld(max_batch) : 0, sizeof(float));
    return KT_OK;
}

/* ---- memory ---- */

/* The vectors come first, once it is known how long they are. */
static void take_vectors(kt_maker *maker)
{
    for (size_t k = 0; k < maker->parameters.n_vectors; k++)
        maker->parameters.vector[k] = kt_arena_take(&maker->shared, maker->parameters.room, sizeof(float));
    maker->state.vector[0] = kt_arena_take(&maker->shared, maker->state.room, sizeof(float));
}

static size_t choose_simd(const kt_network_spec *spec)
{
    return spec->kernels == 0 ? kt_simd_best() : (size_t)spec->kernels - 1;
}

/* Everything but the memory: the arenas say how much it is. */
static kt_status plan(kt_network *net, const kt_network_spec *spec, const kt_team *team)
{
    KT_TRY(kt_network_check_spec(spec));
    net->spec = *spec;
    net->team = *team;
    net->initializer = &kt_initializers[spec->initializer];
    net->simd = choose_simd(spec);
    net->products = kt_products_chosen(spec->products, net->simd);
    net->n_blocks = spec->hidden.n + 1;
    net->maker.spec = &net->spec;
    net->maker.team = &net->team;
    net->maker.parameters.n_vectors = 1 + spec->n_slots;
    net->maker.state.n_vectors = 1;
    KT_TRY(KT_NEW(net->blocks, net->n_blocks));
    KT_TRY(KT_NEW(net->dense, net->n_blocks));
    KT_TRY(KT_NEW(net->letter_size, team->n_seats));
    KT_TRY(KT_NEW(net->letter_parts, team->n_seats));
    KT_TRY(KT_NEW(net->letter_bound, team->n_seats + 1));
    for (size_t l = 0; l < net->n_blocks; l++)
        KT_TRY(KT_NEW(net->blocks[l].panel_bound, team->n_seats + 1));
    KT_TRY(add_layers(net));
    KT_TRY(make(net));
    take_vectors(&net->maker);
    net->shared_bytes = net->maker.shared.used;
    net->rank_bytes = net->maker.rank.used;
    return KT_OK;
}

static kt_status build(kt_network *net, void *shared)
{
    kt_maker *maker = &net->maker;
    KT_TRY(KT_NEW(maker->formed, maker->n_formed));
    KT_TRY(KT_NEW(maker->parameters.tensor, maker->parameters.n));
    KT_TRY(KT_NEW(maker->state.tensor, maker->state.n));
    if (shared == NULL)
        shared = net->own_shared = kt_memory_new_huge(net->shared_bytes);
    net->rank_memory = kt_memory_new_huge(net->rank_bytes);
    if (shared == NULL || net->rank_memory == NULL)
        return KT_NO_MEMORY;
    maker->shared = (kt_arena){shared, 0};
    maker->rank = (kt_arena){net->rank_memory, 0};
    take_vectors(maker);
    return make(net);
}

static void free_parts(kt_network *net)
{
    for (size_t l = 0; net->blocks != NULL && l < net->n_blocks; l++) {
        for (size_t k = 0; k < net->blocks[l].n_layers; k++)
            kt_memory_free(net->blocks[l].layers[k]);
        kt_memory_free(net->blocks[l].panel_bound);
    }
    void *const owned[] = {net->blocks,
                           net->dense,
                           net->letter_size,
                           net->letter_parts,
                           net->letter_bound,
                           net->maker.formed,
                           net->maker.parameters.tensor,
                           net->maker.state.tensor};
    for (size_t i = 0; i < sizeof owned / sizeof owned[0]; i++)
        kt_memory_free(owned[i]);
    kt_memory_free_huge(net->own_shared, net->shared_bytes);
    kt_memory_free_huge(net->rank_memory, net->rank_bytes);
}

kt_status kt_network_measure(const kt_network_spec *spec, const kt_team *team, kt_network_room *out)
{
    kt_network net = {0};
    const kt_status status = plan(&net, spec, team);
    *out = (kt_network_room){0};
    if (status == KT_OK)
        *out = (kt_network_room){net.shared_bytes,          net.rank_bytes,
                                 net.letter_bytes,          net.maker.parameters.n_elements,
                                 net.maker.parameters.room, net.maker.state.room};
    free_parts(&net);
    return status;
}

kt_status kt_network_places(const kt_network_spec *spec, kt_range *out)
{
    kt_network net = {0};
    const kt_status status = plan(&net, spec, &kt_team_alone);
    for (size_t l = 0; l < net.n_blocks && status == KT_OK; l++)
        out[l] = net.dense[l].floats;
    free_parts(&net);
    return status;
}

kt_status kt_network_create_in_team(kt_network **out, const kt_network_spec *spec, const kt_team *team, void *shared)
{
    kt_network *net;
    *out = NULL;
    KT_TRY(KT_NEW(net, 1));
    kt_status status = plan(net, spec, team);
    if (status == KT_OK)
        status = build(net, shared);
    if (status == KT_OK)
        *out = net;
    else
        kt_network_free(net);
    return status;
}

kt_status kt_network_create(kt_network **out, const kt_network_spec *spec)
{
    return kt_network_create_in_team(out, spec, &kt_team_alone, NULL);
}

void kt_network_free(kt_network *net)
{
    if (net == NULL)
        return;
    free_parts(net);
    kt_memory_free(net);
}

/* ---- how it begins ---- */

/* Unit o's weights, drawn in file order, to their places. */
static void draw_unit(const kt_network *net, const kt_dense *d, const kt_drawn_weight *weight, size_t o)
{
    enum { CHUNK = 1024, ALIGN = 4 };
    float chunk[CHUNK], *to = d->w.at + o / KT_PANEL * d->w.stride + o % KT_PANEL;
    const size_t end = (o + 1) * d->n_in;
    for (size_t e = o * d->n_in, next; e < end; e = next) {
        const kt_range drawn = kt_range_from(e / ALIGN * ALIGN, CHUNK, end);
        next = drawn.end;
        net->initializer->fill(weight, drawn, chunk);
        for (; e < next; e++)
            to[(e - o * d->n_in) * KT_PANEL] = chunk[e - drawn.begin];
    }
}

/* Written first by who will use it: there the pages will lie. */
void kt_network_touch(kt_network *net)
{
    const kt_tensors *all = &net->maker.parameters;
    for (const kt_tensor *t = all->tensor; t < all->tensor + all->n; t++) {
        const kt_range own = net->dense[t->block].own;
        for (size_t k = 0; k < all->n_vectors; k++)
            memset(t->here[k] + own.begin * t->per_panel, 0, (own.end - own.begin) * t->per_panel * sizeof(float));
    }
}

static void initialize_dense(kt_network *net, size_t l, uint64_t seed)
{
    const kt_dense *d = &net->dense[l];
    const kt_drawn_weight weight = {seed, (uint32_t)l + 1, d->n_in, d->n_out, net->spec.init_scale};
    for (size_t o = d->own.begin * KT_PANEL; o < kt_smaller(d->own.end * KT_PANEL, d->n_out); o++)
        draw_unit(net, d, &weight, o);
}

void kt_network_initialize(kt_network *net, uint64_t seed)
{
    kt_network_touch(net);
    for (size_t l = 0; l < net->n_blocks; l++) {
        const kt_block *block = &net->blocks[l];
        initialize_dense(net, l, seed);
        for (size_t k = 0; k < block->n_layers; k++)
            if (block->layers[k]->kind->initialize != NULL)
                block->layers[k]->kind->initialize(block->layers[k]);
    }
    kt_team_barrier(&net->team);
}

static void take(const kt_tensors *all)
{
    for (const kt_tensor *t = all->tensor; t < all->tensor + all->n; t++)
        for (size_t k = 0; k < all->n_vectors; k++)
            if (t->here[k] != all->vector[k] + t->offset)
                memcpy(t->here[k], all->vector[k] + t->offset, t->room * sizeof(float));
}

void kt_network_take_vectors(kt_network *net)
{
    take(&net->maker.parameters);
    take(&net->maker.state);
}

/* ---- views ---- */

const kt_tensors *kt_network_parameters(const kt_network *net)
{
    return &net->maker.parameters;
}

const kt_tensors *kt_network_state(const kt_network *net)
{
    return &net->maker.state;
}

const kt_team *kt_network_team(const kt_network *net)
{
    return &net->team;
}

const kt_network_spec *kt_network_spec_of(const kt_network *net)
{
    return &net->spec;
}

const kt_products *kt_network_products(const kt_network *net)
{
    return net->products;
}

size_t kt_network_simd(const kt_network *net)
{
    return net->simd;
}

kt_dense *kt_network_dense(kt_network *net, size_t *n)
{
    *n = net->n_blocks;
    return net->dense;
}

const kt_formed *kt_network_formed(const kt_network *net, size_t *n)
{
    *n = net->maker.n_formed;
    return net->maker.formed;
}

float *kt_network_input(kt_network *net, size_t r)
{
    return net->dense[0].x.x + r * net->dense[0].x.ld;
}

float *kt_network_d_logits(kt_network *net)
{
    return net->d_logits;
}

const float *kt_network_logits(const kt_network *net)
{
    return net->logits;
}
