/* Handing out trials, taking results, and writing them down. */
#include "sweep/sweep_desk.h"

#include <math.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/timer.h"
#include "process/stop.h"
#include "sweep/sweep_report.h"

enum { FILES_SECONDS = 30, LINE_SECONDS = 15 };
static const double NAP_SECONDS = 2e-4, BAR_SECONDS = 0.2;

static void fail(kt_sweep_desk *desk, kt_status status)
{
    if (status == KT_OK || desk->failure.status != KT_OK)
        return;
    desk->failure = *kt_error_last();
    desk->failure.status = status;
}

/* ---- what is known so far ---- */

static double seconds_left(const kt_sweep_desk *desk, size_t n_expected)
{
    double trained = 0, left = 0;
    for (size_t i = 0; i < desk->trials.n; i++) {
        const kt_trial *trial = &desk->trials.all[i];
        const bool done = trial->state == KT_TRIAL_DONE;
        trained += done && !trial->from_journal ? trial->cost : 0;
        left += done ? 0 : trial->cost;
    }
    if (desk->n_trained == 0)
        return NAN;
    if (n_expected > desk->trials.n) /* not yet proposed */
        left += trained / (double)desk->n_trained * (double)(n_expected - desk->trials.n);
    return (kt_timer_seconds() - desk->start_seconds) * left / fmax(trained, 1e-12);
}

static kt_sweep_progress progress_of(const kt_sweep_desk *desk)
{
    const size_t n_expected = kt_trials_expected(&desk->trials);
    const bool negated = desk->trials.space->settings.objective == KT_OBJECTIVE_ACCURACY;
    return (kt_sweep_progress){
        .n_done = desk->trials.n_done,
        .n_running = desk->n_running,
        .n_expected = n_expected,
        .best = isfinite(desk->best.mean) ? (negated ? -desk->best.mean : desk->best.mean) : NAN,
        .seconds = kt_timer_seconds() - desk->start_seconds,
        .n_trained = desk->n_trained,
        .seconds_left = seconds_left(desk, n_expected),
    };
}

static kt_status write_files(const kt_sweep_desk *desk)
{
    KT_TRY(kt_sweep_write_trials(&desk->trials, desk->files.suffix));
    return kt_sweep_write_best(&desk->trials, desk->files.suffix);
}

/* A bar, or lines, some hundreds in all; and the files now and then. */
static void show(kt_sweep_desk *desk)
{
    const double now = kt_timer_seconds();
    const bool bar = desk->log->terminal;
    if (now - desk->shown_seconds > (bar ? BAR_SECONDS : fmax(LINE_SECONDS, (now - desk->start_seconds) / 100))) {
        const kt_sweep_progress progress = progress_of(desk);
        desk->shown_seconds = now;
        (bar ? kt_sweep_report_bar : kt_sweep_report_line)(desk->log, &progress);
    }
    if (now - desk->files_seconds > FILES_SECONDS) {
        desk->files_seconds = now;
        fail(desk, write_files(desk));
    }
}

/* The best point, when a trial may have changed it. */
static void find_best(kt_sweep_desk *desk)
{
    kt_point_result *points;
    size_t n;
    if (kt_trials_points(&desk->trials, false, &n, &points) != KT_OK)
        return;
    if (n > 0 && isfinite(points[0].mean))
        desk->best = points[0];
    kt_memory_free(points);
}

static void clear_directories(kt_sweep_desk *desk)
{
    if (desk->trials.space->settings.keep_trials == KT_KEEP_BEST)
        kt_sweep_files_clear(&desk->trials, isfinite(desk->best.mean) ? desk->best.point : UINT64_MAX);
}

/* One rank was asked to stop, and so all are. */
static void preempt(kt_sweep_desk *desk)
{
    kt_stop_ask();
    fail(desk,
         kt_fail(
             KT_PREEMPTED,
             "asked to stop (preemption by %s): %s has all trials that were done, and checkpoints of those under way; "
             "start the same command again to go on",
             kt_stop_why(), desk->files.dir));
}

/* A trial that could not write its files has not ended: it is the sweep that cannot go on. */
void kt_sweep_desk_take(kt_sweep_desk *desk, size_t i, kt_outcome *outcome)
{
    kt_trial *trial = &desk->trials.all[i];
    desk->n_running--;
    if (outcome->status == KT_IO) {
        fail(desk, kt_fail(KT_IO, "%s", outcome->error));
        return;
    }
    if (outcome->status == KT_PREEMPTED) {
        preempt(desk);
        return;
    }
    outcome->key = trial->outcome.key;
    kt_status status = kt_trials_config(&desk->trials, trial, desk->trials.scratch);
    if (status == KT_OK)
        status = kt_journal_append(desk->files.journal, desk->trials.scratch, outcome);
    if (status != KT_OK) {
        fail(desk, status);
        return;
    }
    desk->n_trained++;
    trial->has_directory = true;
    kt_trials_finish(&desk->trials, i, outcome);
    const bool complete = desk->trials.n_left[i / (size_t)desk->trials.space->settings.seeds] == 0;
    const bool may_be_best =
        desk->trials.space->settings.seeds > 1 || kt_trial_value(desk->trials.space, outcome) < desk->best.mean;
    if (complete && (may_be_best || trial->proposal.point == desk->best.point))
        find_best(desk);
    clear_directories(desk);
}

/* The directory of an earlier rung is that of the trial that goes on from it. */
static void take_over_directory(kt_trials *t, size_t i)
{
    const kt_trial *trial = &t->all[i];
    for (size_t k = 0; k < i; k++)
        if (t->all[k].proposal.point == trial->proposal.point && t->all[k].repetition == trial->repetition)
            t->all[k].has_directory = false;
}

static kt_sweep_order order_of(const kt_sweep_desk *desk, size_t i)
{
    const kt_trial *trial = &desk->trials.all[i];
    return (kt_sweep_order){.trial = i, .proposal = trial->proposal, .repetition = trial->repetition};
}

/* KT_WAIT: what comes next is not known yet. */
static kt_answer next(kt_sweep_desk *desk, kt_sweep_order *out)
{
    size_t i;
    kt_status status = KT_OK;
    const size_t n_known = desk->trials.n_from_journal;
    if (kt_stop_asked())
        preempt(desk);
    const kt_answer answer = desk->failure.status != KT_OK ? KT_DONE : kt_trials_next(&desk->trials, &i, &status);
    fail(desk, status);
    if (desk->trials.n_from_journal > n_known)
        find_best(desk);
    *out = (kt_sweep_order){.stop = answer == KT_DONE};
    if (answer != KT_PROPOSED)
        return answer;
    *out = order_of(desk, i);
    if (out->proposal.rung > 0)
        take_over_directory(&desk->trials, i);
    desk->n_running++;
    desk->busy_until = kt_timer_seconds();
    return answer;
}

/* Leaders that are within a trial hear of it there. Each gets this order once, and brings its last result after it. */
static void stop_others(kt_sweep_desk *desk)
{
    const kt_sweep_order o = {.stop = true};
    const int each = (int)desk->trials.space->settings.ranks_per_trial;
    for (int rank = each; rank < kt_comm_size(desk->mail); rank += each) {
        if (!desk->leaders[rank].told)
            kt_comm_send(desk->mail, rank, &o, sizeof o);
        desk->leaders[rank].told = true;
    }
}

static void hear(kt_sweep_desk *desk)
{
    int from;
    while (kt_comm_poll(desk->mail, &from)) {
        kt_sweep_news news;
        kt_sweep_leader *leader = &desk->leaders[from];
        kt_comm_receive(desk->mail, from, &news, sizeof news);
        if (news.trial != KT_NO_TRIAL)
            kt_sweep_desk_take(desk, news.trial, &news.outcome);
        desk->idle_seconds += news.idle_seconds;
        desk->n_stopped += leader->told;
        leader->waits = !leader->told;
        leader->waits_since = kt_timer_seconds();
    }
}

static void answer(kt_sweep_desk *desk)
{
    for (int rank = 1; rank < kt_comm_size(desk->mail); rank++) {
        kt_sweep_order o;
        kt_sweep_leader *leader = &desk->leaders[rank];
        if (!leader->waits || next(desk, &o) == KT_WAIT)
            continue;
        leader->waits = false;
        leader->told = o.stop;
        if (o.stop) {
            desk->n_stopped++;
            desk->idle_seconds += fmax(desk->busy_until - leader->waits_since, 0);
        }
        kt_comm_send(desk->mail, rank, &o, sizeof o);
    }
}

void kt_sweep_desk_serve(void *context)
{
    kt_sweep_desk *desk = context;
    hear(desk);
    answer(desk);
    if (desk->failure.status == KT_PREEMPTED)
        stop_others(desk);
    show(desk);
}

void kt_sweep_desk_next(kt_sweep_desk *desk, kt_sweep_order *out)
{
    const double since = kt_timer_seconds();
    while (next(desk, out) == KT_WAIT) {
        kt_sweep_desk_serve(desk);
        kt_timer_sleep(NAP_SECONDS);
    }
    desk->idle_seconds += out->stop ? fmax(desk->busy_until - since, 0) : kt_timer_seconds() - since;
}

void kt_sweep_desk_wait(kt_sweep_desk *desk)
{
    while (desk->n_stopped + 1 < desk->n_groups) {
        kt_sweep_desk_serve(desk);
        kt_timer_sleep(NAP_SECONDS);
    }
}

/* ---- beginning and end ---- */

kt_status kt_sweep_desk_open(kt_sweep_desk *desk, kt_comm *mail, kt_log *log)
{
    desk->mail = mail;
    desk->log = log;
    desk->best.mean = INFINITY;
    desk->n_groups = (size_t)(kt_comm_size(mail) / desk->trials.space->settings.ranks_per_trial);
    KT_TRY(KT_NEW(desk->leaders, (size_t)kt_comm_size(mail)));
    return kt_trials_foresee(&desk->trials);
}

void kt_sweep_desk_close(kt_sweep_desk *desk)
{
    kt_sweep_files_close(&desk->files);
    kt_trials_free(&desk->trials);
    kt_memory_free(desk->leaders);
}

void kt_sweep_desk_start(kt_sweep_desk *desk)
{
    const kt_space *space = desk->trials.space;
    const kt_sweep_settings *settings = &space->settings;
    desk->start_seconds = desk->shown_seconds = desk->files_seconds = desk->busy_until = kt_timer_seconds();
    kt_log_line(desk->log, "sweep  %s over %llu points of %zu ax%ss, %lld repetition%s each, in %s",
                kt_strategies[settings->strategy]->name, (unsigned long long)space->n_points, space->n_axes,
                space->n_axes == 1 ? "i" : "e", (long long)settings->seeds, settings->seeds == 1 ? "" : "s",
                desk->files.dir);
    if (desk->trials.slice.n > 1)
        kt_log_line(desk->log, "slice  %s: every %zu-th point", desk->files.suffix + 1, desk->trials.slice.n);
    kt_log_line(desk->log, "groups %zu of %lld rank%s, a trial each at a time", desk->n_groups,
                (long long)settings->ranks_per_trial, settings->ranks_per_trial == 1 ? "" : "s");
}

void kt_sweep_desk_merge(kt_sweep_desk *desk, bool alone)
{
    size_t first;
    char point[300], absent[200] = "";
    fail(desk, kt_trials_next_all(&desk->trials, &desk->n_missing, &first));
    if (desk->n_missing == 0)
        return;
    kt_space_describe(desk->trials.space, desk->trials.all[first].proposal.point, point, sizeof point);
    if (alone)
        kt_sweep_files_list_absent(&desk->files, absent, sizeof absent);
    fail(desk,
         kt_fail(KT_NO_INPUT,
                 "%s: %zu of %zu trials are missing, the first of the point %s%s: run the slices again that have not "
                 "ended, or the whole sweep",
                 desk->files.dir, desk->n_missing, desk->trials.n, point, absent));
}

bool kt_sweep_desk_lacks_best(kt_sweep_desk *desk, kt_sweep_order *out)
{
    char path[KT_PATH_BYTES];
    if (desk->failure.status != KT_OK || !isfinite(desk->best.mean))
        return false;
    const kt_trial *trial = &desk->trials.all[desk->best.first];
    *out = order_of(desk, desk->best.first);
    return kt_trials_config(&desk->trials, trial, desk->trials.scratch) == KT_OK &&
           kt_file_path(path, "%s/summary.json", desk->trials.scratch->run.dir) == KT_OK && !kt_file_exists(path);
}

void kt_sweep_desk_take_best(kt_sweep_desk *desk, const kt_sweep_order *order, const kt_outcome *outcome)
{
    const kt_space *space = desk->trials.space;
    if (outcome->status != KT_OK)
        fail(desk, (kt_status)outcome->status);
    else if (kt_trial_value(space, outcome) != kt_trial_value(space, &desk->trials.all[order->trial].outcome))
        kt_log_warning(desk->log,
                       "trained once more, the best trial came to other numbers than are on record: those are "
                       "from another version or processor");
}

static void report_end(kt_sweep_desk *desk)
{
    const kt_trials *t = &desk->trials;
    const double seconds = kt_timer_seconds() - desk->start_seconds, busy = desk->busy_until - desk->start_seconds;
    char duration[32];
    kt_text_duration(seconds, duration, sizeof duration);
    kt_log_line(desk->log, "%s", "");
    kt_log_line(desk->log, "%zu trials: %zu trained in %s, %zu on record before%s", t->n_done, desk->n_trained,
                duration, t->n_from_journal, desk->failure.status != KT_OK ? "; the sweep is not finished" : "");
    if (desk->n_trained > desk->n_groups && busy > 0)
        kt_log_line(desk->log, "%.1f trials a minute; ranks waited %.2f %% of the time until the last trial began",
                    60 * (double)desk->n_trained / seconds, 100 * desk->idle_seconds / busy / (double)desk->n_groups);
    if (t->n_diverged + t->n_failed > 0)
        kt_log_line(desk->log, "%zu of them %s no result: %zu diverged, %zu failed; trials%s.csv says why",
                    t->n_diverged + t->n_failed, t->n_diverged + t->n_failed == 1 ? "has" : "have", t->n_diverged,
                    t->n_failed, desk->files.suffix);
}

/* A sweep that has no best point has not done what it is for. */
static kt_status check_success(const kt_sweep_desk *desk)
{
    const kt_trials *t = &desk->trials;
    size_t i = 0;
    if (isfinite(desk->best.mean) || t->n_diverged + t->n_failed == 0)
        return KT_OK;
    while (t->all[i].state != KT_TRIAL_DONE || t->all[i].outcome.status == KT_OK)
        i++;
    return kt_fail(t->n_failed == 0 ? KT_DIVERGED : KT_INTERNAL,
                   "%s: no point succeeded: of %zu trial%s %zu diverged, %zu failed; the first: %s", desk->files.dir,
                   t->n_done, t->n_done == 1 ? "" : "s", t->n_diverged, t->n_failed, t->all[i].outcome.error);
}

/* Directories that earlier starts, or slices, have left. */
static void clear_all(kt_sweep_desk *desk)
{
    for (size_t i = 0; i < desk->trials.n; i++)
        desk->trials.all[i].has_directory = desk->trials.all[i].state == KT_TRIAL_DONE;
    clear_directories(desk);
    const bool whole = desk->trials.slice.n == 1 && desk->failure.status == KT_OK;
    if (whole && desk->trials.space->settings.keep_trials == KT_KEEP_BEST && desk->trials.space->settings.seeds == 1)
        kt_sweep_files_clear_strangers(&desk->files, &desk->trials,
                                       isfinite(desk->best.mean) ? &desk->trials.all[desk->best.first] : NULL);
}

/* Tables and files at the end, of whatever there is. */
static kt_status conclude(kt_sweep_desk *desk)
{
    const char *dir = desk->files.dir, *suffix = desk->files.suffix;
    size_t n, first;
    if (desk->failure.status != KT_OK) /* what is on record, but has not come up again in this start */
        kt_trials_next_all(&desk->trials, &n, &first);
    find_best(desk);
    if (desk->n_missing == 0)
        clear_all(desk);
    report_end(desk);
    KT_TRY(write_files(desk));
    if (isfinite(desk->best.mean)) {
        KT_TRY(kt_sweep_report_axes(&desk->trials, desk->log));
        KT_TRY(kt_sweep_report_best(&desk->trials, desk->log));
    }
    if (isfinite(desk->best.mean))
        kt_log_line(desk->log, "results in %s: trials%s.csv, best%s.ini, journal%s.jsonl, trials/", dir, suffix, suffix,
                    suffix);
    else
        kt_log_line(desk->log, "results in %s: trials%s.csv, journal%s.jsonl", dir, suffix, suffix);
    return check_success(desk);
}

kt_status kt_sweep_desk_conclude(kt_sweep_desk *desk)
{
    const kt_status status = conclude(desk);
    return desk->failure.status != KT_OK ? kt_fail_as(&desk->failure) : status;
}
