/* Numbers in lines, separated by commas, under an optional line of names. */
#include "ktrain/format.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ktrain/file.h"
#include "ktrain/memory.h"

enum { MAX_CELL_BYTES = 64 };

/* The text, NUL-terminated, and where in it we are. */
typedef struct csv {
    const char *path, *p, *end;
    size_t line; /* from 1 */
    size_t n_rows, n_columns;
    double *values; /* owned, n_rows x n_columns */
    bool whole;     /* all of them so far are integers below 2^53 */
} csv;

static const char *line_end(const csv *c)
{
    const char *newline = memchr(c->p, '\n', (size_t)(c->end - c->p));
    return newline != NULL ? newline : c->end;
}

static const char *cell_end(const char *p, const char *stop)
{
    const char *comma = memchr(p, ',', (size_t)(stop - p));
    return comma != NULL ? comma : stop;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* A decimal number and nothing else, or nan, inf. What strtod takes beyond that (hexadecimal) is not meant in a table.
 * */
static bool parse_cell(const char *p, const char *stop, double *value, bool *whole)
{
    while (p < stop && is_blank(*p))
        p++;
    while (stop > p && is_blank(stop[-1]))
        stop--;
    char text[MAX_CELL_BYTES];
    size_t n = (size_t)(stop - p);
    if (n == 0 || n >= sizeof text)
        return false;
    memcpy(text, p, n);
    text[n] = '\0';
    char *used;
    *value = strtod(text, &used);
    *whole = strspn(text, "+-0123456789") == n && fabs(*value) < 0x1p53;
    return used == text + n && strlen(text) == n && strpbrk(text, "xX(") == NULL;
}

/* The line without its end, which may be LF, CRLF or the file's. */
static const char *content_end(const csv *c, const char *newline)
{
    return newline > c->p && newline[-1] == '\r' ? newline - 1 : newline;
}

/* The first line is a heading when no cell of it is a number: one bad cell among numbers is a mistake, and must not
 * cost a row. */
static bool is_heading(const csv *c, const char *stop)
{
    double value;
    bool whole;
    for (const char *p = c->p;; p = cell_end(p, stop) + 1) {
        if (parse_cell(p, cell_end(p, stop), &value, &whole))
            return false;
        if (cell_end(p, stop) == stop)
            return true;
    }
}

static kt_status fail_cell(const csv *c, size_t column, const char *p, const char *stop)
{
    int n = stop - p < 40 ? (int)(stop - p) : 40;
    return kt_fail(KT_DATA,
                   "%s: line %zu, column %zu: \"%.*s\" is not a number; numbers separated by commas are needed",
                   c->path, c->line, column, n, p);
}

static kt_status read_row(csv *c, const char *stop)
{
    size_t column = 0;
    for (const char *p = c->p;; p = cell_end(p, stop) + 1) {
        const char *cell_stop = cell_end(p, stop);
        double value;
        bool whole = false;
        if (!parse_cell(p, cell_stop, &value, &whole))
            return fail_cell(c, column + 1, p, cell_stop);
        if (column < c->n_columns)
            c->values[c->n_rows * c->n_columns + column] = value;
        column++;
        c->whole = c->whole && whole;
        if (cell_stop == stop)
            break;
    }
    if (column != c->n_columns)
        return kt_fail(KT_DATA, "%s: line %zu has %zu columns, where the lines before have %zu", c->path, c->line,
                       column, c->n_columns);
    c->n_rows++;
    return KT_OK;
}

/* Room for all values. A cell takes two bytes at least, so a file of ragged lines cannot ask for more than it has. */
static kt_status make_room(csv *c, const char *stop)
{
    size_t n_lines = 1, most = (size_t)(c->end - c->p) / 2 + 1, count;
    c->n_columns = 1;
    for (const char *p = c->p; p < stop; p++)
        c->n_columns += *p == ',';
    for (const char *p = c->p; p < c->end; p++)
        n_lines += *p == '\n';
    if (__builtin_mul_overflow(n_lines, c->n_columns, &count) || count > most + c->n_columns)
        count = most + c->n_columns;
    return KT_NEW(c->values, count);
}

static kt_status read_rows(csv *c)
{
    for (; c->p < c->end; c->line++) {
        const char *newline = line_end(c), *stop = content_end(c, newline);
        if (c->p == stop) { /* blank lines may end a file, and nothing may follow them */
            if (strspn(c->p, "\r\n") != (size_t)(c->end - c->p))
                return kt_fail(KT_DATA, "%s: line %zu is empty, and more lines follow", c->path, c->line);
            return KT_OK;
        }
        if (c->values == NULL) {
            KT_TRY(make_room(c, stop));
            if (is_heading(c, stop)) {
                c->p = newline < c->end ? newline + 1 : c->end;
                continue;
            }
        }
        KT_TRY(read_row(c, stop));
        c->p = newline < c->end ? newline + 1 : c->end;
    }
    return KT_OK;
}

static kt_status take_values(const csv *c, kt_array *out)
{
    if (c->n_rows == 0)
        return kt_fail(KT_DATA, "%s has no line of numbers", c->path);
    KT_TRY(kt_array_create(out, c->whole ? KT_I64 : KT_F64, 2, (size_t[]){c->n_rows, c->n_columns}));
    for (size_t i = 0; i < c->n_rows * c->n_columns; i++)
        if (c->whole)
            ((int64_t *)out->data)[i] = (int64_t)c->values[i];
        else
            ((double *)out->data)[i] = c->values[i];
    return KT_OK;
}

kt_status kt_csv_read(const char *path, const char *member, const char *const *usual, kt_array *out)
{
    (void)usual;
    *out = (kt_array){0};
    if (member != NULL)
        return kt_fail(KT_DATA, "%s is a CSV file and has no members, so no \"%s\"; give its name alone", path, member);
    unsigned char *bytes;
    size_t n_bytes;
    KT_TRY(kt_file_read(path, &bytes, &n_bytes));
    csv c = {.path = path, .p = (const char *)bytes, .end = (const char *)bytes + n_bytes, .line = 1, .whole = true};
    if (n_bytes >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0) /* a byte order mark, as Excel writes it */
        c.p += 3;
    kt_status status = read_rows(&c);
    if (status == KT_OK)
        status = take_values(&c, out);
    kt_memory_free(c.values);
    kt_memory_free(bytes);
    return status;
}
