/* The trials of a sweep: which comes next, and what came of each. A strategy proposes points; each is tried `seeds`
 * times; what the journal has is not run again. Local, for rank 0. */
#ifndef KTRAIN_TRIALS_H
#define KTRAIN_TRIALS_H

#include "sweep/outcome.h"
#include "sweep/slice.h"
#include "sweep/space.h"
#include "sweep/strategy.h"

typedef enum kt_trial_state { KT_TRIAL_NEW, KT_TRIAL_RUNNING, KT_TRIAL_DONE } kt_trial_state;

typedef struct kt_trial {
    kt_proposal proposal;
    int64_t repetition; /* from 0 */
    double cost;        /* expected seconds, of a promoted trial those that are left */
    kt_trial_state state;
    bool from_journal;
    bool has_directory; /* for the caller: DIR/trials/KEY may exist */
    kt_outcome outcome; /* key always; the rest when done */
} kt_trial;

typedef struct kt_mean {
    double mean;  /* not finite when one of the numbers is not */
    double error; /* standard error: sample deviation / sqrt(n); NaN for one number, or when mean is not finite */
} kt_mean;

kt_mean kt_mean_of(size_t n, const double *values);

/* A point that has been tried, with the most epochs it got. */
typedef struct kt_point_result {
    uint64_t point;
    size_t first;       /* its trials are [first, first + seeds) */
    double mean, error; /* of the objective (lower is better: -accuracy) over repetitions, and its standard error;
                                 INFINITY when any diverged or failed; error NaN for one repetition */
} kt_point_result;

/* What is known of a job beyond its configuration. */
typedef struct kt_trials_source {
    double (*cost)(void *context, const kt_config *config);          /* expected seconds */
    uint64_t (*fingerprint)(void *context, const kt_config *config); /* of its data */
    void *context;                                                   /* borrowed */
} kt_trials_source;

typedef struct kt_trials {
    const kt_space *space; /* borrowed */
    kt_strategy *strategy;
    kt_trial *all; /* [n]: in order of proposal; repetitions of a proposal follow each other */
    size_t n, capacity, n_done, n_from_journal, n_failed, n_diverged;
    size_t *n_left;     /* [capacity / seeds]: repetitions of a proposal still to be done */
    size_t next;        /* the first trial not yet handed out of the proposal made last; n: none */
    kt_slice slice;     /* of the proposals, that is run here */
    size_t n_proposals; /* made by the strategy, of all slices */
    void *record;       /* tsearch(3) tree of owned kt_outcome by key: what the journals have */
    bool finished;      /* the strategy has nothing more to propose */
    kt_trials_source source;
    kt_search search; /* borrowed by the strategy */
    kt_config *scratch;
    bool retry; /* what failed is run again */
} kt_trials;

/* *out is zeroed on failure, and must not move after. KT_NO_MEMORY; KT_CONFIG when run.dir is too long. */
kt_status kt_trials_create(kt_trials *out, const kt_space *space, kt_slice slice, kt_trials_source source);
void kt_trials_free(kt_trials *trials);

/* Puts what a journal has on record, before the first kt_trials_next; of two with one key the later counts, but what
 * failed counts less than what did not. */
kt_status kt_trials_remember(kt_trials *trials, const kt_outcome *outcome);

bool kt_trials_knows(const kt_trials *trials, uint64_t key);
/* Whether the record of this trial is as good as this outcome. */
bool kt_trials_knows_better(const kt_trials *trials, const kt_outcome *outcome);

/* Asks a strategy that does not adapt for everything, so that all trials and their costs are known from now on; does
 * nothing for the others. */
kt_status kt_trials_foresee(kt_trials *trials);

/* The next trial to run in *i, now running. KT_WAIT: only when a running one is done; KT_DONE: none any more, though
 * some may still run. KT_NO_MEMORY and KT_CONFIG by *status. */
kt_answer kt_trials_next(kt_trials *trials, size_t *i, kt_status *status);

/* Takes all that there are to hand out now: *n of them, the first of which is *first. */
kt_status kt_trials_next_all(kt_trials *trials, size_t *n, size_t *first);

/* What came of trial i, which was running. */
void kt_trials_finish(kt_trials *trials, size_t i, const kt_outcome *outcome);

/* The job of a trial, in a directory of its own: run.dir is DIR/trials/KEY, where KEY is that of its point's own
 * epochs, so that a promoted trial goes on from where it was. */
kt_status kt_trial_config(const kt_space *space, const kt_trials_source *source, const kt_proposal *proposal,
                          int64_t repetition, kt_config *out);
kt_status kt_trials_config(const kt_trials *trials, const kt_trial *trial, kt_config *out);

/* Value of one trial: lower is better, INFINITY when it did not succeed. */
double kt_trial_value(const kt_space *space, const kt_outcome *outcome);

/* Points all of whose repetitions are done, each once, sorted by mean or (by_point) by number of the point. The array
 * is owned by the caller (kt_memory_free). */
kt_status kt_trials_points(const kt_trials *trials, bool by_point, size_t *n, kt_point_result **out);

/* Whether the directory of trial i is still needed: by a strategy that may go on with it. */
bool kt_trials_may_go_on(const kt_trials *trials, size_t i);

/* Trials in all, as far as can be told now, of this slice. */
uint64_t kt_trials_expected(const kt_trials *trials);

#endif
