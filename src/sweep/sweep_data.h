/* The data sets that a sweep's points name, each loaded once (most sweeps have one), and what they tell of a job. */
#ifndef KTRAIN_SWEEP_DATA_H
#define KTRAIN_SWEEP_DATA_H

#include "base/log.h"
#include "engine/data.h"
#include "sweep/space.h"
#include "sweep/trials.h"

typedef struct kt_sweep_data {
    size_t n;
    kt_data *sets;         /* [n], owned */
    kt_config *configs;    /* [n], owned: which files */
    const kt_space *space; /* borrowed */
} kt_sweep_data;

/* Collective. Everything that a point names is read here, before anything is trained, and rank 0 says what is strange
 * about it. */
kt_status kt_sweep_data_load(kt_comm *world, const kt_space *space, kt_log *log, kt_sweep_data *out);
void kt_sweep_data_free(kt_sweep_data *data); /* collective */

/* The set of a job's files; NULL: none. Local. */
const kt_data *kt_sweep_data_find(const kt_sweep_data *data, const kt_config *config);

/* Expected seconds and fingerprint of a job. Borrows data. */
kt_trials_source kt_sweep_data_source(kt_sweep_data *data);

#endif
