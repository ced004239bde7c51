/* The rows of history.csv, growing epoch by epoch. */
#include "saving/history.h"

#include "base/memory.h"

const char *const kt_history_columns[KT_HISTORY_COLUMNS] = {
    "epoch",
    "step",
    "learning_rate",
    "train_loss",
    "train_cross_entropy",
    "train_accuracy",
    "validation_cross_entropy",
    "validation_accuracy",
    "seconds",
};

kt_status kt_history_append(kt_history *history, const kt_epoch_record *record)
{
    KT_TRY(KT_GROW(history->records, history->n, history->capacity));
    history->records[history->n++] = *record;
    return KT_OK;
}

void kt_history_free(kt_history *history)
{
    kt_memory_free(history->records);
    *history = (kt_history){0};
}

const double *kt_history_values(const kt_epoch_record *record)
{
    return (const double *)record;
}
