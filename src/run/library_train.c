/* libktrain: training on the ranks of a program's communicator. */
#include "ktrain/train.h"

#include <stdio.h>

#include "base/memory.h"
#include "edge/linalg.h"
#include "process/stop.h"
#include "run/library_private.h"
#include "run/run.h"

struct ktrain_result {
    kt_results values;
    char run[KT_TEXT_BYTES];
};

/* What rank 0 trains by. Data in memory stand in config.ini under a name that no file has. */
static kt_status choose(const ktrain_config *given, const ktrain_data *data, kt_config *config)
{
    KT_TRY(KT_LIBRARY_CHECK("ktrain_train", "rank 0's (config)", given));
    *config = given->values;
    if (data != NULL) {
        config->data.features = config->data.labels = "(memory)";
        config->data.class_names = config->data.validation_features = config->data.validation_labels = "";
        config->data.test_features = config->data.test_labels = "";
    }
    return kt_config_check(config->job != NULL ? config->job : "ktrain_train", config);
}

static kt_status train_on(kt_comm *comm, const kt_config *config, const ktrain_data *given, kt_log *log,
                          kt_results *results)
{
    static const kt_data none; /* other ranks' */
    kt_data data;
    KT_TRY(kt_data_to_all(comm, config, given != NULL ? &given->data : &none, &data));
    const kt_status status = kt_run_train_on(comm, config, &data, (kt_pulse){0}, log, results);
    kt_data_free(&data);
    return status;
}

static kt_status train(kt_comm *comm, const ktrain_config *given, const ktrain_data *data, ktrain_result *result)
{
    const bool root = kt_comm_rank(comm) == 0;
    bool in_memory = root && data != NULL;
    kt_config config;
    kt_log log = kt_log_create(root);
    log.quiet = true;
    KT_TRY(kt_comm_agree(comm, root ? choose(given, data, &config) : KT_OK));
    KT_TRY(kt_config_broadcast(comm, &config));
    kt_comm_broadcast(comm, 0, &in_memory, sizeof in_memory);
    snprintf(result->run, sizeof result->run, "%s", config.run.dir);
    const kt_linalg_mode before = kt_linalg_enter(kt_config_threads(&config));
    kt_status status = kt_comm_agree(comm, kt_linalg_self_test());
    if (status == KT_OK)
        status = in_memory ? train_on(comm, &config, data, &log, &result->values)
                           : kt_run_train(comm, &config, &log, &result->values);
    kt_linalg_leave(before);
    kt_log_close_file(&log);
    return status;
}

ktrain_status ktrain_train(MPI_Comm mpi, const ktrain_config *config, const ktrain_data *data, ktrain_result **out)
{
    kt_comm *comm;
    ktrain_result *result;
    if (out != NULL)
        *out = NULL;
    kt_status status = kt_comm_join(&mpi, &comm);
    if (status != KT_OK)
        return (ktrain_status)status;
    status = KT_NEW(result, 1);
    if (status == KT_OK)
        status = KT_LIBRARY_CHECK("ktrain_train", "(out)", out);
    status = kt_comm_agree(comm, status);
    if (status == KT_OK)
        status = train(comm, config, data, result);
    if (status == KT_OK || status == KT_DIVERGED)
        *out = result;
    else
        ktrain_result_free(result);
    kt_comm_free(comm);
    kt_stop_forget();
    return (ktrain_status)status;
}

void ktrain_stop(void)
{
    kt_stop_ask();
}

ktrain_status ktrain_result_scores(const ktrain_result *result, ktrain_part part, ktrain_scores *out)
{
    kt_status status = KT_LIBRARY_CHECK("ktrain_result_scores", "(result, part, out)", result, out);
    if (status == KT_OK && ((int)part < 0 || part >= KTRAIN_N_PARTS))
        status = kt_fail(KT_USAGE, "ktrain_result_scores: part %d: must be one of ktrain_part", (int)part);
    if (status == KT_OK)
        *out = kt_library_scores(&kt_results_left(&result->values)[part]);
    return (ktrain_status)status;
}

int64_t ktrain_result_epochs(const ktrain_result *result)
{
    return result != NULL ? result->values.epochs : 0;
}

int64_t ktrain_result_best_epoch(const ktrain_result *result)
{
    return result != NULL ? result->values.best_epoch : 0;
}

const char *ktrain_result_reason(const ktrain_result *result)
{
    return result != NULL ? kt_stop_reason_name(result->values.reason) : "";
}

double ktrain_result_seconds(const ktrain_result *result)
{
    return result != NULL ? result->values.seconds : 0;
}

const char *ktrain_result_run(const ktrain_result *result)
{
    return result != NULL ? result->run : "";
}

void ktrain_result_free(ktrain_result *result)
{
    if (result == NULL)
        return;
    kt_metrics_free(&result->values.detail);
    kt_memory_free(result);
}
