/* A sweep: many trials on groups of ranks, handed out by rank 0, on record when they are done. */
#ifndef KTRAIN_SWEEP_H
#define KTRAIN_SWEEP_H

#include "base/log.h"
#include "edge/comm.h"
#include "sweep/slice.h"
#include "sweep/space.h"

typedef struct kt_sweep_request {
    kt_slice slice;   /* of the points, this start's */
    bool retry;       /* trials on record as failed are run again */
    bool merge;       /* no training: joins journals */
    bool list;        /* a dry run shows all points, not only the first and the last few */
    size_t n_sources; /* other directories whose journals are joined, too */
    char *const *sources;
} kt_sweep_request;

/* Runs what is missing of a sweep in space->base.run.dir and leaves its files there (sweep_report.h), the journal
 * (journal.jsonl, or journal-I-of-N.jsonl of a slice) and trials/. A sweep that is finished is only reported.
 * Collective. KT_CONFIG: ranks_per_trial does not divide the ranks, or the directory holds another sweep's journal, or
 * is in use; KT_NO_INPUT, KT_DATA: of the data, or of journals from other data; KT_IO: the journal cannot be written,
 * or a trial's files; KT_NO_MEMORY. Trials that were done by then stay on record. */
kt_status kt_sweep_run(kt_comm *world, const kt_space *space, const kt_sweep_request *plan, kt_log *log);

/* Prints the axes, the points, what each costs, and how long the sweep will take on n_ranks ranks of this machine, on
 * which it trains a few steps to find out; nothing is written. Collective. */
kt_status kt_sweep_dry_run(kt_comm *world, const kt_space *space, const kt_sweep_request *plan, size_t n_ranks,
                           kt_log *log);

#endif
