/* Training on the ranks of an MPI communicator: the only header that needs mpi.h. The program starts and ends MPI. */
#ifndef KTRAIN_PUBLIC_TRAIN_H
#define KTRAIN_PUBLIC_TRAIN_H

#include <mpi.h>

#include "ktrain/config.h"
#include "ktrain/data.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What a training came to; the same on every rank. */
typedef struct ktrain_result ktrain_result;

/* Trains as rank 0's configuration says, on rank 0's data (NULL: on the files that the configuration names); what other
 * ranks give counts for nothing, and may be NULL. The ranks of a host share one copy of the data. All that a run has
 * goes to the directory run.dir, as by the program ktrain: checkpoints, the model, history.csv, summary.json, log.txt;
 * a directory is always needed. With checkpoint.resume = auto the same call goes on where an earlier one stopped, and
 * reports a run that is finished. The configuration and the data stay as they are. Nothing is printed.
 *
 * The bits of the weights depend on configuration and data, not on the number of ranks.
 *
 * Collective over comm, which is duplicated; every rank gets the same status. From one thread at a time, the one that
 * MPI_THREAD_FUNNELED allows. Failures inside MPI end the program. While it works, OpenBLAS has as many threads as
 * parallel.threads says, and this thread flushes denormal numbers to zero; both are given back.
 *
 * KTRAIN_OK, also when early stopping ended it. KTRAIN_DIVERGED with a result. KTRAIN_PREEMPTED: ktrain_stop was called
 * on a rank. KTRAIN_USAGE, KTRAIN_CONFIG, KTRAIN_DATA, KTRAIN_NO_INPUT, KTRAIN_IO, KTRAIN_NO_MEMORY. *out is the
 * caller's (ktrain_result_free); NULL where there is none. */
KTRAIN_API ktrain_status ktrain_train(MPI_Comm comm, const ktrain_config *config, const ktrain_data *data,
                                      ktrain_result **out);

/* Asks the training of this process (or the next one, when there is none) to stop at the end of the step under way,
 * with a checkpoint; one rank of it is enough. Local; may be called by a signal handler and by any thread. */
KTRAIN_API void ktrain_stop(void);

/* Everything below is local. */

/* Of the weights that the run leaves, on one part of the data. KTRAIN_USAGE. */
KTRAIN_API ktrain_status ktrain_result_scores(const ktrain_result *result, ktrain_part part, ktrain_scores *out);

KTRAIN_API int64_t ktrain_result_epochs(const ktrain_result *result);     /* finished, of all starts together */
KTRAIN_API int64_t ktrain_result_best_epoch(const ktrain_result *result); /* from 1; 0: none */
KTRAIN_API const char *ktrain_result_reason(const ktrain_result *result); /* "patience", "epochs", "divergence", ... */
KTRAIN_API double ktrain_result_seconds(const ktrain_result *result);     /* of training, all starts together */

/* The run's directory: ktrain_model_load of it is the model that the run leaves. */
KTRAIN_API const char *ktrain_result_run(const ktrain_result *result);

/* NULL is allowed. */
KTRAIN_API void ktrain_result_free(ktrain_result *result);

#ifdef __cplusplus
}
#endif

#endif
