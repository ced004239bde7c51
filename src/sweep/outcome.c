/* The table of an outcome's numbers. */
#include "sweep/outcome.h"

#include <math.h>

#include "base/status.h"

#define SCORE(part, field) offsetof(kt_outcome, scores[part].field), false
#define WHOLE(field)       offsetof(kt_outcome, field), true

const kt_outcome_row kt_outcome_rows[KT_OUTCOME_N_NUMBERS] = {
    [KT_OUTCOME_VALIDATION_LOSS] = {"validation_cross_entropy", SCORE(KT_VALIDATION, cross_entropy), "validation",
                                    "loss", 4},
    [KT_OUTCOME_VALIDATION_ACCURACY] = {"validation_accuracy", SCORE(KT_VALIDATION, accuracy), "validation", "accuracy",
                                        4},
    [KT_OUTCOME_TEST_LOSS] = {"test_cross_entropy", SCORE(KT_TEST, cross_entropy), "test", "loss", 4},
    [KT_OUTCOME_TEST_ACCURACY] = {"test_accuracy", SCORE(KT_TEST, accuracy), "test", "accuracy", 4},
    [KT_OUTCOME_TRAIN_LOSS] = {"train_cross_entropy", SCORE(KT_TRAIN, cross_entropy), "train", "loss", 4},
    [KT_OUTCOME_TRAIN_ACCURACY] = {"train_accuracy", SCORE(KT_TRAIN, accuracy), "train", "accuracy", 4},
    [KT_OUTCOME_EPOCHS] = {"epochs", WHOLE(epochs), "", "epochs", 1},
    [KT_OUTCOME_BEST_EPOCH] = {"best_epoch", WHOLE(best_epoch), "best", "epoch", 1},
    [KT_OUTCOME_SECONDS] = {"seconds", offsetof(kt_outcome, seconds), false, "", "seconds", 1},
    [KT_OUTCOME_RANKS] = {"ranks", WHOLE(ranks), "", "ranks", 0},
};

double kt_outcome_value(const kt_outcome *outcome, kt_outcome_number number)
{
    const kt_outcome_row *row = &kt_outcome_rows[number];
    const char *at = (const char *)outcome + row->offset;
    if (number < KT_OUTCOME_N_SCORES && outcome->status != KT_OK && outcome->status != KT_DIVERGED)
        return NAN;
    return row->whole ? (double)*(const int64_t *)(const void *)at : *(const double *)(const void *)at;
}
