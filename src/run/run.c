/* The story of a run, from its configuration to its report. */
#include "run/run.h"

#include "base/memory.h"
#include "edge/linalg.h"
#include "engine/data.h"
#include "engine/data_check.h"
#include "engine/host_report.h"
#include "process/stop.h"
#include "run/run_directory.h"
#include "run/trainer.h"

typedef struct run {
    kt_comm *comm;
    const kt_config *config;
    const kt_data *data;
    kt_log *log;
    kt_trainer *trainer;
    kt_run_directory directory; /* rank 0 */
    kt_results *results;
} run;

static void report_data(const run *r)
{
    char *text;
    if (r->log->speaks && kt_data_summary(r->data, r->config, &text) == KT_OK) {
        kt_log_text(r->log, text);
        kt_memory_free(text);
    }
    kt_data_report_notes(r->data, r->config, r->log);
}

static void report_start(const run *r, kt_resumed from)
{
    const kt_progress *p = kt_trainer_progress(r->trainer);
    if (from == KT_RESUMED_NOT)
        return;
    bool finished = kt_trainer_stop_reason(r->trainer) != KT_STOP_NOT;
    kt_log_line(r->log, "resume from %s: epoch %lld, step %lld%s",
                from == KT_RESUMED_SNAPSHOT ? "the last start's snapshot in memory" : r->directory.start_path,
                (long long)p->epoch, (long long)p->step, finished ? "; the run is finished" : "");
}

/* To where the directory says, and everyone is told who works on what. */
static kt_status start(run *r)
{
    kt_resumed from;
    kt_report_provenance(r->log, kt_trainer_provenance(r->trainer));
    kt_config_report_gone(r->config, r->log);
    report_data(r);
    KT_TRY(kt_host_report(r->comm, kt_linalg_threads(), r->log));
    kt_trainer_report(r->trainer);
    KT_TRY(kt_trainer_open_saving(r->trainer, r->directory.number));
    KT_TRY(kt_trainer_resume(r->trainer, r->directory.start, &from));
    report_start(r, from);
    kt_run_directory_release_start(&r->directory);
    return KT_OK;
}

static kt_status write_results(const run *r)
{
    return kt_report_write_results(r->config->run.dir, r->config, kt_trainer_provenance(r->trainer), r->results,
                                   r->data->set.class_names);
}

static kt_status finish(run *r)
{
    const bool root = kt_comm_rank(r->comm) == 0;
    KT_TRY(kt_trainer_finish(r->trainer, r->results));
    KT_TRY(kt_comm_agree(r->comm, root ? write_results(r) : KT_OK));
    kt_report_results(r->log, r->results, r->config->run.dir);
    return KT_OK;
}

static kt_status preempted(const run *r)
{
    const kt_progress *p = kt_trainer_progress(r->trainer);
    return kt_fail(
        KT_PREEMPTED,
        "asked to stop (preemption by %s): %s/checkpoints/step-%010lld.h5 has all until epoch %lld, step %lld; start "
        "the same command again to go on",
        kt_stop_why(), r->config->run.dir, (long long)p->step, (long long)p->epoch, (long long)p->step);
}

/* A run that diverged has results, too, and stays a failure. */
static kt_status train(run *r)
{
    KT_TRY(start(r));
    const kt_status status = kt_trainer_run(r->trainer, &r->results->reason);
    const kt_error error = *kt_error_last();
    if (status != KT_OK && status != KT_DIVERGED)
        return status;
    if (r->results->reason == KT_STOP_PREEMPTION)
        return preempted(r);
    KT_TRY(finish(r));
    return status == KT_OK ? KT_OK : kt_fail_as(&error);
}

kt_status kt_run_train_on(kt_comm *comm, const kt_config *config, const kt_data *data, kt_pulse pulse, kt_log *log,
                          kt_results *results)
{
    kt_config settled = *config;
    run r = {comm, &settled, data, log, .directory = {.lock = -1}, .results = results};
    *results = (kt_results){0};
    if (kt_comm_rank(comm) == 0)
        kt_run_directory_settle(&settled);
    kt_comm_broadcast(comm, 0, &settled.exchange.shards, sizeof settled.exchange.shards);
    /* The trainer first: what it refuses leaves the directory untouched. */
    kt_status status = kt_trainer_create(&r.trainer, comm, &settled, data, log, config->run.dir);
    if (status == KT_OK) {
        kt_trainer_set_pulse(r.trainer, pulse);
        bool root = kt_comm_rank(comm) == 0;
        status = kt_comm_agree(comm, root ? kt_run_directory_open(&r.directory, &settled, data, log) : KT_OK);
    }
    if (status == KT_OK)
        status = train(&r);
    kt_run_directory_close(&r.directory);
    kt_trainer_free(r.trainer);
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
