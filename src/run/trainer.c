#include "run/trainer.h"

#include <math.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/share.h"
#include "base/test_point.h"
#include "base/timer.h"
#include "engine/evaluate.h"
#include "run/stop.h"
#include "run/trainer_private.h"

/* The shards of the batch that this rank gathers and scores: its share of its replica's. */
static kt_range own_shards(const kt_trainer *t, const kt_rows *rows)
{
    const kt_range own = kt_share(rows->end - rows->first, t->replica.team.seat, t->replica.team.n_seats);
    return (kt_range){rows->first + own.begin, rows->first + own.end};
}

/* Own shards' inputs and labels. */
static void gather_batch(kt_trainer *t, const kt_pass *pass)
{
    const kt_dataset *set = &t->data->set;
    const kt_range own = own_shards(t, &pass->rows);
    if (kt_stop_asked())
        atomic_store_explicit(&t->board->asked, 1, memory_order_relaxed);
    for (size_t v = own.begin; v < own.end; v++) {
        const kt_range rows = kt_share(pass->rows.M, v, pass->rows.shards);
        kt_dataset_gather(set, pass->sample + rows.begin, rows.end - rows.begin, (float)t->config->data.scale,
                          kt_network_input(t->network) + rows.begin * set->d);
        for (size_t i = rows.begin; i < rows.end; i++)
            t->labels[i] = set->labels[pass->sample[i]];
    }
    kt_team_barrier(&t->replica.team);
}

/* Own shards' loss and its derivative, then the sums of the whole batch: shard by shard, added along the tree. Who was
 * asked to stop is told with them: what a shard's scorer has written is what all ranks go by. */
static void score_batch(kt_trainer *t, const kt_pass *pass, const float *logits, kt_loss_sums *sums)
{
    const size_t C = t->data->set.n_classes, V = pass->rows.shards;
    kt_shard_result *shards = t->board->shards;
    const kt_range own = own_shards(t, &pass->rows);
    for (size_t v = own.begin; v < own.end; v++) {
        const kt_range rows = kt_share(pass->rows.M, v, V);
        const size_t begin = rows.begin;
        shards[v] = (kt_shard_result){.asked = atomic_load_explicit(&t->board->asked, memory_order_relaxed)};
        kt_loss_softmax(&t->loss, rows.end - begin, pass->rows.M, logits + begin * C, t->labels + begin,
                        &shards[v].sums, kt_network_d_logits(t->network) + begin * C);
    }
    kt_team_gather_all(&t->replica.team, shards, V, sizeof *shards);
    double parts[2 * KT_MAX_SHARDS], total[2];
    for (size_t v = 0; v < V; v++) {
        parts[2 * v] = shards[v].sums.loss;
        parts[2 * v + 1] = shards[v].sums.cross_entropy;
        sums->correct += shards[v].sums.correct;
        sums->samples += shards[v].sums.samples;
        t->asked |= shards[v].asked != 0;
    }
    kt_shards_add_f64(V, 2, 2, parts, total);
    sums->loss = total[0];
    sums->cross_entropy = total[1];
}

/* This replica's part of a batch through the network and back. */
static kt_status compute_factors(kt_trainer *t, const kt_pass *pass, kt_loss_sums *sums)
{
    const float *logits;
    gather_batch(t, pass);
    KT_TRY(kt_network_forward(t->network, pass, &logits));
    score_batch(t, pass, logits, sums);
    return kt_network_backward(t->network, pass);
}

static kt_status diverged(const kt_trainer *t, const char *what, double loss)
{
    return kt_fail(KT_DIVERGED,
                   "training diverged: the %s is %s after epoch %lld, step %lld; a smaller optimizer.learning_rate or "
                   "train.clip_norm may help",
                   what, isnan(loss) ? "NaN" : "infinite", (long long)t->state.progress.epoch,
                   (long long)t->state.progress.step);
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
    kt_pass pass =
        kt_network_pass(t->network, kt_replica_rows(&t->replica, t->replica.number, M, t->plan.job.n_shards));
    pass.training = true;
    pass.seed = (uint64_t)t->config->run.seed;
    pass.epoch = (uint32_t)p->epoch;
    pass.sample = samples;
    kt_exchange_listen(t->exchange, &pass);
    KT_TRY(compute_factors(t, &pass, &sums));
    if (!isfinite(sums.loss)) {
        kt_exchange_finish_transfers(t->exchange);
        return diverged(t, "training loss", sums.loss / (double)M);
    }
    *rate = kt_schedule_rate(&t->config->schedule, &t->state.schedule, p->epoch, p->step);
    kt_exchange_apply(t->exchange, p->step + 1, *rate, &pass);
    p->step++;
    p->step_in_epoch++;
    p->ranks = kt_comm_size(t->comm);
    p->sums.loss += sums.loss;
    p->sums.cross_entropy += sums.cross_entropy;
    p->sums.correct += sums.correct;
    p->sums.samples += sums.samples;
    t->epoch_samples += sums.samples;
    return p->step <= t->config->run.log_steps ? kt_comm_agree(t->comm, log_step(t, sums.loss / (double)M)) : KT_OK;
}

static double samples_per_second(const kt_trainer *t)
{
    return (double)t->epoch_samples / (kt_timer_seconds() - t->epoch_seconds + 1e-9);
}

/* Where the epoch stands: a bar on a terminal, a line elsewhere when nothing was said for long. */
static void show_progress(kt_trainer *t, size_t n_steps)
{
    const kt_progress *p = &t->state.progress;
    const bool draws = t->log->terminal && kt_timer_seconds() - t->bar_seconds >= 0.1, is_due = kt_log_is_due(t->log);
    if (!draws && !is_due)
        return;
    const double speed = samples_per_second(t);
    const double left = (double)(t->config->train.epochs - p->epoch) * (double)t->batches.n - (double)p->sums.samples;
    const kt_history *h = &t->history;
    const kt_epoch_progress progress = {
        .epoch = p->epoch + 1,
        .epochs = t->config->train.epochs,
        .step = (size_t)p->step_in_epoch,
        .steps = n_steps,
        .samples_per_second = speed,
        .seconds_left = left / speed,
        .train_loss = p->sums.cross_entropy / (double)p->sums.samples,
        .validation_loss = h->n > 0 ? h->records[h->n - 1].validation_cross_entropy : NAN,
    };
    if (is_due)
        kt_report_heartbeat(t->log, &progress);
    if (draws)
        kt_report_bar(t->log, &progress);
    if (draws)
        t->bar_seconds = kt_timer_seconds();
}

static bool reached_max_steps(const kt_trainer *t)
{
    return t->config->train.max_steps > 0 && t->state.progress.step >= t->config->train.max_steps;
}

kt_stop_reason kt_trainer_stop_reason(const kt_trainer *t)
{
    if (kt_early_stopping_should_stop(&t->config->stopping, &t->state.stopping))
        return KT_STOP_PATIENCE;
    if (t->state.progress.epoch >= t->config->train.epochs)
        return KT_STOP_EPOCHS;
    if (reached_max_steps(t))
        return KT_STOP_STEPS;
    return t->asked ? KT_STOP_PREEMPTION : KT_STOP_NOT;
}

kt_status kt_trainer_score(kt_trainer *t, kt_part part, kt_metrics *metrics)
{
    return kt_evaluate(&t->replica, t->network, &t->data->set, t->data->split.index[part], t->data->split.n[part],
                       t->config->data.scale, metrics);
}

static kt_status validate(kt_trainer *t, kt_scores *scores)
{
    kt_metrics metrics = {0};
    kt_status status = kt_comm_agree(t->comm, kt_metrics_create(&metrics, t->data->set.n_classes));
    if (status == KT_OK)
        status = kt_trainer_score(t, KT_VALIDATION, &metrics);
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
    double penalty = kt_optimizer_penalty(&t->config->optimizer, tensors, n_tensors, kt_network_parameters(t->network),
                                          t->batches.sizes.each);
    kt_epoch_record record = {
        .epoch = (double)p->epoch,
        .step = (double)p->step,
        .learning_rate = rate,
        .train_loss = p->sums.loss / n + penalty,
        .train_cross_entropy = p->sums.cross_entropy / n,
        .train_accuracy = (double)p->sums.correct / n,
        .validation_cross_entropy = validation->cross_entropy,
        .validation_accuracy = validation->accuracy,
        .seconds = kt_trainer_seconds(t),
    };
    KT_TRY(kt_history_append(&t->history, &record));
    if (kt_report_shows_epoch(p->epoch) || kt_log_is_due(t->log) || kt_trainer_stop_reason(t) != KT_STOP_NOT)
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
    memcpy(t->best_parameters, kt_network_parameters(t->network), kt_network_n_parameters(t->network) * sizeof(float));
    memcpy(t->best_state, kt_network_state(t->network), kt_network_n_state(t->network) * sizeof(float));
}

/* The steps that are left of the epoch under way. Ends early, within the epoch, when max_steps is reached or the run
 * was asked to stop. */
static kt_status train_epoch(kt_trainer *t, double *rate)
{
    kt_progress *p = &t->state.progress;
    size_t n_steps = t->batches.sizes.steps;
    t->epoch_seconds = kt_timer_seconds();
    t->epoch_samples = 0;
    kt_batches_start_epoch(&t->batches, (uint32_t)p->epoch);
    for (size_t step = (size_t)p->step_in_epoch; step < n_steps && !reached_max_steps(t) && !t->asked; step++) {
        KT_TRY(train_step(t, step, rate));
        KT_TEST_POINT("step");
        show_progress(t, n_steps);
        if (t->pulse.beat != NULL)
            t->pulse.beat(t->pulse.context);
        if (t->config->checkpoint.every_steps > 0 && !t->asked && p->step % t->config->checkpoint.every_steps == 0 &&
            step + 1 < n_steps)
            KT_TRY(kt_trainer_save(t));
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
    if (kt_early_stopping_observe(&t->config->stopping, &t->state.stopping, p->epoch, validation.cross_entropy))
        keep_best(t);
    kt_schedule_observe(&t->config->schedule, &t->state.schedule, validation.cross_entropy);
    KT_TRY(kt_comm_agree(t->comm, record_epoch(t, &validation, rate)));
    p->sums = (kt_loss_sums){0};
    if (t->config->checkpoint.every_epochs > 0 && p->epoch % t->config->checkpoint.every_epochs == 0)
        KT_TRY(kt_trainer_save(t));
    return KT_OK;
}

/* Copies that have no shards of a batch tell here, after each epoch, what the others tell in each step. */
static void ask_others(kt_trainer *t)
{
    int64_t n_asked = kt_stop_asked();
    if (t->replica.n_replicas > t->plan.job.n_shards) {
        kt_comm_sum_i64(t->comm, &n_asked, 1);
        t->asked |= n_asked > 0;
    }
}

static kt_status train(kt_trainer *t, kt_stop_reason *reason)
{
    while ((*reason = kt_trainer_stop_reason(t)) == KT_STOP_NOT) {
        const kt_progress *p = &t->state.progress;
        double rate = p->step_in_epoch == 0
                          ? 0
                          : kt_schedule_rate(&t->config->schedule, &t->state.schedule, p->epoch, p->step - 1);
        KT_TRY(train_epoch(t, &rate));
        /* Validation can wait, who asks may not. But nobody comes back to a run that has had all its steps. */
        if (t->asked && !reached_max_steps(t))
            continue;
        if ((size_t)p->step_in_epoch == t->batches.sizes.steps)
            KT_TRY(finish_epoch(t, rate));
        ask_others(t);
    }
    return kt_trainer_save(t);
}

/* history.csv and steps.csv with what earlier starts brought, and without what a lost checkpoint had seen. */
static kt_status start_files(const kt_trainer *t)
{
    char path[KT_PATH_BYTES];
    if (!t->root || t->dir == NULL)
        return KT_OK;
    KT_TRY(kt_file_path(path, "%s/history.csv", t->dir));
    KT_TRY(kt_report_write_history(path, &t->history));
    KT_TRY(kt_file_path(path, "%s/steps.csv", t->dir));
    return t->config->run.log_steps > 0 ? kt_report_start_steps(path, t->state.progress.step) : KT_OK;
}

kt_status kt_trainer_run(kt_trainer *t, kt_stop_reason *reason)
{
    KT_TRY(kt_comm_agree(t->comm, start_files(t)));
    t->start_seconds = kt_timer_seconds();
    kt_status status = train(t, reason);
    t->state.progress.seconds = kt_trainer_seconds(t);
    if (status != KT_DIVERGED)
        return status;
    *reason = KT_STOP_DIVERGENCE;
    KT_TRY(kt_comm_agree(t->comm, kt_trainer_write_best(t))); /* good weights that no checkpoint has yet */
    return status;
}
