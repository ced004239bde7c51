/* The INI side of options.h: inih cuts the text into keys and values, this file counts lines and joins continuations.
 * */
#include <ini.h>
#include <stdio.h>
#include <string.h>

#include "ktrain/memory.h"
#include "ktrain/options.h"
#include "ktrain/text.h"

enum { WHERE_BYTES = 256 };

typedef struct reader {
    const kt_option_table *table;
    void *values;
    const kt_option_section *other; /* NULL: none */
    const char *name, *rest, *end;
    int line;                          /* of the line inih has now, from 1 */
    bool indented;                     /* that line begins with white space: inih takes it as a continuation */
    int *seen;                         /* [table->n]: the line each key was set on, 0: not yet */
    char section[64], key[64], *value; /* the key whose value may still be continued */
    int value_line;
    kt_status status;
} reader;

static bool is_other(const reader *r, const char *section)
{
    return r->other != NULL && strcmp(r->other->name, section) == 0;
}

static const char *nearest_section(const reader *r, const char *section)
{
    const char *nearest = r->other != NULL ? r->other->name : r->table->options[0].section;
    for (size_t i = 0; i < r->table->n; i++)
        if (kt_text_distance(r->table->options[i].section, section) < kt_text_distance(nearest, section))
            nearest = r->table->options[i].section;
    return nearest;
}

/* inih takes no notice of what follows a ']', nor of a section without keys. */
static void check_section(reader *r, const char *line)
{
    size_t n = strcspn(line, "]"), after = line[n] == ']' ? n + 1 + strspn(line + n + 1, " \t\r\n") : n;
    if (line[n] == ']' && line[after] != '\0' && line[after] != ';' && line[after] != '#') {
        r->status =
            kt_fail(KT_CONFIG, "%s:%d: text after a section's ']': a key needs a line of its own", r->name, r->line);
        return;
    }
    char section[64], where[WHERE_BYTES];
    snprintf(section, sizeof section, "%.*s", (int)n - 1, line + 1);
    const char *nearest = nearest_section(r, section);
    if (line[n] != ']')
        return;
    if (is_other(r, section)) {
        snprintf(where, sizeof where, "%.200s:%d", r->name, r->line);
        r->status = r->other->set(r->other->context, where, NULL, NULL);
    } else if (strcmp(nearest, section) != 0)
        r->status = kt_fail(KT_CONFIG, "%s:%d: there is no section [%s]; did you mean [%s]? (ktrain options lists all)",
                            r->name, r->line, section, nearest);
}

/* What inih would add to the value before it, or drop, though it was meant as a key. After a '|' more must come. */
static void check_key(reader *r, const char *line)
{
    size_t n_value = strlen(r->value);
    if (r->indented && r->key[0] != '\0' && n_value > 0 && r->value[n_value - 1] == '|')
        return;
    size_t n = strcspn(line, ";#"), equals = strcspn(line, "="), first = strspn(line, " \t");
    if (equals >= n || line[equals] == '\0')
        return;
    if (first == equals)
        r->status = kt_fail(KT_CONFIG, "%s:%d: no key before the '='", r->name, r->line);
    else if (r->indented)
        r->status =
            kt_fail(KT_CONFIG,
                    "%s:%d: the line is indented and would go on with the value before it: a key must begin its line",
                    r->name, r->line);
}

/* fgets over the text. A line that does not fit, or holds a NUL, is an error of ours: inih would take its end for
 * another line. */
static char *next_line(char *line, int size, void *stream)
{
    reader *r = stream;
    if (r->rest >= r->end || r->status != KT_OK)
        return NULL;
    const char *newline = memchr(r->rest, '\n', (size_t)(r->end - r->rest));
    size_t n = newline == NULL ? (size_t)(r->end - r->rest) : (size_t)(newline - r->rest) + 1;
    r->line++;
    if (n >= (size_t)size) {
        r->status =
            kt_fail(KT_CONFIG, "%s:%d: the line is longer than %d bytes; continue a long list on an indented next line",
                    r->name, r->line, size - 2);
        return NULL;
    }
    if (memchr(r->rest, '\0', n) != NULL) {
        r->status = kt_fail(KT_CONFIG, "%s:%d: holds a NUL byte: not an INI file", r->name, r->line);
        return NULL;
    }
    memcpy(line, r->rest, n);
    line[n] = '\0';
    r->rest += n;
    r->indented = line[0] == ' ' || line[0] == '\t';
    if (line[0] == '[')
        check_section(r, line);
    else
        check_key(r, line);
    return r->status == KT_OK ? line : NULL;
}

/* Once. */
static void set_key(reader *r, const char *where)
{
    r->status = kt_options_set(r->table, r->values, where, r->section, r->key, r->value);
    const kt_option *option = kt_options_find(r->table, r->section, r->key);
    if (option != NULL) {
        int *seen = &r->seen[option - r->table->options];
        if (*seen != 0 && r->status == KT_OK)
            r->status =
                kt_fail(KT_CONFIG, "%s: %s.%s is set twice, first on line %d", where, r->section, r->key, *seen);
        *seen = r->value_line;
    }
}

/* Sets the key whose lines are all in. */
static void finish_key(reader *r)
{
    if (r->key[0] == '\0' || r->status != KT_OK)
        return;
    char where[WHERE_BYTES];
    snprintf(where, sizeof where, "%.200s:%d", r->name, r->value_line);
    if (is_other(r, r->section))
        r->status = r->other->set(r->other->context, where, r->key, r->value);
    else
        set_key(r, where);
    r->key[0] = '\0';
}

static int take_pair(void *user, const char *section, const char *key, const char *value)
{
    reader *r = user;
    bool continues = r->indented && r->key[0] != '\0';
    if (!continues) {
        finish_key(r);
        snprintf(r->section, sizeof r->section, "%s", section);
        snprintf(r->key, sizeof r->key, "%s", key);
        r->value[0] = '\0';
        r->value_line = r->line;
    }
    size_t n = strlen(r->value);
    if (n + strlen(value) + 2 > KT_VALUE_BYTES)
        r->status = kt_fail(KT_CONFIG, "%s:%d: the value of %s.%s is too long", r->name, r->line, section, key);
    else
        snprintf(r->value + n, KT_VALUE_BYTES - n, "%s%s", n > 0 ? " " : "", value);
    return r->status == KT_OK;
}

static kt_status parse(reader *r)
{
    int line = ini_parse_stream(next_line, r, take_pair, r);
    finish_key(r);
    /* inih goes on after a line it cannot read: what it then stumbles over is only a consequence. */
    if (r->status != KT_OK && (line == 0 || line >= r->line))
        return r->status;
    if (line != 0)
        return kt_fail(KT_CONFIG, "%s:%d: neither [section], key = value, nor a comment", r->name, line);
    return KT_OK;
}

kt_status kt_options_read_ini(const kt_option_table *table, void *values, const kt_option_section *other,
                              const char *name, const char *text, size_t n_bytes)
{
    reader r = {
        .table = table, .values = values, .other = other, .name = name, .rest = text, .end = text + n_bytes};
    r.seen = kt_memory_new(table->n, sizeof *r.seen);
    r.value = kt_memory_new(KT_VALUE_BYTES, 1);
    kt_status status = r.seen == NULL || r.value == NULL ? KT_NO_MEMORY : parse(&r);
    kt_memory_free(r.seen);
    kt_memory_free(r.value);
    return status;
}
