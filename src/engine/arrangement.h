/* How the ranks of a run may work: as one team, in several with a copy of the weights each, or fewer of them while the
 * others sleep. No bit depends on it, so the fastest is found by trying (run/trainer_arrange.c). Local and pure. */
#ifndef KTRAIN_ARRANGEMENT_H
#define KTRAIN_ARRANGEMENT_H

#include "engine/replica.h"

typedef struct kt_arrangement {
    size_t n_ranks;           /* that work: the first of the run's; the others sleep */
    size_t ranks_per_replica; /* as kt_replica_create takes it */
} kt_arrangement;

/* Keys: ranks that work, and that share a copy of the weights. */
typedef struct kt_arrangement_spec {
    int64_t ranks, ranks_per_replica;
} kt_arrangement_spec;

extern const kt_option_rows kt_arrangement_options; /* of kt_arrangement_spec */

/* What the choice depends on besides. */
typedef struct kt_arrangement_job {
    size_t n_ranks, n_hosts; /* started */
    size_t batch_size, n_shards;
    size_t most_seats; /* that have panels: kt_arrangement_seats */
} kt_arrangement_job;

/* Most seats of a team among which the panels of the widest layer can be dealt, where it is not so small that each has
 * it whole. */
size_t kt_arrangement_seats(const kt_network_spec *spec);

enum { KT_MOST_ARRANGEMENTS = 12 };

/* All that may be tried, that to begin with first; one when the keys leave nothing open. Returns their number. */
size_t kt_arrangements(const kt_arrangement_spec *spec, const kt_arrangement_job *job,
                       kt_arrangement out[KT_MOST_ARRANGEMENTS]);

/* How those that may be tried did. */
typedef struct kt_arrangement_times {
    size_t n, current;
    kt_arrangement each[KT_MOST_ARRANGEMENTS];
    double seconds
        [KT_MOST_ARRANGEMENTS]; /* of a step, the least of all looks; 0: not tried, HUGE_VAL: could not be made */
    size_t n_looks[KT_MOST_ARRANGEMENTS];
} kt_arrangement_times;

/* A look at the current one has found that. */
void kt_arrangement_note(kt_arrangement_times *times, double seconds);

/* One that was not tried; then one of several close ones that had only one look, since something else may have had the
 * cores just then; else the fastest, of equals the current one, and *found is true. */
size_t kt_arrangement_next(const kt_arrangement_times *times, bool *found);

/* All but those that could not be made are to be tried again. */
void kt_arrangement_forget(kt_arrangement_times *times);

/* KT_CONFIG when so many ranks as the keys want are not there. */
kt_status kt_arrangement_check(const kt_arrangement_spec *spec, size_t n_ranks);

/* "2 ranks as one team", "2 ranks with a copy of the weights each", "1 rank". */
void kt_arrangement_describe(const kt_arrangement *arrangement, char *text, size_t size);

#endif
