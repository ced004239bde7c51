#include "ktrain/run.h"

#include <string.h>

#include "ktrain/data.h"
#include "ktrain/linalg.h"
#include "ktrain/memory.h"
#include "ktrain/placement.h"
#include "ktrain/run_directory.h"
#include "ktrain/trainer.h"

static void report_data(const kt_config *config, const kt_data *data, kt_log *log)
{
    char *text;
    if (log->speaks && kt_data_summary(data, config->data.features, &text) == KT_OK) {
        kt_log_text(log, text);
        kt_memory_free(text);
    }
}

static void report_model(const kt_config *config, kt_trainer *trainer, kt_log *log)
{
    char hidden[512];
    kt_options_format(kt_options_find(&kt_config_options, "model", "hidden"), config, hidden, sizeof hidden);
    kt_network *network = kt_trainer_network(trainer);
    kt_log_line(log, "model  %zu-%s-%zu, %zu parameters; optimizer state: %s; BLAS kernels: %s", kt_network_n_in(network), hidden,
                kt_network_n_classes(network), kt_network_n_parameters(network), kt_trainer_state_owner(trainer), kt_linalg_core());
}

static void report_start(const kt_trainer *trainer, const kt_run_directory *directory, kt_log *log)
{
    const kt_progress *p = kt_trainer_progress(trainer);
    if (directory->start == NULL)
        return;
    bool finished = kt_trainer_stop_reason(trainer) != KT_STOP_NOT;
    kt_log_line(log, "resume from %s: epoch %lld, step %lld%s", directory->start_path, (long long)p->epoch, (long long)p->step,
                finished ? "; the run is finished" : "");
}

/* Training and its results, once data and directory are there. */
static kt_status train(kt_comm *comm, const kt_config *config, const kt_data *data, kt_run_directory *directory, kt_log *log, kt_results *results)
{
    kt_trainer *trainer;
    bool root = kt_comm_rank(comm) == 0, resumes = directory->start != NULL;
    kt_comm_broadcast(comm, 0, &resumes, sizeof resumes);
    KT_TRY(kt_trainer_create(&trainer, comm, config, data, log, config->run.dir));
    report_model(config, trainer, log);
    kt_status status = resumes ? kt_trainer_resume(trainer, directory->start) : KT_OK;
    if (status == KT_OK) {
        report_start(trainer, directory, log);
        kt_hdf5_close(directory->start); /* an image as large as the checkpoint */
        directory->start = NULL;
        status = kt_trainer_run(trainer, &results->reason);
    }
    if (status == KT_OK || status == KT_DIVERGED) {
        kt_status training = status;
        char message[KT_MESSAGE_BYTES];
        memcpy(message, kt_error_message(), sizeof message);
        status = kt_trainer_finish(trainer, results);
        if (status == KT_OK)
            status = kt_comm_agree(comm, root ? kt_report_write_results(config->run.dir, config, results, data->set.class_names) : KT_OK);
        if (status == KT_OK)
            kt_report_results(log, results, config->run.dir);
        if (status == KT_OK && training != KT_OK)
            status = kt_fail(training, "%s", message);
    }
    kt_trainer_free(trainer);
    return status;
}

kt_status kt_run_train(kt_comm *comm, const kt_config *config, kt_log *log, kt_results *results)
{
    kt_data data;
    kt_run_directory directory = {.lock = -1};
    kt_results own = {0};
    KT_TRY(kt_data_load(comm, config, &data));
    bool root = kt_comm_rank(comm) == 0;
    kt_status status = kt_comm_agree(comm, root ? kt_run_directory_open(&directory, config, data.fingerprint, log) : KT_OK);
    if (status == KT_OK) {
        report_data(config, &data, log);
        status = kt_placement_report(comm, kt_linalg_threads(), log);
    }
    if (status == KT_OK)
        status = train(comm, config, &data, &directory, log, &own);
    kt_log_close_file(log);
    kt_run_directory_close(&directory);
    kt_data_free(&data);
    if (results != NULL)
        *results = own;
    else
        kt_metrics_free(&own.detail);
    return status;
}
