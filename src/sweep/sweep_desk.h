/* Rank 0's desk: which group of ranks trains which trial next, what came of each, and how far it all is. Rank 0 hands
 * out trials, also between two steps of its own, puts what came of them on record before anything else, and tells the
 * user. Local, but that it talks to the first ranks of the other groups. */
#ifndef KTRAIN_SWEEP_DESK_H
#define KTRAIN_SWEEP_DESK_H

#include "base/log.h"
#include "edge/comm.h"
#include "sweep/sweep_files.h"
#include "sweep/trials.h"

/* What the first rank of a group tells rank 0: what came of its trial (none yet: trial = KT_NO_TRIAL), and how long it
 * has waited for it. */
typedef struct kt_sweep_news {
    uint64_t trial;
    double idle_seconds;
    kt_outcome outcome;
} kt_sweep_news;

/* What rank 0 answers. */
typedef struct kt_sweep_order {
    bool stop;
    uint64_t trial;
    kt_proposal proposal;
    int64_t repetition;
} kt_sweep_order;

#define KT_NO_TRIAL UINT64_MAX

/* Of a rank that leads a group. */
typedef struct kt_sweep_leader {
    bool waits; /* for an order */
    bool told;  /* to stop */
    double waits_since;
} kt_sweep_leader;

typedef struct kt_sweep_desk {
    kt_comm *mail; /* borrowed: rank 0 and the first ranks of groups; all others stay silent on it */
    kt_log *log;   /* borrowed */
    kt_trials trials;
    kt_sweep_files files;
    kt_sweep_leader *leaders; /* [ranks] */
    size_t n_missing;         /* of a merge: trials that no journal has */
    size_t n_groups, n_stopped, n_running, n_trained;
    kt_point_result best; /* mean INFINITY: none yet */
    double start_seconds, shown_seconds, files_seconds;
    double idle_seconds, busy_until; /* of all groups; when the last trial was handed out */
    kt_error failure;                /* why the sweep must end early */
} kt_sweep_desk;

/* Asks for all trials that are known beforehand; trials and files of *desk are open. */
kt_status kt_sweep_desk_open(kt_sweep_desk *desk, kt_comm *mail, kt_log *log);
void kt_sweep_desk_close(kt_sweep_desk *desk); /* with its trials and files */

/* Says what begins; seconds count from here. */
void kt_sweep_desk_start(kt_sweep_desk *desk);

/* Takes news that have come, answers those who wait, and shows how far it all is. Between two steps of rank 0's own
 * trial (context is the desk), and while it waits. */
void kt_sweep_desk_serve(void *context);

/* What rank 0's own group is to do next; serves the others until that is known. */
void kt_sweep_desk_next(kt_sweep_desk *desk, kt_sweep_order *out);

/* The end of trial i: on record first, then everything else. */
void kt_sweep_desk_take(kt_sweep_desk *desk, size_t i, kt_outcome *outcome);

/* Serves the others until all have stopped. */
void kt_sweep_desk_wait(kt_sweep_desk *desk);

/* Instead of training: takes what is on record. What is missing is the sweep's failure; `alone`: no other directory's
 * journals were read. */
void kt_sweep_desk_merge(kt_sweep_desk *desk, bool alone);

/* Whether the directory that best.ini names is to be made by training the best trial (*out) once more: an earlier start
 * has removed it, or it lies on another host. And what came of that. */
bool kt_sweep_desk_lacks_best(kt_sweep_desk *desk, kt_sweep_order *out);
void kt_sweep_desk_take_best(kt_sweep_desk *desk, const kt_sweep_order *order, const kt_outcome *outcome);

/* Leaves tables and files of whatever there is. The sweep's failure; KT_DIVERGED (all that did not succeed) or
 * KT_INTERNAL when no point succeeded. */
kt_status kt_sweep_desk_conclude(kt_sweep_desk *desk);

#endif
