/* The number of a run directory: drawn once, and kept in its .lock. It tells what a run has left elsewhere (snapshots)
 * from what another run of the same directory name has left. Local, for rank 0. */
#ifndef KTRAIN_RUN_NUMBER_H
#define KTRAIN_RUN_NUMBER_H

#include <stdint.h>

#include "base/status.h"

/* The number in the open .lock, which gets one when it has none. KT_IO. */
kt_status kt_run_number_take(int lock, uint64_t *number);

/* That of the run in a directory; 0: none. */
uint64_t kt_run_number_read(const char *dir);

#endif
