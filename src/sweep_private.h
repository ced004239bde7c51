/* What the files of sweep share: sweep.c (the sweep as rank 0 and the others go through it), sweep_setup.c (groups of
 * ranks, data, one trial), sweep_files.c (journals, directories) and sweep_dry_run.c. */
#ifndef KTRAIN_SWEEP_PRIVATE_H
#define KTRAIN_SWEEP_PRIVATE_H

#include "ktrain/data.h"
#include "ktrain/file.h"
#include "ktrain/journal.h"
#include "ktrain/sweep.h"
#include "ktrain/trainer.h"
#include "ktrain/trials.h"

/* The data sets that the points name, each loaded once: most sweeps have one. */
typedef struct kt_sweep_data {
    size_t n;
    kt_data *sets;      /* [n], owned */
    kt_config *configs; /* [n], owned: which files */
} kt_sweep_data;

/* Collective. Everything that a point names is read here, before anything is trained. */
kt_status kt_sweep_load_data(kt_comm *world, const kt_space *space, kt_sweep_data *out);
void kt_sweep_free_data(kt_sweep_data *data); /* collective */

/* The set that a job's files are. Local. */
const kt_data *kt_sweep_find_data(const kt_sweep_data *data, const kt_config *config);

/* Groups of ranks_per_trial ranks. Collective. KT_CONFIG when that does not divide the ranks. */
kt_status kt_sweep_split(kt_comm *world, const kt_space *space, kt_comm **group);

/* Cost and fingerprint of a job, from the data. */
typedef struct kt_sweep_costs {
    const kt_sweep_data *data;
    size_t ranks_per_trial;
} kt_sweep_costs;
kt_trials_source kt_sweep_source(kt_sweep_costs *costs);

/* Trains one job on the group's ranks, with its files in config->run.dir, and says in *outcome (all but key) what came
 * of it, also of a failure. Collective over the group. */
void kt_sweep_train(kt_comm *group, const kt_config *config, const kt_sweep_data *data, kt_pulse pulse,
                    kt_outcome *outcome);

/* ---- rank 0's files; local ---- */

typedef struct kt_sweep_files {
    const char *dir;             /* borrowed: run.dir of the sweep */
    char suffix[48];             /* of this start's files: "" or "-1-of-4" */
    int locks[2];                /* -1: none */
    kt_journal *journal;
} kt_sweep_files;

/* Makes and locks the directory, opens its log, puts what all its journals have on trials' record, writes sweep.ini and
 * opens this start's journal. KT_CONFIG: in use, or the journals are another sweep's; KT_IO. */
kt_status kt_sweep_open_files(kt_sweep_files *files, const kt_space *space, const kt_sweep_plan *plan,
                              kt_trials *trials, kt_log *log);
void kt_sweep_close_files(kt_sweep_files *files);

/* Removes the directories of trials that are done and not needed any more: but for the point `best` (the number of a
 * point; UINT64_MAX: none), of which all stay. */
void kt_sweep_clear_directories(kt_trials *trials, uint64_t best);

#endif
