/* Keys and the batch system's word become a clock and a watchdog. */
#include "run/limits.h"

#include <math.h>
#include <stdio.h>

#include "base/timer.h"
#include "process/batch_job.h"
#include "process/stop.h"
#include "process/watchdog.h"

static void start_clock(double max_minutes, kt_log *log)
{
    static char why[64]; /* as long as the process lives */
    const double now = kt_timer_seconds(), left = kt_batch_job_seconds_left();
    if (max_minutes > 0) {
        snprintf(why, sizeof why, "run.max_minutes = %.6g", max_minutes);
        kt_stop_at(now + 60 * max_minutes, why, NULL);
    }
    if (isfinite(left)) {
        kt_stop_at(now + left, "the end of the batch job", kt_batch_job_seconds_left);
        kt_log_line(log, "limit  the batch job ends in %.1f minutes: what is not done by then is saved before",
                    left / 60);
    }
}

void kt_limits_start(const kt_comm *world, const kt_config *config, kt_log *log)
{
    kt_watchdog_set(60 * config->run.hang_minutes, "run.hang_minutes", kt_comm_rank(world), kt_comm_host(world));
    if (kt_comm_rank(world) == 0)
        start_clock(config->run.max_minutes, log);
}
