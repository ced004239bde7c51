/* Exchange by allreduce: partial sums of the gradient go to the owner of a slice, the slice's parameters to all. */
#include <limits.h>
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "base/share.h"
#include "engine/exchange_private.h"

/* ---- what it costs ---- */

/* What clipping sends besides: the sums of the slices to all. */
static void add_norm(const kt_layout *layout, const kt_exchange_job *job, kt_layer_shape layer, kt_exchange_cost *cost)
{
    const double R = (double)layout->n_replicas, n = kt_cost_floats(layer);
    const kt_exchange_cost more = {.messages = 1,
                                   .total_bytes = (R - 1) * n * sizeof(float),
                                   .sent_bytes = (R - 1) * (job->rank0 ? n : n / R) * sizeof(float)};
    cost->messages += more.messages;
    cost->total_bytes += more.total_bytes;
    cost->sent_bytes += more.sent_bytes;
}

/* Partial sums of one replica, and of all. */
static size_t count_sums(const kt_layout *layout, const kt_exchange_job *job, size_t replica)
{
    kt_shard_node nodes[KT_MAX_SHARD_NODES];
    const kt_range shards = kt_share(job->n_shards, replica, layout->n_replicas);
    return job->reproducible ? kt_shards_nodes(shards.begin, shards.end, nodes) : 1;
}

/* Each replica sends its partial sums of the others' slices, updates its own, and sends that to all the others. */
static kt_exchange_cost cost(const kt_machine *machine, const kt_layout *layout, const kt_exchange_job *job,
                             kt_layer_shape layer)
{
    const double R = (double)layout->n_replicas, n = kt_cost_floats(layer);
    const double slice = job->rank0 ? n : n / R, here = kt_cost_replicas_here(layout);
    kt_exchange_cost cost = {.messages = 2, .updates = 1, .host_states = job->rank0 ? 1 : here / R};
    double most = 1, all = 0; /* partial sums */
    cost.total_bytes = (R - 1) * n * sizeof(float);
    for (size_t r = 0; r < layout->n_replicas; r++) {
        const double own = (double)count_sums(layout, job, r);
        most = fmax(most, own);
        all += own;
        cost.total_bytes += own * (n - (job->rank0 ? (r == 0 ? n : 0) : slice)) * sizeof(float);
    }
    cost.sent_bytes = (job->rank0 ? (R - 1) * n : most * (n - slice) + (R - 1) * slice) * sizeof(float);
    if (job->clips)
        add_norm(layout, job, layer, &cost);
    /* the partial sums; and of a slice what its owner receives and the sum, which in MPI's order is all there is */
    cost.host_sums = here * most + cost.host_states * (job->reproducible ? 1 + all : 1);
    /* forming the partial sums, adding R of them and updating, besides what the messages themselves move */
    const double touched = 2 * most * n * sizeof(float) + R * slice * sizeof(float) +
                           kt_cost_update_bytes(job) * slice + n * sizeof(float);
    const double flops = 2 * n * (double)job->batch_size / R / (double)layout->ranks_per_replica;
    cost.seconds = kt_cost_sending(machine, layout, &cost) +
                   fmax(kt_cost_memory(machine, layout, touched), flops / machine->core_flops);
    return cost;
}

static kt_status check(const kt_exchange_job *job, kt_layer_shape layer)
{
    (void)job;
    if (kt_cost_floats(layer) <= INT_MAX)
        return KT_OK;
    return kt_fail(KT_CONFIG,
                   "%.0f parameters in one allreduce: must be fewer than 2^31; parallel.exchange = factors can do it",
                   kt_cost_parameters(layer));
}

/* ---- making it ---- */

/* The partial sums that every replica makes of its shards. */
static void find_nodes(kt_exchange *x)
{
    kt_allreduce *a = &x->allreduce;
    for (size_t r = 0; r < x->replica->n_replicas; r++) {
        const kt_rows rows = kt_replica_rows(x->replica, r, 0, x->plan->job.n_shards);
        kt_shard_node *nodes = a->all_nodes + a->n_all_nodes;
        a->n_sums[r] = kt_shards_nodes(rows.first, rows.end, nodes);
        if (r == x->replica->number)
            memcpy(a->nodes, nodes, a->n_sums[r] * sizeof *nodes);
        a->n_all_nodes += a->n_sums[r];
    }
}

/* Neighbouring layers go together, as far as MPI counts. */
static void find_messages(kt_exchange *x)
{
    kt_allreduce *a = &x->allreduce;
    for (size_t l = 0; l < x->plan->n_layers; l++) {
        const kt_tensor *weight = &x->parameters->tensor[x->dense[l].weight];
        const kt_tensor *bias = &x->parameters->tensor[x->dense[l].bias];
        const size_t begin = weight->offset, end = bias->offset + bias->room;
        kt_message *last = a->n_messages > 0 ? &a->messages[a->n_messages - 1] : NULL;
        if (x->plan->kind[l] != &kt_exchange_allreduce)
            continue;
        if (last != NULL && last->end == begin && end - last->begin <= INT_MAX)
            last->end = end;
        else
            a->messages[a->n_messages++] = (kt_message){.begin = begin, .end = end};
    }
}

/* Who owns which elements of a message, in whole cache lines. */
static kt_status cut(const kt_exchange *x, kt_message *message)
{
    const size_t n = message->end - message->begin, n_replicas = x->replica->n_replicas;
    KT_TRY(KT_NEW(message->bounds, n_replicas + 1));
    for (size_t r = 0; r < n_replicas; r++) {
        message->bounds[r] = kt_share_tiles(n, KT_LINE_FLOATS, r, n_replicas).begin;
        if (x->plan->job.rank0)
            message->bounds[r] = r == 0 ? 0 : n;
    }
    message->bounds[n_replicas] = n;
    return KT_OK;
}

static kt_status create(kt_exchange *x)
{
    kt_allreduce *a = &x->allreduce;
    const size_t n_replicas = x->replica->n_replicas, number = x->replica->number;
    size_t longest = 0;
    KT_TRY(KT_NEW(a->messages, x->plan->n_layers));
    KT_TRY(KT_NEW(a->n_sums, n_replicas));
    KT_TRY(KT_NEW(a->all_nodes, n_replicas * KT_MAX_SHARD_NODES));
    find_nodes(x);
    find_messages(x);
    for (kt_message *m = a->messages; m < a->messages + a->n_messages; m++) {
        KT_TRY(cut(x, m));
        longest = kt_larger(longest, m->bounds[number + 1] - m->bounds[number]);
    }
    const bool receives = x->replica->leaders != NULL && x->plan->spec.reproducible;
    return receives ? KT_NEW(a->received, a->n_all_nodes * longest) : KT_OK;
}

static void destroy(kt_exchange *x)
{
    kt_allreduce *a = &x->allreduce;
    for (size_t i = 0; i < a->n_messages; i++)
        kt_memory_free(a->messages[i].bounds);
    kt_memory_free(a->messages);
    kt_memory_free(a->n_sums);
    kt_memory_free(a->all_nodes);
    kt_memory_free(a->received);
}

/* ---- a step ---- */

/* Panels that a seat forms sums of: its own, or its share where every seat has all. */
static kt_range panels_of(const kt_exchange *x, const kt_dense *d)
{
    const kt_team *team = &x->replica->team;
    return d->whole ? kt_share(d->n_panels, team->seat, team->n_seats) : (kt_range){0, d->own.end - d->own.begin};
}

/* This replica's partial sums, a vector for each. */
static void form_sums(kt_exchange *x, const kt_step *step)
{
    const size_t n_sums = x->allreduce.n_sums[x->replica->number];
    for (size_t l = 0; l < x->plan->n_layers; l++)
        for (size_t k = 0; x->plan->kind[l] == &kt_exchange_allreduce && k < n_sums; k++) {
            const kt_dense_sum sum = {x->products, &step->pass->rows, x->allreduce.nodes[k]};
            kt_gradient_form(&x->gradient, &x->dense[l], &sum, panels_of(x, &x->dense[l]),
                             x->pool.sums + k * x->plan->n_floats);
        }
}

/* Leaders: the sum of a message's own slice, in the gradient's vector. */
static void add_up(kt_exchange *x, const kt_message *m)
{
    const kt_allreduce *a = &x->allreduce;
    const size_t n = x->plan->n_floats, number = x->replica->number;
    const size_t begin = m->bounds[number], own = m->bounds[number + 1] - begin;
    float *sum = x->pool.gradient + m->begin + begin;
    if (!x->plan->spec.reproducible) {
        kt_comm_reduce_slices(x->replica->leaders, m->bounds, x->pool.sums + m->begin, sum);
        return;
    }
    kt_comm_exchange_sums(x->replica->leaders, m->bounds, a->n_sums, x->pool.sums + m->begin, n, a->received);
    kt_shards_add_f32(a->all_nodes, a->n_all_nodes, own, own, a->received, sum);
}

static void combine(kt_exchange *x, const kt_step *step)
{
    (void)step;
    const kt_allreduce *a = &x->allreduce;
    for (const kt_message *m = a->messages; m < a->messages + a->n_messages; m++) {
        add_up(x, m);
        if (x->plan->job.clips)
            kt_comm_gather_all_slices(x->replica->leaders, m->bounds, x->pool.gradient + m->begin);
    }
}

/* This replica's slice of each message, split among its ranks, then everybody's parameters, of which copies are taken. */
static void update(kt_exchange *x, const kt_step *step)
{
    const kt_allreduce *a = &x->allreduce;
    const kt_team *team = &x->replica->team;
    for (const kt_message *m = a->messages; m < a->messages + a->n_messages; m++) {
        const size_t *slice = m->bounds + x->replica->number, begin = m->begin + slice[0];
        const kt_range own = kt_share_tiles(slice[1] - slice[0], KT_LINE_FLOATS, team->seat, team->n_seats);
        kt_optimizer_update(x->optimizer, &step->updates, begin + own.begin, begin + own.end,
                            x->pool.gradient + begin + own.begin);
        kt_replica_barrier(x->replica);
        if (x->replica->leaders != NULL)
            kt_comm_gather_all_slices(x->replica->leaders, m->bounds, x->parameters->vector[0] + m->begin);
    }
    kt_replica_barrier(x->replica);
    kt_network_take_vectors(x->network);
    kt_replica_barrier(x->replica); /* the vectors change again with the layers of another kind */
}

static void gather_state(kt_exchange *x)
{
    const kt_allreduce *a = &x->allreduce;
    for (size_t s = 0; s < x->plan->job.n_slots; s++)
        for (const kt_message *m = a->messages; m < a->messages + a->n_messages; m++)
            kt_comm_gather_slices(x->replica->leaders, m->bounds, x->parameters->vector[1 + s] + m->begin);
}

const kt_exchange_kind kt_exchange_allreduce = {
    .name = "allreduce",
    .cost = cost,
    .check = check,
    .needs_sums = true,
    .create = create,
    .free = destroy,
    .start = form_sums,
    .combine = combine,
    .update = update,
    .gather_state = gather_state,
};
