/* Reading a job's data on one rank of each host and giving it to the others. */
#include "engine/data.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "engine/data_private.h"

void kt_data_free(kt_data *data)
{
    kt_split_free(&data->split);
    if (!data->view)
        kt_dataset_free(&data->set);
    kt_pool_free(data->pool);
    kt_comm_free(data->host);
    *data = (kt_data){0};
}

/* Fractions of the parts that share the main file; those with files of their own get none. */
static void main_file_fractions(const kt_config *config, double fractions[KT_N_PARTS])
{
    double sum = 0;
    for (int p = 0; p < KT_N_PARTS; p++) {
        bool own_file = p != KT_TRAIN && kt_config_has_files(config, (kt_part)p);
        fractions[p] = own_file ? 0 : config->split.fractions.values[p];
        sum += fractions[p];
    }
    for (int p = 0; p < KT_N_PARTS; p++)
        fractions[p] /= sum;
}

/* Appends the samples of a part's own files to the set. */
static kt_status append_part(kt_data *data, kt_part part, const char *features, const char *labels,
                             const kt_table_rules *rules)
{
    kt_dataset extra;
    KT_TRY(kt_dataset_read(features, labels, NULL, rules, &extra));
    data->own_files[part].first = data->set.n;
    data->own_files[part].n = extra.n;
    data->own_files[part].file_type = extra.file_type;
    kt_status status = kt_dataset_append(&data->set, &extra, features);
    kt_dataset_free(&extra);
    return status;
}

/* A class that is only validated or tested can never be right: that is a mistake in the files. */
static kt_status check_classes(const kt_data *data)
{
    size_t *counts;
    KT_TRY(KT_NEW(counts, KT_N_PARTS * data->set.n_classes));
    kt_status status = KT_OK;
    for (int p = 0; p < KT_N_PARTS; p++)
        kt_dataset_class_counts(&data->set, data->split.index[p], data->split.n[p],
                                counts + (size_t)p * data->set.n_classes);
    for (int p = KT_VALIDATION; p < KT_N_PARTS && status == KT_OK; p++)
        for (size_t c = 0; c < data->set.n_classes && status == KT_OK; c++)
            if (counts[c] == 0 && counts[(size_t)p * data->set.n_classes + c] > 0)
                status = kt_fail(
                    KT_DATA,
                    "class %zu has %zu %s samples but none to train on: must be among the training samples, too", c,
                    counts[(size_t)p * data->set.n_classes + c], kt_part_names[p]);
    kt_memory_free(counts);
    return status;
}

/* Puts the keys that lead to a failure before its sentence. */
static kt_status name_keys(const char *keys, kt_status status)
{
    return status == KT_OK ? KT_OK : kt_fail_context(status, "%s", keys);
}

/* A part with files of its own is all of their rows. */
static kt_status take_own_rows(kt_data *data, int part)
{
    const size_t first = data->own_files[part].first, n = data->own_files[part].n;
    kt_memory_free(data->split.index[part]);
    data->split.n[part] = 0;
    KT_TRY(KT_NEW(data->split.index[part], n));
    data->split.n[part] = n;
    for (size_t i = 0; i < n; i++)
        data->split.index[part][i] = (uint32_t)(first + i);
    return KT_OK;
}

/* The parts as data->parts says, each in the order of the rows. */
static kt_status take_given_parts(kt_data *data)
{
    size_t n[KT_N_PARTS] = {0};
    for (size_t i = 0; i < data->set.n; i++) {
        if (data->parts[i] >= KT_N_PARTS)
            return kt_fail(KT_DATA, "the part of row %zu is %d; must be 0 (training), 1 (validation) or 2 (test)",
                           i + 1, data->parts[i]);
        n[data->parts[i]]++;
    }
    for (int p = KT_TRAIN; p <= KT_VALIDATION; p++)
        if (n[p] == 0)
            return kt_fail(KT_DATA, "no row is of the %s part: must be one at least", kt_part_names[p]);
    KT_TRY(kt_split_allocate(&data->split, n));
    memset(n, 0, sizeof n);
    for (size_t i = 0; i < data->set.n; i++)
        data->split.index[data->parts[i]][n[data->parts[i]]++] = (uint32_t)i;
    return KT_OK;
}

static kt_status cut_by_fractions(const kt_config *config, kt_data *data)
{
    double fractions[KT_N_PARTS];
    kt_split_spec spec = config->split;
    size_t n_main = data->set.n;
    for (int p = 0; p < KT_N_PARTS; p++)
        n_main -= data->own_files[p].n;
    main_file_fractions(config, fractions);
    spec.fractions = (kt_real_list){.n = KT_N_PARTS, .values = fractions};
    KT_TRY(
        name_keys("data.split", kt_split_create(&data->split, n_main, data->set.labels, data->set.n_classes, &spec)));
    for (int p = 0; p < KT_N_PARTS; p++)
        if (data->own_files[p].n > 0)
            KT_TRY(take_own_rows(data, p));
    return KT_OK;
}

/* Everything that is not in the files: the parts, and whether inputs of this scale can be used. */
static kt_status cut(const kt_config *config, kt_data *data)
{
    KT_TRY(data->parts != NULL ? take_given_parts(data) : cut_by_fractions(config, data));
    double largest = fmax(fabs(data->statistics.min), fabs(data->statistics.max)) / config->data.scale;
    if (largest > 1e18)
        return kt_fail(
            KT_CONFIG,
            "data.scale = %g makes inputs as large as %g: must leave them below 1e18, and does best below 10",
            config->data.scale, largest);
    return check_classes(data);
}

void kt_data_describe(kt_data *data)
{
    data->statistics = kt_dataset_describe(&data->set, NULL, 0);
    data->fingerprint = kt_dataset_fingerprint(&data->set);
}

static kt_status read_all(const kt_config *config, kt_data *data)
{
    const kt_table_rules *rules = &config->data.tables;
    KT_TRY(name_keys("data.features, data.labels", kt_dataset_read(config->data.features, config->data.labels,
                                                                   config->data.class_names, rules, &data->set)));
    if (data->set.n_classes < 2)
        return kt_fail(KT_DATA, "%s: holds only class 0: must hold at least two classes", config->data.labels);
    if (kt_config_has_files(config, KT_VALIDATION))
        KT_TRY(name_keys(
            "data.validation_features, data.validation_labels",
            append_part(data, KT_VALIDATION, config->data.validation_features, config->data.validation_labels, rules)));
    if (kt_config_has_files(config, KT_TEST))
        KT_TRY(name_keys("data.test_features, data.test_labels",
                         append_part(data, KT_TEST, config->data.test_features, config->data.test_labels, rules)));
    kt_data_describe(data);
    return cut(config, data);
}

kt_status kt_data_fail_where(kt_status status, const kt_config *config, const char *folder, const char *what)
{
    for (size_t i = 0; status == KT_NO_INPUT && i < kt_config_options()->n; i++) {
        const kt_option *o = &kt_config_options()->options[i];
        char path[KT_PATH_BYTES], found[KT_PATH_BYTES], whole[KT_PATH_BYTES];
        if (strcmp(o->section, "data") != 0 || o->type != KT_OPTION_TEXT)
            continue;
        kt_format_file(*(const char *const *)(const void *)((const char *)config + o->offset), path);
        if (path[0] == '\0' || kt_file_exists(path))
            continue;
        return kt_file_find_in(folder, path, found) && realpath(folder, whole) != NULL
                   ? kt_fail_advice(status, "; there is one %s: start ktrain in %s, or write the path %s", what, whole,
                                    found)
                   : status; /* the first that is not there is what has failed */
    }
    return status;
}

/* The folder of the job file is where a data file may be meant to be. */
static kt_status read_for_job(const kt_config *config, kt_data *data)
{
    char folder[KT_PATH_BYTES];
    const kt_status status = read_all(config, data);
    if (status != KT_NO_INPUT || config->job == NULL)
        return status;
    snprintf(folder, sizeof folder, "%s", config->job);
    char *slash = strrchr(folder, '/');
    if (slash == NULL)
        return status;
    slash[slash == folder ? 1 : 0] = '\0';
    return kt_data_fail_where(status, config, folder, "beside the job file");
}

bool kt_data_same_files(const kt_config *a, const kt_config *b)
{
    return strcmp(a->data.features, b->data.features) == 0 && strcmp(a->data.labels, b->data.labels) == 0 &&
           strcmp(a->data.class_names, b->data.class_names) == 0 &&
           strcmp(a->data.validation_features, b->data.validation_features) == 0 &&
           strcmp(a->data.validation_labels, b->data.validation_labels) == 0 &&
           strcmp(a->data.test_features, b->data.test_features) == 0 &&
           strcmp(a->data.test_labels, b->data.test_labels) == 0 && a->data.tables.header == b->data.tables.header &&
           a->data.tables.index_column == b->data.tables.index_column;
}

kt_status kt_data_view(const kt_data *data, const kt_config *config, kt_data *out)
{
    *out = *data;
    out->split = (kt_split){0};
    out->view = true;
    out->host = NULL;
    out->pool = NULL;
    const kt_status status = cut(config, out);
    if (status != KT_OK)
        kt_data_free(out);
    return status;
}

static kt_status read_file(const char *features, const char *labels, const kt_table_rules *rules, kt_data *data)
{
    KT_TRY(kt_dataset_read(features, labels, NULL, rules, &data->set));
    kt_data_describe(data);
    size_t n[KT_N_PARTS] = {[KT_TEST] = data->set.n};
    KT_TRY(kt_split_allocate(&data->split, n));
    for (size_t i = 0; i < data->set.n; i++)
        data->split.index[KT_TEST][i] = (uint32_t)i;
    return KT_OK;
}

kt_status kt_data_load(kt_comm *comm, const kt_config *config, kt_data *out)
{
    *out = (kt_data){0};
    return kt_data_give(comm, kt_comm_rank(comm) == 0 ? read_for_job(config, out) : KT_OK, out);
}

kt_status kt_data_load_file(kt_comm *comm, const char *features, const char *labels, const kt_table_rules *rules,
                            kt_data *out)
{
    *out = (kt_data){0};
    return kt_data_give(comm, kt_comm_rank(comm) == 0 ? read_file(features, labels, rules, out) : KT_OK, out);
}

kt_status kt_data_summary(const kt_data *data, const kt_config *config, char **text)
{
    const kt_dataset *set = &data->set;
    const kt_dataset_statistics *s = &data->statistics;
    size_t *counts;
    *text = NULL;
    KT_TRY(KT_NEW(counts, set->n_classes));
    kt_text_buffer buffer = {0};
    kt_text_append(&buffer, "data   %s\n", config->data.features);
    for (int p = KT_VALIDATION; p < KT_N_PARTS; p++)
        if (kt_config_has_files(config, (kt_part)p))
            kt_text_append(&buffer, "       %s (%s)\n",
                           p == KT_TEST ? config->data.test_features : config->data.validation_features,
                           kt_part_names[p]);
    kt_text_append(&buffer, "       %zu samples of %zu features (%s, %g to %g, mean %.4g, %.1f %% zero), %zu classes\n",
                   set->n, set->d, kt_type_name(set->file_type), s->min, s->max, s->mean, 100 * s->zero_fraction,
                   set->n_classes);
    kt_text_append(&buffer, "split  %zu train, %zu validation, %zu test", data->split.n[KT_TRAIN],
                   data->split.n[KT_VALIDATION], data->split.n[KT_TEST]);
    kt_dataset_class_counts(set, data->split.index[KT_TRAIN], data->split.n[KT_TRAIN], counts);
    size_t least, most;
    kt_class_extremes(set->n_classes, counts, &least, &most);
    if (least < set->n_classes)
        kt_text_append(&buffer, "; training samples a class from %zu (class %zu) to %zu (class %zu)", counts[least],
                       least, counts[most], most);
    kt_text_append(&buffer, "\n");
    kt_memory_free(counts);
    return kt_text_take(&buffer, text);
}
