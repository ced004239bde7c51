#include <string.h>

#include "base/memory.h"
#include "base/share.h"
#include "engine/exchange_private.h"

/* ---- combining over the replicas ---- */

/* Leaders: sends this replica's rows of a layer's inputs or deltas, when they are needed whole and not yet sent. */
static void send_factor(kt_exchange *x, const kt_pass *pass, size_t l, bool deltas)
{
    const kt_factors *f = &x->factors[l];
    const size_t which = 2 * l + deltas;
    const bool for_norm = x->clip_norm > 0 && pass->kernels != NULL;
    if (x->sent[which] || (!x->plan->by_factors[l] && !for_norm))
        return;
    kt_replica_start_rows(x->replica, &pass->rows, deltas ? f->dense.n_out : f->dense.n_in, deltas ? f->delta : f->x,
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
    send_factor(x, x->pass, layer, deltas);
}

void kt_exchange_listen(kt_exchange *x, kt_pass *pass)
{
    x->pass = pass;
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
        send_factor(x, pass, l, false);
        send_factor(x, pass, l, true);
    }
    kt_exchange_abandon(x);
}

/* This replica's partial sums, one vector each. */
static void form_parts(kt_exchange *x, const kt_pass *pass)
{
    for (size_t l = 0; l < x->plan->n_layers; l++)
        for (size_t k = 0; !x->plan->by_factors[l] && k < x->n_parts[x->replica->number]; k++)
            kt_gradient_form(&x->tiles, &x->factors[l], &pass->rows, x->nodes[k],
                             x->parts + k * kt_exchange_vector(x->plan));
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
static void combine(kt_exchange *x, const kt_step *s)
{
    if (x->replica->n_replicas == 1)
        return;
    if (x->n_runs > 0) {
        form_parts(x, s->pass);
        kt_replica_barrier(x->replica);
    }
    if (x->replica->leaders != NULL) {
        finish_factors(x, s->pass);
        for (const kt_run *run = x->runs; run < x->runs + x->n_runs; run++) {
            sum_run(x, run);
            if (s->by_gradient)
                kt_comm_share_slices(x->replica->leaders, run->bounds, x->gradient + run->begin);
        }
    }
    kt_replica_barrier(x->replica);
}

/* ---- updating ---- */

/* Who updates own rows of a layer from its gradient's tiles. */
typedef struct updater {
    const kt_exchange *x;
    const kt_updates *updates;
} updater;

static void update_weights(void *context, const kt_factors *f, kt_range rows, kt_range columns, const float *g)
{
    const updater *u = context;
    const size_t n = columns.end - columns.begin;
    for (size_t r = rows.begin; r < rows.end; r++, g += n)
        kt_optimizer_apply(u->x->optimizer, &u->updates->weights, f->weight + r * f->wide + columns.begin, n,
                           u->x->parameters, g);
}

static void update_biases(void *context, const kt_factors *f, kt_range units, const float *g)
{
    const updater *u = context;
    kt_optimizer_apply(u->x->optimizer, &u->updates->others, f->bias + units.begin, units.end - units.begin,
                       u->x->parameters, g);
}

/* Own rows of a layer whose factors are all here: each tile of the gradient goes straight into the optimizer. */
static void update_layer(const kt_exchange *x, const kt_factors *f, const kt_step *s)
{
    updater u = {x, &s->updates};
    kt_gradient_taker taker = {.weights = update_weights,
                               .biases = update_biases,
                               .context = &u,
                               .n_vectors = 1 + x->plan->n_slots,
                               .vector = {x->parameters}};
    for (size_t k = 0; k < x->plan->n_slots; k++)
        taker.vector[1 + k] = x->slots[k];
    kt_gradient_hand_out(&x->tiles, f, &s->whole, (kt_shard_node){0, s->whole.shards}, &taker);
}

/* Own rows of a layer whose gradient is kept. */
static void update_kept(const kt_exchange *x, const kt_factors *f, const kt_step *s)
{
    updater u = {x, &s->updates};
    update_weights(&u, f, f->own_rows, (kt_range){0, f->wide}, x->gradient + f->weight + f->own_rows.begin * f->wide);
    update_biases(&u, f, f->own_units, x->gradient + f->bias + f->own_units.begin);
}

/* This replica's slice of a run, split among its ranks, then everybody's parameters. */
static void update_run(kt_exchange *x, const kt_run *run, const kt_step *s)
{
    const size_t *slice = run->bounds + x->replica->number, begin = run->begin + slice[0];
    const kt_range own =
        kt_share_tiles(slice[1] - slice[0], KT_LINE_FLOATS, x->replica->team.seat, x->replica->team.n_seats);
    kt_optimizer_update(x->optimizer, &s->updates, begin + own.begin, begin + own.end, x->parameters,
                        x->gradient + begin + own.begin);
    kt_replica_barrier(x->replica);
    if (x->replica->leaders != NULL)
        kt_comm_share_slices(x->replica->leaders, run->bounds, x->parameters + run->begin);
}

/* Batch norm's gains and shifts: few, and every replica has their whole gradient. */
static void update_formed(const kt_exchange *x, const kt_step *s)
{
    for (size_t i = 0; i < x->n_formed && x->replica->team.seat == 0; i++)
        kt_optimizer_apply(x->optimizer, &s->updates.others, x->formed[i].offset, x->formed[i].count, x->parameters,
                           x->formed[i].gradient);
}

void kt_exchange_apply(kt_exchange *x, int64_t number, double rate, const kt_pass *pass)
{
    const size_t M = pass->rows.M, n_shards = x->reproducible ? pass->rows.shards : 1;
    kt_step s = {.pass = pass, .whole = {M, n_shards, 0, n_shards}};
    s.by_gradient = x->clip_norm > 0 && pass->kernels == NULL;
    combine(x, &s);
    s.updates = kt_optimizer_prepare(x->optimizer, number, rate, x->clip_norm > 0 ? kt_exchange_clip(x, &s) : 1, M);
    for (size_t l = 0; l < x->plan->n_layers; l++) {
        if (x->replica->n_replicas > 1 && !x->plan->by_factors[l])
            continue;
        if (s.by_gradient)
            update_kept(x, &x->factors[l], &s);
        else
            update_layer(x, &x->factors[l], &s);
    }
    update_formed(x, &s);
    for (const kt_run *run = x->runs; run < x->runs + x->n_runs; run++)
        update_run(x, run, &s);
    kt_replica_barrier(x->replica);
}
