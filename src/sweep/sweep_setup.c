#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "edge/linalg.h"
#include "engine/data_check.h"
#include "engine/forecast.h"
#include "run/run.h"
#include "sweep/sweep_private.h"

/* ---- data ---- */

const kt_data *kt_sweep_find_data(const kt_sweep_data *data, const kt_config *config)
{
    for (size_t i = 0; i < data->n; i++)
        if (kt_data_same_files(&data->configs[i], config))
            return &data->sets[i];
    return NULL;
}

/* Whether an axis names files, so that points differ in their data. */
static bool names_files(const kt_axis *axis)
{
    bool names = false;
    for (size_t v = 0; v < axis->n; v++)
        for (size_t i = 0; i < axis->values[v].n; i++) {
            const kt_option *option = axis->values[v].settings[i].option;
            names |= strcmp(option->section, "data") == 0 && option->type == KT_OPTION_TEXT;
        }
    return names;
}

static kt_status load_one(kt_comm *world, const kt_config *config, kt_sweep_data *data)
{
    if (kt_sweep_find_data(data, config) != NULL)
        return KT_OK;
    KT_TRY(kt_data_load(world, config, &data->sets[data->n]));
    data->configs[data->n++] = *config;
    return KT_OK;
}

/* The data of every combination of files: other axes stay at their first value. */
static kt_status load_all(kt_comm *world, const kt_space *space, kt_sweep_data *data, kt_config *config)
{
    uint64_t n_sets = 1;
    for (size_t a = 0; a < space->n_axes; a++)
        n_sets *= names_files(&space->axes[a]) ? space->axes[a].n : 1;
    kt_status status = KT_NEW(data->sets, n_sets);
    if (status == KT_OK)
        status = KT_NEW(data->configs, n_sets);
    KT_TRY(kt_comm_agree(world, status));
    for (uint64_t i = 0; i < n_sets; i++) {
        uint64_t point = 0, rest = i;
        for (size_t a = 0; a < space->n_axes; a++) {
            const uint64_t n = names_files(&space->axes[a]) ? space->axes[a].n : 1;
            point = kt_point_with(space->n_axes, space->sizes, point, a, rest % n);
            rest /= n;
        }
        KT_TRY(kt_comm_agree(world, kt_space_config(space, point, 0, 0, config)));
        KT_TRY(load_one(world, config, data));
    }
    return KT_OK;
}

kt_status kt_sweep_load_data(kt_comm *world, const kt_space *space, kt_log *log, kt_sweep_data *out)
{
    kt_config *config;
    *out = (kt_sweep_data){0};
    kt_status status = kt_comm_agree(world, KT_NEW(config, 1));
    if (status == KT_OK)
        status = load_all(world, space, out, config);
    for (size_t i = 0; i < out->n && status == KT_OK; i++)
        kt_data_report_notes(&out->sets[i], &out->configs[i], log);
    kt_memory_free(config);
    if (status != KT_OK)
        kt_sweep_free_data(out);
    return status;
}

void kt_sweep_free_data(kt_sweep_data *data)
{
    for (size_t i = 0; i < data->n; i++)
        kt_data_free(&data->sets[i]);
    kt_memory_free(data->sets);
    kt_memory_free(data->configs);
    *data = (kt_sweep_data){0};
}

/* ---- what is known of a job ---- */

static double expected_seconds(void *context, const kt_config *config)
{
    const kt_sweep_costs *costs = context;
    kt_forecast forecast;
    if (kt_forecast_create(&forecast, config, kt_sweep_find_data(costs->data, config), costs->ranks_per_trial, 1) !=
        KT_OK)
        return 0; /* it will fail at once */
    const kt_layout layout = kt_forecast_layout(&forecast, costs->ranks_per_trial, 1);
    const double seconds = (double)config->train.epochs * kt_forecast_epoch(&forecast, &layout);
    kt_forecast_free(&forecast);
    return seconds;
}

static uint64_t fingerprint(void *context, const kt_config *config)
{
    const kt_sweep_costs *costs = context;
    const kt_data *data = kt_sweep_find_data(costs->data, config);
    return data == NULL ? 0 : data->fingerprint; /* a job on record may name other files */
}

kt_trials_source kt_sweep_source(kt_sweep_costs *costs)
{
    return (kt_trials_source){expected_seconds, fingerprint, costs};
}

/* ---- ranks ---- */

kt_status kt_sweep_split(kt_comm *world, const kt_space *space, kt_comm **group)
{
    const int size = kt_comm_size(world), each = (int)space->settings.ranks_per_trial;
    *group = NULL;
    if (each > size || size % each != 0)
        return kt_fail(KT_CONFIG, "sweep.ranks_per_trial = %d on %d rank%s: must divide their number", each, size,
                       size == 1 ? "" : "s");
    return kt_comm_split(world, kt_comm_rank(world) / each, group);
}

/* ---- one trial ---- */

static kt_status train(kt_comm *group, const kt_config *config, const kt_data *view, kt_pulse pulse,
                       kt_results *results)
{
    kt_log log = kt_log_create(kt_comm_rank(group) == 0);
    log.quiet = true;
    log.terminal = false;
    const kt_status status = kt_run_train_on(group, config, view, pulse, &log, results);
    kt_log_close_file(&log);
    return status;
}

/* A directory that somebody else trains in is no failure of the trial: the sweep ends, and may be started again. */
static kt_status check_unused(const char *dir)
{
    char path[KT_PATH_BYTES];
    int lock = -1;
    if (!kt_file_is_directory(dir))
        return KT_OK;
    KT_TRY(kt_file_path(path, "%s/.lock", dir));
    KT_TRY(kt_file_lock(path, false, &lock));
    if (lock < 0)
        return kt_fail(KT_IO, "%s is in use by another ktrain: start the same command again when that has ended", dir);
    close(lock);
    return KT_OK;
}

/* What lies in a trial's directory may be damaged, or be further on than this trial may go (of another strategy): it is
 * then moved aside, and the trial begins at its beginning. */
static kt_status train_anew(kt_comm *group, kt_config *config, const kt_data *view, kt_pulse pulse, kt_results *results)
{
    kt_status status = train(group, config, view, pulse, results);
    if (status == KT_DATA || (status == KT_OK && results->epochs > config->train.epochs)) {
        kt_metrics_free(&results->detail);
        config->checkpoint.resume = "never";
        status = train(group, config, view, pulse, results);
    }
    return status;
}

void kt_sweep_fill_outcome(kt_status status, const kt_results *results, kt_outcome *o)
{
    const bool has_results = status == KT_OK || status == KT_DIVERGED;
    const kt_scores *left = kt_results_left(results);
    memset(o, 0, sizeof *o);
    o->status = (int)status;
    o->reason = (int)(has_results ? results->reason : KT_STOP_NOT);
    for (int p = 0; p < KT_N_PARTS; p++) {
        const bool known = has_results && left[p].samples > 0;
        o->scores[p].cross_entropy = known ? left[p].cross_entropy : NAN;
        o->scores[p].accuracy = known ? left[p].accuracy : NAN;
    }
    o->epochs = results->epochs;
    o->best_epoch = results->best_epoch;
    o->ranks = results->ranks;
    o->seconds = results->seconds;
    if (status == KT_OK)
        return;
    /* which rank it was is no part of what came of it */
    snprintf(o->error, sizeof o->error, "%.*s", (int)sizeof o->error - 1, kt_error_message());
}

void kt_sweep_train(kt_comm *group, kt_config *config, const kt_sweep_data *data, kt_pulse pulse, kt_outcome *outcome)
{
    kt_results results = {0};
    const int threads = config->parallel.threads == KT_AUTO ? 1 : (int)config->parallel.threads;
    if (kt_linalg_threads() != threads)
        kt_linalg_start(threads);
    kt_data view;
    kt_status status = kt_comm_agree(group, kt_data_view(kt_sweep_find_data(data, config), config, &view));
    if (status == KT_OK)
        status = kt_comm_agree(group, kt_comm_rank(group) == 0 ? check_unused(config->run.dir) : KT_OK);
    if (status == KT_OK)
        status = train_anew(group, config, &view, pulse, &results);
    kt_data_free(&view);
    kt_sweep_fill_outcome(status, &results, outcome);
    kt_metrics_free(&results.detail);
}
