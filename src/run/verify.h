/* Whether the files of a run are whole. Local. */
#ifndef KTRAIN_VERIFY_H
#define KTRAIN_VERIFY_H

#include <stdint.h>

#include "base/log.h"
#include "base/status.h"

typedef struct kt_verified {
    size_t n_files, n_bad;
    int64_t newest_step; /* of the good checkpoints; -1: there is none */
} kt_verified;

/* Reads every file of the run in a directory, says of each what is in it or what is wrong with it, and counts:
 * checkpoints and best.h5 by their checksums, config.ini as a configuration, summary.json as
 * JSON, the tables line by line. Nothing is changed. log NULL: it says nothing. KT_NO_INPUT: no directory of a run;
 * KT_OK also when files are bad. */
kt_status kt_verify_run(const char *dir, kt_log *log, kt_verified *out);

#endif
