#include <string.h>

#include "base/memory.h"
#include "base/share.h"
#include "engine/exchange_private.h"

const kt_tile_size kt_exchange_thin_tile = {16, 1024}, kt_exchange_blas_tile = {KT_DENSE_UNITS, KT_DENSE_COLUMNS};

static bool is_thin(const kt_exchange *x, const kt_pass *pass)
{
    return kt_network_is_thin(x->network, pass->rows.M);
}

/* Clipping a large batch takes the norm from the gradient itself, which is then kept. */
static bool clips_by_gradient(const kt_exchange *x, const kt_pass *pass)
{
    return x->clip_norm > 0 && !is_thin(x, pass);
}

kt_rows kt_exchange_whole(const kt_exchange *x, const kt_pass *pass)
{
    const size_t n_shards = x->reproducible ? pass->rows.shards : 1;
    return (kt_rows){pass->rows.M, n_shards, 0, n_shards};
}

/* ---- forming gradients ---- */

const kt_factors *kt_exchange_factors(const kt_exchange *x, size_t l)
{
    size_t n;
    return &kt_network_factors(x->network, &n)[l];
}

/* What is done with a tile of a layer's weight gradient: g[tall x wide] stands ld_g floats apart. */
typedef void tile_function(const kt_exchange *x, void *context, const kt_factors *f, kt_range tall, kt_range wide,
                           float *g, size_t ld_g);

/* Goes through the tiles of this rank's rows of layer l's weight. With `vector` a tile is formed in its place there,
 * else in x->tile; ahead of it the lines that the optimizer will want are fetched. */
static void each_tile(const kt_exchange *x, const kt_rows *rows, kt_shard_node node, size_t l, float *vector,
                      const kt_ahead *streams, tile_function *use, void *context)
{
    const kt_factors *f = kt_exchange_factors(x, l);
    const kt_dense products = kt_network_products(x->network, l, rows->M);
    const bool thin = products.kernels != NULL;
    const kt_tile_size size = thin ? kt_exchange_thin_tile : kt_exchange_blas_tile;
    const kt_range own = kt_dense_own(f->tall, thin, &x->replica->team);
    for (size_t r = own.begin; r < own.end; r += size.units) {
        const kt_range tall = kt_range_from(r, size.units, own.end);
        for (size_t c = 0; c < f->wide; c += size.columns) {
            const kt_range wide = kt_range_from(c, size.columns, f->wide);
            const size_t at = f->weight + r * f->wide + c;
            float *g = vector != NULL ? vector + at : x->tile;
            const size_t ld_g = vector != NULL ? f->wide : wide.end - wide.begin;
            kt_ahead ahead = {.n_arrays = 0, .stride = f->wide};
            for (; streams != NULL && ahead.n_arrays < streams->n_arrays; ahead.n_arrays++)
                ahead.array[ahead.n_arrays] = streams->array[ahead.n_arrays] + at;
            kt_dense_gradient(&products, rows, node, tall, wide, f->delta, f->x, g, ld_g, &ahead, x->scratch);
            if (use != NULL)
                use(x, context, f, tall, wide, g, ld_g);
        }
    }
}

/* g[units of f that are this rank's, at most KT_DENSE_UNITS from `begin`] of the bias. */
static kt_range bias_tile(const kt_exchange *x, const kt_rows *rows, kt_shard_node node, size_t l, size_t begin,
                          kt_range own, float *g)
{
    const kt_factors *f = kt_exchange_factors(x, l);
    const kt_dense products = kt_network_products(x->network, l, rows->M);
    const kt_range units = kt_range_from(begin, KT_DENSE_UNITS, own.end);
    kt_dense_bias_gradient(&products, rows, node, units, f->delta, g);
    if (f->lost_bias)
        memset(g, 0, (units.end - units.begin) * sizeof *g);
    return units;
}

static kt_range own_units(const kt_exchange *x, size_t l, size_t M)
{
    const kt_factors *f = kt_exchange_factors(x, l);
    return kt_dense_own(f->n_out, kt_network_is_thin(x->network, M), &x->replica->team);
}

void kt_exchange_form(const kt_exchange *x, const kt_rows *rows, kt_shard_node node, size_t l, float *vector)
{
    const kt_factors *f = kt_exchange_factors(x, l);
    const kt_range own = own_units(x, l, rows->M);
    each_tile(x, rows, node, l, vector, NULL, NULL, NULL);
    for (size_t o = own.begin; o < own.end; o += KT_DENSE_UNITS)
        bias_tile(x, rows, node, l, o, own, vector + f->bias + o);
}

/* ---- combining over the replicas ---- */

/* Leaders: sends this replica's rows of a layer's inputs or deltas, when they are needed whole and not yet sent. */
static void send_factor(kt_exchange *x, const kt_rows *rows, size_t l, bool deltas)
{
    const kt_factors *f = kt_exchange_factors(x, l);
    const size_t which = 2 * l + deltas;
    const bool for_norm = x->clip_norm > 0 && kt_network_is_thin(x->network, rows->M);
    if (x->sent[which] || (!x->plan->by_factors[l] && !for_norm))
        return;
    kt_replica_start_rows(x->replica, rows, deltas ? f->n_out : f->n_in, deltas ? f->delta : f->x,
                          &x->transfers[which]);
    x->sent[which] = true;
}

static void on_announcement(void *context, size_t layer, bool deltas)
{
    kt_exchange *x = context;
    if (x->replica->leaders == NULL)
        return;
    for (size_t i = 0; i < 2 * x->plan->n_layers; i++)
        kt_transfer_progress(x->transfers[i]); /* what is under way moves only when MPI is called */
    send_factor(x, &x->rows, layer, deltas);
}

void kt_exchange_listen(kt_exchange *x, kt_pass *pass)
{
    x->rows = pass->rows;
    pass->announce = x->replica->n_replicas > 1 ? on_announcement : NULL;
    pass->announce_context = x;
}

void kt_exchange_abandon(kt_exchange *x)
{
    for (size_t i = 0; i < 2 * x->plan->n_layers; i++) {
        kt_transfer_finish(x->transfers[i]);
        x->transfers[i] = NULL;
        x->sent[i] = false;
    }
}

/* Leaders: what nobody announced, and the end of all of it. */
static void finish_factors(kt_exchange *x, const kt_pass *pass)
{
    for (size_t l = 0; l < x->plan->n_layers; l++) {
        send_factor(x, &pass->rows, l, false);
        send_factor(x, &pass->rows, l, true);
    }
    kt_exchange_abandon(x);
}

/* This replica's partial sums, one vector each. */
static void form_parts(kt_exchange *x, const kt_pass *pass)
{
    for (size_t l = 0; l < x->plan->n_layers; l++)
        for (size_t k = 0; !x->plan->by_factors[l] && k < x->n_parts[x->replica->number]; k++)
            kt_exchange_form(x, &pass->rows, x->nodes[k], l, x->parts + k * kt_exchange_vector(x->plan));
}

/* Leaders: the sum of a run's own slice, in x->gradient. */
static void sum_run(kt_exchange *x, const kt_run *run)
{
    const size_t n = kt_exchange_vector(x->plan), number = x->replica->number;
    const size_t begin = run->bounds[number], own = run->bounds[number + 1] - begin;
    float *sum = x->gradient + run->begin + begin;
    if (!x->reproducible) {
        kt_comm_reduce_slices(x->replica->leaders, run->bounds, x->parts + run->begin, sum);
        return;
    }
    kt_comm_exchange_parts(x->replica->leaders, run->bounds, x->n_parts, x->parts + run->begin, n, x->received);
    kt_shards_add_f32(x->all_nodes, x->n_all_nodes, own, own, x->received, sum);
}

/* After it, what the update needs of other replicas is here. */
static void combine(kt_exchange *x, const kt_pass *pass)
{
    if (x->replica->n_replicas == 1)
        return;
    if (x->n_runs > 0) {
        form_parts(x, pass);
        kt_replica_barrier(x->replica);
    }
    if (x->replica->leaders != NULL) {
        finish_factors(x, pass);
        for (const kt_run *run = x->runs; run < x->runs + x->n_runs; run++) {
            sum_run(x, run);
            if (clips_by_gradient(x, pass))
                kt_comm_share_slices(x->replica->leaders, run->bounds, x->gradient + run->begin);
        }
    }
    kt_replica_barrier(x->replica);
}

/* ---- updating ---- */

typedef struct step {
    int64_t number;
    double rate, scale;
    size_t M;
    kt_update weights, biases;
} step;

static void update_tile(const kt_exchange *x, void *context, const kt_factors *f, kt_range tall, kt_range wide,
                        float *g, size_t ld_g)
{
    const step *s = context;
    float *w = kt_network_parameters(x->network);
    for (size_t r = tall.begin; r < tall.end; r++, g += ld_g)
        kt_optimizer_apply(x->optimizer, &s->weights, f->weight + r * f->wide + wide.begin, wide.end - wide.begin, w,
                           g);
}

/* Own units of a layer whose factors are all here: each tile of the gradient goes straight into the optimizer. */
static void update_layer(const kt_exchange *x, const kt_rows *rows, size_t l, step *s)
{
    const kt_factors *f = kt_exchange_factors(x, l);
    const kt_range own = own_units(x, l, rows->M);
    const kt_shard_node all = {0, rows->shards};
    float *w = kt_network_parameters(x->network), g[KT_DENSE_UNITS];
    const kt_ahead streams = {1 + x->plan->n_slots, {w, x->slots[0], x->slots[1]}, 0};
    each_tile(x, rows, all, l, NULL, &streams, update_tile, s);
    for (size_t o = own.begin; o < own.end; o += KT_DENSE_UNITS) {
        const kt_range units = bias_tile(x, rows, all, l, o, own, g);
        kt_optimizer_apply(x->optimizer, &s->biases, f->bias + o, units.end - units.begin, w, g);
    }
}

/* Own units of a layer whose gradient is kept. */
static void update_kept(const kt_exchange *x, size_t l, const step *s)
{
    const kt_factors *f = kt_exchange_factors(x, l);
    const kt_range own = own_units(x, l, s->M), tall = kt_dense_own(f->tall, false, &x->replica->team);
    const size_t begin = f->weight + tall.begin * f->wide, n = (tall.end - tall.begin) * f->wide;
    float *w = kt_network_parameters(x->network);
    kt_optimizer_apply(x->optimizer, &s->weights, begin, n, w, x->gradient + begin);
    kt_optimizer_apply(x->optimizer, &s->biases, f->bias + own.begin, own.end - own.begin, w,
                       x->gradient + f->bias + own.begin);
}

/* This replica's slice of a run, split among its ranks, then everybody's parameters. */
static void update_run(kt_exchange *x, const kt_run *run, const step *s)
{
    const size_t *slice = run->bounds + x->replica->number, begin = run->begin + slice[0];
    float *w = kt_network_parameters(x->network);
    const kt_range own =
        kt_share_tiles(slice[1] - slice[0], KT_LINE_FLOATS, x->replica->team.part, x->replica->team.n_parts);
    kt_optimizer_update(x->optimizer, s->number, s->rate, s->scale, s->M, begin + own.begin, begin + own.end, w,
                        x->gradient + begin + own.begin);
    kt_replica_barrier(x->replica);
    if (x->replica->leaders != NULL)
        kt_comm_share_slices(x->replica->leaders, run->bounds, w + run->begin);
}

/* Batch norm's gains and shifts: few, and every replica has their whole gradient. */
static void update_formed(const kt_exchange *x, const step *s)
{
    size_t n;
    const kt_formed *formed = kt_network_formed(x->network, &n);
    for (size_t i = 0; i < n && x->replica->team.part == 0; i++)
        kt_optimizer_apply(x->optimizer, &s->biases, formed[i].offset, formed[i].count,
                           kt_network_parameters(x->network), formed[i].gradient);
}

void kt_exchange_apply(kt_exchange *x, int64_t number, double rate, const kt_pass *pass)
{
    const kt_rows whole = kt_exchange_whole(x, pass);
    step s = {.number = number, .rate = rate, .scale = 1, .M = pass->rows.M};
    combine(x, pass);
    if (x->clip_norm > 0)
        s.scale = kt_exchange_clip(x, pass);
    s.weights = kt_optimizer_prepare(x->optimizer, number, rate, s.scale, s.M, true);
    s.biases = kt_optimizer_prepare(x->optimizer, number, rate, s.scale, s.M, x->decay_biases);
    for (size_t l = 0; l < x->plan->n_layers; l++) {
        if (x->replica->n_replicas > 1 && !x->plan->by_factors[l])
            continue;
        if (clips_by_gradient(x, pass))
            update_kept(x, l, &s);
        else
            update_layer(x, &whole, l, &s);
    }
    update_formed(x, &s);
    for (const kt_run *run = x->runs; run < x->runs + x->n_runs; run++)
        update_run(x, run, &s);
    kt_replica_barrier(x->replica);
}
