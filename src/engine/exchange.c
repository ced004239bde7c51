/* One step: what is sent, what is waited for, and the update of each layer. */
#include "engine/exchange.h"

#include "base/memory.h"
#include "base/share.h"
#include "engine/exchange_private.h"

/* ---- making it ---- */

static kt_exchange_memory lay_out(const kt_exchange_plan *plan, kt_factor_rows *factors, kt_arena *arena)
{
    kt_exchange_memory m = {0};
    size_t n_received = 0;
    if (plan->n_sums > 0) {
        m.gradient = kt_arena_take(arena, plan->n_floats, sizeof(float));
        m.sums = kt_arena_take(arena, plan->n_sums * plan->n_floats, sizeof(float));
    }
    for (size_t k = 0; k < kt_n_exchange_kinds; k++)
        if (kt_exchange_kinds[k]->count_received != NULL)
            n_received = kt_larger(n_received, kt_exchange_kinds[k]->count_received(plan));
    m.received = kt_arena_take(arena, n_received, sizeof(float));
    for (size_t l = 0; l < plan->n_layers && plan->layout.n_replicas > 1; l++)
        if (plan->kind[l]->needs_factors) {
            const kt_layer_shape shape = plan->shape[l];
            const kt_factor_rows rows = {kt_arena_take(arena, plan->job.batch_size * shape.n_in, sizeof(float)),
                                         kt_arena_take(arena, plan->job.batch_size * shape.n_out, sizeof(float))};
            if (factors != NULL)
                factors[l] = rows;
        }
    return m;
}

size_t kt_exchange_pool_bytes(const kt_exchange_plan *plan)
{
    kt_arena count = {0};
    lay_out(plan, NULL, &count);
    return count.used;
}

size_t kt_exchange_letter_bytes(const kt_exchange_plan *plan)
{
    return plan->job.clips ? plan->n_units * sizeof(double) : 0;
}

static kt_status create_parts(kt_exchange *x)
{
    const kt_exchange_plan *plan = x->plan;
    KT_TRY(kt_gradient_create(&x->gradient, x->network));
    KT_TRY(KT_NEW(x->squares, plan->n_units));
    KT_TRY(KT_NEW(x->letter_size, x->replica->team.n_seats));
    for (size_t k = 0; k < kt_n_exchange_kinds; k++)
        if (kt_exchange_plan_count(plan, kt_exchange_kinds[k]) > 0) {
            x->used[x->n_used++] = kt_exchange_kinds[k];
            if (kt_exchange_kinds[k]->create != NULL)
                KT_TRY(kt_exchange_kinds[k]->create(x));
        }
    return KT_OK;
}

static kt_status build(kt_exchange *x, void *memory)
{
    size_t n_layers;
    x->dense = kt_network_dense(x->network, &n_layers);
    x->formed = kt_network_formed(x->network, &x->n_formed);
    x->parameters = kt_network_parameters(x->network);
    x->products = kt_network_products(x->network);
    KT_TRY(KT_NEW(x->factors, n_layers));
    x->pool = lay_out(x->plan, x->factors, &(kt_arena){.base = memory});
    KT_TRY(create_parts(x));
    return kt_optimizer_create(&x->optimizer, &x->plan->optimizer, kt_network_simd(x->network), x->parameters);
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
        x->network = network;
        status = build(x, memory);
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
    kt_gradient_free(&x->gradient);
    kt_memory_free(x->factors);
    kt_memory_free(x->squares);
    kt_memory_free(x->letter_size);
    kt_memory_free(x);
}

/* ---- a step ---- */

/* After it, what the update needs of other replicas is here. */
static void combine(kt_exchange *x, const kt_step *step)
{
    for (size_t k = 0; k < x->n_used; k++)
        if (x->used[k]->start != NULL)
            x->used[k]->start(x, step);
    kt_replica_barrier(x->replica);
    for (size_t k = 0; k < x->n_used && x->replica->leaders != NULL; k++)
        if (x->used[k]->combine != NULL)
            x->used[k]->combine(x, step);
    kt_replica_barrier(x->replica);
    for (size_t k = 0; k < x->n_used; k++)
        if (x->used[k]->take != NULL)
            x->used[k]->take(x, step);
}

/* Batch norm's gains and shifts, of which every seat has the whole gradient of its own units. */
static void update_formed(const kt_exchange *x, const kt_step *step)
{
    for (const kt_formed *f = x->formed; f < x->formed + x->n_formed; f++)
        kt_optimizer_apply(x->optimizer, &step->updates, &x->parameters->tensor[f->tensor], f->own.begin,
                           f->own.end - f->own.begin, f->gradient + f->own.begin);
}

void kt_exchange_apply(kt_exchange *x, int64_t number, double rate, const kt_pass *pass)
{
    const size_t M = pass->rows.M, n_shards = x->plan->spec.reproducible ? pass->rows.shards : 1;
    const bool alone = x->replica->n_replicas == 1;
    kt_step step = {.pass = pass, .whole = {M, n_shards, 0, n_shards}};
    if (!alone)
        combine(x, &step);
    const double scale = x->plan->job.clips ? kt_exchange_clip(x, &step) : 1;
    step.updates = kt_optimizer_prepare(x->optimizer, number, rate, scale, M);
    update_formed(x, &step);
    for (size_t k = 0; k < x->n_used; k++)
        x->used[k]->update(x, &step);
    if (!alone)
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

bool kt_exchange_is_dealt(const kt_exchange *x)
{
    bool dealt = x->replica->spans;
    for (size_t k = 0; k < x->n_used && x->replica->n_replicas > 1; k++)
        dealt |= x->used[k]->gather_state != NULL;
    return dealt;
}

void kt_exchange_gather_state(kt_exchange *x)
{
    kt_replica_gather_network(x->replica, x->network);
    kt_replica_barrier(x->replica);
    for (size_t k = 0; k < x->n_used && x->replica->leaders != NULL; k++)
        if (x->used[k]->gather_state != NULL)
            x->used[k]->gather_state(x);
    kt_replica_barrier(x->replica);
}
