/* Tables: rows of numbers, under a line of names perhaps, and behind a column of row numbers perhaps. */
#include "input/format.h"

#include <ctype.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "input/csv.h"

enum { MAX_CELL_BYTES = 64, SHOWN_BYTES = 40 };

/* What is read, and what was found so far. */
typedef struct table {
    const char *path;
    const kt_table_rules *rules;
    kt_csv csv;
    size_t n_columns;
    char **first; /* [n_columns] cells of the first line, in the text; owned */
    bool heading; /* they are names */
    bool index;   /* the first column is left out */
    size_t n_rows;
    double *values;               /* owned, n_rows x n_columns */
    bool whole_first, whole_rest; /* all integers below 2^53 so far: of the first column; of the others */
} table;

/* ---- cells ---- */

/* A decimal number and nothing else, or nan, inf. What strtod takes beyond that (hexadecimal, white space in front) is
 * not meant in a table: a row that began with a lone '\r' would not have been counted. */
static bool parse_number(const char *cell, double *value, bool *whole)
{
    char *used;
    const size_t n = strlen(cell);
    if (n == 0 || n >= MAX_CELL_BYTES || isspace((unsigned char)cell[0]))
        return false;
    *value = strtod(cell, &used);
    *whole = strspn(cell, "+-0123456789") == n && fabs(*value) < 0x1p53;
    return *used == '\0' && strpbrk(cell, "xX(") == NULL;
}

enum { PLACE_BYTES = 2 * SHOWN_BYTES + 64 };

/* Writes "line 3, column 2 ("width")" of the cell that was read last into text[PLACE_BYTES], and returns it. */
static const char *show_place(const table *t, char *text)
{
    const size_t column = t->csv.column;
    const int n = snprintf(text, PLACE_BYTES, "line %zu, column %zu", t->csv.line, column);
    if (t->heading && column <= t->n_columns && t->first[column - 1][0] != '\0')
        snprintf(text + n, PLACE_BYTES - (size_t)n, " (\"%.*s\")", SHOWN_BYTES, t->first[column - 1]);
    return text;
}

static kt_status fail_cell(const table *t, const char *cell)
{
    char place[PLACE_BYTES];
    show_place(t, place);
    if (cell[0] == '\0')
        return kt_fail(KT_DATA, "%s: %s is empty: every cell needs a number", t->path, place);
    const char *help = "numbers are needed";
    if (t->csv.separator == ';' && strchr(cell, ',') != NULL)
        help = "numbers with a decimal point are needed";
    else if (!t->heading && t->n_rows == 0 && t->rules->header == KT_DECIDE_FALSE)
        help = "numbers are needed, or data.header = auto, which takes a first line of words as names";
    else if (!t->heading && t->n_rows == 0)
        help = "numbers are needed, or data.header = true, if this line is one of names";
    return kt_fail(KT_DATA, "%s: %s: \"%.*s\" is not a number: %s", t->path, place, SHOWN_BYTES, cell, help);
}

static kt_status fail_size(const table *t, double value)
{
    char place[PLACE_BYTES];
    return kt_fail(KT_DATA, "%s: %s is %g; finite numbers of at most %g are needed", t->path, show_place(t, place),
                   value, (double)FLT_MAX);
}

static kt_status fail_empty(const table *t)
{
    return kt_fail(KT_DATA, "%s: line %zu is empty, and more lines follow", t->path, t->csv.line);
}

/* ---- the first line ---- */

static kt_status take_first_line(table *t)
{
    size_t capacity = 0;
    for (bool ends = false; !ends; t->n_columns++) {
        KT_TRY(KT_GROW(t->first, t->n_columns, capacity));
        KT_TRY(kt_csv_cell(&t->csv, &t->first[t->n_columns], NULL, &ends));
    }
    return KT_OK;
}

/* pandas writes its row numbers under no name, and reads them again as "Unnamed: 0". */
static bool is_nameless(const char *cell)
{
    return cell[0] == '\0' || strcmp(cell, "Unnamed: 0") == 0;
}

/* 0, 1, ..., n-1: what pandas calls columns that have no names, behind its row numbers perhaps. Of one column it says
 * nothing. */
static bool counts_from_0(const table *t)
{
    char number[24];
    const size_t skipped = is_nameless(t->first[0]) ? 1 : 0;
    for (size_t j = skipped; j < t->n_columns; j++) {
        snprintf(number, sizeof number, "%zu", j - skipped);
        if (strcmp(t->first[j], number) != 0)
            return false;
    }
    return t->n_columns > 1;
}

/* No cell is a number: one bad cell among numbers is a mistake, and must not cost a row. */
static bool has_words_only(const table *t)
{
    double value;
    bool whole;
    for (size_t j = 0; j < t->n_columns; j++)
        if (parse_number(t->first[j], &value, &whole))
            return false;
    return true;
}

static size_t count_lines(const table *t)
{
    size_t n = 0;
    for (const char *p = t->csv.p; p < t->csv.end; p++)
        n += *p == '\n' && p + 1 < t->csv.end && p[1] != '\n' && p[1] != '\r';
    return n + (t->csv.p < t->csv.end);
}

/* A single column under the number 0 can only be told by how many rows there should be. */
static bool is_named_0(const table *t)
{
    return t->n_columns == 1 && strcmp(t->first[0], "0") == 0 && t->rules->n_rows > 0 &&
           count_lines(t) == t->rules->n_rows;
}

static bool is_heading(const table *t)
{
    if (t->rules->header != KT_DECIDE_AUTO)
        return t->rules->header == KT_DECIDE_TRUE;
    return has_words_only(t) || counts_from_0(t) || is_named_0(t);
}

/* ---- rows ---- */

static kt_status take_number(table *t, size_t column, const char *cell)
{
    double value;
    bool whole = false;
    if (!parse_number(cell, &value, &whole))
        return fail_cell(t, cell);
    if (t->rules->floats && !(fabs(value) <= (double)FLT_MAX))
        return fail_size(t, value);
    if (column < t->n_columns)
        t->values[t->n_rows * t->n_columns + column] = value;
    if (column == 0)
        t->whole_first &= whole;
    else
        t->whole_rest &= whole;
    return KT_OK;
}

static kt_status take_row(table *t)
{
    size_t column = 0;
    for (bool ends = false; !ends; column++) {
        char *cell;
        KT_TRY(kt_csv_cell(&t->csv, &cell, NULL, &ends));
        if (ends && column == 0 && cell[0] == '\0')
            return fail_empty(t);
        KT_TRY(take_number(t, column, cell));
    }
    if (column != t->n_columns)
        return kt_fail(KT_DATA, "%s: line %zu has %zu column%s, where the lines before have %zu", t->path, t->csv.line,
                       column, column == 1 ? "" : "s", t->n_columns);
    t->n_rows++;
    return KT_OK;
}

/* The first line has been cut up already. */
static kt_status take_first_row(table *t)
{
    for (size_t j = 0; j < t->n_columns; j++) {
        t->csv.column = j + 1;
        KT_TRY(take_number(t, j, t->first[j]));
    }
    t->n_rows++;
    return KT_OK;
}

/* Room for all values. A cell takes two bytes at least, so a file of ragged lines cannot ask for more than it has. */
static kt_status make_room(table *t)
{
    const size_t most = (size_t)(t->csv.end - t->csv.p) / 2 + 1 + t->n_columns;
    size_t count;
    if (__builtin_mul_overflow(count_lines(t) + 1, t->n_columns, &count) || count > most + t->n_columns)
        count = most + t->n_columns;
    return KT_NEW(t->values, count);
}

/* ---- the column of row numbers ---- */

static bool has_index(const table *t)
{
    if (t->rules->index_column != KT_DECIDE_AUTO)
        return t->rules->index_column == KT_DECIDE_TRUE && t->n_columns > 1;
    return t->heading && is_nameless(t->first[0]) && t->n_columns > 1 && t->first[1][0] != '\0' && t->whole_first;
}

/* ---- the whole ---- */

static kt_status read_table(table *t)
{
    if (kt_csv_at_end(&t->csv))
        return kt_fail(KT_DATA, "%s has no line of numbers", t->path);
    KT_TRY(take_first_line(t));
    if (t->n_columns == 1 && t->first[0][0] == '\0')
        return fail_empty(t);
    KT_TRY(make_room(t));
    t->heading = is_heading(t);
    if (!t->heading)
        KT_TRY(take_first_row(t));
    while (!kt_csv_at_end(&t->csv))
        KT_TRY(take_row(t));
    if (t->n_rows == 0)
        return kt_fail(KT_DATA, "%s has no line of numbers%s", t->path, t->heading ? " below its line of names" : "");
    t->index = has_index(t);
    return KT_OK;
}

static kt_status take_values(const table *t, kt_array *out)
{
    const size_t skipped = t->index ? 1 : 0, n = t->n_columns - skipped;
    const bool whole = t->whole_rest && (t->index || t->whole_first);
    KT_TRY(kt_array_create(out, whole ? KT_I64 : KT_F64, 2, (size_t[]){t->n_rows, n}));
    out->n_left_out = skipped;
    for (size_t i = 0; i < t->n_rows; i++)
        for (size_t j = 0; j < n; j++) {
            const double value = t->values[i * t->n_columns + j + skipped];
            if (whole)
                ((int64_t *)out->data)[i * n + j] = (int64_t)value;
            else
                ((double *)out->data)[i * n + j] = value;
        }
    return KT_OK;
}

/* "a, b, ..., z" of the first line. */
static void show_first_line(const table *t, char *text, size_t size)
{
    enum { WHOLE = 4, WIDTH = 20 };
    const size_t n = t->n_columns;
    size_t used = 0;
    text[0] = '\0';
    for (size_t j = 0; j < n && used < size; j++) {
        if (n > WHOLE && j == 2)
            used += (size_t)snprintf(text + used, size - used, ", ...");
        else if (n <= WHOLE || j < 2 || j == n - 1)
            used += (size_t)snprintf(text + used, size - used, "%s%.*s", j > 0 ? ", " : "", WIDTH, t->first[j]);
    }
}

/* What was decided here, rather than by a key, is told. */
static void tell(const table *t, kt_notes *notes)
{
    char line[128];
    show_first_line(t, line, sizeof line);
    if (t->rules->header == KT_DECIDE_AUTO && t->heading)
        kt_notes_add(notes, false, "table %s: heading \"%s\" taken as names", t->path, line);
    else if (t->rules->header == KT_DECIDE_AUTO)
        kt_notes_add(notes, false, "table %s: no heading, first line \"%s\" taken as a row", t->path, line);
    if (t->rules->index_column == KT_DECIDE_AUTO && t->index)
        kt_notes_add(
            notes, false,
            "table %s: column 1 (%s%s%s) holds row numbers and is left out; data.index_column = false keeps it",
            t->path, t->first[0][0] != '\0' ? "\"" : "", t->first[0][0] != '\0' ? t->first[0] : "no name",
            t->first[0][0] != '\0' ? "\"" : "");
}

static kt_status read_array(const char *path, const char *member, const kt_table_rules *rules, kt_notes *notes,
                            kt_array *out)
{
    *out = (kt_array){0};
    if (member != NULL)
        return kt_fail(KT_DATA, "%s is a CSV file and has no members, so no \"%s\"; give its name alone", path, member);
    unsigned char *bytes;
    size_t n_bytes;
    KT_TRY(kt_file_read(path, &bytes, &n_bytes));
    table t = {.path = path,
               .rules = rules,
               .csv = kt_csv_start(path, (char *)bytes, n_bytes),
               .whole_first = true,
               .whole_rest = true};
    kt_status status = read_table(&t);
    if (status == KT_OK)
        status = take_values(&t, out);
    if (status == KT_OK && notes != NULL)
        tell(&t, notes);
    kt_memory_free(t.first);
    kt_memory_free(t.values);
    kt_memory_free(bytes);
    return status;
}

const kt_format kt_format_csv = {
    .help = "numbers separated by commas, semicolons or tabs, under an optional line of names",
    .read_table = read_array,
};
