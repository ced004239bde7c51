#include "base/timer.h"

#include <math.h>
#include <time.h>

double kt_timer_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

void kt_timer_sleep(double seconds)
{
    nanosleep(&(struct timespec){.tv_nsec = lround(1e9 * seconds)}, NULL);
}
