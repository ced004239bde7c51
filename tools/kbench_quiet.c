/* How much of the machine others use while kbench sleeps. */
#include <math.h>
#include <stdio.h>

#include "base/timer.h"
#include "kbench.h"

enum { IDLE = 3, WAITING = 4, N_KINDS = 8 /* of time in /proc/stat; the last is what other machines have taken */ };
static const double look_seconds = 0.1;

/* Ticks of all cores since the start: all of them, and those in which nobody wanted a core. */
static bool read_ticks(double *all, double *idle)
{
    double ticks[N_KINDS];
    FILE *file = fopen("/proc/stat", "r");
    int n = file == NULL ? 0
                         : fscanf(file, "cpu %lf %lf %lf %lf %lf %lf %lf %lf", &ticks[0], &ticks[1], &ticks[2],
                                  &ticks[3], &ticks[4], &ticks[5], &ticks[6], &ticks[7]);
    if (file != NULL)
        fclose(file);
    if (n != N_KINDS)
        return false;
    *all = 0;
    for (int i = 0; i < N_KINDS; i++)
        *all += ticks[i];
    *idle = ticks[IDLE] + ticks[WAITING];
    return true;
}

double kt_bench_others(void)
{
    double all, idle, all_then, idle_then;
    if (!read_ticks(&all, &idle))
        return NAN;
    kt_timer_sleep(look_seconds);
    if (!read_ticks(&all_then, &idle_then) || all_then <= all)
        return NAN;
    return 1 - (idle_then - idle) / (all_then - all);
}

double kt_bench_wait_for_quiet(double seconds)
{
    const double start = kt_timer_seconds();
    double others = kt_bench_others();
    while (others >= KT_BENCH_LOUD && kt_timer_seconds() - start < seconds)
        others = kt_bench_others();
    return others;
}
