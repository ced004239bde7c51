/* Writing HDF5: convert and split. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "edge/hdf5_file.h"
#include "input/labels.h"
#include "input/split.h"
#include "kdata.h"

/* In place, to the next type that HDF5 files of ours have: bool becomes uint8, float16 float32, and float128
 * float64. */
static kt_status make_writable(kt_array *array)
{
    kt_type type = array->type == KT_BOOL   ? KT_U8
                   : array->type == KT_F16  ? KT_F32
                   : array->type == KT_F128 ? KT_F64
                                            : array->type;
    if (type == array->type)
        return KT_OK;
    kt_array wider;
    KT_TRY(kt_array_create(&wider, type, array->n_dims, array->dims));
    for (size_t i = 0; i < kt_array_count(array); i++) {
        double x = kt_array_get(array, i);
        if (type == KT_U8)
            ((uint8_t *)wider.data)[i] = (uint8_t)x;
        else if (type == KT_F32)
            ((float *)wider.data)[i] = (float)x;
        else
            ((double *)wider.data)[i] = x;
    }
    kt_array_free(array);
    *array = wider;
    return KT_OK;
}

static kt_status transpose(kt_array *array)
{
    kt_array turned;
    KT_TRY(kt_array_transpose(array, &turned));
    kt_array_free(array);
    *array = turned;
    return KT_OK;
}

/* `features` and, when their name is given, `labels`, each ready to be written; the caller frees both. */
static kt_status read_both(const arguments *a, const char *features_name, const char *labels_name, kt_array *features,
                           kt_array *labels)
{
    *labels = (kt_array){0};
    KT_TRY(kdata_read(a, features_name, 0, features));
    KT_TRY(make_writable(features));
    if (a->transpose)
        KT_TRY(transpose(features));
    if (labels_name == NULL)
        return KT_OK;
    KT_TRY(kdata_read(a, labels_name, features->dims[0], labels));
    KT_TRY(make_writable(labels));
    if (labels->dims[0] != features->dims[0])
        return kt_fail(KT_DATA, "%s has %zu labels, but %s has %zu samples; there must be one label for each",
                       labels_name, labels->dims[0], features_name, features->dims[0]);
    return KT_OK;
}

static kt_status check_output(const char *output, const char *features, const char *labels)
{
    if (kt_file_same(output, features) || (labels != NULL && kt_file_same(output, labels)))
        return kt_fail(KT_USAGE, "%s: is what is read here: must be another file", output);
    size_t n = strlen(output);
    bool named = (n > 3 && strcmp(output + n - 3, ".h5") == 0) || (n > 5 && strcmp(output + n - 5, ".hdf5") == 0);
    return named ? KT_OK : kt_fail(KT_USAGE, "%s: the output is HDF5: its name must end in .h5 or .hdf5", output);
}

static kt_status write_array(kt_hdf5 *file, const char *path, const kt_array *array)
{
    return kt_hdf5_write(file, path, array->type, array->n_dims, array->dims, array->data);
}

/* ---- convert ---- */

kt_status kdata_convert(const arguments *a)
{
    kt_array features = {0}, labels = {0};
    kt_hdf5 *file = NULL;
    KT_TRY(check_output(a->values[1], a->values[0], a->labels));
    kt_status status = read_both(a, a->values[0], a->labels, &features, &labels);
    if (status == KT_OK)
        status = kt_hdf5_create(&file);
    if (status == KT_OK)
        status = write_array(file, "/features", &features);
    if (status == KT_OK && labels.data != NULL)
        status = write_array(file, "/labels", &labels);
    if (status == KT_OK)
        status = kt_hdf5_save(file, a->values[1]);
    if (status == KT_OK)
        printf("wrote %s\n", a->values[1]);
    kt_hdf5_close(file);
    kt_array_free(&labels);
    kt_array_free(&features);
    return status;
}

/* ---- split ---- */

static kt_status parse_fractions(const char *text, double fractions[KT_N_PARTS])
{
    const char *p = text != NULL ? text : "0.70,0.15,0.15";
    for (size_t i = 0; i < KT_N_PARTS; i++) {
        char *end;
        fractions[i] = strtod(p, &end);
        if (end == p || *end != (i + 1 < KT_N_PARTS ? ',' : '\0'))
            return kt_fail(KT_USAGE, "--fractions %s: three numbers are needed, as in 0.7,0.15,0.15", text);
        p = end + 1;
    }
    return KT_OK;
}

static kt_status parse_seed(const char *text, uint64_t *seed)
{
    *seed = 1;
    if (text == NULL)
        return KT_OK;
    size_t n = strlen(text);
    if (n == 0 || n > 18 || strspn(text, "0123456789") != n)
        return kt_fail(KT_USAGE, "--seed %s: a whole number of at most 18 digits is needed", text);
    *seed = strtoull(text, NULL, 10);
    return KT_OK;
}

/* Rows index[n] of the array, as dataset "PART/NAME". */
static kt_status write_rows(kt_hdf5 *file, const char *part, const char *name, const kt_array *array, size_t n,
                            const uint32_t *index)
{
    const size_t n_bytes = kdata_row_bytes(array);
    kt_array rows;
    size_t dims[KT_ARRAY_MAX_DIMS];
    char path[64];
    memcpy(dims, array->dims, sizeof dims);
    dims[0] = n;
    KT_TRY(kt_array_create(&rows, array->type, array->n_dims, dims));
    for (size_t i = 0; i < n; i++)
        memcpy((char *)rows.data + i * n_bytes, (const char *)array->data + index[i] * n_bytes, n_bytes);
    snprintf(path, sizeof path, "/%s/%s", part, name);
    kt_status status = write_array(file, path, &rows);
    kt_array_free(&rows);
    return status;
}

static kt_status write_parts(const kt_split *split, const kt_array *features, const kt_array *labels, const char *path)
{
    kt_hdf5 *file;
    KT_TRY(kt_hdf5_create(&file));
    kt_status status = KT_OK;
    for (size_t p = 0; p < KT_N_PARTS && status == KT_OK; p++) {
        char name[64];
        const size_t n = split->n[p];
        status = write_rows(file, kt_part_names[p], "features", features, n, split->index[p]);
        if (status == KT_OK)
            status = write_rows(file, kt_part_names[p], "labels", labels, n, split->index[p]);
        snprintf(name, sizeof name, "/%s/index", kt_part_names[p]);
        if (status == KT_OK)
            status = kt_hdf5_write(file, name, KT_U32, 1, &n, split->index[p]);
        if (status == KT_OK)
            printf("%-11s %zu\n", kt_part_names[p], n);
    }
    if (status == KT_OK)
        status = kt_hdf5_save(file, path);
    if (status == KT_OK)
        printf(
            "wrote %s: PART/features, PART/labels and PART/index of each; a job reads features = %s:train/features\n",
            path, path);
    kt_hdf5_close(file);
    return status;
}

kt_status kdata_split(const arguments *a)
{
    double fractions[KT_N_PARTS];
    uint64_t seed;
    kt_array features = {0}, labels = {0};
    int32_t *classes = NULL;
    size_t n, n_classes;
    kt_split parts = {0};
    KT_TRY(parse_fractions(a->fractions, fractions));
    KT_TRY(parse_seed(a->seed, &seed));
    KT_TRY(check_output(a->values[2], a->values[0], a->values[1]));
    kt_status status = read_both(a, a->values[0], a->values[1], &features, &labels);
    if (status == KT_OK)
        status = kt_labels_from_array(&labels, a->values[1], &classes, &n, &n_classes);
    if (status == KT_OK)
        status = kt_split_create(&parts, n, classes, n_classes,
                                 &(kt_split_spec){.fractions = {.n = KT_N_PARTS, .values = fractions},
                                                  .seed = (int64_t)seed,
                                                  .shuffle = !a->in_order,
                                                  .stratify = !a->unstratified});
    if (status == KT_OK)
        status = write_parts(&parts, &features, &labels, a->values[2]);
    kt_split_free(&parts);
    kt_memory_free(classes);
    kt_array_free(&labels);
    kt_array_free(&features);
    return status;
}
