/* The other direction of options.h: values as text, and the keys as a page. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/options.h"
#include "base/text.h"

static void append_real(kt_text_buffer *text, double value)
{
    char number[32];
    kt_text_real(value, number, sizeof number);
    kt_text_append(text, "%s", number);
}

static void append_reals(const kt_option *option, const kt_real_list *list, kt_text_buffer *text)
{
    if (list->word >= 0)
        kt_text_append(text, "%s", option->choice((size_t)list->word));
    for (size_t i = 0; list->word < 0 && i < list->n; i++) {
        kt_text_append(text, "%s", i > 0 ? ", " : "");
        append_real(text, list->values[i]);
    }
}

static void append_int(const kt_option *option, int64_t value, kt_text_buffer *text)
{
    if (option->choice != NULL && value < 0)
        kt_text_append(text, "%s", option->choice((size_t)(-1 - value)));
    else
        kt_text_append(text, "%" PRId64, value);
}

static void append_ints(const kt_int_list *list, kt_text_buffer *text)
{
    kt_text_append(text, "[");
    for (size_t i = 0; i < list->n; i++)
        kt_text_append(text, "%s%" PRId64, i > 0 ? ", " : "", list->values[i]);
    kt_text_append(text, "]");
}

void kt_options_format(const kt_option *option, const void *values, kt_text_buffer *text)
{
    const void *value = (const char *)values + option->offset;
    switch (option->type) {
    case KT_OPTION_BOOL:
        kt_text_append(text, "%s", *(const bool *)value ? "true" : "false");
        break;
    case KT_OPTION_INT:
        append_int(option, *(const int64_t *)value, text);
        break;
    case KT_OPTION_REAL:
        append_real(text, *(const double *)value);
        break;
    case KT_OPTION_TEXT:
        kt_text_append(text, "%s", *(const char *const *)value);
        break;
    case KT_OPTION_CHOICE:
        kt_text_append(text, "%s", option->choice((size_t) * (const int *)value));
        break;
    case KT_OPTION_INTS:
        append_ints(value, text);
        break;
    case KT_OPTION_REALS:
        append_reals(option, value, text);
        break;
    }
}

kt_status kt_options_write_ini(const kt_option_table *table, const void *values, char **text)
{
    kt_text_buffer buffer = {0};
    for (size_t i = 0; i < table->n; i++) {
        const kt_option *o = &table->options[i];
        if (i == 0 || strcmp(o->section, table->options[i - 1].section) != 0)
            kt_text_append(&buffer, "%s[%s]\n", i > 0 ? "\n" : "", o->section);
        kt_text_append(&buffer, "%s = ", o->key);
        kt_options_format(o, values, &buffer);
        kt_text_append(&buffer, "\n");
    }
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

static void document_section(kt_text_buffer *buffer, const kt_option_table *table, const kt_option_heading *heading,
                             bool markdown)
{
    kt_text_append(buffer,
                   markdown ? "## [%s]\n\n%s\n\n| key | default | value | meaning |\n| --- | --- | --- | --- |\n"
                            : "[%s]  %s\n",
                   heading->section, heading->help);
    for (size_t i = 0; i < table->n; i++) {
        const kt_option *o = &table->options[i];
        char kind[512];
        kt_options_describe(o, kind, sizeof kind);
        if (strcmp(o->section, heading->section) == 0)
            (markdown ? document_markdown : document_plain)(buffer, o, kind);
    }
}

kt_status kt_options_document(const kt_option_table *table, const char *section, bool markdown, char **text)
{
    kt_text_buffer buffer = {0};
    const size_t length = section == NULL ? 0 : strcspn(section, ".");
    bool found = false;
    for (const kt_option_heading *h = table->headings; h->section != NULL; h++)
        if (section == NULL || (strlen(h->section) == length && strncmp(section, h->section, length) == 0)) {
            kt_text_append(&buffer, "%s", found ? "\n" : "");
            document_section(&buffer, table, h, markdown);
            found = true;
        }
    kt_status status = kt_text_take(&buffer, text);
    if (status == KT_OK && !found) {
        kt_memory_free(*text);
        *text = NULL;
        return kt_fail(KT_USAGE, "there is no section [%.*s]; ktrain options lists all", (int)length, section);
    }
    return status;
}
