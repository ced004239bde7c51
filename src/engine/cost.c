#include "engine/cost.h"

#include <math.h>

#include "base/shards.h"
#include "base/share.h"
#include "net/dense.h"

const kt_machine kt_machine_typical = {
    .core_flops = 90e9,
    .memory_bytes = 45e9,
    .barrier_seconds = 1e-6,
    .cache_bytes = 32e6,
    .handover_bytes = 2e9,
    .local = {2e-6, 6e9},
    .network = {30e-6, 1.1e8},
};

kt_layout kt_cost_layout(size_t n_ranks, size_t n_hosts, size_t ranks_per_replica)
{
    kt_layout layout = {.n_hosts = n_hosts < n_ranks ? n_hosts : n_ranks, .n_ranks = n_ranks};
    for (size_t h = 0; h < layout.n_hosts; h++) {
        const kt_range ranks = kt_share(n_ranks, h, layout.n_hosts);
        const size_t n = ranks.end - ranks.begin;
        const size_t most = ranks_per_replica > 0 && ranks_per_replica < n ? ranks_per_replica : n;
        layout.n_replicas += (n + most - 1) / most;
        layout.ranks_per_replica = most > layout.ranks_per_replica ? most : layout.ranks_per_replica;
    }
    return layout;
}

/* Of weights and bias, which travel together. */
static double parameters_of(kt_layer_shape layer)
{
    return ((double)layer.n_in + 1) * (double)layer.n_out;
}

static const kt_link *link_of(const kt_machine *machine, const kt_layout *layout)
{
    return layout->n_hosts > 1 ? &machine->network : &machine->local;
}

/* Of a host's memory while each of its replicas moves n_bytes. */
static double memory_seconds(const kt_machine *machine, const kt_layout *layout, double n_bytes)
{
    return n_bytes * ceil((double)layout->n_replicas / (double)layout->n_hosts) / machine->memory_bytes;
}

/* Of the optimizer: the parameters and its state, read and written. */
static double update_bytes(const kt_exchange_job *job)
{
    return 8 + 8 * (double)job->n_slots;
}

static double sending_seconds(const kt_machine *machine, const kt_layout *layout, const kt_exchange_cost *cost)
{
    const kt_link *link = link_of(machine, layout);
    return cost->messages * link->latency_seconds + cost->sent_bytes / link->bytes_per_second;
}

/* Each replica sends its rows of x and delta to all the others, and updates all parameters. */
kt_exchange_cost kt_cost_factors(const kt_machine *machine, const kt_layout *layout, const kt_exchange_job *job,
                                 kt_layer_shape layer)
{
    const double R = (double)layout->n_replicas, n = parameters_of(layer);
    double most_rows = 0;
    for (size_t r = 0; r < layout->n_replicas; r++) {
        const kt_range own = kt_share(job->n_shards, r, layout->n_replicas);
        const kt_rows rows = {job->batch_size, job->n_shards, own.begin, own.end};
        most_rows = fmax(most_rows, (double)(kt_rows_end(&rows) - kt_rows_begin(&rows)));
    }
    kt_exchange_cost cost = {.messages = 2};
    const double row_bytes = (double)(layer.n_in + layer.n_out) * sizeof(float);
    cost.total_bytes = (R - 1) * (double)job->batch_size * row_bytes;
    cost.sent_bytes = (R - 1) * most_rows * row_bytes;
    const double flops = 2 * n * (double)job->batch_size / (double)layout->ranks_per_replica;
    cost.seconds = sending_seconds(machine, layout, &cost) +
                   fmax(memory_seconds(machine, layout, update_bytes(job) * n), flops / machine->core_flops);
    return cost;
}

/* What clipping sends besides: the factors, or the sums of the slices to all. */
static void add_norm(const kt_machine *machine, const kt_layout *layout, const kt_exchange_job *job,
                     kt_layer_shape layer, kt_exchange_cost *cost)
{
    const double R = (double)layout->n_replicas, n = parameters_of(layer);
    kt_exchange_cost more = {.messages = 1,
                             .total_bytes = (R - 1) * n * sizeof(float),
                             .sent_bytes = (R - 1) * (job->rank0 ? n : n / R) * sizeof(float)};
    if (job->thin)
        more = kt_cost_factors(machine, layout, job, layer);
    cost->messages += more.messages;
    cost->total_bytes += more.total_bytes;
    cost->sent_bytes += more.sent_bytes;
}

/* Each replica sends its partial sums of the others' slices, updates its own, and sends that to all the others. */
kt_exchange_cost kt_cost_allreduce(const kt_machine *machine, const kt_layout *layout, const kt_exchange_job *job,
                                   kt_layer_shape layer)
{
    const double R = (double)layout->n_replicas, n = parameters_of(layer);
    const double slice = job->rank0 ? n : n / R;
    kt_shard_node nodes[KT_MAX_SHARD_NODES];
    kt_exchange_cost cost = {.messages = 2, .total_bytes = (R - 1) * n * sizeof(float)};
    double n_parts = 1;
    for (size_t r = 0; r < layout->n_replicas; r++) {
        const kt_range shards = kt_share(job->n_shards, r, layout->n_replicas);
        const double own = job->reproducible ? (double)kt_shards_nodes(shards.begin, shards.end, nodes) : 1;
        n_parts = fmax(n_parts, own);
        cost.total_bytes += own * (n - (job->rank0 ? (r == 0 ? n : 0) : slice)) * sizeof(float);
    }
    cost.sent_bytes = (job->rank0 ? (R - 1) * n : n_parts * (n - slice) + (R - 1) * slice) * sizeof(float);
    if (job->clips)
        add_norm(machine, layout, job, layer, &cost);
    /* forming the parts, adding R of them and updating, besides what the messages themselves move */
    const double touched =
        2 * n_parts * n * sizeof(float) + R * slice * sizeof(float) + update_bytes(job) * slice + n * sizeof(float);
    const double flops = 2 * n * (double)job->batch_size / R / (double)layout->ranks_per_replica;
    cost.seconds = sending_seconds(machine, layout, &cost) +
                   fmax(memory_seconds(machine, layout, touched), flops / machine->core_flops);
    return cost;
}

/* Weights that stay in the cores' caches must go from the one that updates them to those that read them. Larger ones go
 * through memory, which is counted. */
static double handover_seconds(const kt_machine *machine, const kt_layout *layout, const kt_exchange_job *job,
                               double n_parameters)
{
    const double state_bytes = n_parameters * update_bytes(job) / 2, k = (double)layout->ranks_per_replica;
    const bool fits = state_bytes < machine->cache_bytes;
    return fits && k > 1 ? sizeof(float) * n_parameters * (k - 1) / k / machine->handover_bytes : 0;
}

kt_step_cost kt_cost_step(const kt_machine *machine, const kt_layout *layout, const kt_exchange_job *job,
                          const kt_layer_shape *layers, size_t n_layers)
{
    const double k = (double)layout->ranks_per_replica, rows = (double)job->batch_size / (double)layout->n_replicas;
    double n_parameters = 0;
    kt_step_cost cost = {.barrier_seconds = k > 1 ? (2 * (double)n_layers + 2) * machine->barrier_seconds : 0};
    for (size_t l = 0; l < n_layers; l++) {
        const double n = parameters_of(layers[l]);
        const double reading = memory_seconds(machine, layout, sizeof(float) * n);
        const double product = fmax(2 * n * rows / k / machine->core_flops, reading);
        const double flops = 2 * n * (double)job->batch_size / k;
        n_parameters += n;
        cost.forward_seconds += product;
        cost.backward_seconds += l > 0 ? product : 0; /* nobody needs the inputs' derivative */
        cost.update_seconds +=
            fmax(memory_seconds(machine, layout, update_bytes(job) * n), flops / machine->core_flops);
    }
    cost.barrier_seconds += handover_seconds(machine, layout, job, n_parameters);
    return cost;
}
