/* A whole run: data, directory, training, results. */
#ifndef KTRAIN_RUN_H
#define KTRAIN_RUN_H

#include "base/log.h"
#include "edge/comm.h"
#include "engine/config.h"
#include "run/report.h"
#include "run/trainer.h"

/* Trains as the configuration says, on the ranks of comm, and leaves the files in config->run.dir. A run that is
 * finished already is only reported. results may be NULL; else it is set in any case, and its detail is owned by the
 * caller (kt_metrics_free). The log keeps the run's log.txt open. Collective. KT_PREEMPTED: asked to stop (stop.h),
 * with a checkpoint and without results. KT_DIVERGED with results and files written; the other failures leave what was
 * saved. */
kt_status kt_run_train(kt_comm *comm, const kt_config *config, kt_log *log, kt_results *results);

/* The same on data that are in memory already (kt_data_load or kt_data_view of this configuration), borrowed during
 * the call; pulse is this rank's. */
kt_status kt_run_train_on(kt_comm *comm, const kt_config *config, const kt_data *data, kt_pulse pulse, kt_log *log,
                          kt_results *results);

#endif
