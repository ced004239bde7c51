/* What is decided before there is a network. */
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/share.h"
#include "base/timer.h"
#include "engine/exchange_private.h"

/* Shards of a batch: as configured, or, when the order is MPI's, as few as give every replica one. */
static size_t count_shards(const kt_exchange_spec *spec, size_t batch_size, size_t n_replicas)
{
    enum {
        SAMPLES = 64,
        MOST = 8
    }; /* of a shard at least, where it is ours to choose: chains that are worth their end */
    size_t n = 1;
    if (spec->reproducible && spec->shards != KT_AUTO)
        return (size_t)spec->shards;
    if (spec->reproducible)
        while (n < MOST && 2 * n * SAMPLES <= batch_size)
            n *= 2;
    while (!spec->reproducible && n < n_replicas && n < KT_MAX_SHARDS)
        n *= 2;
    return n;
}

kt_exchange_job kt_exchange_job_of(const kt_exchange_spec *spec, const kt_optimizer_spec *optimizer, size_t batch_size,
                                   size_t n_replicas)
{
    return (kt_exchange_job){.batch_size = batch_size,
                             .n_shards = count_shards(spec, batch_size, n_replicas),
                             .n_slots = kt_optimizers[optimizer->kind].n_slots,
                             .reproducible = spec->reproducible,
                             .rank0 = spec->state_owner == KT_STATE_RANK0,
                             .clips = spec->clip_norm > 0};
}

/* Seconds of one exchange in which every replica sends n floats to all the others; the best of some. Leaders only. */
static double time_share(kt_replica *replica, size_t n, float *values)
{
    enum { TIMES = 5 };
    double best = 1e9;
    for (size_t r = 0; r <= replica->n_replicas; r++)
        replica->bounds[r] = r * n;
    for (int i = 0; i < TIMES; i++) {
        kt_comm_barrier(replica->leaders);
        double start = kt_timer_seconds();
        kt_comm_gather_all_slices(replica->leaders, replica->bounds, values);
        double seconds = kt_timer_seconds() - start;
        best = seconds < best ? seconds : best;
    }
    return best;
}

/* The link as rank 0 sees it. */
static kt_status measure_link(kt_replica *replica, kt_link *link)
{
    enum { SMALL = 16, LARGE = 1 << 16 }; /* floats */
    double seconds[2] = {0};
    float *values = NULL;
    kt_status status = replica->leaders == NULL ? KT_OK : KT_NEW(values, replica->n_replicas * LARGE);
    KT_TRY(kt_comm_agree(replica->world, status));
    if (replica->leaders != NULL) {
        seconds[0] = time_share(replica, SMALL, values);
        seconds[1] = time_share(replica, LARGE, values);
    }
    kt_memory_free(values);
    kt_comm_broadcast(replica->world, 0, seconds, sizeof seconds);
    const double n_bytes = (double)(replica->n_replicas - 1) * (LARGE - SMALL) * sizeof(float);
    link->latency_seconds = seconds[0];
    link->bytes_per_second = n_bytes / (seconds[1] > seconds[0] ? seconds[1] - seconds[0] : 1e-9);
    return KT_OK;
}

kt_layer_shape kt_exchange_layer_shape(const kt_network_spec *spec, size_t l)
{
    const int64_t *widths = spec->hidden.values;
    return (kt_layer_shape){.n_in = l > 0 ? (size_t)widths[l - 1] : spec->n_in,
                            .n_out = l < spec->hidden.n ? (size_t)widths[l] : spec->n_classes};
}

static size_t row_of(const kt_exchange_kind *kind)
{
    size_t k = 0;
    while (kt_exchange_kinds[k] != kind)
        k++;
    return k;
}

/* Rank 0 decides for all, with the link as it saw it. */
static void choose_layers(kt_exchange_plan *plan, kt_replica *replica, const kt_network_spec *spec, size_t *rows)
{
    kt_machine machine = kt_machine_typical;
    const kt_layout layout = {.n_hosts = replica->n_hosts,
                              .n_ranks = (size_t)kt_comm_size(replica->world),
                              .ranks_per_replica = replica->team.n_seats,
                              .n_replicas = replica->n_replicas};
    if (plan->link.bytes_per_second > 0)
        machine.local = machine.network = plan->link;
    for (size_t l = 0; l < plan->n_layers; l++) {
        const kt_layer_shape shape = kt_exchange_layer_shape(spec, l);
        plan->shape[l] = shape;
        plan->n_units += kt_panels_count(shape.n_out) * KT_PANEL;
        rows[l] = row_of(kt_exchange_kind_for(&plan->spec, &machine, &layout, &plan->job, shape));
    }
    kt_comm_broadcast(replica->world, 0, rows, plan->n_layers * sizeof *rows);
    for (size_t l = 0; l < plan->n_layers; l++)
        plan->kind[l] = kt_exchange_kinds[rows[l]];
}

/* What follows from the choice for memory. */
static void count_vectors(kt_exchange_plan *plan, const kt_replica *replica)
{
    const kt_rows rows = kt_replica_rows(replica, replica->number, 0, plan->job.n_shards);
    kt_shard_node nodes[KT_MAX_SHARD_NODES];
    const size_t n_nodes = kt_shards_nodes(rows.first, rows.end, nodes);
    for (size_t l = 0; l < plan->n_layers; l++) {
        plan->has_factors |= replica->n_replicas > 1 && plan->kind[l]->needs_factors;
        if (plan->kind[l]->needs_sums)
            plan->n_sums = n_nodes > 0 ? n_nodes : 1;
    }
}

/* Whether MPI can count what is sent. */
static kt_status check_messages(const kt_exchange_plan *plan, const kt_replica *replica)
{
    for (size_t l = 0; l < plan->n_layers && replica->n_replicas > 1; l++)
        KT_TRY(plan->kind[l]->check(&plan->job, plan->shape[l]));
    return KT_OK;
}

kt_status kt_exchange_choose(kt_exchange_plan *out, kt_replica *replica, const kt_exchange_spec *spec,
                             const kt_optimizer_spec *optimizer, const kt_network_spec *network)
{
    kt_network_room room;
    size_t *rows = NULL;
    *out = (kt_exchange_plan){.spec = *spec, .optimizer = *optimizer, .n_layers = network->hidden.n + 1};
    out->job = kt_exchange_job_of(spec, optimizer, network->max_batch, replica->n_replicas);
    kt_status status = kt_network_measure(network, &replica->team, &room);
    out->n_floats = room.n_floats;
    if (status == KT_OK)
        status = KT_NEW(out->kind, out->n_layers);
    if (status == KT_OK)
        status = KT_NEW(out->shape, out->n_layers);
    if (status == KT_OK)
        status = KT_NEW(rows, out->n_layers);
    status = kt_comm_agree(replica->world, status);
    if (status == KT_OK && replica->n_replicas > 1 && spec->kind == 0)
        status = measure_link(replica, &out->link);
    if (status == KT_OK) {
        choose_layers(out, replica, network, rows);
        count_vectors(out, replica);
        status = check_messages(out, replica);
    }
    kt_memory_free(rows);
    return status;
}

void kt_exchange_plan_free(kt_exchange_plan *plan)
{
    kt_memory_free(plan->kind);
    kt_memory_free(plan->shape);
    memset(plan, 0, sizeof *plan);
}

size_t kt_exchange_plan_count(const kt_exchange_plan *plan, const kt_exchange_kind *kind)
{
    size_t n = 0;
    for (size_t l = 0; l < plan->n_layers; l++)
        n += plan->kind[l] == kind;
    return n;
}

void kt_exchange_plan_describe(const kt_exchange_plan *plan, char *text, size_t size)
{
    bool sums = false;
    size_t n = 0;
    text[0] = '\0';
    for (size_t k = 0; k < kt_n_exchange_kinds && n < size; k++) {
        const kt_exchange_kind *kind = kt_exchange_kinds[k];
        const size_t count = kt_exchange_plan_count(plan, kind);
        sums |= count > 0 && kind->needs_sums;
        if (count == plan->n_layers)
            n += (size_t)snprintf(text + n, size - n, "%s", kind->name);
        else if (count > 0)
            n += (size_t)snprintf(text + n, size - n, "%s%zu layer%s by %s", n > 0 ? ", " : "", count,
                                  count == 1 ? "" : "s", kind->name);
    }
    if (sums && n < size)
        snprintf(text + n, size - n, ", optimizer state %s", plan->job.rank0 ? "rank0" : "sharded");
}
