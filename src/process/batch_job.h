/* What the batch system says of the job that this process is in: today SLURM. Local. */
#ifndef KTRAIN_BATCH_JOB_H
#define KTRAIN_BATCH_JOB_H

#include <stdbool.h>

/* Seconds until the job is ended: as squeue says, which has 5 s to answer, else by SLURM_JOB_END_TIME.
 * HUGE_VAL: there is no job, it has no limit, or nobody knows. */
double kt_batch_job_seconds_left(void);

/* Whether there is a job at all. */
bool kt_batch_job_is_one(void);

/* Of squeue's TimeLeft: [days-]hours:minutes:seconds, minutes:seconds; HUGE_VAL for anything else (UNLIMITED). */
double kt_batch_job_parse_left(const char *text);

#endif
