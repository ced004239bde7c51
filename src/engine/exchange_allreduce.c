/* Exchange by allreduce: partial sums of the gradient go to the owner of a slice, the slice's parameters to all. */
#include <limits.h>
#include <math.h>

#include "base/memory.h"
#include "base/share.h"
#include "engine/exchange_private.h"

/* ---- what it costs ---- */

/* What clipping sends besides: the sums of the slices to all. */
static void add_norm(const kt_layout *layout, const kt_exchange_job *job, kt_layer_shape layer, kt_exchange_cost *cost)
{
    const double R = (double)layout->n_replicas, n = kt_cost_floats(layer);
    cost->messages += 1;
    cost->total_bytes += (R - 1) * n * sizeof(float);
    cost->sent_bytes += (R - 1) * (job->rank0 ? n : n / R) * sizeof(float);
}

/* Partial sums of a replica. */
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
    const double slice = job->rank0 ? n : n / R;
    kt_exchange_cost cost = {.messages = 2, .updates = 1};
    double most = 1; /* partial sums */
    cost.total_bytes = (R - 1) * n * sizeof(float);
    for (size_t r = 0; r < layout->n_replicas; r++) {
        const double own = (double)count_sums(layout, job, r);
        most = fmax(most, own);
        cost.total_bytes += own * (n - (job->rank0 ? (r == 0 ? n : 0) : slice)) * sizeof(float);
    }
    cost.sent_bytes = (job->rank0 ? (R - 1) * n : most * (n - slice) + (R - 1) * slice) * sizeof(float);
    if (job->clips)
        add_norm(layout, job, layer, &cost);
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

/* The next layers that allreduce, from *l on, which go together as far as MPI counts: their floats; none after the
 * last. */
static kt_range next_message(const kt_exchange_plan *plan, size_t *l)
{
    kt_range all = {0, 0};
    for (; *l < plan->n_layers; ++*l) {
        const kt_range its = plan->floats[*l];
        if (plan->kind[*l] != &kt_exchange_allreduce)
            continue;
        if (all.end > 0 && (all.end != its.begin || its.end - all.begin > INT_MAX))
            break;
        all = (kt_range){all.end > 0 ? all.begin : its.begin, its.end};
    }
    return all;
}

/* What replica r owns of n floats, in whole cache lines. */
static kt_range slice_of(const kt_exchange_plan *plan, size_t n, size_t r)
{
    if (plan->job.rank0)
        return r == 0 ? (kt_range){0, n} : (kt_range){n, n};
    return kt_share_tiles(n, KT_LINE_FLOATS, r, plan->layout.n_replicas);
}

/* All partial sums of the longest slice. */
static size_t count_received(const kt_exchange_plan *plan)
{
    size_t longest = 0, n_nodes = 0;
    for (size_t l = 0; l < plan->n_layers;) {
        const kt_range message = next_message(plan, &l),
                       own = slice_of(plan, message.end - message.begin, plan->number);
        longest = kt_larger(longest, own.end - own.begin);
    }
    for (size_t r = 0; r < plan->layout.n_replicas; r++)
        n_nodes += count_sums(&plan->layout, &plan->job, r);
    return plan->job.reproducible ? n_nodes * longest : 0;
}

/* The partial sums that every replica makes of its shards. */
static void find_nodes(kt_exchange *x)
{
    kt_allreduce *a = &x->allreduce;
    for (size_t r = 0; r < x->replica->n_replicas; r++) {
        const kt_rows rows = kt_replica_rows(x->replica, r, 0, x->plan->job.n_shards);
        kt_shard_node *nodes = a->all_nodes + a->n_all_nodes;
        a->n_sums[r] = kt_shards_nodes(rows.first, rows.end, nodes);
        if (r == x->replica->number)
            a->nodes = nodes;
        a->n_all_nodes += a->n_sums[r];
    }
}

static kt_status create(kt_exchange *x)
{
    kt_allreduce *a = &x->allreduce;
    const size_t n_replicas = x->replica->n_replicas;
    KT_TRY(KT_NEW(a->messages, x->plan->n_layers));
    KT_TRY(KT_NEW(a->n_sums, n_replicas));
    KT_TRY(KT_NEW(a->all_nodes, n_replicas * KT_MAX_SHARD_NODES));
    find_nodes(x);
    for (size_t l = 0; l < x->plan->n_layers;) {
        const kt_range floats = next_message(x->plan, &l);
        kt_message *m = &a->messages[a->n_messages++];
        *m = (kt_message){floats.begin, floats.end, NULL};
        KT_TRY(KT_NEW(m->bounds, n_replicas + 1));
        for (size_t r = 0; r < n_replicas; r++)
            m->bounds[r + 1] = slice_of(x->plan, floats.end - floats.begin, r).end;
    }
    return KT_OK;
}

static void destroy(kt_exchange *x)
{
    kt_allreduce *a = &x->allreduce;
    for (size_t i = 0; i < a->n_messages; i++)
        kt_memory_free(a->messages[i].bounds);
    kt_memory_free(a->messages);
    kt_memory_free(a->n_sums);
    kt_memory_free(a->all_nodes);
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
    kt_comm_exchange_sums(x->replica->leaders, m->bounds, a->n_sums, x->pool.sums + m->begin, n, x->pool.received);
    kt_shards_add_f32(a->all_nodes, a->n_all_nodes, own, own, x->pool.received, sum);
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

/* This replica's slice of each message, split among its ranks, then everybody's parameters, of which copies are
 * taken. */
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
    .count_received = count_received,
    .create = create,
    .free = destroy,
    .start = form_sums,
    .combine = combine,
    .update = update,
    .gather_state = gather_state,
};
