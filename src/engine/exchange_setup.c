#include <limits.h>
#include <string.h>

#include "base/memory.h"
#include "base/share.h"
#include "engine/exchange_private.h"

static kt_status allocate(kt_exchange *x)
{
    const size_t n_replicas = x->replica->n_replicas;
    KT_TRY(kt_gradient_create(&x->tiles, x->plan->thin));
    if (x->clip_norm > 0) /* also for the last batch of an epoch, which may be thin where the others are not */
        KT_TRY(KT_NEW(x->gram, 2 * KT_GRAM_ROWS * x->plan->batch_size));
    KT_TRY(KT_NEW(x->transfers, 2 * x->plan->n_layers));
    KT_TRY(KT_NEW(x->sent, 2 * x->plan->n_layers));
    KT_TRY(KT_NEW(x->runs, x->plan->n_layers));
    KT_TRY(KT_NEW(x->n_parts, n_replicas));
    return KT_NEW(x->all_nodes, n_replicas * KT_MAX_SHARD_NODES);
}

/* Who owns which elements of a run, in whole cache lines. */
static kt_status cut_run(kt_exchange *x, kt_run *run)
{
    const size_t n = run->end - run->begin, n_replicas = x->replica->n_replicas;
    KT_TRY(KT_NEW(run->bounds, n_replicas + 1));
    for (size_t r = 0; r < n_replicas; r++) {
        run->bounds[r] = kt_share_tiles(n, KT_LINE_FLOATS, r, n_replicas).begin;
        if (x->plan->rank0)
            run->bounds[r] = r == 0 ? 0 : n;
    }
    run->bounds[n_replicas] = n;
    if (n > INT_MAX)
        return kt_fail(KT_CONFIG,
                       "%zu parameters in one allreduce: must be fewer than 2^31; parallel.exchange = factors can do "
                       "it",
                       n);
    return KT_OK;
}

static kt_status find_runs(kt_exchange *x)
{
    size_t longest = 0;
    for (size_t l = 0; l < x->plan->n_layers && x->replica->n_replicas > 1; l++) {
        const size_t begin = x->factors[l].weight, end = x->factors[l].bias + x->factors[l].dense.n_out;
        if (x->plan->by_factors[l])
            continue;
        if (x->n_runs > 0 && x->runs[x->n_runs - 1].end == begin && end - x->runs[x->n_runs - 1].begin <= INT_MAX)
            x->runs[x->n_runs - 1].end = end;
        else
            x->runs[x->n_runs++] = (kt_run){.begin = begin, .end = end};
    }
    for (kt_run *run = x->runs; run < x->runs + x->n_runs; run++) {
        KT_TRY(cut_run(x, run));
        const size_t own = run->bounds[x->replica->number + 1] - run->bounds[x->replica->number];
        longest = own > longest ? own : longest;
    }
    const bool receives = x->replica->leaders != NULL && x->reproducible && x->n_runs > 0;
    return receives ? KT_NEW(x->received, x->n_all_nodes * longest) : KT_OK;
}

/* The partial sums that every replica makes of its shards. */
static void find_nodes(kt_exchange *x)
{
    for (size_t r = 0; r < x->replica->n_replicas; r++) {
        const kt_rows rows = kt_replica_rows(x->replica, r, 0, x->plan->n_shards);
        kt_shard_node *nodes = x->all_nodes + x->n_all_nodes;
        x->n_parts[r] = kt_shards_nodes(rows.first, rows.end, nodes);
        if (r == x->replica->number)
            memcpy(x->nodes, nodes, x->n_parts[r] * sizeof *nodes);
        x->n_all_nodes += x->n_parts[r];
    }
}

/* The shared vectors, in the order that kt_exchange_shared_bytes counts them. */
static void take_memory(kt_exchange *x, float *memory)
{
    const size_t n = kt_exchange_vector(x->plan);
    for (size_t s = 0; s < x->plan->n_slots; s++, memory += n)
        x->slots[s] = memory;
    if (x->plan->keeps_gradient) {
        x->gradient = memory;
        memory += n;
    }
    x->parts = memory;
    memory += x->plan->n_parts * n;
    x->row_sums = (double *)(void *)memory;
}

/* Each rank writes the state of its units first: that is where its pages will lie. */
static void touch_state(const kt_exchange *x)
{
    for (size_t l = 0; l < x->plan->n_layers; l++) {
        const kt_factors *f = &x->factors[l];
        const kt_range own = kt_dense_own(f->tall, x->plan->thin, &x->replica->team);
        const size_t width = f->wide, begin = f->weight + own.begin * width;
        for (size_t s = 0; x->plan->by_factors[l] && s < x->plan->n_slots; s++)
            memset(x->slots[s] + begin, 0, (own.end - own.begin) * width * sizeof(float));
    }
}

static kt_status build(kt_exchange *x, const kt_config *config, kt_network *network, void *memory)
{
    size_t n_tensors, n_layers;
    const kt_tensor *tensors = kt_network_parameter_tensors(network, &n_tensors);
    x->factors = kt_network_factors(network, &n_layers);
    x->formed = kt_network_formed(network, &x->n_formed);
    x->parameters = kt_network_parameters(network);
    take_memory(x, memory);
    touch_state(x);
    KT_TRY(allocate(x));
    find_nodes(x);
    KT_TRY(find_runs(x));
    return kt_optimizer_create(&x->optimizer, &config->optimizer, kt_network_kernels(network), tensors, n_tensors,
                               x->slots);
}

kt_status kt_exchange_create(kt_exchange **out, kt_replica *replica, const kt_config *config,
                             const kt_exchange_plan *plan, kt_network *network, void *memory)
{
    kt_exchange *x;
    *out = NULL;
    kt_status status = KT_NEW(x, 1);
    if (status == KT_OK) {
        x->replica = replica;
        x->plan = plan;
        x->optimizer_kind = config->optimizer.kind;
        x->reproducible = config->parallel.reproducible;
        x->clip_norm = config->train.clip_norm;
        status = build(x, config, network, memory);
    }
    status = kt_comm_agree(replica->world, status);
    if (status == KT_OK)
        *out = x;
    else
        kt_exchange_free(x);
    return status;
}

void kt_exchange_free(kt_exchange *x)
{
    if (x == NULL)
        return;
    kt_optimizer_free(x->optimizer);
    for (size_t i = 0; i < x->n_runs; i++)
        kt_memory_free(x->runs[i].bounds);
    kt_gradient_free(&x->tiles);
    void *const parts[] = {x->runs, x->n_parts, x->all_nodes, x->received, x->gram, x->transfers, x->sent, x};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        kt_memory_free(parts[i]);
}

/* ---- the state of record ---- */

double kt_exchange_norm(const kt_exchange *x)
{
    return x->norm;
}

size_t kt_exchange_n_slots(const kt_exchange *x)
{
    return x->plan->n_slots;
}

const char *kt_exchange_slot_name(const kt_exchange *x, size_t slot)
{
    return kt_optimizers[x->optimizer_kind].slot_names[slot];
}

float *kt_exchange_slot(const kt_exchange *x, size_t slot)
{
    return x->slots[slot];
}

void kt_exchange_gather_state(kt_exchange *x)
{
    kt_replica_barrier(x->replica);
    for (size_t s = 0; s < x->plan->n_slots && x->replica->leaders != NULL; s++)
        for (const kt_run *run = x->runs; run < x->runs + x->n_runs; run++)
            kt_comm_gather_slices(x->replica->leaders, run->bounds, x->slots[s] + run->begin);
    kt_replica_barrier(x->replica);
}

/* Everything, then: layers by factors and batch norm want all of it, and a checkpoint is read once. */
void kt_exchange_scatter_state(kt_exchange *x)
{
    for (size_t s = 0; s < x->plan->n_slots; s++)
        kt_replica_spread(x->replica, x->slots[s], x->plan->n_parameters * sizeof(float));
}
