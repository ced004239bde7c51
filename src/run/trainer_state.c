/* What a checkpoint holds of a trainer, saved and taken over. */
#include <math.h>

#include "base/timer.h"
#include "edge/linalg.h"
#include "process/activity.h"
#include "process/stop.h"
#include "run/checkpoint_file.h"
#include "run/trainer_private.h"

double kt_trainer_seconds(const kt_trainer *t)
{
    return t->seconds_before + kt_timer_seconds() - t->start_seconds;
}

/* On rank 0: the state of record stands in replica 0's memory. It is saved from there, and read back to there. */
static kt_snapshot view(kt_trainer *t)
{
    kt_snapshot snapshot = {
        .config = t->config,
        .data = t->data,
        .provenance = &t->provenance,
        .network = t->network,
        .best_parameters = t->best_parameters,
        .best_state = t->best_state,
        .n_slots = kt_exchange_n_slots(t->exchange),
        .state = &t->state,
        .history = &t->history,
    };
    for (size_t k = 0; k < snapshot.n_slots; k++) {
        snapshot.slot_names[k] = kt_exchange_slot_name(t->exchange, k);
        snapshot.slots[k] = kt_network_parameters(t->network)->vector[1 + k];
    }
    return snapshot;
}

kt_status kt_trainer_write_best(kt_trainer *t)
{
    char path[KT_PATH_BYTES];
    if (!t->root || t->dir == NULL || t->state.stopping.best_epoch == t->saved_best_epoch)
        return KT_OK;
    KT_TRY(kt_file_path(path, "%s/best.h5", t->dir));
    const kt_snapshot snapshot = view(t);
    KT_TRY(kt_checkpoint_write_model(path, &snapshot, t->best_parameters, t->best_state));
    t->saved_best_epoch = t->state.stopping.best_epoch;
    return KT_OK;
}

static kt_status write_checkpoint(kt_trainer *t)
{
    char directory[KT_PATH_BYTES], path[KT_PATH_BYTES];
    KT_TRY(kt_file_path(directory, "%s/checkpoints", t->dir));
    KT_TRY(kt_file_path(path, "%s/step-%010lld.h5", directory, (long long)t->state.progress.step));
    KT_TRY(kt_trainer_write_best(t));
    const kt_snapshot snapshot = view(t);
    KT_TRY(kt_checkpoint_write(path, &snapshot));
    return kt_checkpoint_file_prune(directory, (size_t)t->config->checkpoint.keep);
}

/* The loss shows weights that are no longer finite only in the next step: they must not be saved as a good
 * checkpoint. */
static kt_status check_finite(kt_trainer *t)
{
    const kt_tensors *parameters = kt_network_parameters(t->network);
    if (isfinite(kt_linalg_sum_squares(parameters->room, parameters->vector[0])))
        return KT_OK;
    return kt_fail(KT_DIVERGED,
                   "training diverged: weights are no longer finite after step %lld; a smaller optimizer.learning_rate "
                   "or train.clip_norm may help",
                   (long long)t->state.progress.step);
}

kt_status kt_trainer_save(kt_trainer *t)
{
    if (t->dir == NULL || t->saved_step == t->state.progress.step)
        return KT_OK;
    KT_TRY(kt_comm_agree(t->work, t->root ? check_finite(t) : KT_OK));
    const double began = kt_timer_seconds();
    const char *before = kt_activity_begin("saving a checkpoint");
    t->state.progress.seconds = kt_trainer_seconds(t);
    kt_exchange_gather_state(t->exchange);
    const kt_status status = kt_comm_agree(t->work, t->root ? write_checkpoint(t) : KT_OK);
    kt_activity_begin(before);
    KT_TRY(status);
    kt_stop_saving_takes(kt_timer_seconds() - began);
    t->saved_step = t->state.progress.step;
    return KT_OK;
}

static bool is_good(const char *path)
{
    kt_hdf5 *file;
    bool good = kt_checkpoint_file_open(path, &file, NULL) == KT_OK;
    kt_hdf5_close(file);
    return good;
}

/* A finished run that is started again has nothing to save, unless it goes on from elsewhere or its best.h5 is lost or
 * damaged. */
static kt_status find_saved_step(kt_trainer *t)
{
    char checkpoint[KT_PATH_BYTES], best[KT_PATH_BYTES];
    if (!t->root || t->dir == NULL)
        return KT_OK;
    KT_TRY(kt_file_path(checkpoint, "%s/checkpoints/step-%010lld.h5", t->dir, (long long)t->state.progress.step));
    KT_TRY(kt_file_path(best, "%s/best.h5", t->dir));
    if (kt_file_exists(checkpoint) && (t->state.stopping.best_epoch == 0 || is_good(best)))
        t->saved_step = t->state.progress.step;
    return KT_OK;
}

kt_status kt_trainer_resume(kt_trainer *t, kt_hdf5 *file)
{
    const kt_snapshot snapshot = t->root ? view(t) : (kt_snapshot){0};
    KT_TRY(kt_comm_agree(t->comm, t->root ? kt_checkpoint_read(file, &snapshot) : KT_OK));
    KT_TRY(kt_comm_agree(t->comm, find_saved_step(t)));
    kt_comm_broadcast(t->comm, 0, &t->saved_step, sizeof t->saved_step);
    kt_comm_broadcast(t->comm, 0, &t->state, sizeof t->state);
    if (t->works)
        kt_replica_spread_network(&t->replica, t->network);
    t->seconds_before = t->state.progress.seconds;
    return KT_OK;
}
