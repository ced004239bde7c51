/* A step: a batch through the network and back, and the update. */
#include <math.h>

#include "base/share.h"
#include "engine/rank_rows.h"
#include "run/stop.h"
#include "run/trainer_private.h"

/* Own shards' inputs and labels. */
static void gather_batch(kt_trainer *t, const kt_pass *pass)
{
    const kt_dataset *set = &t->data->set;
    const kt_range own = kt_rank_rows_own_shards(&t->replica, &pass->rows);
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

/* Own shards' loss and its derivative, then the sums of the whole batch: shard by shard, added along the tree. The word
 * of a stop travels with them, so that all ranks know of it in the same step. */
static void score_batch(kt_trainer *t, const kt_pass *pass, const float *logits, kt_loss_sums *sums)
{
    const size_t C = t->data->set.n_classes, V = pass->rows.shards;
    kt_shard_result *shards = t->board->shards;
    const kt_range own = kt_rank_rows_own_shards(&t->replica, &pass->rows);
    for (size_t v = own.begin; v < own.end; v++) {
        const kt_range rows = kt_share(pass->rows.M, v, V);
        const size_t begin = rows.begin;
        shards[v] = (kt_shard_result){.asked = atomic_load_explicit(&t->board->asked, memory_order_relaxed)};
        kt_loss_softmax(&t->loss, &(kt_logits){rows.end - begin, pass->rows.M, logits + begin * C, t->labels + begin},
                        &shards[v].sums, kt_network_d_logits(t->network) + begin * C);
    }
    kt_team_gather_all(&t->replica.team, shards, V, sizeof *shards);
    double shard_sums[2 * KT_MAX_SHARDS], total[2];
    for (size_t v = 0; v < V; v++) {
        shard_sums[2 * v] = shards[v].sums.loss;
        shard_sums[2 * v + 1] = shards[v].sums.cross_entropy;
        sums->correct += shards[v].sums.correct;
        sums->samples += shards[v].sums.samples;
        t->asked |= shards[v].asked != 0;
    }
    kt_shards_add_f64(V, 2, 2, shard_sums, total);
    sums->loss = total[0];
    sums->cross_entropy = total[1];
}

/* This replica's rows of a batch through the network and back. */
static void compute_factors(kt_trainer *t, const kt_pass *pass, kt_loss_sums *sums)
{
    gather_batch(t, pass);
    score_batch(t, pass, kt_network_forward(t->network, pass), sums);
    kt_network_backward(t->network, pass);
}

kt_status kt_trainer_step(kt_trainer *t, size_t step)
{
    kt_progress *p = &t->state.progress;
    const uint32_t *samples;
    size_t M = kt_batches_step(&t->batches, step, &samples);
    kt_loss_sums sums = {0};
    kt_pass pass =
        kt_network_pass(t->network, kt_rank_rows_of_replica(&t->replica, t->replica.number, M, t->plan.job.n_shards));
    pass.training = true;
    pass.seed = (uint64_t)t->config->run.seed;
    pass.epoch = (uint32_t)p->epoch;
    pass.sample = samples;
    kt_exchange_listen(t->exchange, &pass);
    compute_factors(t, &pass, &sums);
    if (!isfinite(sums.loss)) {
        kt_exchange_finish_transfers(t->exchange);
        return kt_trainer_diverged(t, "training loss", sums.loss / (double)M);
    }
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
    return p->step <= t->config->run.log_steps ? kt_comm_agree(t->comm, kt_trainer_log_step(t, sums.loss / (double)M))
                                               : KT_OK;
}
