/* What a sweep tells its user. Files in its directory: trials.csv (a row per point and repetition), points.csv (a row
 * per point, when seeds > 1), best.ini. On standard output: the best ten, the effect of each axis; of a list of named
 * points all in their order, and what changes from one to the next. Local, for rank 0.
 *
 * trials.csv has a column for each axis, named section.key (`point` for named points, with their names), and with seeds
 * > 1 for the seeds that count up; then validation_cross_entropy, validation_accuracy, test_cross_entropy,
 * test_accuracy, epochs, seconds, stop_reason (of summary.json, or "failed"), best_epoch, train_cross_entropy,
 * train_accuracy, error, key. A number that there is not is empty. Of a point that was tried with more and more epochs
 * only the last trial counts. Rows are in the order of the points, so that two files of the same sweep differ in
 * `seconds` at most.
 *
 * points.csv has a row for each point all of whose repetitions are done: the axes, seeds, and of the first four numbers
 * NAME_mean and NAME_error (the standard error of the mean; both empty when a repetition diverged or failed), then
 * epochs_mean, seconds_sum, diverged_or_failed. */
#ifndef KTRAIN_SWEEP_REPORT_H
#define KTRAIN_SWEEP_REPORT_H

#include "base/log.h"
#include "sweep/trials.h"

/* trials.csv and points.csv. suffix stands before ".csv": "" or that of a slice's files ("-1-of-4"). KT_IO. */
kt_status kt_sweep_write_trials(const kt_trials *trials, const char *suffix);

/* best.ini, a job that can be run as it is: the best point's first repetition, with the trial's own directory. When no
 * trial succeeded there is no such file. KT_IO. */
kt_status kt_sweep_write_best(const kt_trials *trials, const char *suffix);

/* The best ten points as a table. */
kt_status kt_sweep_report_best(const kt_trials *trials, kt_log *log);
/* For each axis of several values, and each value: how many points, their mean and best objective, how many of them
 * diverged or failed; the value with the best point is marked. */
kt_status kt_sweep_report_axes(const kt_trials *trials, kt_log *log);

/* How far a sweep is. */
typedef struct kt_sweep_progress {
    size_t n_done, n_running, n_expected;
    double best;         /* objective as the user knows it (accuracy is not negated); NaN: none yet */
    double seconds;      /* since the start */
    size_t n_trained;    /* in that time */
    double seconds_left; /* NaN: not known yet */
} kt_sweep_progress;

/* The bar in text[size], with less on it where the columns are few. Pure. */
void kt_sweep_format_bar(const kt_sweep_progress *progress, size_t columns, char *text, size_t size);
void kt_sweep_report_bar(kt_log *log, const kt_sweep_progress *progress);  /* on a terminal */
void kt_sweep_report_line(kt_log *log, const kt_sweep_progress *progress); /* elsewhere */

#endif
