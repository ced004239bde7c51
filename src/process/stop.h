/* Being asked to stop: by a batch system that wants its nodes back, by the user, or by a clock. Local.
 *
 * A signal only leaves word here. A run looks at the end of each step, agrees on it with its other ranks, saves, and
 * ends with KT_PREEMPTED. */
#ifndef KTRAIN_STOP_H
#define KTRAIN_STOP_H

#include <stdbool.h>

/* From now on SIGUSR1, SIGUSR2, SIGTERM, SIGINT and SIGHUP ask to stop. A second SIGTERM, SIGINT or SIGHUP ends the
 * process at once; not a second SIGUSR1 or SIGUSR2, which batch systems send twice (to the ranks, and to mpirun that
 * passes it on). What was ignored at the start (nohup) stays so. _leave: ends what has not begun yet and holds nothing
 * to be saved; from now on signals do what they usually do, also one that came since kt_stop_listen. */
void kt_stop_listen(void);
void kt_stop_leave(void);

/* Asks this rank, as a signal does: another one was asked. */
void kt_stop_ask(void);

/* A clock asks it so long before `deadline` (of kt_timer_seconds) that saving, and the longest pause so far between two
 * looks at kt_stop_asked, fit in between. why: a literal, "run.max_minutes = 5". Of two, the earlier counts.
 * again(NULL: none) is asked when the time has come: seconds that are left after all, since batch systems lengthen
 * jobs. */
void kt_stop_at(double deadline, const char *why, double (*again)(void));

/* So long saving takes, as was measured or is guessed. */
void kt_stop_saving_takes(double seconds);

/* Whether this rank was asked; and from now on it was not, by a signal. */
bool kt_stop_asked(void);
void kt_stop_forget(void);

/* What has asked: "SIGTERM", "run.max_minutes = 5"; "another rank" where it was none of these. */
const char *kt_stop_why(void);

#endif
