/* One step: what is sent, what is waited for, and the update of each layer. */
#include "engine/exchange.h"

#include <string.h>

#include "base/memory.h"
#include "engine/exchange_private.h"

/* ---- making it ---- */

size_t kt_exchange_vector_floats(const kt_exchange_plan *plan)
{
    return kt_memory_in_lines(plan->n_parameters);
}

static kt_exchange_memory lay_out(const kt_exchange_plan *plan, kt_arena *arena)
{
    const size_t n = kt_exchange_vector_floats(plan);
    kt_exchange_memory m = {0};
    for (size_t s = 0; s < plan->job.n_slots; s++)
        m.slots[s] = kt_arena_take(arena, n, sizeof(float));
    if (plan->keeps_gradient)
        m.gradient = kt_arena_take(arena, n, sizeof(float));
    m.sums = kt_arena_take(arena, plan->n_sums * n, sizeof(float));
    m.row_sums = kt_arena_take(arena, plan->n_layers * plan->n_row_sums, sizeof(double));
    return m;
}

size_t kt_exchange_pool_bytes(const kt_exchange_plan *plan)
{
    kt_arena count = {0};
    lay_out(plan, &count);
    return count.used;
}

/* Each rank writes the state of its units first: that is where its pages will lie. */
static void touch_state(const kt_exchange *x)
{
    for (size_t l = 0; l < x->plan->n_layers; l++) {
        const kt_factors *f = &x->factors[l];
        const kt_range own = kt_dense_own(f->tall, x->plan->job.thin, &x->replica->team);
        const size_t begin = f->weight + own.begin * f->wide, n = (own.end - own.begin) * f->wide;
        for (size_t s = 0; !x->plan->kind[l]->needs_sums && s < x->plan->job.n_slots; s++)
            memset(x->pool.slots[s] + begin, 0, n * sizeof(float));
    }
}

static kt_status create_parts(kt_exchange *x)
{
    const kt_exchange_plan *plan = x->plan;
    KT_TRY(kt_gradient_create(&x->tiles, plan->job.thin));
    if (plan->job.clips) /* also for the last batch of an epoch, which may be thin where the others are not */
        KT_TRY(KT_NEW(x->gram, 2 * KT_GRAM_ROWS * plan->job.batch_size));
    KT_TRY(KT_NEW(x->sending.transfers, 2 * plan->n_layers));
    KT_TRY(KT_NEW(x->sending.sent, 2 * plan->n_layers));
    for (size_t k = 0; k < kt_n_exchange_kinds; k++)
        if (kt_exchange_plan_count(plan, kt_exchange_kinds[k]) > 0) {
            x->used[x->n_used++] = kt_exchange_kinds[k];
            if (kt_exchange_kinds[k]->create != NULL)
                KT_TRY(kt_exchange_kinds[k]->create(x));
        }
    return KT_OK;
}

static kt_status build(kt_exchange *x, kt_network *network, void *memory)
{
    size_t n_tensors, n_layers;
    const kt_tensor *tensors = kt_network_parameter_tensors(network, &n_tensors);
    x->factors = kt_network_factors(network, &n_layers);
    x->formed = kt_network_formed(network, &x->n_formed);
    x->parameters = kt_network_parameters(network);
    x->pool = lay_out(x->plan, &(kt_arena){.base = memory});
    touch_state(x);
    KT_TRY(create_parts(x));
    return kt_optimizer_create(&x->optimizer, &x->plan->optimizer, kt_network_kernels(network), tensors, n_tensors,
                               x->pool.slots);
}

kt_status kt_exchange_create(kt_exchange **out, kt_replica *replica, const kt_exchange_plan *plan, kt_network *network,
                             void *memory)
{
    kt_exchange *x;
    *out = NULL;
    kt_status status = KT_NEW(x, 1);
    if (status == KT_OK) {
        x->replica = replica;
        x->plan = plan;
        status = build(x, network, memory);
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
    for (size_t k = 0; k < x->n_used; k++)
        if (x->used[k]->free != NULL)
            x->used[k]->free(x);
    kt_optimizer_free(x->optimizer);
    kt_gradient_free(&x->tiles);
    kt_memory_free(x->sending.transfers);
    kt_memory_free(x->sending.sent);
    kt_memory_free(x->gram);
    kt_memory_free(x);
}

/* ---- a step ---- */

void kt_exchange_listen(kt_exchange *x, kt_pass *pass)
{
    x->sending.pass = pass;
    pass->announce = x->replica->n_replicas > 1 ? kt_exchange_on_announcement : NULL;
    pass->announce_context = x;
}

/* After it, what the update needs of other replicas is here. */
static void combine(kt_exchange *x, const kt_step *step)
{
    bool started = false;
    if (x->replica->n_replicas == 1)
        return;
    for (size_t k = 0; k < x->n_used; k++)
        if (x->used[k]->start != NULL) {
            x->used[k]->start(x, step);
            started = true;
        }
    if (started)
        kt_replica_barrier(x->replica);
    if (x->replica->leaders != NULL) {
        kt_exchange_send_factors(x, step->pass);
        for (size_t k = 0; k < x->n_used; k++)
            if (x->used[k]->combine != NULL)
                x->used[k]->combine(x, step);
    }
    kt_replica_barrier(x->replica);
}

/* Batch norm's gains and shifts: few, and every replica has their whole gradient. */
static void update_formed(const kt_exchange *x, const kt_step *step)
{
    for (size_t i = 0; i < x->n_formed && x->replica->team.seat == 0; i++)
        kt_optimizer_apply(x->optimizer, &step->updates.others, x->formed[i].offset, x->formed[i].count, x->parameters,
                           x->formed[i].gradient);
}

void kt_exchange_apply(kt_exchange *x, int64_t number, double rate, const kt_pass *pass)
{
    const bool clips = x->plan->job.clips;
    const size_t M = pass->rows.M, n_shards = x->plan->spec.reproducible ? pass->rows.shards : 1;
    kt_step step = {.pass = pass, .whole = {M, n_shards, 0, n_shards}, .by_gradient = clips && pass->kernels == NULL};
    combine(x, &step);
    step.updates = kt_optimizer_prepare(x->optimizer, number, rate, clips ? kt_exchange_clip(x, &step) : 1, M);
    update_formed(x, &step);
    for (size_t k = 0; k < x->n_used; k++)
        x->used[k]->update(x, &step);
    kt_replica_barrier(x->replica);
}

double kt_exchange_norm(const kt_exchange *x)
{
    return x->norm;
}

/* ---- the state of record ---- */

size_t kt_exchange_n_slots(const kt_exchange *x)
{
    return x->plan->job.n_slots;
}

const char *kt_exchange_slot_name(const kt_exchange *x, size_t slot)
{
    return kt_optimizers[x->plan->optimizer.kind].slot_names[slot];
}

float *kt_exchange_slot(const kt_exchange *x, size_t slot)
{
    return x->pool.slots[slot];
}

void kt_exchange_gather_state(kt_exchange *x)
{
    kt_replica_barrier(x->replica);
    for (size_t k = 0; k < x->n_used && x->replica->leaders != NULL; k++)
        if (x->used[k]->gather_state != NULL)
            x->used[k]->gather_state(x);
    kt_replica_barrier(x->replica);
}

/* Everything, then: layers by factors and batch norm want all of it, and a checkpoint is read once. */
void kt_exchange_scatter_state(kt_exchange *x)
{
    for (size_t s = 0; s < x->plan->job.n_slots; s++)
        kt_replica_spread(x->replica, x->pool.slots[s], x->plan->n_parameters * sizeof(float));
}
