#include "ktrain/exchange.h"

#include <limits.h>
#include <math.h>
#include <string.h>

#include "ktrain/linalg.h"
#include "ktrain/memory.h"
#include "ktrain/share.h"

typedef struct strategy {
    const char *name;
    /* Combines the gradients, finds the clipping scale, updates and spreads the parameters. */
    void (*apply)(kt_exchange *x, int64_t step, double rate, size_t M);
} strategy;

struct kt_exchange {
    kt_comm *comm;       /* borrowed */
    kt_network *network; /* borrowed */
    const strategy *strategy;
    kt_optimizer *optimizer; /* of the slice, or of everything on rank 0 and of nothing elsewhere */
    int kind;                /* row of kt_optimizers */
    double clip_norm;
    size_t n;          /* parameters */
    size_t begin, end; /* own slice */
    float *slice;      /* [end - begin]: the combined gradient of it */
    float *scratch;    /* the other ranks' parts of it, when they are added in rank order; or NULL */
};

static double clipping_scale(double clip_norm, double sum_squares)
{
    double norm = sqrt(sum_squares);
    return clip_norm > 0 && norm > clip_norm ? clip_norm / norm : 1;
}

static void apply_alone(kt_exchange *x, int64_t step, double rate, size_t M)
{
    const float *gradient = kt_network_gradients(x->network);
    double scale = x->clip_norm > 0 ? clipping_scale(x->clip_norm, kt_linalg_sum_squares(x->n, gradient)) : 1;
    kt_optimizer_update(x->optimizer, step, rate, scale, M, kt_network_parameters(x->network), gradient);
}

static void apply_rank0(kt_exchange *x, int64_t step, double rate, size_t M)
{
    float *gradient = kt_network_gradients(x->network);
    if (x->scratch == NULL) {
        kt_comm_sum_f32(x->comm, x->n, gradient);
    } else {
        kt_comm_sum_slices(x->comm, x->n, gradient, x->slice, x->scratch);
        memcpy(gradient + x->begin, x->slice, (x->end - x->begin) * sizeof *gradient);
        kt_comm_share_slices(x->comm, x->n, gradient);
    }
    if (kt_comm_rank(x->comm) == 0)
        apply_alone(x, step, rate, M);
    kt_comm_broadcast(x->comm, 0, kt_network_parameters(x->network), x->n * sizeof(float));
}

static void apply_sharded(kt_exchange *x, int64_t step, double rate, size_t M)
{
    kt_comm_sum_slices(x->comm, x->n, kt_network_gradients(x->network), x->slice, x->scratch);
    double scale = 1;
    if (x->clip_norm > 0) {
        double sum_squares = kt_linalg_sum_squares(x->end - x->begin, x->slice);
        kt_comm_sum_f64(x->comm, &sum_squares, 1);
        scale = clipping_scale(x->clip_norm, sum_squares);
    }
    float *parameters = kt_network_parameters(x->network);
    kt_optimizer_update(x->optimizer, step, rate, scale, M, parameters + x->begin, x->slice);
    kt_comm_share_slices(x->comm, x->n, parameters);
}

static const strategy alone = {"alone", apply_alone};
static const strategy strategies[KT_N_STATE_OWNERS] = {
    [KT_STATE_RANK0] = {"rank0", apply_rank0},
    [KT_STATE_SHARDED] = {"sharded", apply_sharded},
};

static int choose(const kt_config *config)
{
    return config->parallel.optimizer_state == KT_STATE_AUTO ? KT_STATE_SHARDED : config->parallel.optimizer_state;
}

static kt_status allocate(kt_exchange *x, const kt_config *config)
{
    size_t n_tensors, size = (size_t)kt_comm_size(x->comm);
    const kt_tensor *tensors = kt_network_parameter_tensors(x->network, &n_tensors);
    size_t begin = x->begin, end = x->end;
    if (size > 1 && x->n > INT_MAX)
        return kt_fail(KT_CONFIG, "the network has %zu parameters: must have fewer than 2^31 on several ranks", x->n);
    if (x->strategy != &strategies[KT_STATE_SHARDED]) { /* one rank holds all the state */
        begin = 0;
        end = kt_comm_rank(x->comm) == 0 ? x->n : 0;
    }
    KT_TRY(kt_optimizer_create(&x->optimizer, &config->optimizer, tensors, n_tensors, begin, end));
    if (size == 1)
        return KT_OK;
    KT_TRY(KT_NEW(x->slice, x->end - x->begin));
    return config->parallel.reproducible ? KT_NEW(x->scratch, size * (x->n / size + 1)) : KT_OK;
}

kt_status kt_exchange_create(kt_exchange **out, kt_comm *comm, const kt_config *config, kt_network *network)
{
    kt_exchange *x;
    *out = NULL;
    kt_status status = KT_NEW(x, 1);
    if (status == KT_OK) {
        x->comm = comm;
        x->network = network;
        x->strategy = kt_comm_size(comm) == 1 ? &alone : &strategies[choose(config)];
        x->kind = config->optimizer.kind;
        x->clip_norm = config->train.clip_norm;
        x->n = kt_network_n_parameters(network);
        kt_share(x->n, (size_t)kt_comm_rank(comm), (size_t)kt_comm_size(comm), &x->begin, &x->end);
        status = allocate(x, config);
    }
    status = kt_comm_agree(comm, status);
    if (status == KT_OK)
        *out = x;
    else
        kt_exchange_free(x);
    return status;
}

void kt_exchange_free(kt_exchange *exchange)
{
    if (exchange == NULL)
        return;
    kt_optimizer_free(exchange->optimizer);
    kt_memory_free(exchange->slice);
    kt_memory_free(exchange->scratch);
    kt_memory_free(exchange);
}

void kt_exchange_apply(kt_exchange *exchange, int64_t step, double rate, size_t M)
{
    exchange->strategy->apply(exchange, step, rate, M);
}

const char *kt_exchange_state_name(const kt_exchange *exchange)
{
    return exchange->strategy->name;
}

const char *kt_exchange_state_word(int state)
{
    return strategies[state].name;
}

size_t kt_exchange_n_slots(const kt_exchange *exchange)
{
    return kt_optimizers[exchange->kind].n_slots;
}

const char *kt_exchange_slot_name(const kt_exchange *exchange, size_t slot)
{
    return kt_optimizers[exchange->kind].slot_names[slot];
}

void kt_exchange_gather_state(kt_exchange *x, size_t slot, float *vector)
{
    const float *own = kt_optimizer_slot(x->optimizer, slot);
    if (x->strategy == &strategies[KT_STATE_SHARDED])
        kt_comm_gather_slices(x->comm, x->n, own, vector);
    else if (kt_comm_rank(x->comm) == 0)
        memcpy(vector, own, x->n * sizeof *vector);
}

void kt_exchange_scatter_state(kt_exchange *x, size_t slot, const float *vector)
{
    float *own = kt_optimizer_slot(x->optimizer, slot);
    if (x->strategy == &strategies[KT_STATE_SHARDED])
        kt_comm_scatter_slices(x->comm, x->n, vector, own);
    else if (kt_comm_rank(x->comm) == 0)
        memcpy(own, vector, x->n * sizeof *own);
}

/* A reduce-scatter and an allgather each send (P - 1) / P of a vector; a broadcast from rank 0 sends up to one whole
 * vector (pipelined)
 * or log2 P of them (tree): the pipelined figure is given. */
kt_exchange_cost kt_exchange_predict(const kt_config *config, size_t n_parameters, int n_ranks)
{
    double vector_bytes = (double)n_parameters * sizeof(float);
    double part = (double)(n_ranks - 1) / n_ranks;
    size_t n_slots = kt_optimizers[config->optimizer.kind].n_slots;
    size_t slice = n_parameters / (size_t)n_ranks + 1;
    kt_exchange_cost cost = {.state = choose(config)};
    if (n_ranks == 1) {
        cost.memory_bytes = n_slots * n_parameters * sizeof(float);
        return cost;
    }
    bool sharded = cost.state == KT_STATE_SHARDED;
    cost.sent_bytes = 2 * part * vector_bytes + (sharded ? 0 : vector_bytes);
    cost.memory_bytes = (n_slots * (sharded ? slice : n_parameters) + slice) * sizeof(float);
    if (config->parallel.reproducible)
        cost.memory_bytes += (size_t)n_ranks * slice * sizeof(float);
    return cost;
}
