/* A monotonic clock. Local. */
#ifndef KTRAIN_TIMER_H
#define KTRAIN_TIMER_H

/* Seconds since an arbitrary moment; never goes back. */
double kt_timer_seconds(void);

/* Sleeps so long (< 1), or until a signal comes. */
void kt_timer_sleep(double seconds);

#endif
