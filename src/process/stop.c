/* The signal handler and its flag; and the clock. */
#include "process/stop.h"

#include <math.h>
#include <signal.h>
#include <stddef.h>

#include "base/timer.h"

enum { BY_CLOCK = -1, BY_ANOTHER = -2 };

static volatile sig_atomic_t asked; /* the signal's number, or how else; 0: not */

static struct clock {
    double deadline, saving_seconds, pause_seconds, looked_at;
    const char *why; /* NULL: there is none */
    double (*again)(void);
} timing;

static const struct signal_row {
    int number;
    const char *name;
    bool once;
} signals[] = {{SIGUSR1, "SIGUSR1", false},
               {SIGUSR2, "SIGUSR2", false},
               {SIGTERM, "SIGTERM", true},
               {SIGINT, "SIGINT", true},
               {SIGHUP, "SIGHUP", true}};
enum { N_SIGNALS = sizeof signals / sizeof signals[0] };

static void take_note(int number)
{
    asked = number;
}

void kt_stop_listen(void)
{
    for (size_t i = 0; i < N_SIGNALS; i++) {
        struct sigaction now, then = {.sa_handler = take_note, .sa_flags = SA_RESTART};
        if (signals[i].once)
            then.sa_flags |= (int)SA_RESETHAND;
        if (sigaction(signals[i].number, NULL, &now) == 0 && now.sa_handler != SIG_IGN)
            sigaction(signals[i].number, &then, NULL);
    }
}

void kt_stop_leave(void)
{
    for (size_t i = 0; i < N_SIGNALS; i++) {
        struct sigaction now;
        if (sigaction(signals[i].number, NULL, &now) == 0 && now.sa_handler == take_note)
            signal(signals[i].number, SIG_DFL);
    }
    if (asked > 0)
        raise(asked);
}

void kt_stop_ask(void)
{
    if (asked == 0)
        asked = BY_ANOTHER;
}

void kt_stop_at(double deadline, const char *why, double (*again)(void))
{
    if (timing.why != NULL && timing.deadline <= deadline)
        return;
    timing.deadline = deadline;
    timing.why = why;
    timing.again = again;
}

void kt_stop_saving_takes(double seconds)
{
    timing.saving_seconds = seconds;
}

static const double SPARE_SECONDS = 2, FEWEST_SECONDS = 60; /* a job is lengthened by that at least */

/* Whether it is time: twice what saving took last, since a disk may be busier, and what passes until the next look. */
static bool is_time(void)
{
    const double now = kt_timer_seconds();
    if (timing.looked_at > 0)
        timing.pause_seconds = fmax(timing.pause_seconds, now - timing.looked_at);
    timing.looked_at = now;
    const double needed = 2 * timing.saving_seconds + timing.pause_seconds + SPARE_SECONDS;
    if (now + needed < timing.deadline)
        return false;
    const double left = timing.again != NULL ? timing.again() : 0;
    if (left < needed + FEWEST_SECONDS)
        return true;
    timing.deadline = now + left;
    return false;
}

bool kt_stop_asked(void)
{
    if (asked == 0 && timing.why != NULL && is_time())
        asked = BY_CLOCK;
    return asked != 0;
}

void kt_stop_forget(void)
{
    asked = 0;
}

const char *kt_stop_why(void)
{
    for (size_t i = 0; i < N_SIGNALS; i++)
        if (signals[i].number == asked)
            return signals[i].name;
    return asked == BY_CLOCK ? timing.why : "another rank";
}
