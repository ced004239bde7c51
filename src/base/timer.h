/* A monotonic clock. Local. */
#ifndef KTRAIN_TIMER_H
#define KTRAIN_TIMER_H

#include <math.h>
#include <time.h>

/* Seconds since an arbitrary moment; never goes back. */
static inline double kt_timer_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* Sleeps so long (< 1), or until a signal comes. */
static inline void kt_timer_sleep(double seconds)
{
    nanosleep(&(struct timespec){.tv_nsec = lround(1e9 * seconds)}, NULL);
}

#endif
