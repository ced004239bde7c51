/* What a sweep would do: its points, what each costs, and how long all take, from a few steps trained here. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "base/timer.h"
#include "engine/forecast.h"
#include "sweep/sweep.h"
#include "sweep/sweep_data.h"
#include "sweep/sweep_trial.h"

enum { N_SAMPLES = 5, FEW = 4, MOST_VALUES = 13 };

typedef struct sample {
    kt_proposal proposal;
    int64_t repetition;
    double cost; /* expected seconds */
} sample;

/* The beats of a run: one per step. */
typedef struct beats {
    size_t n;
    double first, last;
} beats;

static void beat(void *context)
{
    beats *b = context;
    b->last = kt_timer_seconds();
    b->first = b->n++ == 0 ? b->last : b->first;
}

/* Seconds of a step of this job, validation included, as it runs on this group. NaN when it cannot be trained. */
static double measure(kt_comm *group, const kt_config *config, const kt_data *data)
{
    beats b = {0};
    kt_trainer *trainer;
    kt_stop_reason reason;
    kt_log silent = {0};
    kt_status status = kt_trainer_create(&trainer, group, config, data, &silent, NULL);
    if (status == KT_OK) {
        kt_trainer_set_pulse(trainer, (kt_pulse){beat, &b});
        status = kt_trainer_run(trainer, &reason);
    }
    kt_trainer_free(trainer);
    return (status == KT_OK || status == KT_DIVERGED) && b.n > 1 ? (b.last - b.first) / (double)(b.n - 1) : NAN;
}

/* Expected and measured seconds of a step. */
typedef struct timing {
    double expected, measured;
} timing;

/* Adds those of one sample, on all groups at the same time, as they will run. */
static void try_sample(kt_comm *group, kt_sweep_data *data, const sample *tried, timing *sum)
{
    enum { MOST_STEPS = 500 };
    const double enough = 0.2;
    const kt_trials_source source = kt_sweep_data_source(data);
    kt_config config;
    kt_data view = {0};
    kt_status status = kt_trial_config(data->space, &source, &tried->proposal, tried->repetition, &config);
    if (status == KT_OK)
        status = kt_data_view(kt_sweep_data_find(data, &config), &config, &view);
    if (kt_comm_agree(group, status) != KT_OK) {
        kt_data_free(&view);
        return;
    }
    const size_t steps =
        kt_batches_sizes(view.split.n[KT_TRAIN], kt_config_batch_size(&config), kt_config_fewest_samples(&config))
            .steps;
    const double expected = tried->cost / (double)config.train.epochs / (double)steps;
    config.train.max_steps = (int64_t)fmin(fmax(enough / expected, 10), MOST_STEPS);
    config.train.epochs = 1000000;
    config.stopping.enabled = false;
    const double measured = measure(group, &config, &view);
    if (isfinite(measured)) {
        sum->expected += expected * (double)steps;
        sum->measured += measured * (double)steps;
    }
    kt_data_free(&view);
}

/* What an adapting strategy might do: each point is as good as its number says, all mixed up. */
static kt_status simulate(kt_trials *t)
{
    size_t n, first;
    for (size_t i = 0; i < t->n; i++) {
        kt_outcome made_up = {.key = t->all[i].outcome.key, .status = (int)KT_OK};
        const double value = (double)(kt_hash_bytes(KT_HASH_START, &t->all[i].proposal.point, sizeof(uint64_t)) >> 40);
        made_up.scores[KT_VALIDATION].cross_entropy = value;
        made_up.scores[KT_VALIDATION].accuracy = value;
        if (t->all[i].state == KT_TRIAL_RUNNING)
            kt_trials_finish(t, i, &made_up);
        KT_TRY(kt_trials_next_all(t, &n, &first));
    }
    return KT_OK;
}

/* A few trials from the longest to the shortest of those that are certain. */
static kt_status choose(kt_trials *t, size_t *n_certain, sample samples[N_SAMPLES])
{
    size_t n, first;
    kt_status status = kt_trials_next_all(t, &n, &first);
    *n_certain = t->n;
    for (size_t k = 0; k < N_SAMPLES && t->n > 0; k++) {
        const kt_trial *trial = &t->all[k * (t->n - 1) / (N_SAMPLES - 1)];
        samples[k] = (sample){trial->proposal, trial->repetition, trial->cost};
    }
    return status == KT_OK ? simulate(t) : status;
}

/* What is searched: a line for each axis, and how many points that makes. */
static void print_axes(const kt_space *space, kt_log *log)
{
    for (size_t a = 0; a < space->n_axes; a++) {
        const kt_axis *axis = &space->axes[a];
        char text[400] = "";
        for (size_t v = 0, n = 0; v < axis->n && n < sizeof text; v++) {
            const bool left_out = axis->n > MOST_VALUES && v == MOST_VALUES - 1;
            v = left_out ? axis->n - 1 : v;
            n += (size_t)snprintf(text + n, sizeof text - n, "%s%s%s", v > 0 ? " | " : "", left_out ? "... | " : "",
                                  axis->values[v].name);
        }
        kt_log_line(log, "axis   %s: %zu value%s: %s", axis->name, axis->n, axis->n == 1 ? "" : "s", text);
    }
    kt_log_line(log, "points %llu, %lld repetition%s each, by strategy %s", (unsigned long long)space->n_points,
                (long long)space->settings.seeds, space->settings.seeds == 1 ? "" : "s",
                kt_strategies[space->settings.strategy]->name);
    kt_log_line(log, "%s", "");
}

static void print_point(const kt_trials *t, size_t i, double ratio, kt_log *log)
{
    char text[512], at_most[32];
    const kt_trial *trial = &t->all[i];
    const double seconds = trial->cost * ratio;
    if (kt_trials_config(t, trial, t->scratch) != KT_OK)
        return;
    kt_space_describe(t->space, trial->proposal.point, text, sizeof text);
    kt_text_duration(seconds, at_most, sizeof at_most);
    kt_log_line(log, "%8zu  %10s  %12.1f  %s", i + 1, at_most, 1e3 * seconds / (double)t->scratch->train.epochs, text);
}

/* The first and the last few points, or all, each by its first repetition. */
static void print_points(const kt_trials *t, size_t n_certain, bool all, double ratio, kt_log *log)
{
    const size_t seeds = (size_t)t->space->settings.seeds, n_points = n_certain / seeds;
    const bool cut = !all && n_points > 2 * FEW + 1;
    kt_log_line(log, "%8s  %10s  %12s  %s", "trial", "at most", "ms an epoch", "point");
    for (size_t i = 0; i < n_points; i++) {
        if (cut && i == FEW) {
            i = n_points - FEW;
            kt_log_line(log, "%8s  and %zu more, which --list shows", "...", n_points - (size_t)(2 * FEW));
        }
        print_point(t, i * seeds, ratio, log);
    }
    if (t->n > n_certain)
        kt_log_line(log, "and about %zu more, depending on what comes of these", t->n - n_certain);
}

/* Of n_groups groups that share the trials: all epochs, and the fewest before early stopping can end a trial. */
static void print_time(const kt_trials *t, double ratio, size_t n_groups, kt_log *log)
{
    double most = 0, least = 0, longest = 0;
    char least_text[32], most_text[32];
    for (size_t i = 0; i < t->n; i++) {
        const kt_trial *trial = &t->all[i];
        if (kt_trials_config(t, trial, t->scratch) != KT_OK)
            continue;
        const double epochs = (double)t->scratch->train.epochs;
        longest = fmax(longest, trial->cost * ratio);
        const bool stops = t->scratch->stopping.enabled;
        const double fewest = stops ? fmin(epochs, (double)t->scratch->stopping.patience + 1) : epochs;
        most += trial->cost * ratio;
        least += trial->cost * ratio * (trial->proposal.rung == 0 ? fewest / epochs : 0);
    }
    kt_text_duration(least / (double)n_groups, least_text, sizeof least_text);
    kt_text_duration(fmax(most / (double)n_groups, longest), most_text, sizeof most_text);
    kt_log_line(log, "%s", "");
    kt_log_line(log, "%zu trials by %zu group%s of %lld rank%s: %s%s%s on this machine%s", t->n, n_groups,
                n_groups == 1 ? "" : "s", (long long)t->space->settings.ranks_per_trial,
                t->space->settings.ranks_per_trial == 1 ? "" : "s", least < most ? least_text : "",
                least < most ? " to " : "", most_text,
                least < most ? ", depending on when early stopping ends them" : "");
    kt_log_line(log, "a few steps trained here took %.2f times what the cost model of a typical machine says", ratio);
}

static void print(const kt_trials *t, size_t n_certain, bool all, const timing *sum, size_t n_groups, kt_log *log)
{
    const double ratio = sum->expected > 0 ? sum->measured / sum->expected : 1;
    if (sum->expected <= 0)
        kt_log_warning(log, "no trial could be tried here: times are those of a typical machine");
    print_axes(t->space, log);
    print_points(t, n_certain, all, ratio, log);
    print_time(t, ratio, n_groups, log);
}

static kt_status dry_run(kt_comm *world, kt_comm *group, const kt_sweep_request *plan, kt_sweep_data *data,
                         size_t n_groups, kt_log *log)
{
    const bool root = kt_comm_rank(world) == 0;
    kt_trials trials = {0};
    sample samples[N_SAMPLES] = {0};
    size_t n_certain = 0;
    timing sum = {0};
    kt_status status = root ? kt_trials_create(&trials, data->space, plan->slice, kt_sweep_data_source(data)) : KT_OK;
    if (status == KT_OK && root)
        status = choose(&trials, &n_certain, samples);
    status = kt_comm_agree(world, status);
    if (status == KT_OK) {
        kt_comm_broadcast(world, 0, samples, sizeof samples);
        for (size_t k = 0; k < N_SAMPLES && samples[k].cost > 0; k++)
            try_sample(group, data, &samples[k], &sum);
    }
    if (status == KT_OK && root)
        print(&trials, n_certain, plan->list, &sum, n_groups, log);
    kt_trials_free(&trials);
    return status;
}

kt_status kt_sweep_dry_run(kt_comm *world, const kt_space *space, const kt_sweep_request *plan, size_t n_ranks,
                           kt_log *log)
{
    kt_comm *group = NULL;
    kt_sweep_data data = {0};
    const size_t each = (size_t)space->settings.ranks_per_trial;
    if (n_ranks % each != 0 || n_ranks < each)
        return kt_fail(KT_CONFIG, "sweep.ranks_per_trial = %zu on %zu rank%s: must divide their number", each, n_ranks,
                       n_ranks == 1 ? "" : "s");
    /* fewer ranks than a trial's can only be tried as one */
    kt_status status = (size_t)kt_comm_size(world) % each == 0 ? kt_sweep_trial_group(world, space, &group)
                                                               : kt_comm_group(world, 0, &group);
    if (status == KT_OK)
        status = kt_sweep_data_load(world, space, log, &data);
    if (status == KT_OK)
        status = dry_run(world, group, plan, &data, n_ranks / each, log);
    kt_sweep_data_free(&data);
    kt_comm_free(group);
    return status;
}
