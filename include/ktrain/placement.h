/* Which ranks are on which hosts, with how many cores and threads. */
#ifndef KTRAIN_PLACEMENT_H
#define KTRAIN_PLACEMENT_H

#include "ktrain/comm.h"
#include "ktrain/log.h"

/* Rank 0 prints a line for each host ("ranks 0-3 on node7: 4 cores, 1 thread each") and warns where threads outnumber
 * cores. Collective. */
kt_status kt_placement_report(kt_comm *comm, int threads, kt_log *log);

#endif
