/* What each epoch brought: records, and the names of their columns. */
#include "saving/history.h"

#include <string.h>

#include "test.h"

const char *const kt_test_suite = "history";

static void records_stay_in_order(void)
{
    enum { N = 1000 }; /* more than the first room */
    kt_history history = {0};
    for (int e = 1; e <= N; e++)
        KT_CHECK_STATUS(KT_OK, kt_history_append(&history, &(kt_epoch_record){.epoch = e, .seconds = 0.5 * e}));
    CU_ASSERT(history.n == N);
    bool right = true;
    for (size_t i = 0; i < history.n; i++)
        right =
            right && history.records[i].epoch == (double)i + 1 && history.records[i].seconds == 0.5 * ((double)i + 1);
    CU_ASSERT(right);
    kt_history_free(&history);
    CU_ASSERT(history.n == 0 && history.records == NULL);
    kt_history_free(&history);
}

static double value(const kt_epoch_record *record, const char *column)
{
    for (size_t c = 0; c < KT_HISTORY_COLUMNS; c++)
        if (strcmp(kt_history_columns[c], column) == 0)
            return kt_history_values(record)[c];
    return -1;
}

static void a_column_is_the_field_of_its_name(void)
{
    const kt_epoch_record r = {1, 2, 3, 4, 5, 6, 7, 8, 9};
    CU_ASSERT(value(&r, "epoch") == r.epoch && value(&r, "step") == r.step);
    CU_ASSERT(value(&r, "learning_rate") == r.learning_rate && value(&r, "train_loss") == r.train_loss);
    CU_ASSERT(value(&r, "train_cross_entropy") == r.train_cross_entropy);
    CU_ASSERT(value(&r, "train_accuracy") == r.train_accuracy);
    CU_ASSERT(value(&r, "validation_cross_entropy") == r.validation_cross_entropy);
    CU_ASSERT(value(&r, "validation_accuracy") == r.validation_accuracy && value(&r, "seconds") == r.seconds);
}

const kt_test kt_tests[] = {
    {"records stay in order, however many", records_stay_in_order},
    {"a column is the field of its name", a_column_is_the_field_of_its_name},
    {NULL, NULL},
};
