#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "base/timer.h"
#include "run/stop.h"
#include "sweep/strategy.h"
#include "sweep/sweep_private.h"
#include "sweep/sweep_report.h"

enum { FILES_SECONDS = 30, LINE_SECONDS = 15 };

static void fail(kt_sweep *s, kt_status status)
{
    if (status == KT_OK || s->failure.status != KT_OK)
        return;
    s->failure = *kt_error_last();
    s->failure.status = status;
}

/* ---- rank 0: what is known so far ---- */

static double seconds_left(const kt_sweep *s, size_t n_expected)
{
    double trained = 0, left = 0;
    for (size_t i = 0; i < s->trials.n; i++) {
        const kt_trial *trial = &s->trials.all[i];
        const bool done = trial->state == KT_TRIAL_DONE;
        trained += done && !trial->from_journal ? trial->cost : 0;
        left += done ? 0 : trial->cost;
    }
    if (s->n_trained == 0)
        return NAN;
    if (n_expected > s->trials.n) /* not yet proposed */
        left += trained / (double)s->n_trained * (double)(n_expected - s->trials.n);
    return (kt_timer_seconds() - s->start_seconds) * left / fmax(trained, 1e-12);
}

static kt_sweep_progress progress_of(const kt_sweep *s)
{
    const size_t n_expected = kt_trials_expected(&s->trials);
    const bool negated = s->space->settings.objective == KT_OBJECTIVE_ACCURACY;
    return (kt_sweep_progress){
        .n_done = s->trials.n_done,
        .n_running = s->n_running,
        .n_expected = n_expected,
        .best = isfinite(s->best.mean) ? (negated ? -s->best.mean : s->best.mean) : NAN,
        .seconds = kt_timer_seconds() - s->start_seconds,
        .n_trained = s->n_trained,
        .seconds_left = seconds_left(s, n_expected),
    };
}

static kt_status write_files(const kt_sweep *s)
{
    KT_TRY(kt_sweep_write_trials(&s->trials, s->files.suffix));
    return kt_sweep_write_best(&s->trials, s->files.suffix);
}

/* Bar, line and files, each now and then: lines some hundreds of times in all. */
static void show(kt_sweep *s)
{
    const double now = kt_timer_seconds();
    if (s->log->terminal && now - s->bar_seconds > 0.2) {
        const kt_sweep_progress progress = progress_of(s);
        s->bar_seconds = now;
        kt_sweep_report_bar(s->log, &progress);
    }
    if (!s->log->terminal && now - s->line_seconds > fmax(LINE_SECONDS, (now - s->start_seconds) / 100)) {
        const kt_sweep_progress progress = progress_of(s);
        s->line_seconds = now;
        kt_sweep_report_line(s->log, &progress);
    }
    if (now - s->files_seconds > FILES_SECONDS) {
        s->files_seconds = now;
        fail(s, write_files(s));
    }
}

/* The best point, when a trial may have changed it. */
static void find_best(kt_sweep *s)
{
    kt_point_result *points;
    size_t n;
    if (kt_trials_points(&s->trials, false, &n, &points) != KT_OK)
        return;
    if (n > 0 && isfinite(points[0].mean))
        s->best = points[0];
    kt_memory_free(points);
}

static void clear_directories(kt_sweep *s)
{
    if (s->space->settings.keep_trials == KT_KEEP_BEST)
        kt_sweep_clear_directories(&s->trials, isfinite(s->best.mean) ? s->best.point : UINT64_MAX);
}

/* One rank was asked to stop, and so all are. */
static void preempt(kt_sweep *s)
{
    kt_stop_ask();
    fail(s, kt_fail(KT_PREEMPTED,
                    "asked to stop (preemption): %s has all trials that were done, and checkpoints of those under way; "
                    "start the same command again to go on",
                    s->files.dir));
}

/* A trial that could not write its files has not ended: it is the sweep that cannot go on. */
void kt_sweep_take(kt_sweep *s, size_t i, kt_outcome *outcome)
{
    kt_trial *trial = &s->trials.all[i];
    s->n_running--;
    if (outcome->status == KT_IO) {
        fail(s, kt_fail(KT_IO, "%s", outcome->error));
        return;
    }
    if (outcome->status == KT_PREEMPTED) {
        preempt(s);
        return;
    }
    outcome->key = trial->outcome.key;
    kt_status status = kt_trials_config(&s->trials, trial, s->trials.scratch);
    if (status == KT_OK)
        status = kt_journal_append(s->files.journal, s->trials.scratch, outcome);
    if (status != KT_OK) {
        fail(s, status);
        return;
    }
    s->n_trained++;
    trial->has_directory = true;
    kt_trials_finish(&s->trials, i, outcome);
    const bool complete = s->trials.n_left[i / (size_t)s->space->settings.seeds] == 0;
    const bool may_be_best = s->space->settings.seeds > 1 || kt_trial_value(s->space, outcome) < s->best.mean;
    if (complete && (may_be_best || trial->proposal.point == s->best.point))
        find_best(s);
    clear_directories(s);
}

/* The directory of an earlier rung is that of the trial that goes on from it. */
static void take_over_directory(kt_trials *t, size_t i)
{
    const kt_trial *trial = &t->all[i];
    for (size_t k = 0; k < i; k++)
        if (t->all[k].proposal.point == trial->proposal.point && t->all[k].repetition == trial->repetition)
            t->all[k].has_directory = false;
}

kt_answer kt_sweep_next(kt_sweep *s, kt_sweep_order *out)
{
    size_t i;
    kt_status status = KT_OK;
    const size_t n_known = s->trials.n_from_journal;
    if (kt_stop_asked())
        preempt(s);
    const kt_answer answer = s->failure.status != KT_OK ? KT_DONE : kt_trials_next(&s->trials, &i, &status);
    fail(s, status);
    if (s->trials.n_from_journal > n_known)
        find_best(s);
    *out = (kt_sweep_order){.stop = answer == KT_DONE};
    if (answer != KT_PROPOSED)
        return answer;
    const kt_trial *trial = &s->trials.all[i];
    out->trial = i;
    out->proposal = trial->proposal;
    out->repetition = trial->repetition;
    if (trial->proposal.rung > 0)
        take_over_directory(&s->trials, i);
    s->n_running++;
    s->busy_until = kt_timer_seconds();
    return answer;
}

/* Leaders that are within a trial hear of it there. Each is told once, and comes once more with its last result. */
static void stop_others(kt_sweep *s)
{
    const kt_sweep_order o = {.stop = true};
    const int each = (int)s->space->settings.ranks_per_trial;
    for (int rank = each; rank < kt_comm_size(s->mail); rank += each) {
        if (!s->told[rank])
            kt_comm_send(s->mail, rank, &o, sizeof o);
        s->told[rank] = true;
    }
}

void kt_sweep_serve(void *context)
{
    kt_sweep *s = context;
    int from;
    while (kt_comm_poll(s->mail, &from)) {
        kt_sweep_news r;
        kt_comm_receive(s->mail, from, &r, sizeof r);
        if (r.trial != KT_NO_TRIAL)
            kt_sweep_take(s, r.trial, &r.outcome);
        s->idle_seconds += r.idle_seconds;
        s->n_stopped += s->told[from];
        s->waits[from] = !s->told[from];
        s->waits_since[from] = kt_timer_seconds();
    }
    for (int rank = 1; rank < kt_comm_size(s->mail); rank++) {
        kt_sweep_order o;
        if (!s->waits[rank] || kt_sweep_next(s, &o) == KT_WAIT)
            continue;
        s->waits[rank] = false;
        s->told[rank] = o.stop;
        if (o.stop) {
            s->n_stopped++;
            s->idle_seconds += fmax(s->busy_until - s->waits_since[rank], 0);
        }
        kt_comm_send(s->mail, rank, &o, sizeof o);
    }
    if (s->failure.status == KT_PREEMPTED)
        stop_others(s);
    show(s);
}

/* ---- beginning and end ---- */

kt_status kt_sweep_open(kt_sweep *s)
{
    KT_TRY(KT_NEW(s->waits, (size_t)kt_comm_size(s->world)));
    KT_TRY(KT_NEW(s->told, (size_t)kt_comm_size(s->world)));
    KT_TRY(KT_NEW(s->waits_since, (size_t)kt_comm_size(s->world)));
    KT_TRY(kt_trials_create(&s->trials, s->space, s->plan->slice, s->plan->n_slices, s->source));
    s->trials.retry = s->plan->retry;
    KT_TRY(kt_sweep_open_files(&s->files, s->space, s->plan, &s->trials, s->log));
    return kt_trials_plan(&s->trials);
}

void kt_sweep_report_start(kt_sweep *s)
{
    const kt_sweep_settings *settings = &s->space->settings;
    kt_log_line(s->log, "sweep  %s over %llu points of %zu ax%ss, %lld repetition%s each, in %s",
                kt_strategies[settings->strategy]->name, (unsigned long long)s->space->n_points, s->space->n_axes,
                s->space->n_axes == 1 ? "i" : "e", (long long)settings->seeds, settings->seeds == 1 ? "" : "s",
                s->files.dir);
    if (s->plan->n_slices > 1)
        kt_log_line(s->log, "slice  %s: every %zu-th point", s->files.suffix + 1, s->plan->n_slices);
    kt_log_line(s->log, "groups %zu of %lld rank%s, a trial each at a time", s->n_groups,
                (long long)settings->ranks_per_trial, settings->ranks_per_trial == 1 ? "" : "s");
}

void kt_sweep_take_what_is_there(kt_sweep *s)
{
    size_t i, first = 0;
    kt_status status;
    char point[300], absent[200] = "";
    while (kt_trials_next(&s->trials, &i, &status) == KT_PROPOSED)
        first = s->n_missing++ == 0 ? i : first;
    fail(s, status);
    if (s->n_missing == 0)
        return;
    kt_space_describe(s->space, s->trials.all[first].proposal.point, point, sizeof point);
    if (s->plan->n_sources == 0)
        kt_sweep_list_absent(&s->files, absent, sizeof absent);
    fail(s,
         kt_fail(KT_NO_INPUT,
                 "%s: %zu of %zu trials are missing, the first of the point %s%s: run the slices again that have not "
                 "ended, or the whole sweep",
                 s->files.dir, s->n_missing, s->trials.n, point, absent));
}

bool kt_sweep_lacks_best(kt_sweep *s, kt_sweep_order *o)
{
    char path[KT_PATH_BYTES];
    if (s->failure.status != KT_OK || s->plan->merge || !isfinite(s->best.mean))
        return false;
    const kt_trial *trial = &s->trials.all[s->best.first];
    *o = (kt_sweep_order){.trial = s->best.first, .proposal = trial->proposal, .repetition = trial->repetition};
    return kt_trials_config(&s->trials, trial, s->trials.scratch) == KT_OK &&
           kt_file_path(path, "%s/summary.json", s->trials.scratch->run.dir) == KT_OK && !kt_file_exists(path);
}

static void report_end(kt_sweep *s)
{
    const kt_trials *t = &s->trials;
    const double seconds = kt_timer_seconds() - s->start_seconds, busy = s->busy_until - s->start_seconds;
    char duration[32];
    kt_text_duration(seconds, duration, sizeof duration);
    kt_log_line(s->log, "%s", "");
    kt_log_line(s->log, "%zu trials: %zu trained in %s, %zu on record before%s", t->n_done, s->n_trained, duration,
                t->n_from_journal, s->failure.status != KT_OK ? "; the sweep is not finished" : "");
    if (s->n_trained > s->n_groups && busy > 0)
        kt_log_line(s->log, "%.1f trials a minute; ranks waited %.2f %% of the time until the last trial began",
                    60 * (double)s->n_trained / seconds, 100 * s->idle_seconds / busy / (double)s->n_groups);
    if (t->n_diverged + t->n_failed > 0)
        kt_log_line(s->log, "%zu of them %s no result: %zu diverged, %zu failed; trials%s.csv says why",
                    t->n_diverged + t->n_failed, t->n_diverged + t->n_failed == 1 ? "has" : "have", t->n_diverged,
                    t->n_failed, s->files.suffix);
}

/* A sweep that has no best point has not done what it is for. */
static kt_status check_success(const kt_sweep *s)
{
    const kt_trials *t = &s->trials;
    size_t i = 0;
    if (isfinite(s->best.mean) || t->n_diverged + t->n_failed == 0)
        return KT_OK;
    while (t->all[i].state != KT_TRIAL_DONE || t->all[i].outcome.status == KT_OK)
        i++;
    return kt_fail(t->n_failed == 0 ? KT_DIVERGED : KT_INTERNAL,
                   "%s: no point succeeded: of %zu trial%s %zu diverged, %zu failed; the first: %s", s->files.dir,
                   t->n_done, t->n_done == 1 ? "" : "s", t->n_diverged, t->n_failed, t->all[i].outcome.error);
}

/* Directories that earlier starts, or slices, have left. */
static void clear_all(kt_sweep *s)
{
    for (size_t i = 0; i < s->trials.n; i++)
        s->trials.all[i].has_directory = s->trials.all[i].state == KT_TRIAL_DONE;
    clear_directories(s);
    const bool whole = s->plan->n_slices == 1 && s->failure.status == KT_OK;
    if (whole && s->space->settings.keep_trials == KT_KEEP_BEST && s->space->settings.seeds == 1)
        kt_sweep_clear_strangers(&s->files, &s->trials, isfinite(s->best.mean) ? &s->trials.all[s->best.first] : NULL);
}

/* What is on record, but has not come up again in this start. */
static void take_what_is_on_record(kt_sweep *s)
{
    size_t i;
    kt_status status;
    while (kt_trials_next(&s->trials, &i, &status) == KT_PROPOSED) {
    }
}

/* Tables and files at the end, of whatever there is. */
kt_status kt_sweep_conclude(kt_sweep *s)
{
    const char *dir = s->files.dir, *suffix = s->files.suffix;
    if (s->failure.status != KT_OK)
        take_what_is_on_record(s);
    find_best(s);
    if (s->n_missing == 0)
        clear_all(s);
    report_end(s);
    KT_TRY(write_files(s));
    if (isfinite(s->best.mean)) {
        KT_TRY(kt_sweep_report_axes(&s->trials, s->log));
        KT_TRY(kt_sweep_report_best(&s->trials, s->log));
    }
    if (isfinite(s->best.mean))
        kt_log_line(s->log, "results in %s: trials%s.csv, best%s.ini, journal%s.jsonl, trials/", dir, suffix, suffix,
                    suffix);
    else
        kt_log_line(s->log, "results in %s: trials%s.csv, journal%s.jsonl", dir, suffix, suffix);
    return check_success(s);
}
