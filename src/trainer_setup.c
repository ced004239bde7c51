#include <math.h>
#include <string.h>
#include <unistd.h>

#include "ktrain/evaluate.h"
#include "ktrain/memory.h"
#include "ktrain/timer.h"
#include "trainer_private.h"

/* balanced: n / (C n_c), so that every class weighs the same in all and the mean weight of a sample is 1. */
static kt_status choose_class_weights(kt_trainer *t)
{
    const kt_real_list *given = &t->config->train.class_weights;
    size_t n_classes = t->data->set.n_classes, n = t->data->split.n[KT_TRAIN], *counts;
    t->loss = (kt_loss_spec){.n_classes = n_classes, .label_smoothing = t->config->train.label_smoothing};
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
    for (size_t c = 0; c < n_classes; c++)
        t->class_weights[c] = counts[c] > 0 ? (double)n / ((double)n_classes * (double)counts[c]) : 0;
    kt_memory_free(counts);
    return KT_OK;
}

/* Linux grants memory that it does not have, and kills who uses it: what can never fit is refused before. */
static kt_status check_memory(const kt_network_spec *spec, size_t max_rows)
{
    size_t n_parameters, n_bytes = kt_network_bytes(spec, max_rows, &n_parameters);
    double here = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGE_SIZE);
    if (n_bytes > 0 && (double)n_bytes < here)
        return KT_OK;
    return kt_fail(
        KT_CONFIG,
        "model.hidden and train.batch_size make a network of %.3g GiB, and this machine has %.3g: must be smaller",
        n_bytes > 0 ? (double)n_bytes / (1 << 30) : HUGE_VAL, here / (1 << 30));
}

static kt_status allocate(kt_trainer *t)
{
    const kt_dataset *set = &t->data->set;
    const kt_split *split = &t->data->split;
    if (t->config->model.batch_norm && t->config->train.batch_size == 1)
        return kt_fail(KT_CONFIG, "train.batch_size = 1 with model.batch_norm = true: one sample has no spread to "
                                  "normalize by; must be 2 or more");
    size_t batch_size = kt_config_batch_size(t->config);
    KT_TRY(kt_batches_create(&t->batches, split->index[KT_TRAIN], split->n[KT_TRAIN], batch_size,
                             (uint64_t)t->config->run.seed));
    size_t max_rows = kt_trainer_max_rows(t->batches.batch_size, split, kt_comm_size(t->comm));
    kt_network_spec spec = kt_config_network(t->config, set->d, set->n_classes);
    KT_TRY(check_memory(&spec, max_rows));
    KT_TRY(kt_network_create(&t->network, &spec, max_rows));
    KT_TRY(choose_class_weights(t));
    KT_TRY(KT_NEW(t->x, max_rows * set->d));
    KT_TRY(KT_NEW(t->d_logits, max_rows * set->n_classes));
    KT_TRY(KT_NEW(t->labels, max_rows));
    if (!t->root)
        return KT_OK;
    KT_TRY(KT_NEW(t->state.best_parameters, kt_network_n_parameters(t->network)));
    return KT_NEW(t->state.best_state, kt_network_n_state(t->network));
}

size_t kt_trainer_max_rows(size_t batch_size, const kt_split *split, int n_ranks)
{
    size_t size = (size_t)n_ranks, largest = 0;
    for (int p = 0; p < KT_N_PARTS; p++)
        largest = split->n[p] > largest ? split->n[p] : largest;
    size_t share = (largest + size - 1) / size;
    size_t evaluated = share < KT_EVALUATION_ROWS ? share : KT_EVALUATION_ROWS;
    size_t trained = (batch_size + size - 1) / size;
    return trained > evaluated ? trained : evaluated;
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
    status = kt_comm_agree(comm, allocate(t));
    if (status == KT_OK)
        status = kt_exchange_create(&t->exchange, comm, config, t->network);
    if (status != KT_OK) {
        kt_trainer_free(t);
        return status;
    }
    kt_network_initialize(t->network, (uint64_t)config->run.seed);
    t->state.config = config;
    t->state.data = data;
    t->state.network = t->network;
    t->state.stopping.enabled = config->train.early_stopping;
    t->state.stopping.patience = config->train.patience;
    t->state.stopping.min_delta = config->train.min_delta;
    t->start_seconds = kt_timer_seconds();
    *out = t;
    return KT_OK;
}

void kt_trainer_free(kt_trainer *t)
{
    if (t == NULL)
        return;
    kt_exchange_free(t->exchange);
    kt_network_free(t->network);
    kt_batches_free(&t->batches);
    kt_history_free(&t->state.history);
    kt_memory_free(t->class_weights);
    kt_memory_free(t->state.best_parameters);
    kt_memory_free(t->state.best_state);
    kt_memory_free(t->x);
    kt_memory_free(t->d_logits);
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

const char *kt_trainer_state_owner(const kt_trainer *trainer)
{
    return kt_exchange_state_name(trainer->exchange);
}
