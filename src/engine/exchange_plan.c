#include <limits.h>
#include <string.h>

#include "base/memory.h"
#include "base/share.h"
#include "base/timer.h"
#include "engine/exchange_private.h"

size_t kt_exchange_vector(const kt_exchange_plan *plan)
{
    return kt_memory_in_lines(plan->n_parameters);
}

/* Shards of a batch: as configured, or, when the order is MPI's, as few as give every replica one. */
static size_t count_shards(const kt_config *config, size_t n_replicas)
{
    size_t n = 1;
    if (config->parallel.reproducible)
        return (size_t)config->parallel.shards;
    while (n < n_replicas && n < KT_MAX_SHARDS)
        n *= 2;
    return n;
}

kt_exchange_job kt_exchange_job_of(const kt_config *config, size_t batch_size, size_t n_replicas)
{
    return (kt_exchange_job){.batch_size = batch_size,
                             .n_shards = count_shards(config, n_replicas),
                             .n_slots = kt_optimizers[config->optimizer.kind].n_slots,
                             .reproducible = config->parallel.reproducible,
                             .rank0 = config->parallel.optimizer_state == KT_STATE_RANK0,
                             .clips = config->train.clip_norm > 0,
                             .thin = batch_size <= (size_t)config->model.thin_rows};
}

bool kt_exchange_by_factors(const kt_config *config, const kt_machine *machine, const kt_layout *layout,
                            const kt_exchange_job *job, kt_layer_shape shape)
{
    if (layout->n_replicas == 1)
        return true;
    if (config->parallel.exchange != KT_EXCHANGE_AUTO)
        return config->parallel.exchange == KT_EXCHANGE_FACTORS;
    return kt_cost_factors(machine, layout, job, shape).seconds <
           kt_cost_allreduce(machine, layout, job, shape).seconds;
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
        kt_comm_share_slices(replica->leaders, replica->bounds, values);
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

static size_t n_inputs(const kt_network_spec *spec, size_t l)
{
    return l > 0 ? (size_t)spec->hidden.values[l - 1] : spec->n_in;
}

static size_t n_outputs(const kt_network_spec *spec, size_t l)
{
    return l < spec->hidden.n ? (size_t)spec->hidden.values[l] : spec->n_classes;
}

/* Rank 0 decides for all, with the link as it saw it. */
static void choose_layers(kt_exchange_plan *plan, kt_replica *replica, const kt_config *config,
                          const kt_exchange_job *job, const kt_network_spec *spec)
{
    kt_machine machine = kt_machine_typical;
    const kt_layout layout = {.n_hosts = replica->n_hosts,
                              .n_ranks = (size_t)kt_comm_size(replica->world),
                              .ranks_per_replica = replica->team.n_seats,
                              .n_replicas = replica->n_replicas};
    if (plan->link.bytes_per_second > 0)
        machine.local = machine.network = plan->link;
    for (size_t l = 0; l < plan->n_layers; l++) {
        const kt_layer_shape shape = {.n_in = n_inputs(spec, l), .n_out = n_outputs(spec, l)};
        const size_t n_sums = (shape.n_in > shape.n_out ? shape.n_in : shape.n_out) + shape.n_out;
        plan->n_row_sums = n_sums > plan->n_row_sums ? n_sums : plan->n_row_sums;
        plan->by_factors[l] = kt_exchange_by_factors(config, &machine, &layout, job, shape);
    }
    kt_comm_broadcast(replica->world, 0, plan->by_factors, plan->n_layers * sizeof *plan->by_factors);
}

/* What follows from the choice for memory. */
static void count_vectors(kt_exchange_plan *plan, const kt_replica *replica, const kt_exchange_job *job)
{
    const kt_rows rows = kt_replica_rows(replica, replica->number, 0, plan->n_shards);
    kt_shard_node nodes[KT_MAX_SHARD_NODES];
    const size_t n_nodes = kt_shards_nodes(rows.first, rows.end, nodes);
    plan->keeps_gradient = job->clips && !job->thin;
    for (size_t l = 0; l < plan->n_layers; l++)
        if (!plan->by_factors[l]) {
            plan->keeps_gradient = true;
            plan->n_parts = n_nodes > 0 ? n_nodes : 1;
        }
}

/* MPI counts in int: of all that is sent of a batch, in one message a layer, the inputs or deltas of the widest must
 * not be more. */
static kt_status check_factors(const kt_exchange_plan *plan, const kt_replica *replica, const kt_network_spec *spec,
                               const kt_exchange_job *job)
{
    size_t widest = 0;
    for (size_t l = 0; l < plan->n_layers; l++) {
        const size_t in = n_inputs(spec, l), out = n_outputs(spec, l), wider = in > out ? in : out;
        if ((plan->by_factors[l] || (job->clips && job->thin)) && wider > widest)
            widest = wider;
    }
    if (replica->n_replicas == 1 || widest <= INT_MAX / plan->batch_size)
        return KT_OK;
    return kt_fail(KT_CONFIG,
                   "batches of %zu samples in a layer of %zu are too many numbers for one message: parallel.exchange = "
                   "allreduce can do it, or a smaller train.batch_size",
                   plan->batch_size, widest);
}

kt_status kt_exchange_choose(kt_exchange_plan *out, kt_replica *replica, const kt_config *config,
                             const kt_network_spec *spec, size_t batch_size)
{
    const kt_exchange_job job = kt_exchange_job_of(config, batch_size, replica->n_replicas);
    size_t n_bytes;
    memset(out, 0, sizeof *out);
    out->n_layers = spec->hidden.n + 1;
    out->batch_size = out->n_row_sums = batch_size;
    out->n_shards = job.n_shards;
    out->n_slots = job.n_slots;
    out->rank0 = job.rank0;
    out->thin = job.thin;
    kt_status status = kt_network_shared_bytes(spec, 1, &n_bytes, &out->n_parameters);
    if (status == KT_OK)
        status = KT_NEW(out->by_factors, out->n_layers);
    KT_TRY(kt_comm_agree(replica->world, status));
    if (replica->n_replicas > 1 && config->parallel.exchange == KT_EXCHANGE_AUTO)
        KT_TRY(measure_link(replica, &out->link));
    choose_layers(out, replica, config, &job, spec);
    count_vectors(out, replica, &job);
    return check_factors(out, replica, spec, &job);
}

void kt_exchange_plan_free(kt_exchange_plan *plan)
{
    kt_memory_free(plan->by_factors);
    memset(plan, 0, sizeof *plan);
}

size_t kt_exchange_shared_bytes(const kt_exchange_plan *plan)
{
    const size_t n_vectors = plan->n_slots + plan->keeps_gradient + plan->n_parts;
    return n_vectors * kt_exchange_vector(plan) * sizeof(float) + plan->n_layers * plan->n_row_sums * sizeof(double);
}
