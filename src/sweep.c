#include "ktrain/sweep.h"

#include <math.h>
#include <string.h>
#include <time.h>

#include "ktrain/linalg.h"
#include "ktrain/memory.h"
#include "ktrain/placement.h"
#include "ktrain/strategy.h"
#include "ktrain/sweep_report.h"
#include "ktrain/timer.h"
#include "sweep_private.h"

/* What the first rank of a group tells rank 0: what came of its trial (none yet: trial = NONE), and how long it has
 * waited for trials so far. */
typedef struct report {
    uint64_t trial;
    double idle_seconds;
    kt_outcome outcome;
} report;

/* What rank 0 answers. */
typedef struct order {
    bool stop;
    uint64_t trial;
    kt_proposal proposal;
    int64_t repetition;
} order;

#define NONE UINT64_MAX
enum { FILES_SECONDS = 30, LINE_SECONDS = 15 };

typedef struct sweep {
    kt_comm *world, *mail, *group; /* mail: rank 0 and the first ranks of groups; all others stay silent on it */
    const kt_space *space;
    const kt_sweep_plan *plan;
    kt_log *log;
    kt_sweep_data data;
    kt_sweep_costs costs;
    kt_trials_source source;
    kt_config *config; /* of the trial under way */
    /* rank 0's */
    kt_trials trials;
    kt_sweep_files files;
    bool *waits;             /* [ranks]: first rank of a group that waits for an order */
    size_t n_groups, n_stopped, n_running, n_trained;
    kt_point_result best;    /* mean INFINITY: none yet */
    double start_seconds, bar_seconds, line_seconds, files_seconds;
    double idle_seconds, busy_until; /* of all groups; when the last trial was handed out */
    kt_status failure;       /* why the sweep must end early */
    char message[KT_MESSAGE_BYTES];
} sweep;

static void fail(sweep *s, kt_status status)
{
    if (status == KT_OK || s->failure != KT_OK)
        return;
    s->failure = status;
    snprintf(s->message, sizeof s->message, "%s", kt_error_message());
}

/* ---- rank 0: what is known so far ---- */

static double seconds_left(const sweep *s, size_t n_expected)
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

static kt_sweep_progress progress_of(const sweep *s)
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

static kt_status write_files(const sweep *s)
{
    KT_TRY(kt_sweep_write_trials(&s->trials, s->files.suffix));
    return kt_sweep_write_best(&s->trials, s->files.suffix);
}

/* Bar, line and files, each now and then. */
static void show(sweep *s)
{
    const double now = kt_timer_seconds();
    if (s->log->terminal && now - s->bar_seconds > 0.2) {
        const kt_sweep_progress progress = progress_of(s);
        s->bar_seconds = now;
        kt_sweep_report_bar(s->log, &progress);
    }
    if (!s->log->terminal && now - s->line_seconds > LINE_SECONDS) {
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
static void find_best(sweep *s)
{
    kt_point_result *points;
    size_t n;
    if (kt_trials_points(&s->trials, false, &n, &points) != KT_OK)
        return;
    if (n > 0 && isfinite(points[0].mean))
        s->best = points[0];
    kt_memory_free(points);
}

static void clear_directories(sweep *s)
{
    if (s->space->settings.keep_trials == KT_KEEP_BEST)
        kt_sweep_clear_directories(&s->trials, isfinite(s->best.mean) ? s->best.point : UINT64_MAX);
}

/* A trial's end: on record first, then everything else. A trial that could not write its files has not ended: it is
 * the sweep that cannot go on. */
static void take(sweep *s, size_t i, kt_outcome *outcome)
{
    kt_trial *trial = &s->trials.all[i];
    s->n_running--;
    if (outcome->status == KT_IO) {
        fail(s, kt_fail(KT_IO, "%s", outcome->error));
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
    if (s->space->settings.seeds > 1 || trial->proposal.point == s->best.point ||
        kt_trial_value(s->space, outcome) < s->best.mean)
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

/* What a group is to do next; KT_WAIT when that is not known yet. */
static kt_answer next_order(sweep *s, order *out)
{
    size_t i;
    kt_status status = KT_OK;
    const size_t n_known = s->trials.n_from_journal;
    const kt_answer answer = s->failure != KT_OK ? KT_DONE : kt_trials_next(&s->trials, &i, &status);
    fail(s, status);
    if (s->trials.n_from_journal > n_known)
        find_best(s);
    *out = (order){.stop = answer == KT_DONE};
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

/* Reports that have come, and orders for those who wait. Between two steps of rank 0's own trial. */
static void serve(void *context)
{
    sweep *s = context;
    int from;
    while (kt_comm_poll(s->mail, &from)) {
        report r;
        kt_comm_receive(s->mail, from, &r, sizeof r);
        if (r.trial != NONE)
            take(s, r.trial, &r.outcome);
        s->idle_seconds += r.idle_seconds;
        s->waits[from] = true;
    }
    for (int rank = 1; rank < kt_comm_size(s->mail); rank++) {
        order o;
        if (!s->waits[rank] || next_order(s, &o) == KT_WAIT)
            continue;
        s->waits[rank] = false;
        s->n_stopped += o.stop;
        kt_comm_send(s->mail, rank, &o, sizeof o);
    }
    show(s);
}

static void nap(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
}

/* ---- every group ---- */

/* The first rank's order to all of the group. Those who have nothing to do sleep. */
static void share_order(sweep *s, order *o)
{
    if (kt_comm_size(s->group) > 1)
        kt_comm_barrier_asleep(s->group);
    kt_comm_broadcast(s->group, 0, o, sizeof *o);
}

static void run_trial(sweep *s, const order *o, kt_outcome *outcome)
{
    const bool root = kt_comm_rank(s->world) == 0;
    const kt_pulse pulse = {.beat = root ? serve : NULL, .context = s};
    const kt_status status =
        kt_comm_agree(s->group, kt_trial_config(s->space, &s->source, &o->proposal, o->repetition, s->config));
    *outcome = (kt_outcome){.status = status};
    if (status == KT_OK)
        kt_sweep_train(s->group, s->config, &s->data, pulse, outcome);
}

/* Rank 0's group works as the others do, and serves them meanwhile. */
static void work_and_serve(sweep *s)
{
    order o = {0};
    kt_outcome outcome;
    for (;;) {
        const double since = kt_timer_seconds();
        while (next_order(s, &o) == KT_WAIT) {
            serve(s);
            nap();
        }
        if (!o.stop)
            s->idle_seconds += kt_timer_seconds() - since;
        share_order(s, &o);
        if (o.stop)
            break;
        run_trial(s, &o, &outcome);
        take(s, o.trial, &outcome);
        serve(s);
    }
    while (s->n_stopped + 1 < s->n_groups) {
        serve(s);
        nap();
    }
}

static void work(sweep *s)
{
    const bool leads = kt_comm_rank(s->group) == 0;
    report r = {.trial = NONE};
    for (order o = {0};;) {
        if (leads) {
            const double since = kt_timer_seconds();
            kt_comm_send(s->mail, 0, &r, sizeof r);
            kt_comm_receive(s->mail, 0, &o, sizeof o);
            r.idle_seconds = kt_timer_seconds() - since;
        }
        share_order(s, &o);
        if (o.stop)
            return;
        run_trial(s, &o, &r.outcome);
        r.trial = o.trial;
    }
}

/* ---- the whole ---- */

/* What the journals have is not run; what may still lie there of it is cleared. */
static kt_status open_files(sweep *s)
{
    KT_TRY(KT_NEW(s->waits, (size_t)kt_comm_size(s->world)));
    KT_TRY(kt_trials_create(&s->trials, s->space, s->plan->shard, s->plan->n_shards, s->source));
    s->trials.retry = s->plan->retry;
    KT_TRY(kt_sweep_open_files(&s->files, s->space, s->plan, &s->trials, s->log));
    return kt_trials_plan(&s->trials);
}

static void report_start(sweep *s)
{
    const kt_sweep_settings *settings = &s->space->settings;
    kt_log_line(s->log, "sweep  %s over %llu points of %zu axes, %lld repetition%s each, in %s",
                kt_strategies[settings->strategy]->name, (unsigned long long)s->space->n_points, s->space->n_axes,
                (long long)settings->seeds, settings->seeds == 1 ? "" : "s", s->files.dir);
    if (s->plan->n_shards > 1)
        kt_log_line(s->log, "shard  part%s: every %zu-th point", s->files.suffix, s->plan->n_shards);
    kt_log_line(s->log, "groups %zu of %lld rank%s, a trial each at a time", s->n_groups,
                (long long)settings->ranks_per_trial, settings->ranks_per_trial == 1 ? "" : "s");
}

/* Without training: what is on record, and how much is missing. */
static void take_what_is_there(sweep *s)
{
    size_t i, n_missing = 0;
    kt_status status;
    while (kt_trials_next(&s->trials, &i, &status) == KT_PROPOSED)
        n_missing++;
    fail(s, status);
    if (n_missing > 0)
        kt_log_warning(s->log, "%zu trial%s missing: run the shards again that have not ended, or the whole sweep",
                       n_missing, n_missing == 1 ? " is" : "s are");
}

/* Whether best.ini's directory must be made: its trial's was cleared by an earlier start, or lies on another host. */
static bool lacks_best(sweep *s, order *o)
{
    char path[KT_PATH_BYTES];
    if (s->failure != KT_OK || s->plan->merge || !isfinite(s->best.mean))
        return false;
    const kt_trial *trial = &s->trials.all[s->best.first];
    *o = (order){.trial = s->best.first, .proposal = trial->proposal, .repetition = trial->repetition};
    return kt_trials_config(&s->trials, trial, s->trials.scratch) == KT_OK &&
           kt_file_path(path, "%s/summary.json", s->trials.scratch->run.dir) == KT_OK && !kt_file_exists(path);
}

/* The first group trains the best point once more: the same bits again. Collective over all ranks. */
static void keep_best(sweep *s)
{
    const bool root = kt_comm_rank(s->world) == 0;
    order o = {.trial = NONE};
    kt_outcome outcome;
    bool lacks = root && lacks_best(s, &o);
    kt_comm_broadcast(s->world, 0, &lacks, sizeof lacks);
    kt_comm_broadcast(s->world, 0, &o, sizeof o);
    if (!lacks || kt_comm_rank(s->world) >= kt_comm_size(s->group))
        return;
    if (root)
        kt_log_line(s->log, "best   trained once more for its weights, which were not kept");
    const kt_status status =
        kt_comm_agree(s->group, kt_trial_config(s->space, &s->source, &o.proposal, o.repetition, s->config));
    if (status == KT_OK)
        kt_sweep_train(s->group, s->config, &s->data, (kt_pulse){0}, &outcome);
}

static void report_end(sweep *s)
{
    const kt_trials *t = &s->trials;
    const double seconds = kt_timer_seconds() - s->start_seconds, busy = s->busy_until - s->start_seconds;
    char duration[32];
    kt_report_duration(seconds, duration, sizeof duration);
    kt_log_line(s->log, "%s", "");
    kt_log_line(s->log, "%zu trials: %zu trained in %s, %zu on record before%s", t->n_done, s->n_trained, duration,
                t->n_from_journal, s->failure != KT_OK ? "; the sweep is not finished" : "");
    if (s->n_trained > s->n_groups && busy > 0)
        kt_log_line(s->log, "%.1f trials a minute; ranks waited %.2f %% of the time until the last trial began",
                    60 * (double)s->n_trained / seconds, 100 * s->idle_seconds / busy / (double)s->n_groups);
    if (t->n_diverged + t->n_failed > 0)
        kt_log_line(s->log, "%zu diverged, %zu failed: stop_reason and error in trials%s.csv say why", t->n_diverged,
                    t->n_failed, s->files.suffix);
}

/* Tables and files at the end, of whatever there is. */
static kt_status conclude(sweep *s)
{
    const char *dir = s->files.dir, *suffix = s->files.suffix;
    report_end(s);
    KT_TRY(write_files(s));
    KT_TRY(kt_sweep_report_axes(&s->trials, s->log));
    KT_TRY(kt_sweep_report_best(&s->trials, s->log));
    kt_log_line(s->log, "results in %s: trials%s.csv, best%s.ini, journal%s.jsonl, trials/", dir, suffix, suffix,
                suffix);
    return KT_OK;
}

/* Directories that an earlier start had no time to clear. */
static void clear_all(sweep *s)
{
    for (size_t i = 0; i < s->trials.n; i++)
        s->trials.all[i].has_directory = s->trials.all[i].state == KT_TRIAL_DONE;
    clear_directories(s);
}

static kt_status go_through(sweep *s)
{
    const bool root = kt_comm_rank(s->world) == 0;
    KT_TRY(kt_comm_agree(s->world, root ? open_files(s) : KT_OK));
    KT_TRY(kt_placement_report(s->world, kt_linalg_threads(), s->log));
    s->start_seconds = s->line_seconds = s->files_seconds = s->busy_until = kt_timer_seconds();
    s->best.mean = INFINITY;
    if (root)
        report_start(s);
    if (root && s->plan->merge)
        take_what_is_there(s);
    else if (!s->plan->merge)
        root ? work_and_serve(s) : work(s);
    kt_comm_barrier_asleep(s->world);
    keep_best(s);
    kt_status status = KT_OK;
    if (root) {
        find_best(s);
        if (!s->plan->merge)
            clear_all(s);
        status = conclude(s);
        if (s->failure != KT_OK)
            status = kt_fail(s->failure, "%s", s->message);
    }
    return kt_comm_agree(s->world, status);
}

kt_status kt_sweep_run(kt_comm *world, const kt_space *space, const kt_sweep_plan *plan, kt_log *log)
{
    sweep *s;
    kt_status status = kt_comm_agree(world, KT_NEW(s, 1));
    if (status != KT_OK) {
        kt_memory_free(s);
        return status;
    }
    *s = (sweep){.world = world, .space = space, .plan = plan, .log = log, .files.locks = {-1, -1}};
    s->costs = (kt_sweep_costs){&s->data, (size_t)space->settings.ranks_per_trial};
    s->source = kt_sweep_source(&s->costs);
    s->n_groups = (size_t)(kt_comm_size(world) / space->settings.ranks_per_trial);
    status = kt_comm_agree(world, KT_NEW(s->config, 1));
    if (status == KT_OK)
        status = kt_sweep_split(world, space, &s->group);
    if (status == KT_OK)
        status = kt_comm_split(world, 0, &s->mail);
    if (status == KT_OK)
        status = kt_sweep_load_data(world, space, &s->data);
    if (status == KT_OK)
        status = go_through(s);
    kt_sweep_free_data(&s->data);
    kt_comm_free(s->mail);
    kt_comm_free(s->group);
    kt_sweep_close_files(&s->files);
    kt_trials_free(&s->trials);
    kt_memory_free(s->waits);
    kt_memory_free(s->config);
    kt_memory_free(s);
    return status;
}
