/* What is decided before there is a network. */
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/share.h"
#include "base/timer.h"
#include "engine/exchange_private.h"

size_t kt_exchange_shards(const kt_exchange_spec *spec, size_t batch_size, size_t n_replicas)
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

kt_status kt_exchange_plan_create(kt_exchange_plan *out, const kt_exchange_spec *spec,
                                  const kt_optimizer_spec *optimizer, const kt_network_spec *network,
                                  const kt_layout *layout, size_t number)
{
    const size_t n = network->hidden.n + 1;
    *out =
        (kt_exchange_plan){.spec = *spec, .optimizer = *optimizer, .layout = *layout, .number = number, .n_layers = n};
    out->job = (kt_exchange_job){.batch_size = network->max_batch,
                                 .n_shards = kt_exchange_shards(spec, network->max_batch, layout->n_replicas),
                                 .n_slots = kt_optimizers[optimizer->kind].n_slots,
                                 .reproducible = spec->reproducible,
                                 .rank0 = spec->state_owner == KT_STATE_RANK0,
                                 .clips = spec->clip_norm > 0};
    KT_TRY(KT_NEW(out->kind, n));
    KT_TRY(KT_NEW(out->shape, n));
    KT_TRY(KT_NEW(out->floats, n));
    KT_TRY(kt_network_places(network, out->floats));
    out->n_floats = out->floats[n - 1].end;
    for (size_t l = 0; l < n; l++) {
        const size_t n_in = l > 0 ? out->shape[l - 1].n_out : network->n_in;
        out->shape[l] = (kt_layer_shape){n_in, l + 1 < n ? (size_t)network->hidden.values[l] : network->n_classes};
        out->n_units += kt_panels_count(out->shape[l].n_out) * KT_PANEL;
    }
    return KT_OK;
}

kt_status kt_exchange_plan_choose(kt_exchange_plan *plan, const kt_machine *machine)
{
    const kt_range own = kt_share(plan->job.n_shards, plan->number, plan->layout.n_replicas);
    kt_shard_node nodes[KT_MAX_SHARD_NODES];
    for (size_t l = 0; l < plan->n_layers; l++) {
        const kt_exchange_kind *kind =
            kt_exchange_kind_for(&plan->spec, machine, &plan->layout, &plan->job, plan->shape[l]);
        plan->kind[l] = kind;
        if (kind->needs_sums)
            plan->n_sums = kt_larger(1, kt_shards_nodes(own.begin, own.end, nodes));
        if (plan->layout.n_replicas > 1)
            KT_TRY(kind->check(&plan->job, plan->shape[l]));
    }
    return KT_OK;
}

kt_status kt_exchange_choose(kt_exchange_plan *out, kt_replica *replica, const kt_exchange_spec *spec,
                             const kt_optimizer_spec *optimizer, const kt_network_spec *network)
{
    kt_layout layout = kt_replica_layout(replica);
    kt_machine machine = kt_machine_typical;
    kt_comm_broadcast(replica->world, 0, &layout, sizeof layout); /* teams may differ in size */
    KT_TRY(kt_comm_agree(replica->world,
                         kt_exchange_plan_create(out, spec, optimizer, network, &layout, replica->number)));
    if (layout.n_replicas > 1 && spec->kind == 0) {
        KT_TRY(measure_link(replica, &out->link));
        machine.local = machine.network = out->link;
    }
    return kt_exchange_plan_choose(out, &machine);
}

void kt_exchange_plan_free(kt_exchange_plan *plan)
{
    kt_memory_free(plan->kind);
    kt_memory_free(plan->shape);
    kt_memory_free(plan->floats);
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
