/* The other direction of options.h: values as text, and the keys as a page. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ktrain/memory.h"
#include "ktrain/options.h"
#include "ktrain/text.h"

static void format_reals(const kt_option *option, const kt_real_list *list, char *text, size_t size)
{
    if (list->word >= 0) {
        snprintf(text, size, "%s", option->choice((size_t)list->word));
        return;
    }
    size_t n = 0;
    for (size_t i = 0; i < list->n && n + 32 < size; i++) {
        n += (size_t)snprintf(text + n, size - n, "%s", i > 0 ? ", " : "");
        n += (size_t)kt_text_real(list->values[i], text + n, size - n);
    }
}

void kt_options_format(const kt_option *option, const void *values, char *text, size_t size)
{
    const void *value = (const char *)values + option->offset;
    size_t n = 0;
    text[0] = '\0';
    switch (option->type) {
    case KT_OPTION_BOOL:
        snprintf(text, size, "%s", *(const bool *)value ? "true" : "false");
        break;
    case KT_OPTION_INT:
        if (option->choice != NULL && *(const int64_t *)value < 0)
            snprintf(text, size, "%s", option->choice((size_t)(-1 - *(const int64_t *)value)));
        else
            snprintf(text, size, "%" PRId64, *(const int64_t *)value);
        break;
    case KT_OPTION_REAL:
        kt_text_real(*(const double *)value, text, size);
        break;
    case KT_OPTION_TEXT:
        snprintf(text, size, "%s", (const char *)value);
        break;
    case KT_OPTION_CHOICE:
        snprintf(text, size, "%s", option->choice((size_t) * (const int *)value));
        break;
    case KT_OPTION_INTS: {
        const kt_int_list *list = value;
        n += (size_t)snprintf(text, size, "[");
        for (size_t i = 0; i < list->n && n < size; i++)
            n += (size_t)snprintf(text + n, size - n, "%s%" PRId64, i > 0 ? ", " : "", list->values[i]);
        if (n < size)
            snprintf(text + n, size - n, "]");
        break;
    }
    case KT_OPTION_REALS:
        format_reals(option, value, text, size);
        break;
    }
}

/* Bytes of text up to the last place to cut among the first 150, else up to the first one; 0: none. inih reads lines
 * of fewer than 200 bytes, and a key takes a part of the first. */
static size_t find_cut(const char *text, const char *cuts)
{
    enum { WIDTH = 150 };
    size_t cut = 0;
    for (size_t i = 1; text[0] != '\0' && text[i] != '\0' && (i <= WIDTH || cut == 0); i++)
        if (text[i] == ' ' && strchr(cuts, text[i - 1]) != NULL)
            cut = i;
    return strlen(text) > WIDTH ? cut : 0;
}

void kt_options_append(kt_text_buffer *buffer, const char *key, const char *value, const char *cuts)
{
    kt_text_append(buffer, "%s =", key);
    for (size_t cut = find_cut(value, cuts); cut > 0; cut = find_cut(value, cuts)) {
        kt_text_append(buffer, " %.*s\n   ", (int)cut, value);
        value += cut + 1;
    }
    kt_text_append(buffer, " %s\n", value);
}

kt_status kt_options_write_ini(const kt_option_table *table, const void *values, char **text)
{
    kt_text_buffer buffer = {0};
    char *value;
    *text = NULL;
    KT_TRY(KT_NEW(value, KT_VALUE_BYTES));
    for (size_t i = 0; i < table->n; i++) {
        const kt_option *o = &table->options[i];
        if (i == 0 || strcmp(o->section, table->options[i - 1].section) != 0)
            kt_text_append(&buffer, "%s[%s]\n", i > 0 ? "\n" : "", o->section);
        kt_options_format(o, values, value, KT_VALUE_BYTES);
        kt_options_append(&buffer, o->key, value, o->type == KT_OPTION_TEXT ? "" : ",");
    }
    kt_memory_free(value);
    return kt_text_take(&buffer, text);
}

static void document_plain(kt_text_buffer *buffer, const kt_option *o, const char *kind)
{
    kt_text_append(buffer, "  %s = %s\n      %s\n      %s\n", o->key, o->default_text, o->help, kind);
}

static void document_markdown(kt_text_buffer *buffer, const kt_option *o, const char *kind)
{
    kt_text_append(buffer, "| `%s` | `%s` | ", o->key, o->default_text[0] == '\0' ? " " : o->default_text);
    for (const char *c = kind; *c != '\0'; c++)
        kt_text_append(buffer, "%s%c", *c == '|' ? "\\" : "", *c);
    kt_text_append(buffer, " | %s |\n", o->help);
}

kt_status kt_options_document(const kt_option_table *table, const char *section, bool markdown, char **text)
{
    kt_text_buffer buffer = {0};
    bool found = false;
    for (size_t i = 0; i < table->n; i++) {
        const kt_option *o = &table->options[i];
        if (section != NULL && strcmp(section, o->section) != 0)
            continue;
        if (!found || strcmp(o->section, table->options[i - 1].section) != 0) {
            const char *help = table->section_help(o->section);
            kt_text_append(&buffer, markdown ? "%s## [%s]\n\n%s\n\n| key | default | value | meaning |\n| --- | --- | --- | --- |\n" : "%s[%s]  %s\n",
                           found ? "\n" : "", o->section, help == NULL ? "" : help);
        }
        found = true;
        char kind[512];
        kt_options_describe(o, kind, sizeof kind);
        (markdown ? document_markdown : document_plain)(&buffer, o, kind);
    }
    kt_status status = kt_text_take(&buffer, text);
    if (status == KT_OK && !found) {
        kt_memory_free(*text);
        *text = NULL;
        return kt_fail(KT_USAGE, "there is no section [%s]; ktrain options lists all", section);
    }
    return status;
}
