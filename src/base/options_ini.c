/* The INI side of options.h: a text's lines become keys and values. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/options.h"

enum { NAME_BYTES = 128 };

typedef struct reader {
    const kt_option_table *table;
    void *values;
    const kt_option_section *other; /* NULL: none */
    const char *name;
    kt_mistakes *mistakes;
    int line;                 /* from 1 */
    int *seen;                /* [table->n]: the line each key was set on, 0: not yet */
    char section[NAME_BYTES]; /* "": none yet */
    bool skips;               /* the section is a mistake, told once: its keys are passed over */
    char key[NAME_BYTES];     /* whose value may still go on; "": none */
    int key_line;
    bool lost;                  /* the line before was a mistake: indented ones go on with it */
    kt_text_buffer value, text; /* of the key; of the line */
    kt_text_buffer where;
} reader;

/* "file:line", valid until the next call. */
static const char *where(reader *r, int line)
{
    kt_text_clear(&r->where);
    kt_text_append(&r->where, "%s:%d", r->name, line);
    return r->where.status == KT_OK ? r->where.bytes : "";
}

static bool is_other(const reader *r, const char *section)
{
    return r->other != NULL && strcmp(r->other->name, section) == 0;
}

static bool is_section(const reader *r, const char *section)
{
    for (size_t i = 0; i < r->table->n; i++)
        if (strcmp(r->table->options[i].section, section) == 0)
            return true;
    return is_other(r, section);
}

/* Without white space at both ends; cuts the text. */
static char *trim(char *text)
{
    while (isspace((unsigned char)*text))
        text++;
    size_t n = strlen(text);
    while (n > 0 && isspace((unsigned char)text[n - 1]))
        n--;
    text[n] = '\0';
    return text;
}

/* Where the first of these characters stands, or a ';' behind white space; else the end. */
static char *find(char *text, const char *characters)
{
    bool space = false;
    for (; *text != '\0' && strchr(characters, *text) == NULL && !(space && *text == ';'); text++)
        space = isspace((unsigned char)*text) != 0;
    return text;
}

/* ---- keys ---- */

/* Once. */
static kt_status set_key(reader *r)
{
    const char *place = where(r, r->key_line);
    if (r->value.status != KT_OK)
        return r->value.status;
    if (is_other(r, r->section))
        return r->other->set(r->other->context, place, r->key, r->value.bytes);
    KT_TRY(kt_options_set(r->table, r->values, place, r->section, r->key, r->value.bytes));
    const kt_option *option = kt_options_find(r->table, r->section, r->key);
    if (option == NULL) /* it is gone */
        return KT_OK;
    int *seen = &r->seen[option - r->table->options];
    if (*seen != 0)
        return kt_fail(KT_CONFIG, "%s: %s.%s is set twice, first on line %d", place, r->section, r->key, *seen);
    *seen = r->key_line;
    return KT_OK;
}

/* Sets the key whose lines are all in. */
static void finish_key(reader *r)
{
    if (r->key[0] != '\0' && !r->skips)
        kt_mistakes_add(r->mistakes, set_key(r));
    r->key[0] = '\0';
}

static kt_status append_value(reader *r, const char *text)
{
    if (r->value.n + strlen(text) >= KT_LINE_BYTES)
        return kt_fail(KT_CONFIG, "%s: the value of %s.%s is longer than %d bytes", where(r, r->line), r->section,
                       r->key, KT_LINE_BYTES - 1);
    kt_text_append(&r->value, "%s%s", r->value.n > 0 ? " " : "", text);
    return KT_OK;
}

static kt_status begin_key(reader *r, char *text, bool indented)
{
    char *separator = find(text, "=:");
    if (*separator != '=' && *separator != ':')
        return kt_fail(KT_CONFIG, "%s: neither [section], key = value, nor a comment", where(r, r->line));
    if (separator == text)
        return kt_fail(KT_CONFIG, "%s: no key before the '%c'", where(r, r->line), *separator);
    if (indented)
        return kt_fail(KT_CONFIG,
                       "%s: the line is indented and would go on with the value before it: a key must begin its line",
                       where(r, r->line));
    char *value = separator + 1;
    *separator = '\0';
    *find(value, "") = '\0';
    snprintf(r->key, sizeof r->key, "%s", trim(text));
    r->key_line = r->line;
    kt_text_clear(&r->value);
    return append_value(r, trim(value));
}

/* An indented line goes on with the value before it, unless it was meant as a key. After a '|' more must come. */
static bool goes_on(const reader *r, const char *text)
{
    const bool waits = r->value.n > 0 && r->value.bytes[r->value.n - 1] == '|';
    return r->key[0] != '\0' && (waits || strcspn(text, "=") >= strcspn(text, ";#") || strchr(text, '=') == NULL);
}

/* ---- sections ---- */

static kt_status unknown_section(reader *r)
{
    const char *near = kt_options_near_section(r->table, r->other != NULL ? r->other->name : NULL, r->section);
    return kt_fail(KT_CONFIG, "%s: there is no section [%s]%s%s%s (ktrain options lists all)", where(r, r->line),
                   r->section, near != NULL ? "; did you mean [" : "", near != NULL ? near : "",
                   near != NULL ? "]?" : "");
}

static kt_status begin_section(reader *r, char *text)
{
    char *end = find(text, "]"), *after = end + (*end == ']');
    r->skips = true;
    if (*end != ']')
        return kt_fail(KT_CONFIG, "%s: neither [section], key = value, nor a comment", where(r, r->line));
    after = trim(after);
    if (*after != '\0' && *after != ';' && *after != '#')
        return kt_fail(KT_CONFIG, "%s: text after a section's ']': a key needs a line of its own", where(r, r->line));
    *end = '\0';
    snprintf(r->section, sizeof r->section, "%s", text + 1);
    if (!is_section(r, r->section))
        return unknown_section(r);
    if (is_other(r, r->section))
        KT_TRY(r->other->set(r->other->context, where(r, r->line), NULL, NULL));
    r->skips = false;
    return KT_OK;
}

/* ---- lines ---- */

static kt_status read_line(reader *r, char *line)
{
    const bool indented = isspace((unsigned char)line[0]) != 0;
    char *text = trim(line);
    if (*text == '\0' || *text == ';' || *text == '#')
        return KT_OK;
    if (indented && goes_on(r, text)) {
        *find(text, "") = '\0';
        return append_value(r, trim(text));
    }
    if (indented && r->lost && strchr(text, '=') == NULL)
        return KT_OK;
    finish_key(r);
    const kt_status status = *text == '[' ? begin_section(r, text) : begin_key(r, text, indented);
    r->lost = status != KT_OK;
    return status;
}

/* A file with a NUL is none of ours: what follows is not worth a word. */
static bool take_line(reader *r, const char *bytes, size_t n)
{
    r->line++;
    if (memchr(bytes, '\0', n) != NULL) {
        kt_mistakes_add(r->mistakes, kt_fail(KT_CONFIG, "%s: holds a NUL byte: not an INI file", where(r, r->line)));
        return false;
    }
    if (n >= KT_LINE_BYTES) {
        kt_mistakes_add(r->mistakes, kt_fail(KT_CONFIG, "%s: the line is longer than %d bytes", where(r, r->line),
                                             KT_LINE_BYTES - 1));
        return true;
    }
    kt_text_clear(&r->text);
    kt_text_append(&r->text, "%.*s", (int)n, bytes);
    kt_mistakes_add(r->mistakes, r->text.status != KT_OK ? r->text.status : read_line(r, r->text.bytes));
    return true;
}

static void read_lines(reader *r, const char *text, size_t n_bytes)
{
    static const char mark[] = "\xef\xbb\xbf";
    const char *end = text + n_bytes;
    if (n_bytes >= 3 && memcmp(text, mark, 3) == 0)
        text += 3;
    while (text < end && r->mistakes->n < KT_MISTAKES_MOST) {
        const char *newline = memchr(text, '\n', (size_t)(end - text));
        const size_t n = (size_t)((newline != NULL ? newline : end) - text);
        if (!take_line(r, text, n))
            return;
        text = newline != NULL ? newline + 1 : end;
    }
    finish_key(r);
}

void kt_options_read_ini(const kt_option_table *table, void *values, const kt_option_section *other, const kt_ini *ini,
                         kt_mistakes *mistakes)
{
    reader r = {.table = table, .values = values, .other = other, .name = ini->name, .mistakes = mistakes};
    if (KT_NEW(r.seen, table->n) != KT_OK)
        kt_mistakes_add(mistakes, KT_NO_MEMORY);
    else
        read_lines(&r, ini->text, ini->n_bytes);
    kt_memory_free(r.seen);
    kt_memory_free(r.value.bytes);
    kt_memory_free(r.text.bytes);
    kt_memory_free(r.where.bytes);
}
