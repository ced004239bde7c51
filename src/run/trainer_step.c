/* A step: a batch through the network and back, and the update. */
#include <math.h>

#include "base/share.h"
#include "process/stop.h"
#include "run/trainer_private.h"

/* Inputs and labels of all rows that are computed here: every rank gathers them for itself. Where an epoch is one step,
 * all steps have the same batch, and only those are gathered whose place was taken meanwhile. */
static void gather_batch(kt_trainer *t, kt_pass *pass)
{
    const kt_dataset *set = &t->data->set;
    const kt_range all = kt_rows_range(&pass->rows);
    kt_range rows = all;
    pass->kept = t->kept;
    if (t->kept.begin < t->kept.end)
        rows.end = t->kept.begin;
    kt_dataset_gather_apart(set, pass->sample + rows.begin, rows.end - rows.begin, (float)t->config->data.scale,
                            kt_network_input(t->network, rows.begin), kt_inputs_ld(set->d));
    for (size_t r = rows.begin; r < rows.end; r++)
        t->labels[r] = set->labels[pass->sample[r]];
    t->kept = t->batches.sizes.steps == 1 ? all : (kt_range){0};
}

/* The loss of every shard that is computed here, and its derivative. */
static void score_shards(kt_trainer *t, const kt_pass *pass, kt_shard_result *shards)
{
    const kt_range rows = kt_rows_range(&pass->rows);
    const size_t M = pass->rows.M, first = pass->rows.first, n = pass->rows.end - first;
    const size_t at = rows.begin * t->data->set.n_classes;
    size_t end[KT_MAX_SHARDS];
    kt_loss_sums sums[KT_MAX_SHARDS] = {0};
    for (size_t v = 0; v < n; v++)
        end[v] = kt_share(M, first + v, pass->rows.shards).end - rows.begin;
    const kt_logits logits = {rows.end - rows.begin, M, kt_network_logits(t->network) + at, t->labels + rows.begin};
    kt_loss_shards(&t->loss, &logits, end, sums, kt_network_d_logits(t->network) + at);
    for (size_t v = 0; v < n; v++)
        shards[first + v] = (kt_shard_result){.sums = sums[v]};
}

/* Sums of the whole batch: shard by shard, added along the tree. Words travel with them, so that all ranks hear of a
 * stop in the same step. */
static void score_batch(kt_trainer *t, const kt_pass *pass, kt_loss_sums *sums)
{
    const size_t V = pass->rows.shards;
    unsigned words = kt_replica_hear(&t->replica);
    double shard_sums[2 * KT_MAX_SHARDS], total[2];
    kt_shard_result own[KT_MAX_SHARDS], *shards = own;
    score_shards(t, pass, own);
    if (t->replica.n_replicas > 1) {
        shards = t->board->shards;
        for (size_t v = pass->rows.first; v < pass->rows.end && t->replica.leaders != NULL; v++) {
            shards[v] = own[v];
            shards[v].words = words;
        }
        kt_team_gather_all(&t->replica.team, shards, V, sizeof *shards);
    }
    if (t->replica.n_replicas > 1)
        words = 0; /* what all replicas hear is in the shards */
    for (size_t v = 0; v < V; v++) {
        shard_sums[2 * v] = shards[v].sums.loss;
        shard_sums[2 * v + 1] = shards[v].sums.cross_entropy;
        sums->correct += shards[v].sums.correct;
        sums->samples += shards[v].sums.samples;
        words |= (unsigned)shards[v].words;
    }
    t->words = words;
    t->asked |= (words & 1U << KT_WORD_STOP) != 0;
    t->rearranges |= (words & 1U << KT_WORD_ARRANGE) != 0;
    kt_shards_add_f64(V, 2, 2, shard_sums, total);
    sums->loss = total[0];
    sums->cross_entropy = total[1];
}

/* What this rank has for the others. A copy that has no shards of a batch tells nothing in a step (trainer.c). */
static void say_words(kt_trainer *t, bool ends_epoch)
{
    if (kt_stop_asked())
        kt_replica_say(&t->replica, KT_WORD_STOP);
    if (t->replica.n_replicas > t->plan.job.n_shards)
        return;
    const unsigned words = kt_trainer_saving_words(t, ends_epoch);
    for (kt_word w = 0; w < KT_N_WORDS && words != 0; w++)
        if (words & 1U << w)
            kt_replica_say(&t->replica, w);
}

kt_status kt_trainer_step(kt_trainer *t, size_t step)
{
    kt_progress *p = &t->state.progress;
    const uint32_t *samples;
    size_t M = kt_batches_step(&t->batches, step, &samples);
    kt_loss_sums sums = {0};
    kt_pass pass = {.rows = kt_replica_rows(&t->replica, t->replica.number, M, t->plan.job.n_shards),
                    .training = true,
                    .seed = (uint64_t)t->config->run.seed,
                    .epoch = (uint32_t)p->epoch,
                    .sample = samples};
    say_words(t, step + 1 == t->batches.sizes.steps);
    gather_batch(t, &pass);
    kt_network_forward(t->network, &pass);
    score_batch(t, &pass, &sums);
    if (!isfinite(sums.loss))
        return kt_trainer_diverged(t, "training loss", sums.loss / (double)M, kt_rows_range(&pass.rows).end);
    kt_network_backward(t->network, &pass);
    const double rate = kt_schedule_rate(&t->config->schedule, &t->state.schedule, p->epoch, p->step);
    kt_exchange_apply(t->exchange, p->step + 1, rate, &pass);
    p->step++;
    p->step_in_epoch++;
    p->ranks = kt_comm_size(t->comm);
    p->sums.loss += sums.loss;
    p->sums.cross_entropy += sums.cross_entropy;
    p->sums.correct += sums.correct;
    p->sums.samples += sums.samples;
    t->epoch_samples += sums.samples;
    return p->step <= t->config->run.log_steps ? kt_comm_agree(t->work, kt_trainer_log_step(t, sums.loss / (double)M))
                                               : KT_OK;
}
