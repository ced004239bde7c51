/* Exchange by factors: every replica gets the inputs and deltas of all samples, and updates its own copy. */
#include <limits.h>
#include <math.h>

#include "base/share.h"
#include "engine/exchange_private.h"

static kt_exchange_cost cost(const kt_machine *machine, const kt_layout *layout, const kt_exchange_job *job,
                             kt_layer_shape layer)
{
    const double R = (double)layout->n_replicas, n = kt_cost_parameters(layer);
    double most_rows = 0;
    for (size_t r = 0; r < layout->n_replicas; r++) {
        const kt_range own = kt_share(job->n_shards, r, layout->n_replicas);
        const kt_rows rows = {job->batch_size, job->n_shards, own.begin, own.end};
        most_rows = fmax(most_rows, (double)(kt_rows_end(&rows) - kt_rows_begin(&rows)));
    }
    kt_exchange_cost cost = {.messages = 2, .updates = R, .host_states = kt_cost_replicas_here(layout)};
    const double row_bytes = (double)(layer.n_in + layer.n_out) * sizeof(float);
    cost.total_bytes = (R - 1) * (double)job->batch_size * row_bytes;
    cost.sent_bytes = (R - 1) * most_rows * row_bytes;
    const double flops = 2 * n * (double)job->batch_size / (double)layout->ranks_per_replica;
    cost.seconds = kt_cost_sending(machine, layout, &cost) +
                   fmax(kt_cost_memory(machine, layout, kt_cost_update_bytes(job) * n), flops / machine->core_flops);
    return cost;
}

/* The inputs, or the deltas, of the whole batch are one message. */
static kt_status check(const kt_exchange_job *job, kt_layer_shape layer)
{
    const size_t wider = layer.n_in > layer.n_out ? layer.n_in : layer.n_out;
    if (wider <= INT_MAX / job->batch_size)
        return KT_OK;
    return kt_fail(KT_CONFIG,
                   "batches of %zu samples in a layer of %zu are too many numbers for one message: parallel.exchange = "
                   "allreduce can do it, or a smaller train.batch_size",
                   job->batch_size, wider);
}

/* ---- sending ---- */

/* Leaders: sends this replica's rows of a layer's inputs or deltas, when others need them and they are not yet sent. */
static void send_factor(kt_exchange *x, const kt_pass *pass, size_t l, bool deltas)
{
    const kt_factors *f = &x->factors[l];
    const size_t which = 2 * l + deltas;
    const bool for_norm = x->plan->spec.clip_norm > 0 && pass->kernels != NULL;
    if (x->sending.sent[which] || (!x->plan->kind[l]->needs_factors && !for_norm))
        return;
    kt_rank_rows_start_gather_all(x->replica, &pass->rows, deltas ? f->dense.n_out : f->dense.n_in,
                                  deltas ? f->delta : f->x, &x->sending.transfers[which]);
    x->sending.sent[which] = true;
}

void kt_exchange_on_announcement(void *exchange, size_t layer, bool deltas)
{
    kt_exchange *x = exchange;
    if (x->replica->leaders == NULL)
        return;
    for (size_t i = 0; i < 2 * x->plan->n_layers; i++)
        kt_transfer_progress(x->sending.transfers[i]); /* what is under way moves only when MPI is called */
    send_factor(x, x->sending.pass, layer, deltas);
}

void kt_exchange_finish_transfers(kt_exchange *x)
{
    for (size_t i = 0; i < 2 * x->plan->n_layers; i++) {
        kt_transfer_finish(x->sending.transfers[i]);
        x->sending.transfers[i] = NULL;
        x->sending.sent[i] = false;
    }
}

void kt_exchange_send_factors(kt_exchange *x, const kt_pass *pass)
{
    for (size_t l = 0; l < x->plan->n_layers; l++) {
        send_factor(x, pass, l, false);
        send_factor(x, pass, l, true);
    }
    kt_exchange_finish_transfers(x);
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

/* Each tile of the gradient goes straight into the optimizer; or its vector does, where clipping has kept it. */
static void update(kt_exchange *x, const kt_step *step)
{
    updater u = {x, &step->updates};
    const float *gradient = x->pool.gradient;
    kt_gradient_taker taker = {.weights = update_weights,
                               .biases = update_biases,
                               .context = &u,
                               .n_vectors = 1 + x->plan->job.n_slots,
                               .vector = {x->parameters}};
    for (size_t s = 0; s < x->plan->job.n_slots; s++)
        taker.vector[1 + s] = x->pool.slots[s];
    for (size_t l = 0; l < x->plan->n_layers; l++) {
        const kt_factors *f = &x->factors[l];
        if (x->plan->kind[l] != &kt_exchange_factors)
            continue;
        if (step->by_gradient) {
            update_weights(&u, f, f->own_rows, (kt_range){0, f->wide},
                           gradient + f->weight + f->own_rows.begin * f->wide);
            update_biases(&u, f, f->own_units, gradient + f->bias + f->own_units.begin);
        } else {
            kt_gradient_hand_out(&x->tiles, f, &step->whole, (kt_shard_node){0, step->whole.shards}, &taker);
        }
    }
}

const kt_exchange_kind kt_exchange_factors = {
    .name = "factors",
    .cost = cost,
    .check = check,
    .needs_factors = true,
    .update = update,
};
