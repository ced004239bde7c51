/* The cost model: arithmetic on the numbers of a machine, a layout and a layer. */
#include "engine/cost.h"

#include <math.h>

#include "base/share.h"
#include "net/dense.h"

const kt_machine kt_machine_typical = {
    .core_flops = 90e9,
    .memory_bytes = 45e9,
    .core = {1e-6, 10e9},
    .local = {2e-6, 6e9},
    .network = {30e-6, 1.1e8},
};

kt_layout kt_cost_team(size_t n_ranks, size_t n_hosts)
{
    return (kt_layout){n_hosts < n_ranks ? n_hosts : n_ranks, n_ranks, .ranks_per_replica = n_ranks, .n_replicas = 1};
}

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

double kt_cost_parameters(kt_layer_shape layer)
{
    return ((double)layer.n_in + 1) * (double)layer.n_out;
}

double kt_cost_floats(kt_layer_shape layer)
{
    return (double)kt_panels_count(layer.n_out) * (double)(kt_panels_stride(layer.n_in) + KT_PANEL);
}

static const kt_link *link_of(const kt_machine *machine, const kt_layout *layout)
{
    return layout->n_hosts > 1 ? &machine->network : &machine->local;
}

double kt_cost_memory(const kt_machine *machine, const kt_layout *layout, double n_bytes)
{
    const double each = (double)layout->n_replicas / (double)layout->n_hosts;
    return n_bytes * (each < 1 ? each : ceil(each)) / machine->memory_bytes;
}

double kt_cost_update_bytes(const kt_exchange_job *job)
{
    return 8 + 8 * (double)job->n_slots;
}

double kt_cost_sending(const kt_machine *machine, const kt_layout *layout, const kt_exchange_cost *cost)
{
    const kt_link *link = link_of(machine, layout);
    return cost->messages * link->latency_seconds + cost->sent_bytes / link->bytes_per_second;
}

/* A rank gets what the others have of M rows of n floats. On several hosts the ranks of one share its link. */
static double letter_seconds(const kt_machine *machine, const kt_layout *layout, double rows, size_t n)
{
    const double k = (double)layout->ranks_per_replica, n_bytes = sizeof(float) * rows * (double)n;
    const bool spans = layout->n_replicas < layout->n_hosts;
    const kt_link *link = spans ? &machine->network : &machine->core;
    const double apart = spans ? k / (double)layout->n_hosts * (1 - 1 / (double)layout->n_hosts) : (k - 1) / k;
    return k > 1 ? link->latency_seconds + apart * n_bytes / link->bytes_per_second : 0;
}

kt_step_cost kt_cost_step(const kt_machine *machine, const kt_layout *layout, const kt_exchange_job *job,
                          const kt_layer_shape *layers, size_t n_layers)
{
    const double rows = (double)job->batch_size / (double)layout->n_replicas;
    kt_step_cost cost = {0};
    for (size_t l = 0; l < n_layers; l++) {
        const bool whole = kt_dense_is_whole(layers[l].n_in, layers[l].n_out); /* every rank does all of it */
        const double n = kt_cost_parameters(layers[l]), k = whole ? 1 : (double)layout->ranks_per_replica;
        const double reading = kt_cost_memory(machine, layout, sizeof(float) * n);
        const double product = fmax(2 * n * rows / k / machine->core_flops, reading);
        const double flops = 2 * n * (double)job->batch_size / k;
        cost.forward_seconds += product;
        cost.backward_seconds += l > 0 ? product : 0; /* nobody needs the inputs' derivative */
        cost.update_seconds +=
            fmax(kt_cost_memory(machine, layout, kt_cost_update_bytes(job) * n), flops / machine->core_flops);
        if (whole)
            continue;
        cost.letter_seconds += letter_seconds(machine, layout, rows, layers[l].n_out);
        cost.letter_seconds += l > 0 ? letter_seconds(machine, layout, rows, layers[l].n_in) : 0;
    }
    return cost;
}
