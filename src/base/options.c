/* Parsing, checking and printing one key by its row. */
#include "base/options.h"

#include <ctype.h>
#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/intern.h"
#include "base/memory.h"
#include "base/text.h"

static const kt_option *find_in(const kt_option *options, size_t n, const char *section, const char *key)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(options[i].section, section) == 0 && strcmp(options[i].key, key) == 0)
            return &options[i];
    return NULL;
}

const kt_option *kt_options_find(const kt_option_table *table, const char *section, const char *key)
{
    return find_in(table->options, table->n, section, key);
}

static kt_status unknown(const kt_option_table *table, const char *where, const char *section, const char *key)
{
    char advice[400];
    bool known_section = false;
    for (size_t i = 0; i < table->n; i++)
        known_section |= strcmp(table->options[i].section, section) == 0;
    kt_options_advise(table, section, key, advice, sizeof advice);
    if (section[0] == '\0')
        return kt_fail(KT_CONFIG, "%s: %s stands before any [section]%s", where, key, advice);
    if (known_section)
        return kt_fail(KT_CONFIG, "%s: there is no key %s.%s%s (ktrain options %s lists all)", where, section, key,
                       advice, section);
    return kt_fail(KT_CONFIG, "%s: there is no section [%s]%s (ktrain options lists all)", where, section, advice);
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
        [KT_OPTION_TEXT] =
            "a text of fewer than 4096 bytes without quotes, ' ;', ' #', control characters or end spaces",
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

static kt_status malformed(const kt_option_table *table, const kt_option *option, const char *where, const char *text)
{
    char wanted[512];
    const char *word = kt_options_near_word(table, option, text);
    kt_options_describe(option, wanted, sizeof wanted);
    return kt_fail(KT_CONFIG, "%s: %s.%s = %.120s: must be %s%s%s%s", where, option->section, option->key, text, wanted,
                   word != NULL ? "; did you mean " : "", word != NULL ? word : "", word != NULL ? "?" : "");
}

static bool in_bounds(const kt_option *option, double value)
{
    bool above = option->flags & KT_OPTION_ABOVE ? value > option->min : value >= option->min;
    bool below = option->flags & KT_OPTION_BELOW ? value < option->max : value <= option->max;
    return above && below;
}

/* The whole of text[n] as a number within the option's bounds. */
static bool parse_real(const kt_option *option, const char *text, void *out)
{
    double *value = out;
    char *end;
    if (isspace((unsigned char)text[0]) || strpbrk(text, "xXpP") != NULL)
        return false;
    errno = 0;
    *value = strtod(text, &end);
    if (*value == 0)
        *value = 0; /* -0 too: equal values are written the same */
    return end != text && *end == '\0' && isfinite(*value) && (errno == 0 || *value == 0) && in_bounds(option, *value);
}

static bool parse_int(const kt_option *option, const char *text, void *out)
{
    int64_t *value = out;
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

/* Takes text apart at its commas into *n numbers of 8 bytes, interned. KT_CONFIG without a record when it is no list,
 * KT_NO_MEMORY. */
static kt_status parse_list(const kt_option *option, const char *text,
                            bool (*parse_number)(const kt_option *, const char *, void *), size_t most, size_t *n,
                            void *values)
{
    enum { NUMBER_BYTES = 8 };
    _Static_assert(sizeof(double) == NUMBER_BYTES && sizeof(int64_t) == NUMBER_BYTES, "a number has 8 bytes");
    char item[64], *numbers;
    size_t room = 1;
    for (const char *c = text; *c != '\0'; c++)
        room += *c == ',';
    KT_TRY(KT_NEW(numbers, room * NUMBER_BYTES));
    bool good = room <= most;
    *n = 0;
    for (const char *rest = text; rest != NULL && good; *n += 1)
        good = next_item(&rest, item, sizeof item) && parse_number(option, item, numbers + *n * NUMBER_BYTES);
    const void *kept = good ? kt_intern(numbers, *n * NUMBER_BYTES) : NULL;
    memcpy(values, &kept, sizeof kept);
    kt_memory_free(numbers);
    return !good ? KT_CONFIG : kept == NULL ? KT_NO_MEMORY : KT_OK;
}

static kt_status parse_ints(const kt_option *option, const char *text, kt_int_list *list)
{
    const size_t n = strlen(text);
    if (n < 2 || text[0] != '[' || text[n - 1] != ']')
        return KT_CONFIG;
    if (strspn(text + 1, " \t") == n - 2)
        return KT_OK; /* [] */
    char *inner = kt_memory_string(text + 1);
    if (inner == NULL)
        return KT_NO_MEMORY;
    inner[n - 2] = '\0';
    const kt_status status = parse_list(option, inner, parse_int, KT_MAX_INTS, &list->n, &list->values);
    kt_memory_free(inner);
    return status;
}

static kt_status parse_reals(const kt_option *option, const char *text, kt_real_list *list)
{
    list->word = find_word(option, text);
    return list->word >= 0 ? KT_OK : parse_list(option, text, parse_real, KT_MAX_REALS, &list->n, &list->values);
}

/* Whether an INI can hold the text and give it back. */
static bool is_writable(const char *text)
{
    const size_t n = strlen(text);
    if (n == 0)
        return true;
    if (n >= KT_TEXT_BYTES || strstr(text, " ;") != NULL || strstr(text, " #") != NULL ||
        strchr(";#\"'", text[0]) != NULL)
        return false;
    for (size_t i = 0; i < n; i++)
        if (iscntrl((unsigned char)text[i]) || (text[i] == ' ' && (i == 0 || i + 1 == n)))
            return false;
    return true;
}

static kt_status parse_text(const char *text, const char **value)
{
    if (!is_writable(text))
        return KT_CONFIG;
    *value = kt_intern_text(text);
    return *value != NULL ? KT_OK : KT_NO_MEMORY;
}

static bool parse_bool(const char *text, bool *value)
{
    *value = strcmp(text, "true") == 0;
    return *value || strcmp(text, "false") == 0;
}

static bool parse_word_or_int(const kt_option *option, const char *text, int64_t *value)
{
    const int word = find_word(option, text);
    if (word >= 0)
        *value = KT_WORD(word);
    return word >= 0 || parse_int(option, text, value);
}

static kt_status good_if(bool good)
{
    return good ? KT_OK : KT_CONFIG;
}

/* KT_CONFIG without a record when the text is not of the option's kind. */
static kt_status parse(const kt_option *option, const char *text, void *value)
{
    switch (option->type) {
    case KT_OPTION_BOOL:
        return good_if(parse_bool(text, value));
    case KT_OPTION_INT:
        return good_if(parse_word_or_int(option, text, value));
    case KT_OPTION_REAL:
        return good_if(parse_real(option, text, value));
    case KT_OPTION_TEXT:
        return parse_text(text, value);
    case KT_OPTION_CHOICE:
        *(int *)value = find_word(option, text);
        return good_if(*(int *)value >= 0);
    case KT_OPTION_INTS:
        return parse_ints(option, text, value);
    case KT_OPTION_REALS:
        return parse_reals(option, text, value);
    }
    return KT_CONFIG;
}

static size_t value_bytes(kt_option_type type)
{
    static const size_t bytes[] = {
        [KT_OPTION_BOOL] = sizeof(bool),          [KT_OPTION_INT] = sizeof(int64_t),
        [KT_OPTION_REAL] = sizeof(double),        [KT_OPTION_TEXT] = sizeof(const char *),
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
        option = find_in(table->gone, table->n_gone, section, key);
    if (option == NULL)
        return unknown(table, where, section, key);
    union {
        bool b;
        int64_t i;
        double r;
        const char *t;
        int c;
        kt_int_list is;
        kt_real_list rs;
    } value;
    memset(&value, 0, value_bytes(option->type));
    const kt_status status = parse(option, text, &value);
    if (status != KT_OK)
        return status == KT_CONFIG ? malformed(table, option, where, text) : status;
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

const char *kt_auto_word(size_t i)
{
    return i == 0 ? "auto" : NULL;
}

const char *kt_decision_word(size_t i)
{
    static const char *const words[] = {
        [KT_DECIDE_AUTO] = "auto", [KT_DECIDE_TRUE] = "true", [KT_DECIDE_FALSE] = "false"};
    return i < sizeof words / sizeof words[0] ? words[i] : NULL;
}

kt_status kt_decision_parse(const char *what, const char *text, int *out)
{
    const kt_option decision = {.choice = kt_decision_word};
    const int word = find_word(&decision, text);
    if (word < 0)
        return kt_fail(KT_USAGE, "%s: \"%.40s\": must be auto, true or false", what, text);
    *out = word;
    return KT_OK;
}

static kt_status malformed_override(const kt_option_table *table, const char *argument)
{
    char key[64], advice[400] = "";
    const size_t n = strcspn(argument, "=.");
    snprintf(key, sizeof key, "%.*s", (int)(n < sizeof key ? n : sizeof key - 1), argument);
    if (n < sizeof key && argument[n] == '=')
        kt_options_advise(table, "", key, advice, sizeof advice);
    return kt_fail(KT_USAGE, "%.200s: not of the form section.key=value%s", argument,
                   advice[0] != '\0' ? advice : ", like optimizer.learning_rate=0.01");
}

kt_status kt_options_override(const kt_option_table *table, void *values, const char *argument)
{
    char section[64], key[64];
    const char *dot = strchr(argument, '.');
    const char *equals = strchr(argument, '=');
    if (equals == NULL || dot == NULL || dot > equals || dot == argument || equals == dot + 1 ||
        (size_t)(dot - argument) >= sizeof section || (size_t)(equals - dot) > sizeof key)
        return malformed_override(table, argument);
    snprintf(section, sizeof section, "%.*s", (int)(dot - argument), argument);
    snprintf(key, sizeof key, "%.*s", (int)(equals - dot - 1), dot + 1);
    return kt_options_set(table, values, "command line", section, key, equals + 1);
}
