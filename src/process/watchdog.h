/* A thread that ends a process which no longer gets on: a rank that stands still, or whose host is lost, lets all
 * others wait for ever, and MPI does not notice. Local. */
#ifndef KTRAIN_WATCHDOG_H
#define KTRAIN_WATCHDOG_H

#include "base/status.h"

/* Starts it: from now on, when nothing has been done (activity.h) for so many seconds, it says so on stderr, with what
 * is waited for, and ends the process with KT_HUNG; whoever started the ranks then ends the others. Time in which the
 * whole process was stopped (SIGSTOP, a suspended job) does not count, nor does any while the activity is NULL.
 * So it ends, too, when another rank of this host (siblings.h) has been stopped for so long, and at once, without a
 * word, when one has died.
 * KT_NO_MEMORY: there is no such thread. */
kt_status kt_watchdog_start(double seconds);

/* Another limit, and from now on under the name that others know this rank by; 0 seconds: none. */
void kt_watchdog_set(double seconds, const char *key, int rank, const char *host);

#endif
