/* The loop: epochs, steps, validation, checkpoints. */
#include "run/trainer.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/test_point.h"
#include "base/timer.h"
#include "edge/linalg.h"
#include "engine/evaluate.h"
#include "process/activity.h"
#include "process/stop.h"
#include "run/trainer_private.h"

/* Where it began, in the order of a forward pass: weights that the last update has spoiled, or else what a layer makes
 * of good ones. n_rows: samples that are in the network. */
static const char *find_culprit(const kt_trainer *t, size_t n_rows, char text[96])
{
    size_t n_layers;
    const kt_tensors *all = kt_network_parameters(t->network);
    const kt_dense *dense = kt_network_dense(t->network, &n_layers);
    for (const kt_tensor *p = all->tensor; p < all->tensor + all->n; p++)
        if (!isfinite(kt_linalg_sum_squares(p->room, p->here[0]))) {
            snprintf(text, 96, "%s is not finite", p->name);
            return text;
        }
    for (size_t l = 1; l < n_layers; l++)
        if (!isfinite(kt_linalg_sum_squares(n_rows * dense[l].x.ld, dense[l].x.x))) {
            snprintf(text, 96, "what hidden block %zu gives is not finite", l);
            return text;
        }
    return "all weights are finite, but not what the output layer gives";
}

kt_status kt_trainer_diverged(const kt_trainer *t, const char *what, double loss, size_t n_rows)
{
    char text[96];
    return kt_fail(KT_DIVERGED,
                   "training diverged: the %s is %s after epoch %lld, step %lld: %s; a smaller optimizer.learning_rate "
                   "or train.clip_norm may help",
                   what, isnan(loss) ? "NaN" : "infinite", (long long)t->state.progress.epoch,
                   (long long)t->state.progress.step, find_culprit(t, n_rows, text));
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
    const kt_split *split = &t->data->split;
    const kt_samples samples = {&t->data->set, split->index[part], split->n[part], t->config->data.scale};
    t->kept.begin = kt_larger(t->kept.begin, KT_EVALUATION_ROWS); /* whose place it takes */
    return kt_evaluate(&t->replica, t->network, &samples, metrics);
}

static kt_status validate(kt_trainer *t, kt_scores *scores)
{
    kt_metrics metrics = {0};
    kt_status status = kt_comm_agree(t->work, kt_metrics_create(&metrics, t->data->set.n_classes));
    if (status == KT_OK)
        status = kt_trainer_score(t, KT_VALIDATION, &metrics);
    *scores = kt_metrics_scores(&metrics);
    kt_metrics_free(&metrics);
    return status;
}

/* The steps that are left of the epoch under way. Ends early, within the epoch, when max_steps is reached or the run
 * was asked to stop. */
static kt_status train_epoch(kt_trainer *t)
{
    kt_progress *p = &t->state.progress;
    size_t n_steps = t->batches.sizes.steps;
    t->epoch_seconds = kt_timer_seconds();
    t->epoch_samples = 0;
    kt_batches_start_epoch(&t->batches, (uint32_t)p->epoch);
    for (size_t step = (size_t)p->step_in_epoch; step < n_steps && !reached_max_steps(t) && !t->asked && !t->rearranges;
         step++) {
        KT_TRY(kt_trainer_step(t, step));
        kt_activity_done();
        KT_TEST_POINT("step");
        kt_trainer_show_progress(t);
        if (t->root)
            kt_trainer_watch_steps(t);
        if (t->pulse.beat != NULL)
            t->pulse.beat(t->pulse.context);
        if (!t->asked)
            KT_TRY(kt_trainer_save_when_due(t, step + 1 == n_steps));
    }
    return KT_OK;
}

/* Validation and what follows from it, once all steps of an epoch are done. */
static kt_status finish_epoch(kt_trainer *t)
{
    kt_progress *p = &t->state.progress;
    kt_scores validation;
    KT_TRY(validate(t, &validation));
    if (!isfinite(validation.cross_entropy))
        return kt_trainer_diverged(t, "validation loss", validation.cross_entropy, 0);
    const double rate = kt_schedule_rate(&t->config->schedule, &t->state.schedule, p->epoch, p->step - 1);
    p->epoch++;
    p->step_in_epoch = 0;
    kt_replica_gather_network(&t->replica, t->network);
    if (kt_early_stopping_observe(&t->config->stopping, &t->state.stopping, p->epoch, validation.cross_entropy))
        kt_trainer_keep_best(t);
    kt_schedule_observe(&t->config->schedule, &t->state.schedule, validation.cross_entropy);
    KT_TRY(kt_comm_agree(t->work, kt_trainer_record_epoch(t, &validation, rate)));
    p->sums = (kt_loss_sums){0};
    return kt_trainer_save_epoch(t);
}

/* Copies that have no shards of a batch tell here, after each epoch, what the others tell in each step. Words are rank
 * 0's alone. */
static kt_status ask_others(kt_trainer *t)
{
    if (t->replica.n_replicas <= t->plan.job.n_shards)
        return KT_OK;
    int64_t told[2] = {kt_stop_asked(), kt_trainer_saving_words(t, true)};
    kt_comm_sum_i64(t->work, told, 2);
    t->asked |= told[0] > 0;
    t->words = (unsigned)told[1];
    return kt_trainer_save_when_due(t, false);
}

/* Until there is a reason to stop, or the ranks are to be arranged in another way. */
static kt_status train(kt_trainer *t, kt_stop_reason *reason)
{
    while ((*reason = kt_trainer_stop_reason(t)) == KT_STOP_NOT && !t->rearranges) {
        const kt_progress *p = &t->state.progress;
        KT_TRY(train_epoch(t));
        /* Validation can wait, who asks may not. But nobody comes back to a run that has had all its steps. */
        if (t->asked && !reached_max_steps(t))
            continue;
        if ((size_t)p->step_in_epoch == t->batches.sizes.steps)
            KT_TRY(finish_epoch(t));
        KT_TRY(ask_others(t));
    }
    return *reason != KT_STOP_NOT ? kt_trainer_save(t, true) : KT_OK;
}

/* While all are awake: also who will sleep may have been asked. */
static void ask_all(kt_trainer *t)
{
    int64_t n_asked = kt_stop_asked();
    kt_comm_sum_i64(t->comm, &n_asked, 1);
    t->asked |= n_asked > 0;
}

kt_status kt_trainer_run(kt_trainer *t, kt_stop_reason *reason)
{
    const char *before = kt_activity_begin("training");
    if (!t->saving.is_open) /* by who does not save */
        KT_TRY(kt_trainer_open_saving(t, 0));
    KT_TRY(kt_comm_agree(t->comm, kt_trainer_start_files(t)));
    t->start_seconds = t->tried.last_seconds = kt_timer_seconds();
    kt_trainer_start_clock(t);
    kt_status status = KT_OK;
    do {
        *reason = KT_STOP_NOT;
        ask_all(t);
        status = kt_trainer_meet(t, t->works ? train(t, reason) : KT_OK, reason);
        if (status == KT_OK && t->rearranges && *reason == KT_STOP_NOT)
            status = kt_trainer_rearrange(t);
    } while (status == KT_OK && *reason == KT_STOP_NOT);
    t->state.progress.seconds = kt_trainer_seconds(t);
    kt_attempts_close(t->attempts, t->state.progress.step);
    t->attempts = NULL;
    kt_activity_begin(before);
    if (status == KT_OK || status == KT_DIVERGED)
        kt_trainer_end_saving(t);
    if (status != KT_DIVERGED)
        return status;
    *reason = KT_STOP_DIVERGENCE;
    kt_trainer_settle_saving(t);
    KT_TRY(kt_comm_agree(t->comm, kt_trainer_write_best(t))); /* good weights that no checkpoint has yet */
    return status;
}
