/* When and how a run is saved: snapshots in memory (saving/snapshot.h) every few steps, and checkpoints on disk, which
 * a thread of rank 0 writes from a snapshot while training goes on. Rank 0 has the clock; the others hear of it by
 * words that go round with a step. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "base/memory.h"
#include "base/test_point.h"
#include "base/timer.h"
#include "edge/linalg.h"
#include "process/activity.h"
#include "process/stop.h"
#include "process/worker.h"
#include "run/trainer_private.h"
#include "saving/checkpoint_file.h"

/* A checkpoint that is being written: it is read from one snapshot, which stays as it is. */
struct kt_saving_job {
    kt_run_view view;
    kt_run_state state;
    kt_history history; /* as it was */
    char dir[KT_PATH_BYTES];
    size_t keep;
    bool writes_best;
    double seconds; /* that it took */
};

/* Of what saving may cost (checkpoint.overhead), so much is for snapshots where there are any. */
static const double SNAPSHOT_SHARE = 5.0 / 6;

/* What is guessed of the first ones: bytes a second that are copied, and written. */
static const double COPY_SPEED = 10e9, WRITE_SPEED = 300e6, LONGEST_WAIT_SECONDS = 10;

/* ---- beginning and end ---- */

static kt_snapshot_shape shape_of(const kt_trainer *t)
{
    const kt_tensors *parameters = kt_network_parameters(t->network);
    return (kt_snapshot_shape){parameters->n_vectors, parameters->room, kt_network_state(t->network)->room};
}

/* Whether this rank has panels that go into a snapshot: of the copy of the weights that rank 0 is in. One that spans
 * hosts is gathered by rank 0, which then has all. */
static bool copies(const kt_trainer *t)
{
    return t->works && t->replica.number == 0 && (t->root || !t->replica.spans);
}

static kt_seat seat_of(const kt_trainer *t)
{
    return t->replica.spans ? (kt_seat){0, 1} : (kt_seat){t->replica.team.seat, t->replica.team.n_seats};
}

/* Ranks that need a view of the files get one. Collective over all. */
void kt_trainer_attach_snapshots(kt_trainer *t)
{
    kt_saving *s = &t->saving;
    if (!s->takes_snapshots)
        return;
    int64_t n_failed = 0;
    if (copies(t) && s->snapshots == NULL)
        n_failed = kt_snapshots_attach(&s->snapshots, s->path, &s->shape) != KT_OK;
    n_failed += copies(t) && seat_of(t).n_seats > KT_MOST_SNAPSHOT_WRITERS;
    kt_comm_sum_i64(t->comm, &n_failed, 1);
    if (n_failed > 0)
        kt_log_line(t->log, "saving no snapshots: %lld of the ranks cannot see %s; checkpoints are written in between",
                    (long long)n_failed, s->path);
    s->takes_snapshots = n_failed == 0;
}

/* What all numbers of the run depend on, and what wrote them. */
static uint64_t hash_job(const kt_trainer *t)
{
    const kt_split *split = &t->data->split;
    const char *version = t->provenance.version;
    uint64_t hash = kt_config_hash(t->config);
    hash = kt_hash_bytes(hash, version, strlen(version));
    hash = kt_hash_bytes(hash, &t->data->fingerprint, sizeof t->data->fingerprint);
    for (int p = 0; p < KT_N_PARTS; p++)
        hash = kt_hash_bytes(hash, split->index[p], split->n[p] * sizeof *split->index[p]);
    return hash;
}

static kt_status create_snapshots(kt_trainer *t, uint64_t run)
{
    kt_saving *s = &t->saving;
    const kt_snapshot_owner owner = {t->config->checkpoint.snapshots, t->dir, run, hash_job(t)};
    const kt_status status = kt_snapshots_create(&s->snapshots, &owner, &s->shape);
    if (status != KT_OK) {
        kt_log_line(t->log, "saving no snapshots, and checkpoints in between: %s", kt_error_message());
        return status;
    }
    memcpy(s->path, kt_snapshots_path(s->snapshots), sizeof s->path);
    return kt_worker_create(&s->worker);
}

static kt_status allocate_best(kt_saving *s)
{
    KT_TRY(KT_NEW(s->best.parameters, s->shape.room));
    return KT_NEW(s->best.state, s->shape.state_room);
}

kt_status kt_trainer_open_saving(kt_trainer *t, uint64_t run)
{
    kt_saving *s = &t->saving;
    struct news {
        bool takes;
        char path[KT_PATH_BYTES];
    } news = {false, ""};
    kt_status status = KT_OK;
    s->is_open = true;
    s->newest = -1;
    if (t->root) {
        const bool wanted = t->dir != NULL && run != 0 && t->config->checkpoint.snapshots[0] == '/';
        s->shape = shape_of(t);
        s->takes_snapshots = wanted && create_snapshots(t, run) == KT_OK;
        if (!s->takes_snapshots)
            status = allocate_best(s);
        news.takes = s->takes_snapshots;
        memcpy(news.path, s->path, sizeof news.path);
    }
    KT_TRY(kt_comm_agree(t->comm, status));
    kt_comm_broadcast(t->comm, 0, &news, sizeof news);
    kt_comm_broadcast(t->comm, 0, &s->shape, sizeof s->shape);
    s->takes_snapshots = news.takes;
    memcpy(s->path, news.path, sizeof s->path);
    kt_trainer_attach_snapshots(t);
    return KT_OK;
}

void kt_trainer_close_saving(kt_trainer *t)
{
    kt_saving *s = &t->saving;
    kt_worker_free(s->worker);
    if (s->job != NULL)
        kt_history_free(&s->job->history);
    kt_memory_free(s->job);
    kt_memory_free(s->best.parameters);
    kt_memory_free(s->best.state);
    kt_snapshots_close(s->snapshots, t->root && s->is_over);
    *s = (kt_saving){0};
}

kt_model_vectors kt_trainer_best(const kt_trainer *t)
{
    const kt_saving *s = &t->saving;
    return s->snapshots != NULL ? kt_snapshots_best(s->snapshots, s->best_place) : s->best;
}

/* On rank 0: the state of record stands in replica 0's memory. It is saved from there, and read back to there. */
kt_run_view kt_trainer_view(kt_trainer *t)
{
    const kt_tensors *parameters = kt_network_parameters(t->network);
    kt_run_view view = {
        .config = t->config,
        .data = t->data,
        .provenance = &t->provenance,
        .network = t->network,
        .now = {parameters->vector[0], kt_network_state(t->network)->vector[0]},
        .best = kt_trainer_best(t),
        .n_slots = kt_exchange_n_slots(t->exchange),
        .state = &t->state,
        .history = &t->history,
    };
    for (size_t k = 0; k < view.n_slots; k++) {
        view.slot_names[k] = kt_exchange_slot_name(t->exchange, k);
        view.slots[k] = parameters->vector[1 + k];
    }
    return view;
}

/* ---- checkpoints on disk ---- */

/* The loss shows weights that are no longer finite only in the next step: they must not be saved as a good
 * checkpoint. */
static kt_status check_finite(const kt_run_view *view)
{
    if (isfinite(kt_linalg_sum_squares(kt_network_parameters(view->network)->room, view->now.parameters)))
        return KT_OK;
    return kt_fail(KT_DIVERGED,
                   "training diverged: weights are no longer finite after step %lld; a smaller optimizer.learning_rate "
                   "or train.clip_norm may help",
                   (long long)view->state->progress.step);
}

static kt_status write_best(const char *dir, const kt_run_view *view)
{
    char path[KT_PATH_BYTES];
    KT_TRY(kt_file_path(path, "%s/best.h5", dir));
    return kt_checkpoint_write_best(path, view);
}

static kt_status write_files(const char *dir, const kt_run_view *view, bool writes_best, size_t keep)
{
    char directory[KT_PATH_BYTES], path[KT_PATH_BYTES];
    KT_TRY(check_finite(view));
    KT_TRY(kt_file_path(directory, "%s/checkpoints", dir));
    KT_TRY(kt_file_path(path, "%s/step-%010lld.h5", directory, (long long)view->state->progress.step));
    if (writes_best)
        KT_TRY(write_best(dir, view));
    KT_TRY(kt_checkpoint_write(path, view));
    return kt_checkpoint_file_prune(directory, keep);
}

static bool has_new_best(const kt_trainer *t)
{
    return t->state.stopping.best_epoch != t->saved_best_epoch;
}

kt_status kt_trainer_write_best(kt_trainer *t)
{
    if (!t->root || t->dir == NULL || !has_new_best(t))
        return KT_OK;
    const kt_run_view view = kt_trainer_view(t);
    KT_TRY(write_best(t->dir, &view));
    t->saved_best_epoch = t->state.stopping.best_epoch;
    return KT_OK;
}

/* The next one is due when what this one cost is the agreed share of the time. */
static double pause_after(double cost, double share)
{
    return share > 0 ? cost / share : INFINITY;
}

static void plan_next_checkpoint(kt_trainer *t, double cost)
{
    kt_saving *s = &t->saving;
    const double overhead = t->config->checkpoint.overhead, minutes = t->config->checkpoint.every_minutes;
    const double share = s->takes_snapshots ? overhead * (1 - SNAPSHOT_SHARE) : overhead;
    s->pause_seconds = t->config->checkpoint.every_epochs == KT_AUTO ? pause_after(cost, share) : INFINITY;
    if (minutes > 0)
        s->pause_seconds = fmin(s->pause_seconds, 60 * minutes);
    s->checkpoint_due = kt_timer_seconds() + s->pause_seconds;
}

/* Rank 0: what the thread has done. */
static void settle_job(kt_trainer *t)
{
    kt_saving *s = &t->saving;
    double cost = 0;
    if (s->worker == NULL || !kt_worker_has_work(s->worker))
        return;
    s->status = kt_worker_finish(s->worker, &cost);
    if (s->status != KT_OK)
        s->error = *kt_error_last();
    kt_stop_saving_takes(s->job->seconds);
    kt_history_free(&s->job->history);
    plan_next_checkpoint(t, cost);
}

void kt_trainer_settle_saving(kt_trainer *t)
{
    if (t->root)
        settle_job(t);
}

/* The checkpoint that was begun is on disk, or all hear why not. */
static kt_status finish_job(kt_trainer *t)
{
    kt_saving *s = &t->saving;
    kt_trainer_settle_saving(t);
    return kt_comm_agree(t->work, t->root && s->status != KT_OK ? kt_fail_as(&s->error) : KT_OK);
}

static kt_status write_job(void *context)
{
    struct kt_saving_job *job = context;
    const double began = kt_timer_seconds();
    KT_TEST_POINT("writer");
    const kt_status status = write_files(job->dir, &job->view, job->writes_best, job->keep);
    job->seconds = kt_timer_seconds() - began;
    return status;
}

static kt_status copy_history(const kt_history *from, kt_history *to)
{
    for (size_t i = 0; i < from->n; i++)
        KT_TRY(kt_history_append(to, &from->records[i]));
    return KT_OK;
}

/* Rank 0: the newest snapshot becomes a checkpoint. */
static kt_status begin_job(kt_trainer *t)
{
    kt_saving *s = &t->saving;
    if (s->job == NULL)
        KT_TRY(KT_NEW(s->job, 1));
    struct kt_saving_job *job = s->job;
    memset(job, 0, sizeof *job);
    KT_TRY(copy_history(&t->history, &job->history));
    KT_TRY(kt_file_path(job->dir, "%s", t->dir));
    job->state = t->state;
    job->view = kt_trainer_view(t);
    job->view.state = &job->state;
    job->view.history = &job->history;
    job->view.now = (kt_model_vectors){kt_snapshots_vector(s->snapshots, s->newest, 0),
                                       kt_snapshots_state(s->snapshots, s->newest)};
    for (size_t k = 0; k < job->view.n_slots; k++)
        job->view.slots[k] = kt_snapshots_vector(s->snapshots, s->newest, 1 + k);
    job->keep = (size_t)t->config->checkpoint.keep;
    job->writes_best = has_new_best(t);
    s->pinned = s->newest;
    s->pinned_best = s->best_place;
    t->saved_best_epoch = t->state.stopping.best_epoch;
    kt_worker_begin(s->worker, write_job, job);
    return KT_OK;
}

/* ---- snapshots ---- */

static bool is_writing(const kt_saving *s)
{
    return s->worker != NULL && kt_worker_is_busy(s->worker);
}

/* The older one, unless a checkpoint is being written from it. */
static int next_snapshot(const kt_saving *s)
{
    const int older = s->newest < 0 ? 0 : 1 - s->newest;
    return is_writing(s) && s->pinned == older ? s->newest : older;
}

static void take_snapshot(kt_trainer *t, int which)
{
    kt_saving *s = &t->saving;
    const double began = kt_timer_seconds();
    const kt_seat seat = seat_of(t);
    t->state.progress.seconds = kt_trainer_seconds(t);
    if (kt_exchange_is_dealt(t->exchange))
        kt_exchange_gather_state(t->exchange);
    KT_TEST_POINT("copying");
    if (copies(t))
        kt_snapshots_put(s->snapshots, which, t->network, seat, t->state.progress.step);
    s->newest = which;
    if (!t->root)
        return;
    if (kt_snapshots_seal(s->snapshots, which, seat.n_seats, &t->state, &t->history, s->best_place) == KT_OK)
        s->sealed_best = s->best_place;
    const double cost = kt_timer_seconds() - began;
    s->snapshot_cost = s->snapshot_cost > 0 ? 0.75 * s->snapshot_cost + 0.25 * cost : cost; /* one may be disturbed */
    s->snapshot_due =
        kt_timer_seconds() + pause_after(s->snapshot_cost, SNAPSHOT_SHARE * t->config->checkpoint.overhead);
    KT_TEST_POINT("snapshot");
}

/* Never where the newest snapshot has the best weights before these, nor where a checkpoint takes them from. */
void kt_trainer_keep_best(kt_trainer *t)
{
    kt_saving *s = &t->saving;
    if (!t->root)
        return;
    if (s->snapshots != NULL) {
        const int place = 1 - s->sealed_best;
        if (is_writing(s) && s->pinned_best == place)
            settle_job(t);
        s->best_place = place;
    }
    const kt_tensors *parameters = kt_network_parameters(t->network), *state = kt_network_state(t->network);
    const kt_model_vectors best = kt_trainer_best(t);
    memcpy(best.parameters, parameters->vector[0], parameters->room * sizeof(float));
    memcpy(best.state, state->vector[0], state->room * sizeof(float));
    if (s->snapshots != NULL)
        kt_snapshots_seal_best(s->snapshots, s->best_place, t->state.stopping.best_epoch);
}

/* ---- when ---- */

void kt_trainer_start_clock(kt_trainer *t)
{
    kt_saving *s = &t->saving;
    const size_t n_bytes = kt_snapshot_bytes(&s->shape);
    if (!t->root)
        return;
    plan_next_checkpoint(t, (double)n_bytes / WRITE_SPEED);
    s->checkpoint_due = fmin(s->checkpoint_due, kt_timer_seconds() + fmin(s->pause_seconds, LONGEST_WAIT_SECONDS));
    s->snapshot_due =
        kt_timer_seconds() + pause_after((double)n_bytes / COPY_SPEED, SNAPSHOT_SHARE * t->config->checkpoint.overhead);
    kt_stop_saving_takes((double)n_bytes / WRITE_SPEED);
}

/* With the last step of an epoch, and within it only when that is far away. */
static bool is_checkpoint_due(const kt_trainer *t, bool ends_epoch)
{
    const kt_saving *s = &t->saving;
    const double late = kt_timer_seconds() - s->checkpoint_due;
    return !is_writing(s) && (ends_epoch ? late >= 0 : late >= s->pause_seconds);
}

unsigned kt_trainer_saving_words(kt_trainer *t, bool ends_epoch)
{
    kt_saving *s = &t->saving;
    unsigned words = 0;
    if (!t->root || t->dir == NULL)
        return 0;
    if (!is_writing(s))
        settle_job(t);
    if (s->status != KT_OK || is_checkpoint_due(t, ends_epoch))
        words |= 1U << KT_WORD_SAVE;
    if (s->takes_snapshots && kt_timer_seconds() >= s->snapshot_due)
        words |= 1U << (next_snapshot(s) == 0 ? KT_WORD_SNAPSHOT_0 : KT_WORD_SNAPSHOT_1);
    return words;
}

static void forget_words(kt_trainer *t)
{
    for (kt_word w = KT_WORD_SAVE; w <= KT_WORD_SNAPSHOT_1; w++)
        if (t->words & 1U << w)
            kt_replica_forget(&t->replica, w);
    t->words = 0;
}

/* Beside the training: from a snapshot. */
static kt_status save_beside(kt_trainer *t, bool waits)
{
    int which = t->root ? next_snapshot(&t->saving) : 0;
    kt_comm_broadcast(t->work, 0, &which, sizeof which);
    take_snapshot(t, which);
    kt_comm_barrier(t->work); /* every rank has copied what is its own: now it can be read */
    kt_status status = kt_comm_agree(t->work, t->root ? begin_job(t) : KT_OK);
    return status == KT_OK && waits ? finish_job(t) : status;
}

static kt_status save_here(kt_trainer *t)
{
    const double began = kt_timer_seconds();
    kt_status status = KT_OK;
    kt_exchange_gather_state(t->exchange);
    if (t->root) {
        const kt_run_view view = kt_trainer_view(t);
        status = write_files(t->dir, &view, has_new_best(t), (size_t)t->config->checkpoint.keep);
        if (status == KT_OK)
            t->saved_best_epoch = t->state.stopping.best_epoch;
    }
    KT_TRY(kt_comm_agree(t->work, status));
    kt_stop_saving_takes(kt_timer_seconds() - began);
    if (t->root)
        plan_next_checkpoint(t, kt_timer_seconds() - began);
    return KT_OK;
}

kt_status kt_trainer_save(kt_trainer *t, bool waits)
{
    if (t->dir == NULL)
        return KT_OK;
    const char *before = kt_activity_begin("saving a checkpoint");
    kt_status status = finish_job(t);
    if (status == KT_OK && t->saved_step != t->state.progress.step) {
        t->state.progress.seconds = kt_trainer_seconds(t);
        status = t->saving.takes_snapshots ? save_beside(t, waits) : save_here(t);
        if (status == KT_OK)
            t->saved_step = t->state.progress.step;
    }
    kt_activity_begin(before);
    return status;
}

kt_status kt_trainer_save_when_due(kt_trainer *t, bool ends_epoch)
{
    const int64_t every = t->config->checkpoint.every_steps, step = t->state.progress.step;
    const unsigned words = t->words;
    if ((words & 1U << KT_WORD_SAVE) && ends_epoch)
        return KT_OK; /* after its validation */
    forget_words(t);
    if ((words & 1U << KT_WORD_SAVE) || (every > 0 && step % every == 0 && !ends_epoch))
        return kt_trainer_save(t, false);
    if (words & (1U << KT_WORD_SNAPSHOT_0 | 1U << KT_WORD_SNAPSHOT_1))
        take_snapshot(t, words & 1U << KT_WORD_SNAPSHOT_0 ? 0 : 1);
    return KT_OK;
}

kt_status kt_trainer_save_epoch(kt_trainer *t)
{
    const int64_t every = t->config->checkpoint.every_epochs;
    const bool is_due = t->words & 1U << KT_WORD_SAVE;
    forget_words(t);
    return is_due || (every > 0 && t->state.progress.epoch % every == 0) ? kt_trainer_save(t, false) : KT_OK;
}

void kt_trainer_end_saving(kt_trainer *t)
{
    t->saving.is_over = true;
}
