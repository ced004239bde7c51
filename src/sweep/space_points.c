/* Named points: what "optimizer.name=adam model.hidden=[64, 32]" sets, and what a point comes to that builds on
 * another. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "sweep/space_private.h"

/* What parts one setting from the next. */
static bool is_gap(char c)
{
    return c == ' ' || c == '\t' || c == '|';
}

static size_t word_length(const char *text)
{
    size_t n = 0;
    while (isalnum((unsigned char)text[n]) || text[n] == '_')
        n++;
    return n;
}

/* Bytes of "section.key =" at the beginning of a text, the '=' included; 0: it begins otherwise. */
static size_t head_length(const char *text)
{
    const size_t section = word_length(text);
    const size_t key = section > 0 && text[section] == '.' ? word_length(text + section + 1) : 0;
    const size_t n = section + 1 + key, equals = key > 0 ? n + strspn(text + n, " \t") : 0;
    return key > 0 && text[equals] == '=' ? equals + 1 : 0;
}

/* A value goes on to the next '|', or to the next section.key= with a blank before it. */
static size_t value_length(const char *text)
{
    size_t n = 0;
    while (text[n] != '\0' && text[n] != '|' && !(n > 0 && is_gap(text[n - 1]) && head_length(text + n) > 0))
        n++;
    return n;
}

/* One setting as it stands. */
typedef struct parts {
    char section[64], key[64];
    const char *value; /* not ended: n_value bytes */
    size_t n_value;
} parts;

/* Cuts the next setting off *rest. False when it is none. */
static bool cut_setting(const char **rest, parts *out)
{
    const char *begin = *rest, *value = begin + head_length(begin), *end = value + value_length(value);
    const size_t n_section = word_length(begin);
    if (value == begin)
        return false;
    snprintf(out->section, sizeof out->section, "%.*s", (int)n_section, begin);
    snprintf(out->key, sizeof out->key, "%.*s", (int)word_length(begin + n_section + 1), begin + n_section + 1);
    *rest = end + strspn(end, " \t|");
    while (value < end && isspace((unsigned char)*value))
        value++;
    while (end > value && isspace((unsigned char)end[-1]))
        end--;
    out->value = value;
    out->n_value = (size_t)(end - value);
    return true;
}

kt_status kt_space_check_option(const char *where, const char *section, const char *key, const kt_option **out)
{
    *out = kt_options_find(kt_config_options(), section, key);
    if (*out != NULL && ((*out)->flags & KT_OPTION_PLACE))
        return kt_fail(KT_CONFIG, "%s: %s.%s cannot be swept: must be a key that changes what a trial computes", where,
                       section, key);
    return KT_OK;
}

kt_status kt_space_write_value(kt_space_scratch *scratch, const kt_option *option, const kt_config *config)
{
    kt_text_clear(&scratch->text);
    kt_options_format(option, config, &scratch->text);
    return scratch->text.status;
}

/* The setting's value as it is written, in scratch->text. */
static kt_status normalize(const char *where, const parts *setting, kt_space_scratch *scratch, const kt_option **option)
{
    KT_TRY(kt_space_check_option(where, setting->section, setting->key, option));
    kt_text_clear(&scratch->text);
    kt_text_append(&scratch->text, "%.*s", (int)setting->n_value, setting->value);
    KT_TRY(scratch->text.status);
    KT_TRY(kt_options_set(kt_config_options(), &scratch->config, where, setting->section, setting->key,
                          scratch->text.bytes));
    return kt_space_write_value(scratch, *option, &scratch->config);
}

static kt_status take_settings(const char *where, const char *text, kt_space_scratch *scratch, kt_value *point)
{
    parts setting;
    const kt_option *option;
    for (const char *rest = text + strspn(text, " \t|"); *rest != '\0';) {
        if (!cut_setting(&rest, &setting))
            return kt_fail(KT_CONFIG,
                           "%s: point.%s = %.60s: must be section.key=value, several with blanks between, like "
                           "optimizer.name=adam model.hidden=[64, 32]",
                           where, point->name, rest);
        KT_TRY(normalize(where, &setting, scratch, &option));
        if (kt_value_find(point, option) != NULL)
            return kt_fail(KT_CONFIG, "%s: point.%s sets %s.%s twice", where, point->name, setting.section,
                           setting.key);
        KT_TRY(kt_value_set(point, option, scratch->text.bytes));
    }
    if (point->n == 0)
        return kt_fail(KT_CONFIG,
                       "%s: point.%s is empty: must set something, if only to the job's own value, like "
                       "optimizer.name=sgd",
                       where, point->name);
    return KT_OK;
}

static kt_status check_name(const char *where, const char *name)
{
    const size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+.");
    if (n > 0 && n < KT_POINT_NAME_BYTES && name[n] == '\0')
        return KT_OK;
    return kt_fail(KT_CONFIG, "%s: point.%.80s: the name must be of 1 to %d letters, digits, '_', '-', '+' or '.'",
                   where, name, KT_POINT_NAME_BYTES - 1);
}

kt_status kt_space_parse_point(const char *where, const char *name, const char *text, kt_space_scratch *scratch,
                               kt_value *out)
{
    *out = (kt_value){0};
    KT_TRY(check_name(where, name));
    out->name = kt_memory_string(name);
    kt_status status = out->name == NULL ? KT_NO_MEMORY : KT_NEW(out->settings, kt_config_options()->n);
    if (status == KT_OK)
        status = take_settings(where, text, scratch, out);
    if (status != KT_OK)
        kt_value_free(out);
    return status;
}

kt_status kt_space_build_points(kt_axis *axis)
{
    for (size_t i = 1; i < axis->n; i++) {
        kt_value built = {.name = axis->values[i].name};
        const kt_value *const layers[] = {&axis->values[i - 1], &axis->values[i]};
        KT_TRY(KT_NEW(built.settings, kt_config_options()->n));
        kt_status status = KT_OK;
        for (size_t l = 0; l < 2; l++)
            for (size_t s = 0; s < layers[l]->n && status == KT_OK; s++)
                status = kt_value_set(&built, layers[l]->settings[s].option, layers[l]->settings[s].text);
        kt_value old = status == KT_OK ? axis->values[i] : built;
        old.name = NULL; /* stays with the point */
        if (status == KT_OK)
            axis->values[i] = built;
        kt_value_free(&old);
        KT_TRY(status);
    }
    return KT_OK;
}
