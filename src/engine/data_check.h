/* What will probably go wrong with these data although nothing is wrong with the files: features that nobody has
 * scaled, parts that do not look alike, classes without samples. Local.
 *
 * To add a check: a function and a row of `checks` in data_check.c; it sees kt_data_facts. What only a reader of a file
 * can see, before everything becomes float32, it adds to the notes of the data set (kt_dataset.notes) itself. */
#ifndef KTRAIN_DATA_CHECK_H
#define KTRAIN_DATA_CHECK_H

#include "base/log.h"
#include "base/notes.h"
#include "engine/config.h"
#include "engine/data.h"

/* The notes of the data set's files, then those of the checks. One pass over the samples: for rank 0. KT_NO_MEMORY. */
kt_status kt_data_check(const kt_data *data, const kt_config *config, kt_notes *notes);

/* Prints them on rank 0, unless the log is quiet: a run among many on the same data. */
void kt_data_report_notes(const kt_data *data, const kt_config *config, kt_log *log);

/* What data look like, in a few numbers. */
typedef struct kt_looks {
    const char *name; /* as messages say it: file, part */
    kt_dataset_statistics statistics;
    kt_type file_type;
} kt_looks;

/* Notes where new data do not look like those that a model is or was trained on: range, mean, type. scale is what the
 * model divides inputs by. */
void kt_data_compare(const kt_looks *trained, const kt_looks *new, double scale, kt_notes *notes);

#endif
