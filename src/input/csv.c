/* Reading and quoting cells as RFC 4180 has them. */
#include "input/csv.h"

#include <string.h>

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* What the first row has most of, outside quotes. */
static char find_separator(const char *p)
{
    static const char separators[] = {',', ';', '\t'};
    enum { N = sizeof separators };
    size_t counts[N] = {0}, best = 0;
    bool quoted = false;
    for (; *p != '\0' && (quoted || *p != '\n'); p++) {
        quoted ^= *p == '"';
        for (size_t i = 0; i < N && !quoted; i++)
            counts[i] += *p == separators[i];
    }
    for (size_t i = 1; i < N; i++)
        best = counts[i] > counts[best] ? i : best;
    return separators[best];
}

kt_csv kt_csv_start(const char *name, char *text, size_t n_bytes)
{
    const bool marked = n_bytes >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0; /* as Excel writes it */
    char *begin = text + (marked ? 3 : 0);
    return (kt_csv){
        .name = name,
        .p = begin,
        .end = text + n_bytes,
        .separator = find_separator(begin),
        .next_line = 1,
        .next_column = 1,
    };
}

bool kt_csv_at_end(const kt_csv *csv)
{
    return csv->p + strspn(csv->p, " \r\n") == csv->end;
}

static kt_status fail(const kt_csv *csv, const char *what)
{
    return kt_fail(KT_DATA, "%s: line %zu, column %zu: %s", csv->name, csv->line, csv->column, what);
}

/* Cuts a quoted cell, whose first byte is at csv->p, in place; csv->p is then behind its closing quote. *stop is where
 * its NUL goes, once what stands there is no longer needed. */
static kt_status cut_quoted(kt_csv *csv, char **cell, char **stop)
{
    char *from = csv->p + 1, *to = csv->p + 1;
    *cell = to;
    for (; from < csv->end && (*from != '"' || from[1] == '"'); from++) {
        from += *from == '"';
        csv->next_line += *from == '\n';
        *to++ = *from;
    }
    if (from >= csv->end)
        return fail(csv, "the quote that begins here is never closed: a quote within quotes is written twice");
    csv->p = from + 1;
    *stop = to;
    return KT_OK;
}

/* The same for a cell without quotes; csv->p is then behind it. */
static kt_status cut_plain(kt_csv *csv, char **cell, char **stop)
{
    *cell = csv->p;
    while (csv->p < csv->end && *csv->p != csv->separator && *csv->p != '\n' && *csv->p != '"')
        csv->p++;
    if (*csv->p == '"')
        return fail(csv, "a quote within a cell: such a cell stands in quotes, and a quote in it is written twice");
    *stop = csv->p;
    if (*csv->p != csv->separator && *stop > *cell && (*stop)[-1] == '\r')
        --*stop;
    while (*stop > *cell && is_blank((*stop)[-1]))
        --*stop;
    return KT_OK;
}

/* csv->p is at what ends a cell. */
static kt_status take_end(kt_csv *csv, bool *ends_row)
{
    *ends_row = true;
    if (csv->p < csv->end && *csv->p == csv->separator) {
        csv->p++;
        csv->next_column++;
        *ends_row = false;
        return KT_OK;
    }
    if (*csv->p == '\r' && (csv->p[1] == '\n' || csv->p + 1 == csv->end))
        csv->p++;
    if (csv->p < csv->end && *csv->p != '\n')
        return fail(csv, "text follows the closing quote: a quote within quotes is written twice");
    csv->p += csv->p < csv->end;
    csv->next_line++;
    csv->next_column = 1;
    return KT_OK;
}

kt_status kt_csv_cell(kt_csv *csv, char **cell, bool *quoted, bool *ends_row)
{
    char *stop = csv->p;
    csv->line = csv->next_line;
    csv->column = csv->next_column;
    while (is_blank(*csv->p) && *csv->p != csv->separator)
        csv->p++;
    const bool in_quotes = *csv->p == '"';
    if (quoted != NULL)
        *quoted = in_quotes;
    KT_TRY(in_quotes ? cut_quoted(csv, cell, &stop) : cut_plain(csv, cell, &stop));
    while (in_quotes && is_blank(*csv->p) && *csv->p != csv->separator)
        csv->p++;
    KT_TRY(take_end(csv, ends_row));
    *stop = '\0';
    return strlen(*cell) == (size_t)(stop - *cell) ? KT_OK : fail(csv, "a byte here is zero: this is not a text");
}

void kt_csv_append(kt_text_buffer *buffer, const char *cell)
{
    const bool quoted = strpbrk(cell, ",;\t\"\r\n") != NULL || is_blank(cell[0]) ||
                        (cell[0] != '\0' && is_blank(cell[strlen(cell) - 1]));
    kt_text_append(buffer, "%s", quoted ? "\"" : "");
    for (size_t n; *cell != '\0'; cell += n) {
        n = strcspn(cell, "\"");
        n += cell[n] == '"';
        kt_text_append(buffer, "%.*s%s", (int)n, cell, cell[n - 1] == '"' ? "\"" : "");
    }
    kt_text_append(buffer, "%s", quoted ? "\"" : "");
}
