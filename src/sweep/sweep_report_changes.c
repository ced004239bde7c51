/* Named points compared: what each adds to the one before it, or does otherwise than the first. */
#include <math.h>
#include <stdio.h>

#include "base/memory.h"
#include "sweep/sweep_report_private.h"

static void set_change(const kt_sweep_table *t, size_t row, size_t column, kt_mean change)
{
    const int digits = kt_outcome_rows[kt_sweep_columns[column]].digits;
    if (!isfinite(change.mean))
        kt_sweep_set_cell(t, row, 1 + column, "-");
    else if (isfinite(change.error) && column < KT_SWEEP_N_SCORES)
        kt_sweep_set_cell(t, row, 1 + column, "%+.*f +- %.*f", digits, change.mean, digits, change.error);
    else
        kt_sweep_set_cell(t, row, 1 + column, "%+.*f", digits, change.mean);
}

static kt_status print_changes(const kt_trials *trials, const kt_point_result *results, size_t n, kt_log *log)
{
    const kt_space *space = trials->space;
    const bool builds = space->settings.builds_on == KT_BUILDS_ON_PREVIOUS;
    kt_sweep_table t;
    KT_TRY(kt_sweep_create_table(&t, KT_SWEEP_N_HEADS + n - 1, 1 + KT_SWEEP_N_COLUMNS));
    kt_sweep_set_heads(&t, 1);
    for (size_t i = 1; i < n; i++) {
        kt_sweep_set_cell(&t, KT_SWEEP_N_HEADS + i - 1, 0, "%s", kt_space_value(space, results[i].point, 0)->name);
        for (size_t c = 0; c < KT_SWEEP_N_COLUMNS; c++)
            set_change(&t, KT_SWEEP_N_HEADS + i - 1, c,
                       kt_sweep_mean_of(trials, &results[builds ? i - 1 : 0], &results[i], kt_sweep_columns[c]));
    }
    const kt_status status = kt_sweep_print_table(&t, 1 + KT_SWEEP_N_COLUMNS, log);
    kt_memory_free(t.cells);
    return status;
}

kt_status kt_sweep_report_changes(const kt_trials *trials, const kt_point_result *results, size_t n, kt_log *log)
{
    const kt_space *space = trials->space;
    char from[64];
    if (n < 2)
        return KT_OK;
    if (space->settings.builds_on == KT_BUILDS_ON_PREVIOUS)
        snprintf(from, sizeof from, "the point before it");
    else
        snprintf(from, sizeof from, "%s", kt_space_value(space, results[0].point, 0)->name);
    kt_log_line(log, "%s", "");
    kt_log_line(log, "the change from %s to each point%s", from,
                space->settings.seeds > 1 ? ", mean +- standard error of the differences seed by seed" : "");
    return print_changes(trials, results, n, log);
}
