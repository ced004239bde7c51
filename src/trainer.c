#include "ktrain/trainer.h"

#include <math.h>
#include <string.h>

#include "ktrain/batches.h"
#include "ktrain/evaluate.h"
#include "ktrain/file.h"
#include "ktrain/memory.h"
#include "ktrain/share.h"
#include "ktrain/timer.h"

enum { EVALUATION_ROWS = 512 }; /* at least so many at a time: fewer calls, and products large enough for BLAS */

struct kt_trainer {
    kt_comm *comm;           /* borrowed, as are config, data, log and dir */
    const kt_config *config;
    const kt_data *data;
    kt_log *log;
    const char *dir;
    bool root;
    kt_network *network;
    kt_exchange *exchange;
    kt_batches batches;
    kt_loss_spec loss;
    double *class_weights;   /* [n_classes], or NULL */
    kt_snapshot state;       /* best vectors on rank 0 only, slots only while saving or loading */
    int64_t saved_step, saved_best_epoch; /* what is on disk */
    float *x;                /* [max_rows x d] */
    float *d_logits;         /* [max_rows x n_classes] */
    int32_t *labels;         /* [max_rows] */
    double start_seconds, seconds_before; /* of this start; trained by earlier ones */
    int64_t samples_done;    /* in this start */
    double bar_seconds;      /* when the bar was last drawn */
};

static kt_status sum_over_ranks(void *context, double *values, size_t n)
{
    kt_comm_sum_f64(context, values, n);
    return KT_OK;
}

/* ---- creation ---- */

/* balanced: n / (C n_c), so that every class weighs the same in all and the mean weight of a sample is 1. */
static kt_status choose_class_weights(kt_trainer *t)
{
    const kt_real_list *given = &t->config->train.class_weights;
    size_t n_classes = t->data->set.n_classes, n = t->data->split.n[KT_TRAIN], *counts;
    t->loss = (kt_loss_spec){.n_classes = n_classes, .label_smoothing = t->config->train.label_smoothing};
    if (given->word == KT_WEIGHTS_NONE)
        return KT_OK;
    if (given->word < 0 && given->n != n_classes)
        return kt_fail(KT_CONFIG, "train.class_weights has %zu weights: must have %zu, one a class", given->n, n_classes);
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

static kt_status allocate(kt_trainer *t)
{
    const kt_dataset *set = &t->data->set;
    const kt_split *split = &t->data->split;
    size_t batch_size = t->config->train.batch_size == KT_BATCH_FULL ? 0 : (size_t)t->config->train.batch_size;
    KT_TRY(kt_batches_create(&t->batches, split->index[KT_TRAIN], split->n[KT_TRAIN], batch_size, (uint64_t)t->config->run.seed));
    size_t max_rows = kt_trainer_max_rows(t->batches.batch_size, split, kt_comm_size(t->comm));
    kt_network_spec spec = kt_config_network(t->config, set->d, set->n_classes);
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
    size_t evaluated = (largest + size - 1) / size < EVALUATION_ROWS ? (largest + size - 1) / size : EVALUATION_ROWS;
    size_t trained = (batch_size + size - 1) / size;
    return trained > evaluated ? trained : evaluated;
}

kt_status kt_trainer_create(kt_trainer **out, kt_comm *comm, const kt_config *config, const kt_data *data, kt_log *log, const char *dir)
{
    kt_trainer *t;
    *out = NULL;
    KT_TRY(kt_comm_agree(comm, KT_NEW(t, 1)));
    t->comm = comm;
    t->config = config;
    t->data = data;
    t->log = log;
    t->dir = dir;
    t->root = kt_comm_rank(comm) == 0;
    t->saved_step = -1;
    kt_status status = kt_comm_agree(comm, allocate(t));
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

/* ---- saving and resuming ---- */

static void free_slots(kt_snapshot *state)
{
    for (size_t k = 0; k < KT_MAX_SLOTS; k++) {
        kt_memory_free(state->slots[k]);
        state->slots[k] = NULL;
    }
}

/* Room on rank 0 for the whole optimizer state, while it is saved or loaded. Collective. */
static kt_status allocate_slots(kt_trainer *t)
{
    kt_status status = KT_OK;
    t->state.n_slots = kt_exchange_n_slots(t->exchange);
    for (size_t k = 0; k < t->state.n_slots && status == KT_OK; k++) {
        t->state.slot_names[k] = kt_exchange_slot_name(t->exchange, k);
        if (t->root)
            status = KT_NEW(t->state.slots[k], kt_network_n_parameters(t->network));
    }
    status = kt_comm_agree(t->comm, status);
    if (status != KT_OK)
        free_slots(&t->state);
    return status;
}

static kt_status write_best(kt_trainer *t)
{
    char path[KT_PATH_BYTES];
    if (t->state.stopping.best_epoch == t->saved_best_epoch)
        return KT_OK;
    KT_TRY(kt_file_path(path, "%s/best.h5", t->dir));
    KT_TRY(kt_checkpoint_write_model(path, &t->state, t->state.best_parameters, t->state.best_state));
    t->saved_best_epoch = t->state.stopping.best_epoch;
    return KT_OK;
}

static kt_status write_checkpoint(kt_trainer *t)
{
    char directory[KT_PATH_BYTES], path[KT_PATH_BYTES];
    KT_TRY(kt_file_path(directory, "%s/checkpoints", t->dir));
    KT_TRY(kt_file_path(path, "%s/step-%010lld.h5", directory, (long long)t->state.progress.step));
    KT_TRY(write_best(t));
    KT_TRY(kt_checkpoint_write(path, &t->state));
    return kt_checkpoint_file_prune(directory, (size_t)t->config->checkpoint.keep);
}

static double trained_seconds(const kt_trainer *t)
{
    return t->seconds_before + kt_timer_seconds() - t->start_seconds;
}

static kt_status save(kt_trainer *t)
{
    if (t->dir == NULL || t->saved_step == t->state.progress.step)
        return KT_OK;
    t->state.progress.seconds = trained_seconds(t);
    KT_TRY(allocate_slots(t));
    for (size_t k = 0; k < t->state.n_slots; k++)
        kt_exchange_gather_state(t->exchange, k, t->state.slots[k]);
    kt_status status = t->root ? write_checkpoint(t) : KT_OK;
    free_slots(&t->state);
    KT_TRY(kt_comm_agree(t->comm, status));
    t->saved_step = t->state.progress.step;
    return KT_OK;
}

static void broadcast_model(kt_trainer *t)
{
    kt_comm_broadcast(t->comm, 0, kt_network_parameters(t->network), kt_network_n_parameters(t->network) * sizeof(float));
    kt_comm_broadcast(t->comm, 0, kt_network_state(t->network), kt_network_n_state(t->network) * sizeof(float));
}

kt_status kt_trainer_resume(kt_trainer *t, kt_hdf5 *file)
{
    kt_early_stopping settings = t->state.stopping;
    KT_TRY(allocate_slots(t));
    kt_status status = kt_comm_agree(t->comm, t->root ? kt_checkpoint_read(file, &t->state) : KT_OK);
    if (status == KT_OK) {
        for (size_t k = 0; k < t->state.n_slots; k++)
            kt_exchange_scatter_state(t->exchange, k, t->state.slots[k]);
        broadcast_model(t);
        kt_comm_broadcast(t->comm, 0, &t->state.progress, sizeof t->state.progress);
        kt_comm_broadcast(t->comm, 0, &t->state.stopping, sizeof t->state.stopping);
        kt_comm_broadcast(t->comm, 0, &t->state.schedule, sizeof t->state.schedule);
        t->state.stopping.enabled = settings.enabled;
        t->state.stopping.patience = settings.patience;
        t->state.stopping.min_delta = settings.min_delta;
        t->seconds_before = t->state.progress.seconds;
    }
    free_slots(&t->state);
    return status;
}

/* ---- the loop ---- */

/* This rank's part of a batch through the network and back; its gradient stands in the network. */
static kt_status compute_gradient(kt_trainer *t, const uint32_t *samples, size_t M, kt_loss_sums *sums)
{
    size_t begin, end;
    const float *logits;
    kt_share(M, (size_t)kt_comm_rank(t->comm), (size_t)kt_comm_size(t->comm), &begin, &end);
    kt_pass pass = {
        .training = true,
        .seed = (uint64_t)t->config->run.seed,
        .epoch = (uint32_t)t->state.progress.epoch,
        .sample = samples + begin,
        .rows = end - begin,
        .rows_global = M,
        .sum = kt_comm_size(t->comm) > 1 ? sum_over_ranks : NULL,
        .sum_context = t->comm,
    };
    kt_dataset_gather(&t->data->set, pass.sample, pass.rows, (float)t->config->data.scale, t->x);
    for (size_t i = 0; i < pass.rows; i++)
        t->labels[i] = t->data->set.labels[pass.sample[i]];
    KT_TRY(kt_network_forward(t->network, &pass, t->x, &logits));
    kt_loss_softmax(&t->loss, pass.rows, M, logits, t->labels, sums, t->d_logits);
    return kt_network_backward(t->network, &pass, t->d_logits);
}

/* The sums of all ranks. Counts are exact in a double. */
static void add_over_ranks(kt_comm *comm, kt_loss_sums *sums)
{
    double values[] = {sums->loss, sums->cross_entropy, (double)sums->correct, (double)sums->samples};
    kt_comm_sum_f64(comm, values, 4);
    *sums = (kt_loss_sums){values[0], values[1], (int64_t)values[2], (int64_t)values[3]};
}

static kt_status diverged(const kt_trainer *t, const char *what, double loss)
{
    return kt_fail(KT_DIVERGED, "training diverged: the %s is %g after epoch %lld, step %lld; a smaller optimizer.learning_rate or train.clip_norm may help",
                   what, loss, (long long)t->state.progress.epoch, (long long)t->state.progress.step);
}

static kt_status log_step(kt_trainer *t, double loss)
{
    char path[KT_PATH_BYTES];
    if (!t->root || t->dir == NULL)
        return KT_OK;
    KT_TRY(kt_file_path(path, "%s/steps.csv", t->dir));
    return kt_report_append_step(path, t->state.progress.step, loss);
}

static kt_status train_step(kt_trainer *t, size_t step, double *rate)
{
    kt_progress *p = &t->state.progress;
    const uint32_t *samples;
    size_t M = kt_batches_step(&t->batches, step, &samples);
    kt_loss_sums sums = {0};
    KT_TRY(compute_gradient(t, samples, M, &sums));
    add_over_ranks(t->comm, &sums);
    if (!isfinite(sums.loss))
        return diverged(t, "training loss", sums.loss / (double)M);
    *rate = kt_schedule_rate(&t->config->schedule, &t->state.schedule, p->epoch, p->step);
    kt_exchange_apply(t->exchange, p->step + 1, *rate, M);
    p->step++;
    p->step_in_epoch++;
    p->sums.loss += sums.loss;
    p->sums.cross_entropy += sums.cross_entropy;
    p->sums.correct += sums.correct;
    p->sums.samples += sums.samples;
    t->samples_done += sums.samples;
    return p->step <= t->config->run.log_steps ? kt_comm_agree(t->comm, log_step(t, sums.loss / (double)M)) : KT_OK;
}

static double samples_per_second(const kt_trainer *t)
{
    return (double)t->samples_done / (kt_timer_seconds() - t->start_seconds + 1e-9);
}

static void draw_bar(kt_trainer *t, size_t n_steps)
{
    const kt_progress *p = &t->state.progress;
    double now = kt_timer_seconds(), speed = samples_per_second(t);
    if (!t->log->terminal || now - t->bar_seconds < 0.1)
        return;
    t->bar_seconds = now;
    double left = (double)(t->config->train.epochs - p->epoch) * (double)t->batches.n - (double)p->sums.samples;
    const kt_history *h = &t->state.history;
    kt_report_bar(t->log, &(kt_epoch_progress){
                              .epoch = p->epoch + 1,
                              .epochs = t->config->train.epochs,
                              .step = (size_t)p->step_in_epoch,
                              .steps = n_steps,
                              .samples_per_second = speed,
                              .seconds_left = left / speed,
                              .train_loss = p->sums.cross_entropy / (double)p->sums.samples,
                              .validation_loss = h->n > 0 ? h->records[h->n - 1].validation_cross_entropy : NAN,
                          });
}

static bool reached_max_steps(const kt_trainer *t)
{
    return t->config->train.max_steps > 0 && t->state.progress.step >= t->config->train.max_steps;
}

kt_stop_reason kt_trainer_stop_reason(const kt_trainer *t)
{
    if (kt_early_stopping_should_stop(&t->state.stopping))
        return KT_STOP_PATIENCE;
    if (t->state.progress.epoch >= t->config->train.epochs)
        return KT_STOP_EPOCHS;
    return reached_max_steps(t) ? KT_STOP_STEPS : KT_STOP_NOT;
}

static kt_status score(kt_trainer *t, kt_part part, kt_metrics *metrics)
{
    return kt_evaluate(t->comm, t->network, &t->data->set, t->data->split.index[part], t->data->split.n[part], t->config->data.scale, t->x,
                       metrics);
}

static kt_status validate(kt_trainer *t, kt_scores *scores)
{
    kt_metrics metrics;
    KT_TRY(kt_comm_agree(t->comm, kt_metrics_create(&metrics, t->data->set.n_classes)));
    kt_status status = score(t, KT_VALIDATION, &metrics);
    *scores = kt_metrics_scores(&metrics);
    kt_metrics_free(&metrics);
    return status;
}

/* Puts an epoch on record: rank 0's history, its file and a line for the user. */
static kt_status record_epoch(kt_trainer *t, const kt_scores *validation, double rate)
{
    const kt_progress *p = &t->state.progress;
    if (!t->root)
        return KT_OK;
    size_t n_tensors;
    const kt_tensor *tensors = kt_network_parameter_tensors(t->network, &n_tensors);
    double n = (double)p->sums.samples;
    double penalty = kt_optimizer_penalty(&t->config->optimizer, tensors, n_tensors, kt_network_parameters(t->network), t->batches.batch_size);
    kt_epoch_record record = {
        .epoch = (double)p->epoch,
        .step = (double)p->step,
        .learning_rate = rate,
        .train_loss = p->sums.loss / n + penalty,
        .train_cross_entropy = p->sums.cross_entropy / n,
        .train_accuracy = (double)p->sums.correct / n,
        .validation_cross_entropy = validation->cross_entropy,
        .validation_accuracy = validation->accuracy,
        .seconds = trained_seconds(t),
    };
    KT_TRY(kt_history_append(&t->state.history, &record));
    kt_report_epoch(t->log, t->config, &record, &t->state.stopping, samples_per_second(t));
    char path[KT_PATH_BYTES];
    if (t->dir == NULL)
        return KT_OK;
    KT_TRY(kt_file_path(path, "%s/history.csv", t->dir));
    return kt_report_append_history(path, &record);
}

static void keep_best(kt_trainer *t)
{
    if (!t->root)
        return;
    memcpy(t->state.best_parameters, kt_network_parameters(t->network), kt_network_n_parameters(t->network) * sizeof(float));
    memcpy(t->state.best_state, kt_network_state(t->network), kt_network_n_state(t->network) * sizeof(float));
}

/* The steps that are left of the epoch under way. Ends early, within the epoch, when max_steps is reached. */
static kt_status train_epoch(kt_trainer *t, double *rate)
{
    kt_progress *p = &t->state.progress;
    size_t n_steps = kt_batches_steps(&t->batches);
    kt_batches_start_epoch(&t->batches, (uint32_t)p->epoch);
    for (size_t step = (size_t)p->step_in_epoch; step < n_steps && !reached_max_steps(t); step++) {
        KT_TRY(train_step(t, step, rate));
        draw_bar(t, n_steps);
        if (t->config->checkpoint.every_steps > 0 && p->step % t->config->checkpoint.every_steps == 0 && step + 1 < n_steps)
            KT_TRY(save(t));
    }
    return KT_OK;
}

/* Validation and what follows from it, once all steps of an epoch are done. */
static kt_status finish_epoch(kt_trainer *t, double rate)
{
    kt_progress *p = &t->state.progress;
    kt_scores validation;
    KT_TRY(validate(t, &validation));
    if (!isfinite(validation.cross_entropy))
        return diverged(t, "validation loss", validation.cross_entropy);
    p->epoch++;
    p->step_in_epoch = 0;
    if (kt_early_stopping_observe(&t->state.stopping, p->epoch, validation.cross_entropy))
        keep_best(t);
    kt_schedule_observe(&t->config->schedule, &t->state.schedule, validation.cross_entropy);
    KT_TRY(kt_comm_agree(t->comm, record_epoch(t, &validation, rate)));
    p->sums = (kt_loss_sums){0};
    if (t->config->checkpoint.every_epochs > 0 && p->epoch % t->config->checkpoint.every_epochs == 0)
        KT_TRY(save(t));
    return KT_OK;
}

static kt_status train(kt_trainer *t, kt_stop_reason *reason)
{
    while ((*reason = kt_trainer_stop_reason(t)) == KT_STOP_NOT) {
        double rate = 0;
        KT_TRY(train_epoch(t, &rate));
        if ((size_t)t->state.progress.step_in_epoch == kt_batches_steps(&t->batches))
            KT_TRY(finish_epoch(t, rate));
    }
    return save(t);
}

/* history.csv with the epochs of earlier starts, and without those that a lost checkpoint had seen. */
static kt_status start_history(const kt_trainer *t)
{
    char path[KT_PATH_BYTES];
    if (!t->root || t->dir == NULL)
        return KT_OK;
    KT_TRY(kt_file_path(path, "%s/history.csv", t->dir));
    return kt_report_write_history(path, &t->state.history);
}

kt_status kt_trainer_run(kt_trainer *t, kt_stop_reason *reason)
{
    KT_TRY(kt_comm_agree(t->comm, start_history(t)));
    t->start_seconds = kt_timer_seconds();
    kt_status status = train(t, reason);
    t->state.progress.seconds = trained_seconds(t);
    if (status == KT_DIVERGED)
        *reason = KT_STOP_DIVERGENCE;
    return status;
}

/* ---- the end ---- */

static void swap(float *a, float *b, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        float kept = a[i];
        a[i] = b[i];
        b[i] = kept;
    }
}

/* Exchanges the network's weights with the best ones, on all ranks. */
static void swap_best(kt_trainer *t)
{
    if (t->root) {
        swap(kt_network_parameters(t->network), t->state.best_parameters, kt_network_n_parameters(t->network));
        swap(kt_network_state(t->network), t->state.best_state, kt_network_n_state(t->network));
    }
    broadcast_model(t);
}

static kt_status score_parts(kt_trainer *t, kt_scores scores[KT_N_PARTS], kt_metrics *detail, kt_part detail_part)
{
    for (int p = 0; p < KT_N_PARTS; p++) {
        kt_metrics_clear(detail);
        KT_TRY(score(t, (kt_part)p, detail));
        scores[p] = kt_metrics_scores(detail);
    }
    kt_metrics_clear(detail);
    return score(t, detail_part, detail);
}

static kt_status score_both(kt_trainer *t, kt_results *r)
{
    if (r->leaves_best) {
        KT_TRY(score_parts(t, r->last, &r->detail, r->detail_part));
        swap_best(t);
        return score_parts(t, r->best, &r->detail, r->detail_part);
    }
    if (r->best_epoch > 0) {
        swap_best(t);
        KT_TRY(score_parts(t, r->best, &r->detail, r->detail_part));
        swap_best(t);
    }
    return score_parts(t, r->last, &r->detail, r->detail_part);
}

kt_status kt_trainer_finish(kt_trainer *t, kt_results *r)
{
    const kt_progress *p = &t->state.progress;
    r->best_epoch = t->state.stopping.best_epoch;
    r->leaves_best = kt_config_restores_best(t->config) && r->best_epoch > 0;
    r->detail_part = t->data->split.n[KT_TEST] > 0 ? KT_TEST : KT_VALIDATION;
    r->epochs = p->epoch;
    r->steps = p->step;
    r->seconds = p->seconds;
    r->ranks = kt_comm_size(t->comm);
    r->n_parameters = kt_network_n_parameters(t->network);
    KT_TRY(kt_comm_agree(t->comm, kt_metrics_create(&r->detail, t->data->set.n_classes)));
    KT_TRY(score_both(t, r));
    if (r->best_epoch == 0) /* no epoch was finished: the last weights are all there is */
        memcpy(r->best, r->last, sizeof r->best);
    return KT_OK;
}
