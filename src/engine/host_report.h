/* Which ranks are on which hosts, with how many cores and threads, and whose kernels of OpenBLAS. */
#ifndef KTRAIN_HOST_REPORT_H
#define KTRAIN_HOST_REPORT_H

#include "base/log.h"
#include "edge/comm.h"

/* Rank 0 prints a line for each host ("ranks 0-3 on node7: 4 cores, 1 thread each") and warns where threads outnumber
 * cores, and of processors for which OpenBLAS has different kernels. Collective. */
kt_status kt_host_report(kt_comm *comm, int threads, kt_log *log);

/* KT_USAGE when this process is one of several that a launcher has started without MPI between them: each would train
 * alone, into the same directory. Warns of a batch job that has more tasks than take part. Local. */
kt_status kt_host_report_check_launcher(const kt_comm *world, kt_log *log);

#endif
