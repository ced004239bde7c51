/* Being asked to stop: by a batch system that wants its nodes back, or by the user. Local.
 *
 * A signal only leaves word here. A run looks at the end of each step, agrees on it with its other ranks, saves, and
 * ends with KT_PREEMPTED. */
#ifndef KTRAIN_STOP_H
#define KTRAIN_STOP_H

#include <stdbool.h>

/* From now on SIGUSR1, SIGUSR2, SIGTERM, SIGINT and SIGHUP ask to stop. A second SIGTERM, SIGINT or SIGHUP ends the
 * process at once; not a second SIGUSR1 or SIGUSR2, which batch systems send twice (to the ranks, and to mpirun that
 * passes it on). What was ignored at the start (nohup) stays so. */
void kt_stop_listen(void);

/* Asks this rank, as a signal does: another one was asked. */
void kt_stop_ask(void);

/* Whether this rank was asked; and from now on it was not. */
bool kt_stop_asked(void);
void kt_stop_forget(void);

#endif
