#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/timer.h"
#include "edge/linalg.h"
#include "engine/evaluate.h"
#include "run/trainer_private.h"

static kt_status choose_class_weights(kt_trainer *t)
{
    const kt_real_list *given = &t->config->loss.class_weights;
    size_t n_classes = t->data->set.n_classes, n = t->data->split.n[KT_TRAIN], *counts;
    t->loss = (kt_loss_spec){.n_classes = n_classes, .label_smoothing = t->config->loss.label_smoothing};
    if (given->word == KT_WEIGHTS_NONE)
        return KT_OK;
    double sum = 0;
    for (size_t c = 0; c < given->n; c++)
        sum += given->values[c];
    if (given->word < 0 && sum == 0)
        return kt_fail(KT_CONFIG, "train.class_weights are all 0: one at least must be above 0");
    if (given->word < 0 && given->n != n_classes)
        return kt_fail(KT_CONFIG, "train.class_weights has %zu weights: must have %zu, one a class", given->n,
                       n_classes);
    KT_TRY(KT_NEW(t->class_weights, n_classes));
    t->loss.class_weights = t->class_weights;
    if (given->word < 0) {
        memcpy(t->class_weights, given->values, n_classes * sizeof *t->class_weights);
        return KT_OK;
    }
    KT_TRY(KT_NEW(counts, n_classes));
    kt_dataset_class_counts(&t->data->set, t->data->split.index[KT_TRAIN], n, counts);
    kt_loss_balance(n_classes, counts, t->class_weights);
    kt_memory_free(counts);
    return KT_OK;
}

/* Linux grants memory that it does not have, and kills who uses it: what can never fit is refused before. */
static kt_status check_memory(const kt_network_spec *spec, size_t max_rows, size_t exchange_bytes)
{
    size_t n_bytes;
    KT_TRY(kt_network_shared_bytes(spec, max_rows, &n_bytes, NULL));
    const double all = (double)n_bytes + (double)exchange_bytes;
    const double here = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGE_SIZE);
    if (all < here)
        return KT_OK;
    return kt_fail(
        KT_CONFIG,
        "model.hidden and train.batch_size make a network of %.3g GiB, and this machine has %.3g: must be smaller",
        all / (1 << 30), here / (1 << 30));
}

/* Thin batches share one copy of the weights, since reading those is what they cost; for larger ones the arithmetic
 * counts, and ranks with samples of their own wait less for each other. */
static kt_status prepare_batches(kt_trainer *t)
{
    const kt_split *split = &t->data->split;
    const size_t fewest = kt_config_fewest_samples(t->config);
    if (fewest > 1 && t->config->train.batch_size == 1)
        return kt_fail(KT_CONFIG, "train.batch_size = 1 with model.batch_norm = true: one sample has no spread to "
                                  "normalize by; must be 2 or more");
    if (split->n[KT_TRAIN] < fewest)
        return kt_fail(KT_DATA,
                       "%zu training sample with model.batch_norm = true: one sample has no spread to "
                       "normalize by; must be 2 or more",
                       split->n[KT_TRAIN]);
    KT_TRY(kt_batches_create(&t->batches, split->index[KT_TRAIN], split->n[KT_TRAIN], kt_config_batch_size(t->config),
                             fewest, (uint64_t)t->config->run.seed));
    KT_TRY(KT_NEW(t->labels, t->batches.sizes.largest));
    return choose_class_weights(t);
}

/* The network in the replica's memory, and what else is there: the board, then the network, then what the exchange
 * needs. */
static kt_status allocate(kt_trainer *t, const kt_network_spec *spec, size_t max_rows)
{
    size_t network_bytes;
    KT_TRY(kt_network_shared_bytes(spec, max_rows, &network_bytes, NULL)); /* check_memory has asked on all ranks */
    /* rank 0's best weights; and while a checkpoint is written, all tensors once as HDF5 has them, once as a file */
    const size_t root_bytes = (1 + 2 * (2 + t->plan.n_slots)) * t->plan.n_parameters * sizeof(float);
    KT_TRY(kt_replica_allocate(&t->replica, sizeof(kt_board) + network_bytes + kt_exchange_shared_bytes(&t->plan),
                               root_bytes));
    char *memory = kt_replica_memory(&t->replica);
    t->board = (kt_board *)(void *)memory;
    kt_status status =
        kt_network_create_shared(&t->network, spec, max_rows, &t->replica.team, memory + sizeof(kt_board));
    KT_TRY(kt_comm_agree(t->comm, status));
    return kt_exchange_create(&t->exchange, &t->replica, t->config, &t->plan, t->network,
                              memory + sizeof(kt_board) + network_bytes);
}

/* Different kernels of OpenBLAS only its environment can mend. */
static kt_status compare_blas(kt_comm *comm, kt_log *log)
{
    enum { NAME_BYTES = 32 };
    char own[NAME_BYTES] = "", *names = NULL;
    const size_t size = (size_t)kt_comm_size(comm);
    KT_TRY(kt_comm_agree(comm, kt_comm_rank(comm) == 0 ? KT_NEW(names, size * NAME_BYTES) : KT_OK));
    snprintf(own, sizeof own, "%s", kt_linalg_core());
    kt_comm_gather(comm, own, sizeof own, names);
    size_t other = 1;
    while (names != NULL && other < size && strcmp(names, names + other * NAME_BYTES) == 0)
        other++;
    if (names != NULL && other < size)
        kt_log_warning(log,
                       "OpenBLAS takes its %s kernels on rank 0 and %s on rank %zu: for the same bits in large batches "
                       "set OPENBLAS_CORETYPE on all hosts",
                       names, names + other * NAME_BYTES, other);
    kt_memory_free(names);
    return KT_OK;
}

static kt_status lay_out(kt_trainer *t, const kt_network_spec *spec, size_t max_rows, size_t ranks_per_replica)
{
    KT_TRY(kt_replica_create(&t->replica, t->comm, ranks_per_replica));
    KT_TRY(kt_exchange_choose(&t->plan, &t->replica, t->config, spec, t->batches.sizes.largest));
    KT_TRY(kt_comm_agree(t->comm, check_memory(spec, max_rows, kt_exchange_shared_bytes(&t->plan))));
    return allocate(t, spec, max_rows);
}

static void free_layout(kt_trainer *t)
{
    kt_exchange_free(t->exchange);
    kt_exchange_plan_free(&t->plan);
    kt_network_free(t->network);
    kt_replica_free(&t->replica);
    t->exchange = NULL;
    t->network = NULL;
}

static kt_status build(kt_trainer *t)
{
    const kt_dataset *set = &t->data->set;
    kt_network_spec spec = kt_config_network(t->config, set->d, set->n_classes);
    KT_TRY(kt_comm_agree(t->comm, prepare_batches(t)));
    KT_TRY(kt_replica_agree_on_kernels(t->comm, &spec));
    KT_TRY(compare_blas(t->comm, t->log));
    const size_t max_rows = kt_evaluate_max_rows(t->batches.sizes.largest, &t->data->split);
    const size_t together = kt_replica_ranks_wanted(t->config, t->batches.sizes.each);
    KT_TRY(kt_comm_agree(t->comm, check_memory(&spec, max_rows, 0)));
    kt_status status = lay_out(t, &spec, max_rows, together);
    if (status == KT_NO_MEMORY && together > 1 && t->config->parallel.ranks_per_replica == KT_AUTO &&
        kt_comm_size(t->comm) > 1) {
        kt_log_warning(t->log, "every rank gets a copy of the weights: %s", kt_error_message());
        free_layout(t);
        status = lay_out(t, &spec, max_rows, 1);
    }
    KT_TRY(status);
    if (t->root) {
        status = KT_NEW(t->state.best_parameters, kt_network_n_parameters(t->network));
        if (status == KT_OK)
            status = KT_NEW(t->state.best_state, kt_network_n_state(t->network));
    }
    KT_TRY(kt_comm_agree(t->comm, status));
    kt_network_initialize(t->network, (uint64_t)t->config->run.seed);
    kt_shared_settle(t->replica.shared);
    return KT_OK;
}

kt_status kt_trainer_create(kt_trainer **out, kt_comm *comm, const kt_config *config, const kt_data *data, kt_log *log,
                            const char *dir)
{
    kt_trainer *t;
    *out = NULL;
    kt_status status = kt_comm_agree(comm, KT_NEW(t, 1));
    if (status != KT_OK) {
        kt_memory_free(t);
        return status;
    }
    t->comm = comm;
    t->config = config;
    t->data = data;
    t->log = log;
    t->dir = dir;
    t->root = kt_comm_rank(comm) == 0;
    t->saved_step = -1;
    status = build(t);
    if (status == KT_OK)
        status = kt_provenance_collect(comm, &t->provenance);
    if (status != KT_OK) {
        kt_trainer_free(t);
        return status;
    }
    t->state.config = config;
    t->state.data = data;
    t->state.network = t->network;
    t->state.provenance = &t->provenance;
    t->state.stopping.enabled = config->train.early_stopping;
    t->state.stopping.patience = config->train.patience;
    t->state.stopping.min_delta = config->train.min_delta;
    t->start_seconds = kt_timer_seconds();
    *out = t;
    return KT_OK;
}

void kt_trainer_set_pulse(kt_trainer *t, kt_pulse pulse)
{
    t->pulse = pulse;
}

void kt_trainer_free(kt_trainer *t)
{
    if (t == NULL)
        return;
    free_layout(t);
    kt_batches_free(&t->batches);
    kt_history_free(&t->state.history);
    kt_memory_free(t->class_weights);
    kt_memory_free(t->state.best_parameters);
    kt_memory_free(t->state.best_state);
    kt_memory_free(t->labels);
    kt_memory_free(t);
}

const kt_progress *kt_trainer_progress(const kt_trainer *trainer)
{
    return &trainer->state.progress;
}

kt_network *kt_trainer_network(kt_trainer *trainer)
{
    return trainer->network;
}

const kt_provenance *kt_trainer_provenance(const kt_trainer *trainer)
{
    return &trainer->provenance;
}

const kt_exchange_plan *kt_trainer_plan(const kt_trainer *trainer)
{
    return &trainer->plan;
}

const kt_replica *kt_trainer_replica(const kt_trainer *trainer)
{
    return &trainer->replica;
}

/* "factors" or "allreduce", or how many layers go by which. */
static void describe_exchange(const kt_trainer *t, char *text, size_t size)
{
    static const char *const owners[2] = {"sharded", "rank0"};
    size_t n_factors = 0, n = t->plan.n_layers;
    for (size_t l = 0; l < n; l++)
        n_factors += t->plan.by_factors[l];
    if (n_factors == n)
        snprintf(text, size, "factors");
    else if (n_factors == 0)
        snprintf(text, size, "allreduce, optimizer state %s", owners[t->plan.rank0]);
    else
        snprintf(text, size, "%zu layer%s by factors, %zu by allreduce, optimizer state %s", n_factors,
                 n_factors == 1 ? "" : "s", n - n_factors, owners[t->plan.rank0]);
}

void kt_trainer_report(const kt_trainer *t)
{
    const kt_replica *r = &t->replica;
    const kt_batch_sizes *sizes = &t->batches.sizes;
    const kt_kernels *kernels = kt_network_pass(t->network, (kt_rows){.M = sizes->each}).kernels;
    char exchange[128], last[80];
    kt_batches_describe_last(sizes, last, sizeof last);
    kt_log_line(t->log, "work   batch of %zu%s, products by %s%s", sizes->each, last,
                kernels != NULL ? "own kernels, " : "OpenBLAS, ", kernels != NULL ? kernels->name : kt_linalg_core());
    if (kt_comm_size(t->comm) == 1)
        return;
    if (r->n_replicas == 1) {
        kt_log_line(t->log, "       %zu ranks share one copy of the weights", r->team.n_seats);
        return;
    }
    describe_exchange(t, exchange, sizeof exchange);
    kt_log_line(t->log, "       %zu copies of the weights, %zu rank%s each at most, on %zu host%s; exchange: %s",
                r->n_replicas, r->team.n_seats, r->team.n_seats == 1 ? "" : "s", r->n_hosts, r->n_hosts == 1 ? "" : "s",
                exchange);
    if (t->plan.link.bytes_per_second > 0)
        kt_log_line(t->log, "       link measured: %.1f us, %.2f GB/s", 1e6 * t->plan.link.latency_seconds,
                    1e-9 * t->plan.link.bytes_per_second);
}
