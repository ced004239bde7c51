/* Keys and the batch system's word become a clock and a watchdog. */
#include "run/limits.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/timer.h"
#include "process/batch_job.h"
#include "process/siblings.h"
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

/* Numbers of processes mean the same only within a space of them, which containers have of their own. */
typedef struct process {
    char host[KT_HOST_BYTES];
    uint64_t space;
    kt_sibling self;
} process;

static uint64_t space_of_numbers(void)
{
    struct stat info;
    return stat("/proc/self/ns/pid", &info) == 0 ? (uint64_t)info.st_ino : 0;
}

/* Of all ranks' processes those on this host, but for this one. */
static void know_siblings(const process *all, size_t n, const process *own)
{
    kt_sibling siblings[KT_MOST_SIBLINGS];
    size_t n_siblings = 0;
    for (size_t i = 0; i < n && n_siblings < KT_MOST_SIBLINGS; i++)
        if (all[i].self.rank != own->self.rank && strcmp(all[i].host, own->host) == 0 && own->space != 0 &&
            all[i].space == own->space)
            siblings[n_siblings++] = all[i].self;
    kt_siblings_set(siblings, n_siblings);
}

static kt_status find_siblings(kt_comm *world)
{
    const size_t n = (size_t)kt_comm_size(world);
    process own = {.space = space_of_numbers(), .self = {.pid = getpid(), .rank = kt_comm_rank(world)}}, *all;
    snprintf(own.host, sizeof own.host, "%s", kt_comm_host(world));
    KT_TRY(kt_comm_agree(world, KT_NEW(all, n)));
    kt_comm_gather(world, &own, sizeof own, own.self.rank == 0 ? all : NULL);
    kt_comm_broadcast(world, 0, all, n * sizeof *all);
    know_siblings(all, n, &own);
    kt_memory_free(all);
    return KT_OK;
}

kt_status kt_limits_start(kt_comm *world, const kt_config *config, kt_log *log)
{
    kt_watchdog_set(60 * config->run.hang_minutes, "run.hang_minutes", kt_comm_rank(world), kt_comm_host(world));
    if (kt_comm_rank(world) == 0)
        start_clock(config->run.max_minutes, log);
    return find_siblings(world);
}

void kt_limits_stop(void)
{
    kt_siblings_set(NULL, 0);
}
