/* Cells of a CSV text: RFC 4180, for everything here that reads or writes one. Local.
 *
 * Rows end with LF or CRLF, the last one perhaps with nothing. A cell in double quotes may hold separators, line ends
 * and quotes, which are doubled; in a cell without them a quote is a mistake. The separator is a comma, semicolon or
 * tab: whichever the first row has most of. A byte order mark is passed over. */
#ifndef KTRAIN_CSV_H
#define KTRAIN_CSV_H

#include <stdbool.h>
#include <stddef.h>

#include "base/text.h"

typedef struct kt_csv {
    const char *name; /* of the file, for messages; borrowed */
    char *p, *end;    /* what is left; *end is NUL */
    char separator;
    size_t line, column; /* from 1: where the cell begins that was read last */
    size_t next_line, next_column;
} kt_csv;

/* Reads text[n_bytes], followed by a NUL, which is changed in place and borrowed for as long as cells are used. */
kt_csv kt_csv_start(const char *name, char *text, size_t n_bytes);

/* Whether there is nothing more but empty lines, which may hold spaces. */
bool kt_csv_at_end(const kt_csv *csv);

/* The next cell, without quotes and blanks around it, NUL-terminated, in place. *quoted (may be NULL): it was in
 * quotes. *ends_row: it was the last of its row. KT_DATA, with line and column: a quote that is not closed, or stands
 * within a cell; a NUL byte. */
kt_status kt_csv_cell(kt_csv *csv, char **cell, bool *quoted, bool *ends_row);

/* Appends a cell, in quotes where it needs them. */
void kt_csv_append(kt_text_buffer *buffer, const char *cell);

#endif
