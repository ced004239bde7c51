#include "run/run.h"

#include <string.h>

#include "base/memory.h"
#include "edge/linalg.h"
#include "engine/data.h"
#include "engine/data_check.h"
#include "engine/placement.h"
#include "run/run_directory.h"
#include "run/trainer.h"

static void report_data(const kt_config *config, const kt_data *data, kt_log *log)
{
    char *text;
    if (log->speaks && kt_data_summary(data, config, &text) == KT_OK) {
        kt_log_text(log, text);
        kt_memory_free(text);
    }
    kt_data_report_notes(data, config, log);
}

static void report_start(const kt_trainer *trainer, const kt_run_directory *directory, kt_log *log)
{
    const kt_progress *p = kt_trainer_progress(trainer);
    if (directory->start == NULL)
        return;
    bool finished = kt_trainer_stop_reason(trainer) != KT_STOP_NOT;
    kt_log_line(log, "resume from %s: epoch %lld, step %lld%s", directory->start_path, (long long)p->epoch,
                (long long)p->step, finished ? "; the run is finished" : "");
}

/* The results of a run whose training ended with `training`, which is what is returned when nothing else fails. */
static kt_status finish(kt_comm *comm, const kt_config *config, const kt_data *data, kt_trainer *trainer,
                        kt_status training, kt_log *log, kt_results *results)
{
    char message[KT_MESSAGE_BYTES]; /* what comes after would replace it */
    memcpy(message, kt_error_message(), sizeof message);
    KT_TRY(kt_trainer_finish(trainer, results));
    bool root = kt_comm_rank(comm) == 0;
    KT_TRY(kt_comm_agree(comm, root ? kt_report_write_results(config->run.dir, config, kt_trainer_provenance(trainer),
                                                              results, data->set.class_names)
                                    : KT_OK));
    kt_report_results(log, results, config->run.dir);
    return training == KT_OK ? KT_OK : kt_fail(training, "%s", message);
}

static kt_status preempted(const kt_config *config, const kt_trainer *trainer)
{
    const kt_progress *p = kt_trainer_progress(trainer);
    return kt_fail(
        KT_PREEMPTED,
        "asked to stop (preemption): %s/checkpoints/step-%010lld.h5 has all until epoch %lld, step %lld; start "
        "the same command again to go on",
        config->run.dir, (long long)p->step, (long long)p->epoch, (long long)p->step);
}

/* From where the directory says to the results. */
static kt_status train(kt_comm *comm, const kt_config *config, const kt_data *data, kt_trainer *trainer,
                       kt_run_directory *directory, kt_log *log, kt_results *results)
{
    bool resumes = directory->start != NULL;
    kt_comm_broadcast(comm, 0, &resumes, sizeof resumes);
    kt_report_provenance(log, kt_trainer_provenance(trainer));
    report_data(config, data, log);
    KT_TRY(kt_placement_report(comm, kt_linalg_threads(), log));
    kt_trainer_report(trainer);
    if (resumes)
        KT_TRY(kt_trainer_resume(trainer, directory->start));
    report_start(trainer, directory, log);
    kt_run_directory_release_start(directory);
    kt_status status = kt_trainer_run(trainer, &results->reason);
    if (status == KT_OK && results->reason == KT_STOP_PREEMPTION)
        return preempted(config, trainer);
    return status == KT_OK || status == KT_DIVERGED ? finish(comm, config, data, trainer, status, log, results)
                                                    : status;
}

kt_status kt_run_train_on(kt_comm *comm, const kt_config *config, const kt_data *data, kt_pulse pulse, kt_log *log,
                          kt_results *results)
{
    kt_trainer *trainer = NULL;
    kt_run_directory directory = {.lock = -1};
    *results = (kt_results){0};
    /* The trainer first: what it refuses leaves the directory untouched. */
    kt_status status = kt_trainer_create(&trainer, comm, config, data, log, config->run.dir);
    if (status == KT_OK) {
        kt_trainer_set_pulse(trainer, pulse);
        bool root = kt_comm_rank(comm) == 0;
        status = kt_comm_agree(comm, root ? kt_run_directory_open(&directory, config, data, log) : KT_OK);
    }
    if (status == KT_OK)
        status = train(comm, config, data, trainer, &directory, log, results);
    kt_run_directory_close(&directory);
    kt_trainer_free(trainer);
    return status;
}

kt_status kt_run_train(kt_comm *comm, const kt_config *config, kt_log *log, kt_results *results)
{
    kt_data data;
    kt_results own = {0};
    if (results == NULL)
        results = &own;
    *results = own;
    KT_TRY(kt_data_load(comm, config, &data));
    const kt_status status = kt_run_train_on(comm, config, &data, (kt_pulse){0}, log, results);
    kt_data_free(&data);
    kt_metrics_free(&own.detail);
    return status;
}
