/* What must hold of a configuration: keys that fit together. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/config.h"

static kt_status check_files(const char *name, const kt_config *c)
{
    const struct {
        const char *features_key, *labels_key;
        const char *features, *labels;
        bool required;
    } files[] = {
        {"features", "labels", c->data.features, c->data.labels, true},
        {"validation_features", "validation_labels", c->data.validation_features, c->data.validation_labels, false},
        {"test_features", "test_labels", c->data.test_features, c->data.test_labels, false},
    };
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        bool has_features = files[i].features[0] != '\0', has_labels = files[i].labels[0] != '\0';
        if (has_features != has_labels || (files[i].required && !has_features))
            return kt_fail(KT_CONFIG, "%s: data.%s is not set: must be the path of a file", name,
                           has_features ? files[i].labels_key : files[i].features_key);
    }
    return KT_OK;
}

static kt_status check_split(const char *name, const kt_config *c)
{
    const kt_real_list *split = &c->split.fractions;
    double sum = 0;
    for (size_t i = 0; i < split->n; i++)
        sum += split->values[i];
    if (split->n != KT_N_PARTS || fabs(sum - 1) > 1e-6)
        return kt_fail(
            KT_CONFIG,
            "%s: data.split has %zu fractions of sum %g: must be three (training, validation, test) of sum 1", name,
            split->n, sum);
    if (split->values[KT_TRAIN] <= 0 || (split->values[KT_VALIDATION] <= 0 && !kt_config_has_files(c, KT_VALIDATION)))
        return kt_fail(KT_CONFIG, "%s: data.split leaves nothing for %s: must be above 0", name,
                       split->values[KT_TRAIN] <= 0 ? "training" : "validation, which has no file of its own");
    return KT_OK;
}

static kt_status check_power(const char *name, const char *key, int64_t n)
{
    if (n == KT_AUTO || (n & (n - 1)) == 0)
        return KT_OK;
    return kt_fail(KT_CONFIG, "%s: parallel.%s = %lld: must be a power of two", name, key, (long long)n);
}

static kt_status check_shards(const char *name, const kt_config *c)
{
    KT_TRY(check_power(name, "shards", c->exchange.shards));
    return check_power(name, "unit_shards", c->model.unit_shards);
}

static kt_status check_schedule(const char *name, const kt_config *c)
{
    return c->schedule.final <= c->schedule.initial
               ? KT_OK
               : kt_fail(KT_CONFIG,
                         "%s: optimizer.final_learning_rate = %g is above optimizer.learning_rate = %g: must not be",
                         name, c->schedule.final, c->schedule.initial);
}

/* The shell makes ~ the home directory, but not within an argument, nor in a file: no folder of that name is meant. */
static kt_status check_tildes(const char *name, const kt_config *c)
{
    for (size_t i = 0; i < kt_config_options()->n; i++) {
        const kt_option *o = &kt_config_options()->options[i];
        if (o->type != KT_OPTION_TEXT)
            continue;
        const char *text = *(const char *const *)(const void *)((const char *)c + o->offset);
        const char *own = getenv("HOME") != NULL ? getenv("HOME") : "/home/me";
        if (text[0] == '~') /* ~/x or ~name/x */
            return kt_fail(KT_CONFIG, "%s: %s.%s = %s: ~ is not known here: must be written out, like %s%s", name,
                           o->section, o->key, text, strchr("/", text[1]) != NULL ? own : "/home/", text + 1);
    }
    return KT_OK;
}

static kt_status check_places(const char *name, const kt_config *c)
{
    if (c->run.dir[0] == '\0')
        return kt_fail(KT_CONFIG, "%s: run.dir is empty: must be a directory", name);
    if (c->checkpoint.snapshots[0] != '/' && strcmp(c->checkpoint.snapshots, "off") != 0)
        return kt_fail(KT_CONFIG, "%s: checkpoint.snapshots = %s: must be off, or the whole path of a folder in memory",
                       name, c->checkpoint.snapshots);
    if (c->checkpoint.resume[0] == '\0')
        return kt_fail(KT_CONFIG, "%s: checkpoint.resume is empty: must be auto, never or the path of a checkpoint",
                       name);
    return KT_OK;
}

kt_status kt_config_check(const char *name, const kt_config *c)
{
    static kt_status (*const checks[])(const char *, const kt_config *) = {check_files,    check_split,  check_shards,
                                                                           check_schedule, check_tildes, check_places};
    kt_mistakes mistakes = {0};
    for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++)
        kt_mistakes_add(&mistakes, checks[i](name, c));
    return kt_mistakes_tell(&mistakes, name);
}
