/* A whole run: data, directory, training, results. */
#ifndef KTRAIN_RUN_H
#define KTRAIN_RUN_H

#include "ktrain/comm.h"
#include "ktrain/config.h"
#include "ktrain/log.h"
#include "ktrain/report.h"

/* Trains as the configuration says, on the ranks of comm, and leaves the files in config->run.dir. A run that is
 * finished already is only reported. results may be NULL; else it is set in any case, and its detail is owned by the
 * caller (kt_metrics_free). The log keeps the run's log.txt open. Collective. KT_DIVERGED with results and files
 * written; the other failures leave what was saved. */
kt_status kt_run_train(kt_comm *comm, const kt_config *config, kt_log *log, kt_results *results);

#endif
