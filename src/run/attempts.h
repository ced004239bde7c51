/* The starts of a run, in its attempts.csv: when, where, from which step, and how far each came. The last row is kept
 * up to date while it trains, so that a start that was killed has told, too, and others can see whether a run goes on.
 * Local, for rank 0.
 *
 *   started,last_seen,from_step,reached_step,ranks,host,session
 *
 * Times are seconds since 1970; session is that of ktrun, whose starts follow each other, 0 without it. */
#ifndef KTRAIN_ATTEMPTS_H
#define KTRAIN_ATTEMPTS_H

#include <stdint.h>

#include "base/status.h"

typedef struct kt_attempts kt_attempts;

typedef struct kt_attempt {
    int64_t from_step, ranks;
    const char *host;
    int64_t
        before; /* the step that the start before had come to, where that is known better than its row tells; or 0 */
} kt_attempt;

/* Adds a row for this start to the file, or makes it; rows that cannot be read count as none. KT_IO: *out is NULL. */
kt_status kt_attempts_open(const char *path, const kt_attempt *attempt, kt_attempts **out);

/* The run is at this step. Writes at most once a second, and nothing when out of order: it is no failure. NULL is
 * allowed, here and below. */
void kt_attempts_tell(kt_attempts *attempts, int64_t step);

/* The last word; frees. */
void kt_attempts_close(kt_attempts *attempts, int64_t step);

/* What all starts in a file came to; zeros when there is none. */
typedef struct kt_attempts_sum {
    int64_t n, lost_steps; /* starts; steps that were trained again */
    double wall_seconds;   /* of all, and between those of one session */
} kt_attempts_sum;
kt_attempts_sum kt_attempts_read(const char *path);

#endif
