/* How long a run's epochs took, from its history.csv. */
#include <stddef.h>

#include "input/format.h"
#include "kbench.h"

enum { EARLY = 3, EPOCHS = 5 }; /* the first epochs warm up */

/* The median time of epochs first ... first + EPOCHS - 1, from the training time that stands at the end of each. */
static double epoch_seconds(const kt_array *history, size_t first)
{
    const size_t column = offsetof(kt_epoch_record, seconds) / sizeof(double);
    double seconds[EPOCHS];
    for (size_t i = 0; i < EPOCHS; i++) {
        size_t row = first - 1 + i;
        seconds[i] = kt_array_get(history, row * KT_HISTORY_COLUMNS + column) -
                     kt_array_get(history, (row - 1) * KT_HISTORY_COLUMNS + column);
    }
    return kt_bench_median(EPOCHS, seconds);
}

static kt_status print_epochs(const kt_array *history, const char *path)
{
    const size_t n = history->dims[0], late = n - EPOCHS + 1;
    if (history->n_dims != 2 || history->dims[1] != KT_HISTORY_COLUMNS)
        return kt_fail(KT_DATA, "%s is not a history.csv: it must have %d columns", path, KT_HISTORY_COLUMNS);
    if (n < EARLY + 2 * EPOCHS - 1)
        return kt_fail(KT_DATA, "%s has %zu epochs; at least %d are needed to compare early ones with late ones", path,
                       n, EARLY + 2 * EPOCHS - 1);
    const double before = epoch_seconds(history, EARLY), after = epoch_seconds(history, late);
    printf("%s: median seconds of an epoch\n  epochs %d to %d      %10.5f\n  epochs %zu to %-5zu %10.5f\n  late / "
           "early       %10.3f\n",
           path, EARLY, EARLY + EPOCHS - 1, before, late, n, after, after / before);
    return KT_OK;
}

kt_status kt_bench_print_history(const char *path)
{
    kt_array history;
    KT_TRY(kt_format_read(path, &history));
    kt_status status = print_epochs(&history, path);
    kt_array_free(&history);
    return status;
}
