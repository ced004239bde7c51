/* The files of a sweep: its directory and locks, its journals, and its trials' directories. Local, for rank 0. */
#ifndef KTRAIN_SWEEP_FILES_H
#define KTRAIN_SWEEP_FILES_H

#include "base/log.h"
#include "sweep/journal.h"
#include "sweep/trials.h"

typedef struct kt_sweep_files {
    const char *dir;             /* borrowed: run.dir of the sweep */
    char suffix[KT_SLICE_BYTES]; /* of this start's files: "" or "-1-of-4" */
    int locks[2];                /* -1: none */
    kt_journal *journal;
} kt_sweep_files;

/* Makes and locks the directory, opens its log, puts what all its journals have on trials' record, and those of the
 * other directories sources[n_sources], too; writes sweep.ini and opens this start's journal, which with `merge` gets
 * what only others have. KT_CONFIG: in use, or the journals are another sweep's; KT_NO_INPUT, KT_DATA, KT_IO. */
kt_status kt_sweep_files_open(kt_sweep_files *files, kt_trials *trials, bool merge, size_t n_sources,
                              char *const *sources, kt_log *log);
void kt_sweep_files_close(kt_sweep_files *files);

/* "; there is no journal of slice 2, 5 of 8" in text[size], "" when nothing tells of one that is absent. */
void kt_sweep_files_list_absent(const kt_sweep_files *files, char *text, size_t size);

/* Removes the directories of trials that are done and not needed any more: but for the point `best` (the number of a
 * point; UINT64_MAX: none), of which all stay. */
void kt_sweep_files_clear(kt_trials *trials, uint64_t best);

/* Removes the directories of all other trials on record, as of a sweep with other values in the same place, but for
 * that of `best` (NULL: none). */
void kt_sweep_files_clear_strangers(const kt_sweep_files *files, const kt_trials *trials, const kt_trial *best);

#endif
