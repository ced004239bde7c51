/* A job's limits in time: when it must have saved and ended, and for how long nothing may happen. */
#ifndef KTRAIN_LIMITS_H
#define KTRAIN_LIMITS_H

#include "base/log.h"
#include "edge/comm.h"
#include "engine/config.h"

/* From now on: rank 0 stops all (stop.h) before run.max_minutes, counted from here, and before the batch job's end,
 * which a line names; every rank's watchdog (watchdog.h) has run.hang_minutes, and knows the other ranks of its host.
 * Collective. KT_NO_MEMORY. */
kt_status kt_limits_start(kt_comm *world, const kt_config *config, kt_log *log);

/* From now on other ranks may end before this one. Local; before the last collective call. */
void kt_limits_stop(void);

#endif
