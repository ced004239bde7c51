#include "ktrain/options.h"

#include <ctype.h>
#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ktrain/text.h"

const kt_option *kt_options_find(const kt_option_table *table, const char *section, const char *key)
{
    for (size_t i = 0; i < table->n; i++)
        if (strcmp(table->options[i].section, section) == 0 && strcmp(table->options[i].key, key) == 0)
            return &table->options[i];
    return NULL;
}

static kt_status unknown(const kt_option_table *table, const char *where, const char *section, const char *key)
{
    if (section[0] == '\0')
        return kt_fail(KT_CONFIG, "%s: %s stands before any [section]", where, key);
    const kt_option *nearest = NULL, *elsewhere = NULL;
    size_t least = 0;
    bool known_section = false;
    for (size_t i = 0; i < table->n; i++) {
        const kt_option *o = &table->options[i];
        known_section |= strcmp(o->section, section) == 0;
        if (strcmp(o->key, key) == 0)
            elsewhere = o;
        size_t d = kt_text_distance(o->key, key) + kt_text_distance(o->section, section);
        if (nearest == NULL || d < least) {
            nearest = o;
            least = d;
        }
    }
    if (elsewhere != NULL)
        nearest = elsewhere;
    return kt_fail(KT_CONFIG, "%s: there is no %s %s%s%s; did you mean %s.%s? (ktrain options lists all)", where,
                   known_section ? "key" : "section", known_section ? section : "[", known_section ? "." : section,
                   known_section ? key : "]", nearest->section, nearest->key);
}

/* The words of a choice as "a | b | c". */
static void list_words(const kt_option *option, char *text, size_t size)
{
    size_t n = 0;
    text[0] = '\0';
    for (size_t i = 0; option->choice != NULL && option->choice(i) != NULL && n < size; i++)
        n += (size_t)snprintf(text + n, size - n, "%s%s", i > 0 ? " | " : "", option->choice(i));
}

static int find_word(const kt_option *option, const char *text)
{
    for (size_t i = 0; option->choice != NULL && option->choice(i) != NULL; i++)
        if (strcmp(option->choice(i), text) == 0)
            return (int)i;
    return -1;
}

void kt_options_describe(const kt_option *option, char *text, size_t size)
{
    static const char *const kinds[] = {
        [KT_OPTION_BOOL] = "true or false",
        [KT_OPTION_INT] = "a whole number",
        [KT_OPTION_REAL] = "a number",
        [KT_OPTION_TEXT] = "a text of fewer than 160 bytes without quotes, ' ;', ' #', control characters or end spaces",
        [KT_OPTION_CHOICE] = "one of ",
        [KT_OPTION_INTS] = "a list of whole numbers like [128, 64], each",
        [KT_OPTION_REALS] = "a list of numbers like 0.7, 0.3, each",
    };
    char words[400];
    list_words(option, words, sizeof words);
    size_t n = (size_t)snprintf(text, size, "%s", kinds[option->type]);
    if (option->type == KT_OPTION_BOOL || option->type == KT_OPTION_TEXT)
        return;
    if (option->type == KT_OPTION_CHOICE) {
        snprintf(text + n, size - n, "%s", words);
        return;
    }
    if (option->min > -DBL_MAX)
        n += (size_t)snprintf(text + n, size - n, option->flags & KT_OPTION_ABOVE ? " above %.12g" : " from %.12g",
                              option->min);
    if (option->max < DBL_MAX)
        n += (size_t)snprintf(text + n, size - n, option->flags & KT_OPTION_BELOW ? "%s below %.12g" : "%s to %.12g",
                              option->flags & KT_OPTION_ABOVE ? " and" : "", option->max);
    if (words[0] != '\0')
        snprintf(text + n, size - n, ", or %s", words);
}

static kt_status malformed(const kt_option *option, const char *where, const char *text)
{
    char wanted[512];
    kt_options_describe(option, wanted, sizeof wanted);
    return kt_fail(KT_CONFIG, "%s: %s.%s = %.120s: must be %s", where, option->section, option->key, text, wanted);
}

static bool in_bounds(const kt_option *option, double value)
{
    bool above = option->flags & KT_OPTION_ABOVE ? value > option->min : value >= option->min;
    bool below = option->flags & KT_OPTION_BELOW ? value < option->max : value <= option->max;
    return above && below;
}

/* The whole of text[n] as a number within the option's bounds. */
static bool parse_real(const kt_option *option, const char *text, double *value)
{
    char *end;
    if (isspace((unsigned char)text[0]) || strpbrk(text, "xXpP") != NULL)
        return false;
    errno = 0;
    *value = strtod(text, &end);
    if (*value == 0)
        *value = 0; /* -0 too: equal values are written the same */
    return end != text && *end == '\0' && isfinite(*value) && (errno == 0 || *value == 0) && in_bounds(option, *value);
}

static bool parse_int(const kt_option *option, const char *text, int64_t *value)
{
    char *end;
    if (isspace((unsigned char)text[0]))
        return false;
    errno = 0;
    *value = strtoll(text, &end, 10);
    return end != text && *end == '\0' && errno == 0 && in_bounds(option, (double)*value);
}

/* Cuts the next comma-separated item, trimmed, from *rest into item[size]. False when it does not fit or is empty. */
static bool next_item(const char **rest, char *item, size_t size)
{
    const char *begin = *rest + strspn(*rest, " \t");
    size_t n = strcspn(begin, ",");
    *rest = begin[n] == ',' ? begin + n + 1 : NULL;
    while (n > 0 && isspace((unsigned char)begin[n - 1]))
        n--;
    if (n == 0 || n >= size)
        return false;
    memcpy(item, begin, n);
    item[n] = '\0';
    return true;
}

static bool parse_ints(const kt_option *option, const char *text, kt_int_list *list)
{
    char inner[4096], item[64];
    size_t n = strlen(text);
    *list = (kt_int_list){0};
    if (n < 2 || n >= sizeof inner || text[0] != '[' || text[n - 1] != ']')
        return false;
    memcpy(inner, text + 1, n - 2);
    inner[n - 2] = '\0';
    if (strspn(inner, " \t") == n - 2)
        return true; /* [] */
    for (const char *rest = inner; rest != NULL; list->n++)
        if (list->n == KT_MAX_INTS || !next_item(&rest, item, sizeof item) ||
            !parse_int(option, item, &list->values[list->n]))
            return false;
    return true;
}

static bool parse_reals(const kt_option *option, const char *text, kt_real_list *list)
{
    char item[64];
    list->n = 0;
    list->word = find_word(option, text);
    if (list->word >= 0)
        return true;
    for (const char *rest = text; rest != NULL; list->n++)
        if (list->n == KT_MAX_REALS || !next_item(&rest, item, sizeof item) ||
            !parse_real(option, item, &list->values[list->n]))
            return false;
    return true;
}

/* Only what an INI can hold and give back. */
static bool parse_text(const char *text, char *value)
{
    size_t n = strlen(text);
    if (n == 0) {
        value[0] = '\0';
        return true;
    }
    if (n >= KT_TEXT_BYTES || strstr(text, " ;") != NULL || strstr(text, " #") != NULL ||
        strchr(";#\"'", text[0]) != NULL)
        return false;
    for (size_t i = 0; i < n; i++)
        if (iscntrl((unsigned char)text[i]) || (text[i] == ' ' && (i == 0 || i + 1 == n)))
            return false;
    strcpy(value, text);
    return true;
}

static bool parse_bool(const char *text, bool *value)
{
    *value = strcmp(text, "true") == 0;
    return *value || strcmp(text, "false") == 0;
}

static bool parse(const kt_option *option, const char *text, void *value)
{
    switch (option->type) {
    case KT_OPTION_BOOL:
        return parse_bool(text, value);
    case KT_OPTION_INT: {
        int word = find_word(option, text);
        if (word >= 0)
            *(int64_t *)value = KT_WORD(word);
        return word >= 0 || parse_int(option, text, value);
    }
    case KT_OPTION_REAL:
        return parse_real(option, text, value);
    case KT_OPTION_TEXT:
        return parse_text(text, value);
    case KT_OPTION_CHOICE:
        *(int *)value = find_word(option, text);
        return *(int *)value >= 0;
    case KT_OPTION_INTS:
        return parse_ints(option, text, value);
    case KT_OPTION_REALS:
        return parse_reals(option, text, value);
    }
    return false;
}

static size_t value_bytes(kt_option_type type)
{
    static const size_t bytes[] = {
        [KT_OPTION_BOOL] = sizeof(bool),          [KT_OPTION_INT] = sizeof(int64_t),
        [KT_OPTION_REAL] = sizeof(double),        [KT_OPTION_TEXT] = sizeof(kt_text),
        [KT_OPTION_CHOICE] = sizeof(int),         [KT_OPTION_INTS] = sizeof(kt_int_list),
        [KT_OPTION_REALS] = sizeof(kt_real_list),
    };
    return bytes[type];
}

kt_status kt_options_set(const kt_option_table *table, void *values, const char *where, const char *section,
                         const char *key, const char *text)
{
    const kt_option *option = kt_options_find(table, section, key);
    if (option == NULL)
        return unknown(table, where, section, key);
    union {
        bool b;
        int64_t i;
        double r;
        kt_text t;
        int c;
        kt_int_list is;
        kt_real_list rs;
    } value;
    memset(&value, 0, value_bytes(option->type));
    if (!parse(option, text, &value))
        return malformed(option, where, text);
    memcpy((char *)values + option->offset, &value, value_bytes(option->type));
    return KT_OK;
}

kt_status kt_options_defaults(const kt_option_table *table, void *values)
{
    for (size_t i = 0; i < table->n; i++) {
        const kt_option *o = &table->options[i];
        KT_TRY(kt_options_set(table, values, "default", o->section, o->key, o->default_text));
    }
    return KT_OK;
}

kt_status kt_options_override(const kt_option_table *table, void *values, const char *argument)
{
    char section[64], key[64];
    const char *dot = strchr(argument, '.');
    const char *equals = strchr(argument, '=');
    if (equals == NULL || dot == NULL || dot > equals || dot == argument || equals == dot + 1 ||
        (size_t)(dot - argument) >= sizeof section || (size_t)(equals - dot) > sizeof key)
        return kt_fail(KT_USAGE, "%.200s: not of the form section.key=value, like optimizer.learning_rate=0.01",
                       argument);
    snprintf(section, sizeof section, "%.*s", (int)(dot - argument), argument);
    snprintf(key, sizeof key, "%.*s", (int)(equals - dot - 1), dot + 1);
    return kt_options_set(table, values, "command line", section, key, equals + 1);
}
