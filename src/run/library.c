/* libktrain: version, status and configuration. */
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/intern.h"
#include "base/memory.h"
#include "run/library_private.h"
#include "saving/provenance.h"

const char *ktrain_version(void)
{
    return kt_provenance_version();
}

int ktrain_abi(void)
{
    return KTRAIN_ABI;
}

_Static_assert((int)KTRAIN_USAGE == KT_USAGE && (int)KTRAIN_DIVERGED == KT_DIVERGED && (int)KTRAIN_DATA == KT_DATA &&
                   (int)KTRAIN_NO_INPUT == KT_NO_INPUT && (int)KTRAIN_INTERNAL == KT_INTERNAL &&
                   (int)KTRAIN_NO_MEMORY == KT_NO_MEMORY && (int)KTRAIN_IO == KT_IO &&
                   (int)KTRAIN_PREEMPTED == KT_PREEMPTED && (int)KTRAIN_CONFIG == KT_CONFIG,
               "a status is the same number inside and outside");

const char *ktrain_status_name(ktrain_status status)
{
    return kt_status_name((kt_status)status);
}

const char *ktrain_message(void)
{
    return kt_error_message();
}

int ktrain_message_rank(void)
{
    return kt_error_last()->rank;
}

const char *ktrain_message_host(void)
{
    return kt_error_last()->host;
}

kt_status kt_library_check(const char *call, const char *names, size_t n, const void *const *pointers)
{
    for (size_t i = 0; i < n; i++)
        if (pointers[i] == NULL)
            return kt_fail(KT_USAGE, "%s: argument %zu of %s is NULL: must not be", call, i + 1, names);
    return KT_OK;
}

static kt_status create(const char *path, ktrain_config *config)
{
    unsigned char *text = NULL;
    size_t n_bytes;
    kt_mistakes mistakes = {0};
    KT_TRY(kt_config_defaults(&config->values));
    if (path == NULL)
        return KT_OK;
    KT_TRY(kt_file_read(path, &text, &n_bytes));
    kt_config_take(path, (const char *)text, n_bytes, &config->values, &mistakes);
    kt_memory_free(text);
    KT_TRY(kt_mistakes_tell(&mistakes, path));
    config->values.job = kt_intern_text(path);
    return config->values.job != NULL ? KT_OK : KT_NO_MEMORY;
}

static ktrain_status make(const char *path, ktrain_config **out)
{
    *out = NULL;
    ktrain_config *config;
    kt_status status = KT_NEW(config, 1);
    if (status == KT_OK)
        status = create(path, config);
    if (status == KT_OK)
        *out = config;
    else
        ktrain_config_free(config);
    return (ktrain_status)status;
}

ktrain_status ktrain_config_create(ktrain_config **out)
{
    const kt_status status = KT_LIBRARY_CHECK("ktrain_config_create", "(out)", out);
    return status == KT_OK ? make(NULL, out) : (ktrain_status)status;
}

ktrain_status ktrain_config_read(const char *path, ktrain_config **out)
{
    if (out != NULL)
        *out = NULL;
    const kt_status status = KT_LIBRARY_CHECK("ktrain_config_read", "(path, out)", path, out);
    return status == KT_OK ? make(path, out) : (ktrain_status)status;
}

ktrain_status ktrain_config_set(ktrain_config *config, const char *key, const char *value)
{
    static const char call[] = "ktrain_config_set";
    char section[64];
    const kt_status status = KT_LIBRARY_CHECK(call, "(config, key, value)", config, key, value);
    if (status != KT_OK)
        return (ktrain_status)status;
    const size_t n = strcspn(key, ".");
    if (n == 0 || n >= sizeof section || key[n] == '\0')
        return (ktrain_status)kt_fail(
            KT_CONFIG, "%s: there is no key %.200s: must be section.key (ktrain options lists them)", call, key);
    snprintf(section, sizeof section, "%.*s", (int)n, key);
    return (ktrain_status)kt_options_set(kt_config_options(), &config->values, call, section, key + n + 1, value);
}

kt_status kt_library_show(const kt_config *config, const char *key, char **text)
{
    const kt_option_table *table = kt_config_options();
    const kt_option *option = NULL;
    for (size_t i = 0; i < table->n && option == NULL; i++) {
        const kt_option *o = &table->options[i];
        const size_t n = strlen(o->section);
        if (strncmp(key, o->section, n) == 0 && key[n] == '.' && strcmp(key + n + 1, o->key) == 0)
            option = o;
    }
    if (option == NULL)
        return kt_fail(KT_CONFIG, "there is no key %.200s (ktrain options lists them)", key);
    kt_text_buffer buffer = {0};
    kt_text_append(&buffer, "%s", "");
    kt_options_format(option, config, &buffer);
    kt_memory_free(*text);
    return kt_text_take(&buffer, text);
}

const char *ktrain_config_get(ktrain_config *config, const char *key)
{
    if (KT_LIBRARY_CHECK("ktrain_config_get", "(config, key)", config, key) != KT_OK)
        return NULL;
    return kt_library_show(&config->values, key, &config->shown) == KT_OK ? config->shown : NULL;
}

void ktrain_config_free(ktrain_config *config)
{
    if (config == NULL)
        return;
    kt_memory_free(config->shown);
    kt_memory_free(config);
}
