/* What the tables and the files of a sweep have in common. */
#ifndef KTRAIN_SWEEP_REPORT_PRIVATE_H
#define KTRAIN_SWEEP_REPORT_PRIVATE_H

#include "ktrain/sweep_report.h"

/* The number of a point's value on an axis. */
size_t kt_sweep_index(const kt_space *space, uint64_t point, size_t axis);

/* What a trial leaves. */
typedef enum kt_sweep_number {
    KT_SWEEP_VALIDATION_LOSS,
    KT_SWEEP_VALIDATION_ACCURACY,
    KT_SWEEP_TEST_LOSS,
    KT_SWEEP_TEST_ACCURACY,
    KT_SWEEP_N_MEANS, /* those above, of which points.csv has means */
    KT_SWEEP_TRAIN_LOSS = KT_SWEEP_N_MEANS,
    KT_SWEEP_TRAIN_ACCURACY,
    KT_SWEEP_N_SCORES, /* those above: of the weights the run leaves */
    KT_SWEEP_EPOCHS = KT_SWEEP_N_SCORES,
    KT_SWEEP_SECONDS,
    KT_SWEEP_N_NUMBERS
} kt_sweep_number;

double kt_sweep_number_of(const kt_outcome *outcome, kt_sweep_number number); /* NaN: there is none */

/* Over the repetitions of a point. */
typedef struct kt_sweep_mean {
    double mean;  /* NaN when a repetition has no number */
    double error; /* standard error: sample deviation / sqrt(repetitions); NaN also for one repetition */
} kt_sweep_mean;

kt_sweep_mean kt_sweep_mean_of(const kt_trials *trials, const kt_point_result *result, kt_sweep_number number);

/* Repetitions of a point that diverged or failed. */
size_t kt_sweep_n_diverged(const kt_trials *trials, const kt_point_result *result);
size_t kt_sweep_n_failed(const kt_trials *trials, const kt_point_result *result);

#endif
