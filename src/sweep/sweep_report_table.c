/* Tables on standard output: columns as wide as they need, in lines that fit. */
#include <math.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/share.h"
#include "base/text.h"
#include "sweep/sweep_report_private.h"

enum { COLUMNS = 120 };

kt_status kt_sweep_create_table(kt_sweep_table *t, size_t n_rows, size_t n_columns)
{
    *t = (kt_sweep_table){n_rows, n_columns, kt_memory_new(n_rows * n_columns, KT_SWEEP_CELL_BYTES)};
    return t->cells != NULL ? KT_OK : KT_NO_MEMORY;
}

static char *cell(const kt_sweep_table *t, size_t row, size_t column)
{
    return t->cells[row * t->n_columns + column];
}

void kt_sweep_set_cell(const kt_sweep_table *t, size_t row, size_t column, const char *format, ...)
{
    static const char dots[] = "...";
    va_list args;
    va_start(args, format);
    const int n = vsnprintf(cell(t, row, column), KT_SWEEP_CELL_BYTES, format, args);
    va_end(args);
    if (n >= KT_SWEEP_CELL_BYTES)
        memcpy(cell(t, row, column) + KT_SWEEP_CELL_BYTES - sizeof dots, dots, sizeof dots);
}

void kt_sweep_set_heads(const kt_sweep_table *t, size_t column)
{
    for (size_t c = 0; c < KT_SWEEP_N_COLUMNS; c++) {
        const kt_outcome_row *row = &kt_outcome_rows[kt_sweep_columns[c]];
        kt_sweep_set_cell(t, 0, column + c, "%s", row->above);
        kt_sweep_set_cell(t, 1, column + c, "%s", row->head);
    }
}

static size_t width_of(const kt_sweep_table *t, size_t column)
{
    size_t widest = 0;
    for (size_t row = 0; row < t->n_rows; row++)
        widest = kt_larger(widest, strlen(cell(t, row, column)));
    return widest;
}

/* How many of the columns from `first` on, less than `end`, fit beside column 0: at least one. */
static size_t count_fitting(const kt_sweep_table *t, size_t first, size_t end, size_t columns)
{
    size_t n = 0;
    for (size_t width = width_of(t, 0); first + n < end; n++) {
        width += 2 + width_of(t, first + n);
        if (n > 0 && width > columns)
            break;
    }
    return n;
}

/* Column 0, and those of [first, end). */
static void append_block(kt_text_buffer *buffer, const kt_sweep_table *t, size_t first, size_t end)
{
    for (size_t row = 0; row < t->n_rows; row++) {
        kt_text_append(buffer, "%-*s", (int)width_of(t, 0), cell(t, row, 0));
        for (size_t c = first; c < end; c++)
            kt_text_append(buffer, "  %*s", (int)width_of(t, c), cell(t, row, c));
        while (buffer->n > 0 && buffer->bytes[buffer->n - 1] == ' ')
            buffer->n--;
        kt_text_append(buffer, "\n");
    }
}

/* The first n_columns in blocks that fit, each with column 0. */
static kt_status format_blocks(const kt_sweep_table *t, size_t n_columns, size_t columns, char **text)
{
    kt_text_buffer buffer = {0};
    for (size_t first = 1, n; first < n_columns; first += n) {
        n = count_fitting(t, first, n_columns, columns);
        kt_text_append(&buffer, "%s", first > 1 ? "\n" : "");
        append_block(&buffer, t, first, first + n);
    }
    return kt_text_take(&buffer, text);
}

kt_status kt_sweep_print_table(const kt_sweep_table *t, size_t n_needed, kt_log *log)
{
    const size_t columns = kt_smaller(kt_log_columns(log), COLUMNS);
    const size_t n = kt_larger(1 + count_fitting(t, 1, t->n_columns, columns), n_needed);
    char *whole, *fitting;
    KT_TRY(format_blocks(t, n, SIZE_MAX, &whole));
    const kt_status status = format_blocks(t, n, kt_log_columns(log), &fitting);
    if (status == KT_OK)
        kt_log_text_of(log, whole, fitting);
    kt_memory_free(whole);
    kt_memory_free(fitting);
    return status;
}

void kt_sweep_format_score(double value, char *text, size_t size)
{
    if (isfinite(value))
        snprintf(text, size, fabs(value) < 1e4 ? "%.4f" : "%.4g", value);
    else
        snprintf(text, size, "-");
}
