/* What came of a trial: as the journal has it on record, and as tables and files show it. Local and pure. */
#ifndef KTRAIN_OUTCOME_H
#define KTRAIN_OUTCOME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "input/split.h"

enum { KT_OUTCOME_ERROR_BYTES = 512 };

/* Bytes that may be sent as they are. */
typedef struct kt_outcome {
    uint64_t key; /* kt_trial_key */
    int status;   /* kt_status: KT_OK, KT_DIVERGED, or why it failed */
    int reason;   /* kt_stop_reason */
    struct {
        double cross_entropy, accuracy; /* NaN: no samples, or not finite */
    } scores[KT_N_PARTS];               /* of the weights the run leaves */
    int64_t epochs, best_epoch, ranks;
    double seconds;                     /* of training */
    char error[KT_OUTCOME_ERROR_BYTES]; /* the sentence when status is not KT_OK; else "" */
} kt_outcome;

/* Its numbers, in the order of a journal's line. */
typedef enum kt_outcome_number {
    KT_OUTCOME_VALIDATION_LOSS,
    KT_OUTCOME_VALIDATION_ACCURACY,
    KT_OUTCOME_TEST_LOSS,
    KT_OUTCOME_TEST_ACCURACY,
    KT_OUTCOME_N_MEANS, /* those above, of which points.csv has means */
    KT_OUTCOME_TRAIN_LOSS = KT_OUTCOME_N_MEANS,
    KT_OUTCOME_TRAIN_ACCURACY,
    KT_OUTCOME_N_SCORES, /* those above: of the weights the run leaves */
    KT_OUTCOME_EPOCHS = KT_OUTCOME_N_SCORES,
    KT_OUTCOME_BEST_EPOCH,
    KT_OUTCOME_SECONDS,
    KT_OUTCOME_RANKS,
    KT_OUTCOME_N_NUMBERS
} kt_outcome_number;

typedef struct kt_outcome_row {
    const char *name;         /* in journals and CSV files */
    size_t offset;            /* in kt_outcome */
    bool whole;               /* an int64_t; else a double */
    const char *above, *head; /* of a table's column, in two lines */
    int digits;               /* there, behind the point */
} kt_outcome_row;

extern const kt_outcome_row kt_outcome_rows[KT_OUTCOME_N_NUMBERS];

/* NaN: there is none, as of a trial that failed there are no scores. */
double kt_outcome_value(const kt_outcome *outcome, kt_outcome_number number);

#endif
