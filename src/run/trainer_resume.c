/* Going on from what an earlier start has saved. */
#include <string.h>

#include "base/timer.h"
#include "run/trainer_private.h"
#include "saving/checkpoint_file.h"

double kt_trainer_seconds(const kt_trainer *t)
{
    return t->seconds_before + kt_timer_seconds() - t->start_seconds;
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

/* Rank 0. */
static kt_status read_snapshot(kt_trainer *t, int which, int best)
{
    kt_saving *s = &t->saving;
    const kt_tensors *parameters = kt_network_parameters(t->network), *state = kt_network_state(t->network);
    KT_TRY(kt_snapshots_read(s->snapshots, which, &t->state, &t->history));
    for (size_t k = 0; k < parameters->n_vectors; k++)
        memcpy(parameters->vector[k], kt_snapshots_vector(s->snapshots, which, k), parameters->room * sizeof(float));
    memcpy(state->vector[0], kt_snapshots_state(s->snapshots, which), state->room * sizeof(float));
    s->best_place = s->sealed_best = best;
    s->newest = which;
    return KT_OK;
}

/* Rank 0. */
static kt_status read_checkpoint(kt_trainer *t, kt_hdf5 *file)
{
    const kt_run_view view = kt_trainer_view(t);
    KT_TRY(kt_checkpoint_read(file, &view));
    if (t->saving.snapshots != NULL)
        kt_snapshots_seal_best(t->saving.snapshots, t->saving.best_place, t->state.stopping.best_epoch);
    return KT_OK;
}

/* The later of both: bits do not depend on from where a run went on. */
static kt_status read_newest(kt_trainer *t, kt_hdf5 *file, kt_resumed *from)
{
    int64_t step = 0;
    int which = -1, best = 0;
    if (file != NULL)
        KT_TRY(kt_hdf5_read_into(file, "/progress/step", KT_I64, 0, NULL, &step));
    if (t->saving.snapshots != NULL)
        which = kt_snapshots_newest(t->saving.snapshots, t->network, step, &best);
    *from = which >= 0 ? KT_RESUMED_SNAPSHOT : file != NULL ? KT_RESUMED_CHECKPOINT : KT_RESUMED_NOT;
    if (which >= 0)
        return read_snapshot(t, which, best);
    return file != NULL ? read_checkpoint(t, file) : KT_OK;
}

kt_status kt_trainer_resume(kt_trainer *t, kt_hdf5 *file, kt_resumed *from)
{
    *from = KT_RESUMED_NOT;
    KT_TRY(kt_comm_agree(t->comm, t->root ? read_newest(t, file, from) : KT_OK));
    kt_comm_broadcast(t->comm, 0, from, sizeof *from);
    if (*from == KT_RESUMED_NOT)
        return KT_OK;
    KT_TRY(kt_comm_agree(t->comm, find_saved_step(t)));
    kt_comm_broadcast(t->comm, 0, &t->saved_step, sizeof t->saved_step);
    kt_comm_broadcast(t->comm, 0, &t->state, sizeof t->state);
    kt_comm_broadcast(t->comm, 0, &t->saving.newest, sizeof t->saving.newest);
    if (t->works)
        kt_replica_spread_network(&t->replica, t->network);
    t->seconds_before = t->state.progress.seconds;
    return KT_OK;
}
