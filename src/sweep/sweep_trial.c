/* Training one trial and filling its outcome. */
#include "sweep/sweep_trial.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "edge/linalg.h"
#include "run/run.h"

kt_status kt_sweep_trial_group(kt_comm *world, const kt_space *space, kt_comm **group)
{
    const int size = kt_comm_size(world), each = (int)space->settings.ranks_per_trial;
    *group = NULL;
    if (each > size || size % each != 0)
        return kt_fail(KT_CONFIG, "sweep.ranks_per_trial = %d on %d rank%s: must divide their number", each, size,
                       size == 1 ? "" : "s");
    return kt_comm_group(world, kt_comm_rank(world) / each, group);
}

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

static void fill_outcome(kt_status status, const kt_results *results, kt_outcome *o)
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

static kt_status train_unused(kt_comm *group, kt_config *config, const kt_data *set, kt_pulse pulse,
                              kt_results *results)
{
    kt_data view;
    if (kt_linalg_threads() != kt_config_threads(config))
        kt_linalg_start(kt_config_threads(config));
    kt_status status = kt_comm_agree(group, kt_data_view(set, config, &view));
    if (status == KT_OK)
        status = kt_comm_agree(group, kt_comm_rank(group) == 0 ? check_unused(config->run.dir) : KT_OK);
    if (status == KT_OK)
        status = train_anew(group, config, &view, pulse, results);
    kt_data_free(&view);
    return status;
}

void kt_sweep_trial_train(kt_comm *group, kt_sweep_data *data, const kt_proposal *proposal, int64_t repetition,
                          kt_pulse pulse, kt_outcome *outcome)
{
    kt_results results = {0};
    kt_config config;
    const kt_trials_source source = kt_sweep_data_source(data);
    kt_status status = kt_comm_agree(group, kt_trial_config(data->space, &source, proposal, repetition, &config));
    if (status == KT_OK)
        status = train_unused(group, &config, kt_sweep_data_find(data, &config), pulse, &results);
    fill_outcome(status, &results, outcome);
    kt_metrics_free(&results.detail);
}
