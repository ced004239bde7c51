/* The files of a sweep. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "input/csv.h"
#include "run/report.h"
#include "sweep/sweep_report_private.h"

enum { NUMBER_BYTES = 32 };

/* ---- cells, each with the comma behind it ---- */

static void append_text(kt_text_buffer *buffer, const char *text)
{
    kt_csv_append(buffer, text);
    kt_text_append(buffer, ",");
}

static void append_exact(kt_text_buffer *buffer, double value)
{
    char text[NUMBER_BYTES] = "";
    if (isfinite(value))
        kt_text_real(value, text, sizeof text);
    kt_text_append(buffer, "%s,", text);
}

static void append_number(kt_text_buffer *buffer, double value)
{
    if (isfinite(value))
        kt_text_append(buffer, "%.10g", value);
    kt_text_append(buffer, ",");
}

/* ---- columns that say which trial it is ---- */

static void append_axis_heads(kt_text_buffer *buffer, const kt_space *space)
{
    for (size_t a = 0; a < space->n_axes; a++)
        kt_text_append(buffer, "%s,", space->axes[a].name);
}

static void append_axes(kt_text_buffer *buffer, const kt_space *space, uint64_t point)
{
    for (size_t a = 0; a < space->n_axes; a++)
        append_text(buffer, kt_space_value(space, point, a)->name);
}

static void append_seed_heads(kt_text_buffer *buffer, const kt_space *space)
{
    kt_text_append(buffer, "%s", kt_space_varies_training(space) ? "run.seed," : "");
    kt_text_append(buffer, "%s", kt_space_varies_split(space) ? "data.split_seed," : "");
}

static void append_seeds(kt_text_buffer *buffer, const kt_space *space, int64_t repetition)
{
    if (kt_space_varies_training(space))
        kt_text_append(buffer, "%" PRId64 ",", space->base.run.seed + repetition);
    if (kt_space_varies_split(space))
        kt_text_append(buffer, "%" PRId64 ",", space->base.split.seed + repetition);
}

/* ---- trials.csv ---- */

static const char *stop_reason(const kt_outcome *outcome)
{
    if (outcome->status == KT_OK)
        return kt_stop_reason_name((kt_stop_reason)outcome->reason);
    return outcome->status == KT_DIVERGED ? kt_stop_reason_name(KT_STOP_DIVERGENCE) : "failed";
}

static void append_trial(kt_text_buffer *buffer, const kt_space *space, const kt_trial *trial)
{
    const kt_outcome *outcome = &trial->outcome;
    append_axes(buffer, space, trial->proposal.point);
    append_seeds(buffer, space, trial->repetition);
    for (kt_outcome_number s = 0; s < KT_OUTCOME_N_MEANS; s++)
        append_exact(buffer, kt_outcome_value(outcome, s));
    kt_text_append(buffer, "%" PRId64 ",", outcome->epochs);
    append_number(buffer, outcome->seconds);
    append_text(buffer, stop_reason(outcome));
    append_number(buffer, outcome->best_epoch > 0 ? (double)outcome->best_epoch : NAN);
    for (kt_outcome_number s = KT_OUTCOME_N_MEANS; s < KT_OUTCOME_N_SCORES; s++)
        append_exact(buffer, kt_outcome_value(outcome, s));
    append_text(buffer, outcome->error);
    kt_text_append(buffer, "%016" PRIx64 "\n", outcome->key);
}

/* Of one repetition the trial with the most epochs comes first. */
static int compare_trials(const void *a, const void *b)
{
    const kt_trial *x = *(const kt_trial *const *)a, *y = *(const kt_trial *const *)b;
    if (x->proposal.point != y->proposal.point)
        return x->proposal.point < y->proposal.point ? -1 : 1;
    if (x->repetition != y->repetition)
        return x->repetition < y->repetition ? -1 : 1;
    return (x->proposal.rung < y->proposal.rung) - (x->proposal.rung > y->proposal.rung);
}

static kt_status sort_done(const kt_trials *trials, size_t *n, const kt_trial ***out)
{
    const kt_trial **sorted;
    *n = 0;
    *out = NULL;
    KT_TRY(KT_NEW(sorted, trials->n));
    for (size_t i = 0; i < trials->n; i++)
        if (trials->all[i].state == KT_TRIAL_DONE)
            sorted[(*n)++] = &trials->all[i];
    qsort(sorted, *n, sizeof *sorted, compare_trials);
    *out = sorted;
    return KT_OK;
}

static kt_status write_trials(const kt_trials *trials, const char *suffix)
{
    const kt_trial **sorted;
    size_t n;
    char path[KT_PATH_BYTES];
    kt_text_buffer buffer = {0};
    KT_TRY(kt_file_path(path, "%s/trials%s.csv", trials->space->base.run.dir, suffix));
    KT_TRY(sort_done(trials, &n, &sorted));
    append_axis_heads(&buffer, trials->space);
    append_seed_heads(&buffer, trials->space);
    for (kt_outcome_number s = 0; s < KT_OUTCOME_N_MEANS; s++)
        kt_text_append(&buffer, "%s,", kt_outcome_rows[s].name);
    kt_text_append(&buffer, "epochs,seconds,stop_reason,best_epoch,");
    for (kt_outcome_number s = KT_OUTCOME_N_MEANS; s < KT_OUTCOME_N_SCORES; s++)
        kt_text_append(&buffer, "%s,", kt_outcome_rows[s].name);
    kt_text_append(&buffer, "error,key\n");
    for (size_t i = 0; i < n; i++)
        if (i == 0 || sorted[i]->proposal.point != sorted[i - 1]->proposal.point ||
            sorted[i]->repetition != sorted[i - 1]->repetition)
            append_trial(&buffer, trials->space, sorted[i]);
    kt_memory_free(sorted);
    return kt_file_replace_text(path, &buffer);
}

/* ---- points.csv ---- */

static double sum_of_seconds(const kt_trials *trials, const kt_point_result *result)
{
    double sum = 0;
    for (int64_t r = 0; r < trials->space->settings.seeds; r++) {
        const double seconds = trials->all[result->first + (size_t)r].outcome.seconds;
        sum += isfinite(seconds) ? seconds : 0;
    }
    return sum;
}

static void append_point(kt_text_buffer *buffer, const kt_trials *trials, const kt_point_result *result)
{
    append_axes(buffer, trials->space, result->point);
    kt_text_append(buffer, "%" PRId64 ",", trials->space->settings.seeds);
    for (kt_outcome_number s = 0; s < KT_OUTCOME_N_MEANS; s++) {
        const kt_mean mean = kt_sweep_mean_of(trials, NULL, result, s);
        append_exact(buffer, isfinite(result->mean) ? mean.mean : NAN);
        append_number(buffer, isfinite(result->mean) ? mean.error : NAN);
    }
    append_number(buffer, kt_sweep_mean_of(trials, NULL, result, KT_OUTCOME_EPOCHS).mean);
    append_number(buffer, sum_of_seconds(trials, result));
    kt_text_append(buffer, "%zu\n",
                   kt_sweep_n_without(trials, result, true) + kt_sweep_n_without(trials, result, false));
}

static kt_status write_points(const kt_trials *trials, const char *suffix)
{
    kt_point_result *results;
    size_t n;
    char path[KT_PATH_BYTES];
    kt_text_buffer buffer = {0};
    KT_TRY(kt_file_path(path, "%s/points%s.csv", trials->space->base.run.dir, suffix));
    KT_TRY(kt_trials_points(trials, true, &n, &results));
    append_axis_heads(&buffer, trials->space);
    kt_text_append(&buffer, "seeds,");
    for (kt_outcome_number s = 0; s < KT_OUTCOME_N_MEANS; s++)
        kt_text_append(&buffer, "%s_mean,%s_error,", kt_outcome_rows[s].name, kt_outcome_rows[s].name);
    kt_text_append(&buffer, "epochs_mean,seconds_sum,diverged_or_failed\n");
    for (size_t i = 0; i < n; i++)
        append_point(&buffer, trials, &results[i]);
    kt_memory_free(results);
    return kt_file_replace_text(path, &buffer);
}

/* One that an earlier start has left and that is not true any more. */
static kt_status remove_file(const kt_trials *trials, const char *name, const char *suffix, const char *extension)
{
    char path[KT_PATH_BYTES];
    KT_TRY(kt_file_path(path, "%s/%s%s.%s", trials->space->base.run.dir, name, suffix, extension));
    unlink(path);
    return KT_OK;
}

kt_status kt_sweep_write_trials(const kt_trials *trials, const char *suffix)
{
    KT_TRY(write_trials(trials, suffix));
    if (trials->space->settings.seeds > 1)
        return write_points(trials, suffix);
    return remove_file(trials, "points", suffix, "csv");
}

/* ---- best.ini ---- */

static void append_comment(kt_text_buffer *buffer, const kt_trials *trials, const kt_point_result *best,
                           size_t n_points)
{
    const kt_sweep_settings *settings = &trials->space->settings;
    kt_text_append(buffer, "; The best of the %zu point%s that ktrain sweep has tried, by validation %s.\n", n_points,
                   n_points == 1 ? "" : "s", settings->objective == KT_OBJECTIVE_ACCURACY ? "accuracy" : "loss");
    const size_t named = kt_space_named_axis(trials->space);
    if (named < trials->space->n_axes)
        kt_text_append(buffer, "; Its name is %s.\n", kt_space_value(trials->space, best->point, named)->name);
    if (settings->seeds > 1)
        kt_text_append(buffer, "; Means over %" PRId64 " seeds, of which this job has the first:\n", settings->seeds);
    const char *before = "; ";
    for (kt_outcome_number s = 0; s < KT_OUTCOME_N_MEANS; s++) {
        const double mean = kt_sweep_mean_of(trials, NULL, best, s).mean;
        if (!isfinite(mean))
            continue;
        kt_text_append(buffer, "%s%s %.5g", before, kt_outcome_rows[s].name, mean);
        before = ", ";
    }
    kt_text_append(buffer, "\n\n");
}

static kt_status write_best(const kt_trials *trials, const char *path, const kt_point_result *best, size_t n_points)
{
    kt_config *config;
    char *ini = NULL;
    kt_text_buffer buffer = {0};
    KT_TRY(KT_NEW(config, 1));
    kt_status status = kt_trials_config(trials, &trials->all[best->first], config);
    if (status == KT_OK)
        status = kt_options_write_ini(kt_config_options(), config, &ini);
    if (status == KT_OK) {
        append_comment(&buffer, trials, best, n_points);
        kt_text_append(&buffer, "%s", ini);
        status = kt_file_replace_text(path, &buffer);
    }
    kt_memory_free(ini);
    kt_memory_free(config);
    return status;
}

kt_status kt_sweep_write_best(const kt_trials *trials, const char *suffix)
{
    kt_point_result *results;
    size_t n;
    char path[KT_PATH_BYTES];
    KT_TRY(kt_file_path(path, "%s/best%s.ini", trials->space->base.run.dir, suffix));
    KT_TRY(kt_trials_points(trials, false, &n, &results));
    const bool succeeded = n > 0 && isfinite(results[0].mean);
    kt_status status =
        succeeded ? write_best(trials, path, &results[0], n) : remove_file(trials, "best", suffix, "ini");
    kt_memory_free(results);
    return status;
}
