/* What the tables and the files of a sweep have in common. */
#ifndef KTRAIN_SWEEP_REPORT_PRIVATE_H
#define KTRAIN_SWEEP_REPORT_PRIVATE_H

#include "sweep/sweep_report.h"

/* Over the repetitions of a point; NaN when one has no number. With `from` of the differences between the two points,
 * repetition by repetition: what their seeds have in common cancels out. */
kt_mean kt_sweep_mean_of(const kt_trials *trials, const kt_point_result *from, const kt_point_result *to,
                         kt_outcome_number number);

/* Repetitions of a point that diverged, or that failed otherwise. */
size_t kt_sweep_n_without(const kt_trials *trials, const kt_point_result *result, bool diverged);

/* The columns of tables, after those of the axes: four scores, epochs, seconds. */
enum { KT_SWEEP_N_SCORES = 4, KT_SWEEP_N_COLUMNS = 6, KT_SWEEP_N_HEADS = 2 };
extern const kt_outcome_number kt_sweep_columns[KT_SWEEP_N_COLUMNS];

/* ---- a table on standard output (sweep_report_table.c) ---- */

enum { KT_SWEEP_CELL_BYTES = 40 };

typedef struct kt_sweep_table {
    size_t n_rows, n_columns;
    char (*cells)
        [KT_SWEEP_CELL_BYTES]; /* [n_rows x n_columns], owned: the first column is flush left, the others right */
} kt_sweep_table;

kt_status kt_sweep_create_table(kt_sweep_table *table, size_t n_rows, size_t n_columns);

/* The two rows of heads of kt_sweep_columns, from `column` on. */
void kt_sweep_set_heads(const kt_sweep_table *table, size_t column);

/* A text that is too long ends in dots. */
void kt_sweep_set_cell(const kt_sweep_table *table, size_t row, size_t column, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Prints the first n_needed columns, and of the others as many as fit; on a narrow terminal in several parts one below
 * the other. */
kt_status kt_sweep_print_table(const kt_sweep_table *table, size_t n_needed, kt_log *log);

/* Four decimals as far as that is readable; "-" when there is no number. */
void kt_sweep_format_score(double value, char *text, size_t size);

/* ---- named points (sweep_report_changes.c) ---- */

/* What changes from each point to the next, or from the first to each, of results[n] in the order of the file. */
kt_status kt_sweep_report_changes(const kt_trials *trials, const kt_point_result *results, size_t n, kt_log *log);

#endif
