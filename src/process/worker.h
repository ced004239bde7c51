/* A thread that does one thing at a time beside the main one. Local; of one thread, the main one. */
#ifndef KTRAIN_WORKER_H
#define KTRAIN_WORKER_H

#include <stdbool.h>

#include "base/status.h"

typedef struct kt_worker kt_worker;

/* The thread takes no signals, may use every core that the process may, also where ranks are bound to one each, and
 * rounds as this one. KT_NO_MEMORY. */
kt_status kt_worker_create(kt_worker **out);

/* Waits for what is under way; frees. NULL is allowed. */
void kt_worker_free(kt_worker *worker);

/* Begins `work`, when it has nothing to do: context is borrowed until kt_worker_finish. */
void kt_worker_begin(kt_worker *worker, kt_status (*work)(void *context), void *context);

/* Whether something was begun that was not finished; and whether it still is under way. */
bool kt_worker_has_work(const kt_worker *worker);
bool kt_worker_is_busy(const kt_worker *worker);

/* Waits for the end of what was begun, and returns its status, with the record of the error; KT_OK when nothing was.
 * *core_seconds (may be NULL): for so long it has kept a core from others. */
kt_status kt_worker_finish(kt_worker *worker, double *core_seconds);

#endif
