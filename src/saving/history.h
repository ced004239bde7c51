/* What each epoch of a run brought. Local and pure. */
#ifndef KTRAIN_HISTORY_H
#define KTRAIN_HISTORY_H

#include <stddef.h>

#include "base/status.h"

typedef struct kt_epoch_record {
    double epoch, step;   /* whole numbers: epochs and updates made so far */
    double learning_rate; /* of the epoch's last step */
    double train_loss; /* mean over the epoch's samples with smoothing and class weights, plus the L2 term at its end */
    double train_cross_entropy; /* mean over the epoch's samples, as they came by: dropout on, weights changing */
    double train_accuracy;
    double validation_cross_entropy, validation_accuracy;
    double seconds; /* of training so far, all starts of the run together */
} kt_epoch_record;

/* The record's fields in order, by name: the columns of history.csv and of a checkpoint. All are doubles. */
enum { KT_HISTORY_COLUMNS = sizeof(kt_epoch_record) / sizeof(double) };
extern const char *const kt_history_columns[KT_HISTORY_COLUMNS];

typedef struct kt_history {
    kt_epoch_record *records; /* owned */
    size_t n, capacity;
} kt_history;

/* A zeroed struct is an empty history. */
kt_status kt_history_append(kt_history *history, const kt_epoch_record *record);
void kt_history_free(kt_history *history);

/* The record's fields as an array[KT_HISTORY_COLUMNS] in column order. */
const double *kt_history_values(const kt_epoch_record *record);

#endif
