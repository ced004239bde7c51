/* Samples and labels put together, checked, and gathered as floats for a batch. */
#include "input/dataset.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "base/options_rows.h"
#include "input/dataset_private.h"
#include "input/format.h"
#include "input/labels.h"

#define AT(field)                offsetof(kt_dataset_spec, field)
#define ENDING(name, extensions) " " extensions

static const kt_option option_rows[] = {
    {"data", "features", KT_OPTION_TEXT, AT(features), "", 0, 0, NULL, 0,
     "samples, of shape (n, d) or (n, h, w), in one of the formats" KT_FORMATS(
         ENDING) "; file:member names an array inside one that "
                 "holds several"},
    {"data", "labels", KT_OPTION_TEXT, AT(labels), "", 0, 0, NULL, 0,
     "their classes: whole numbers from 0, or one-hot rows"},
    {"data", "class_names", KT_OPTION_TEXT, AT(class_names), "", 0, 0, NULL, 0,
     "CSV with a header: class index in the first column, name in the last; may be empty"},
    {"data", "validation_features", KT_OPTION_TEXT, AT(validation_features), "", 0, 0, NULL, 0,
     "a file of its own for validation; its share of the split is then left to the others"},
    {"data", "validation_labels", KT_OPTION_TEXT, AT(validation_labels), "", 0, 0, NULL, 0, "its classes"},
    {"data", "test_features", KT_OPTION_TEXT, AT(test_features), "", 0, 0, NULL, 0,
     "a file of its own for the test; its share of the split is then left to the others"},
    {"data", "test_labels", KT_OPTION_TEXT, AT(test_labels), "", 0, 0, NULL, 0, "its classes"},
    {"data", "scale", KT_OPTION_REAL, AT(scale), "1", 0, FLT_MAX, NULL, DEF | ABOVE,
     "inputs are divided by this (255 for bytes); kept in the model file"},
};
const kt_option_rows kt_dataset_options = KT_OPTION_ROWS(option_rows);

/* ---- reading ---- */

static kt_status take_shape(const kt_array *array, const char *name, kt_dataset *out)
{
    const size_t *dims = array->dims;
    char text[KT_SHAPE_TEXT_BYTES];
    kt_shape_text(array->n_dims, dims, text);
    bool image = array->n_dims == 3 || (array->n_dims == 4 && dims[3] == 1);
    if (array->n_dims == 1)
        return kt_fail(
            KT_DATA,
            "%s has shape %s; features are (n, features) or (n, height, width): one sample of %zu features is (1, %zu)",
            name, text, dims[0], dims[0]);
    if (array->n_dims != 2 && !image)
        return kt_fail(KT_DATA,
                       "%s has shape %s; features are (n, features), (n, height, width) or (n, height, width, 1)", name,
                       text);
    if (kt_array_count(array) == 0)
        return kt_fail(KT_DATA, "%s has shape %s: there is no sample or no feature in it", name, text);
    if (dims[0] > UINT32_MAX)
        return kt_fail(KT_DATA, "%s has %zu samples; fewer than 2^32 are possible", name, dims[0]);
    out->n = dims[0];
    out->d = image ? dims[1] * dims[2] : dims[1];
    out->shape[0] = dims[1];
    out->shape[1] = image ? dims[2] : 0;
    out->file_type = array->type;
    out->n_left_out = array->n_left_out;
    return KT_OK;
}

/* A float can hold it. False for NaN too. */
static bool fits(double value)
{
    return fabs(value) <= (double)FLT_MAX;
}

static kt_status check_finite(const kt_array *array, const char *name, size_t d)
{
    const size_t count = kt_array_count(array);
    for (size_t i = 0; i < count; i++) {
        double value = kt_array_get(array, i);
        if (!fits(value))
            return kt_fail(KT_DATA, "%s: row %zu, column %zu is %g; finite numbers of at most %g are needed", name,
                           i / d + 1, i % d + 1, value, (double)FLT_MAX);
    }
    return KT_OK;
}

/* Is this float, with its sign, what a byte converts to? */
static inline bool is_byte(float x)
{
    const float nearest = x >= 0 && x <= 255 ? (float)(uint8_t)x : 0;
    return memcmp(&x, &nearest, sizeof x) == 0; // NOLINT(bugprone-suspicious-memory-comparison): -0 is no byte
}

/* Floats that are all bytes are kept as these. */
static kt_status narrow(size_t count, kt_dataset *set)
{
    const float *floats = set->features;
    uint8_t *bytes;
    for (size_t i = 0; i < count; i++)
        if (!is_byte(floats[i]))
            return KT_OK;
    KT_TRY(KT_NEW(bytes, count));
    for (size_t i = 0; i < count; i++)
        bytes[i] = (uint8_t)floats[i];
    kt_memory_free(set->features);
    set->features = bytes;
    set->type = KT_U8;
    set->narrowed = true;
    return KT_OK;
}

/* Takes the data over: bytes stay bytes, and everything else becomes float32, or bytes after all. */
static kt_status take_features(kt_array *array, const char *name, kt_dataset *out)
{
    const size_t count = kt_array_count(array);
    bool bytes = array->type == KT_U8 || array->type == KT_BOOL;
    out->type = bytes ? KT_U8 : KT_F32;
    if (array->type == KT_BOOL)
        for (size_t i = 0; i < count; i++)
            ((uint8_t *)array->data)[i] = ((uint8_t *)array->data)[i] != 0;
    if (!bytes)
        KT_TRY(check_finite(array, name, out->d));
    KT_TRY(kt_dataset_check_precision(array, name, out->d, &out->notes));
    if (bytes || array->type == KT_F32) {
        out->features = array->data;
        array->data = NULL;
    } else {
        float *features;
        KT_TRY(KT_NEW(features, count));
        for (size_t i = 0; i < count; i++)
            features[i] = (float)kt_array_get(array, i);
        out->features = features;
    }
    return bytes ? KT_OK : narrow(count, out);
}

static kt_status read_features(const char *name, const kt_table_rules *rules, kt_dataset *out)
{
    kt_table_rules own = rules != NULL ? *rules : (kt_table_rules){0};
    kt_array array;
    own.floats = true;
    KT_TRY(kt_format_read_by(name, false, &own, &out->notes, &array));
    kt_status status = take_shape(&array, name, out);
    if (status == KT_OK)
        status = take_features(&array, name, out);
    kt_array_free(&array);
    return status;
}

/* Features whose last dimension is that of the samples are what MATLAB leaves in HDF5. */
static kt_status fail_lengths(const char *labels, size_t n_labels, const char *features, const kt_dataset *set)
{
    const size_t last = set->shape[1] > 0 ? set->shape[1] : set->shape[0];
    if (last != n_labels)
        return kt_fail(KT_DATA, "%s has %zu labels, but %s has %zu samples; there must be one label for each", labels,
                       n_labels, features, set->n);
    char text[KT_SHAPE_TEXT_BYTES];
    kt_shape_text(set->shape[1] > 0 ? 3 : 2, (size_t[]){set->n, set->shape[0], set->shape[1]}, text);
    return kt_fail(KT_DATA,
                   "%s has %zu labels, but %s has shape %s, %zu samples: it looks transposed (MATLAB's arrays are, in "
                   "HDF5); samples must be rows, as `kdata convert --transpose %s OUT.h5` writes them",
                   labels, n_labels, features, text, set->n, features);
}

/* The labels of the features that were read. Row numbers beside them are left out where nobody can take them for a
 * label. */
static kt_status read_labels(const char *name, const char *features, const kt_table_rules *rules, kt_dataset *out)
{
    const kt_table_rules own = {
        .header = rules != NULL ? rules->header : KT_DECIDE_AUTO, .n_rows = out->n, .floats = true};
    kt_array array;
    size_t n;
    KT_TRY(kt_format_read_by(name, true, &own, &out->notes, &array));
    kt_labels_flatten(&array, out->n);
    kt_status status = kt_labels_from_array(&array, name, &out->labels, &n, &out->n_classes);
    kt_array_free(&array);
    return status == KT_OK && n != out->n ? fail_lengths(name, n, features, out) : status;
}

static kt_status read_names(const char *path, const char *labels, kt_dataset *out)
{
    size_t n_names;
    char **names;
    KT_TRY(kt_class_names_read(path, &n_names, &names));
    for (size_t i = 0; i < out->n; i++)
        if ((size_t)out->labels[i] >= n_names) {
            kt_class_names_free(n_names, names);
            return kt_fail(KT_DATA, "%s: the label in row %zu is %d, but %s names only classes 0 to %zu", labels, i + 1,
                           (int)out->labels[i], path, n_names - 1);
        }
    out->n_classes = n_names;
    out->class_names = names;
    return KT_OK;
}

static bool given(const char *name)
{
    return name != NULL && name[0] != '\0';
}

kt_status kt_dataset_read(const char *features, const char *labels, const char *class_names,
                          const kt_table_rules *rules, kt_dataset *out)
{
    *out = (kt_dataset){0};
    kt_status status = read_features(features, rules, out);
    if (status == KT_OK && given(labels))
        status = read_labels(labels, features, rules, out);
    if (status == KT_OK && given(labels) && given(class_names))
        status = read_names(class_names, labels, out);
    if (status != KT_OK)
        kt_dataset_free(out);
    return status;
}

static kt_status borrow_labels(const int32_t *labels, size_t n_classes, const char *name, kt_dataset *out)
{
    out->labels = (int32_t *)labels; /* read only */
    out->n_classes = n_classes;
    for (size_t i = 0; i < out->n; i++) {
        if (labels[i] < 0 || (n_classes > 0 && (size_t)labels[i] >= n_classes))
            return kt_fail(KT_DATA, "%s: the label of row %zu is %d; must be from 0, and below the number of classes",
                           name, i + 1, (int)labels[i]);
        out->n_classes = (size_t)labels[i] >= out->n_classes ? (size_t)labels[i] + 1 : out->n_classes;
    }
    return KT_OK;
}

kt_status kt_dataset_borrow(const kt_array *features, const int32_t *labels, size_t n_classes, const char *name,
                            kt_dataset *out)
{
    *out = (kt_dataset){.borrowed = true, .type = features->type, .features = features->data};
    kt_status status = take_shape(features, name, out);
    if (status == KT_OK && features->type == KT_F32)
        status = check_finite(features, name, out->d);
    if (status == KT_OK && labels != NULL)
        status = borrow_labels(labels, n_classes, name, out);
    if (status != KT_OK)
        *out = (kt_dataset){0};
    return status;
}

static void free_arrays(kt_dataset *dataset)
{
    if (dataset->borrowed)
        return;
    kt_memory_free(dataset->features);
    kt_memory_free(dataset->labels);
}

void kt_dataset_free(kt_dataset *dataset)
{
    free_arrays(dataset);
    if (dataset->class_names != NULL)
        kt_class_names_free(dataset->n_classes, dataset->class_names);
    *dataset = (kt_dataset){0};
}

/* ---- joining ---- */

/* to[dataset's elements] of type `type`, which is KT_F32 unless the data set's is KT_U8, too. */
static void copy_features(const kt_dataset *dataset, kt_type type, void *to)
{
    const size_t count = dataset->n * dataset->d;
    if (dataset->type == type) {
        memcpy(to, dataset->features, count * kt_type_bytes(type));
        return;
    }
    for (size_t i = 0; i < count; i++)
        ((float *)to)[i] = (float)((const uint8_t *)dataset->features)[i];
}

static kt_status check_joinable(const kt_dataset *dataset, const kt_dataset *extra, const char *name)
{
    if (extra->d != dataset->d)
        return kt_fail(KT_DATA, "%s has %zu features a sample; it must have %zu like the training data", name, extra->d,
                       dataset->d);
    if ((extra->labels == NULL) != (dataset->labels == NULL))
        return kt_fail(KT_DATA, "%s: either both it and the training data have labels, or none", name);
    if (dataset->class_names != NULL && extra->n_classes > dataset->n_classes)
        return kt_fail(KT_DATA, "%s: its labels go up to %zu, but only classes 0 to %zu have names", name,
                       extra->n_classes - 1, dataset->n_classes - 1);
    if (dataset->n + extra->n > UINT32_MAX)
        return kt_fail(KT_DATA, "%s: more than 2^32 samples together with the training data", name);
    return KT_OK;
}

kt_status kt_dataset_append(kt_dataset *dataset, const kt_dataset *extra, const char *name)
{
    KT_TRY(check_joinable(dataset, extra, name));
    const size_t n = dataset->n + extra->n;
    kt_type type = dataset->type == KT_U8 && extra->type == KT_U8 ? KT_U8 : KT_F32;
    char *features = kt_memory_new(n * dataset->d, kt_type_bytes(type));
    int32_t *labels = dataset->labels != NULL ? kt_memory_new(n, sizeof *labels) : NULL;
    if (features == NULL || (dataset->labels != NULL && labels == NULL)) {
        kt_memory_free(features);
        kt_memory_free(labels);
        return KT_NO_MEMORY;
    }
    copy_features(dataset, type, features);
    copy_features(extra, type, features + dataset->n * dataset->d * kt_type_bytes(type));
    if (labels != NULL) {
        memcpy(labels, dataset->labels, dataset->n * sizeof *labels);
        memcpy(labels + dataset->n, extra->labels, extra->n * sizeof *labels);
    }
    free_arrays(dataset);
    dataset->borrowed = false;
    dataset->features = features;
    dataset->labels = labels;
    dataset->type = type;
    dataset->narrowed = type == KT_U8 && (dataset->narrowed || extra->narrowed);
    dataset->n = n;
    kt_notes_join(&dataset->notes, &extra->notes);
    if (extra->n_classes > dataset->n_classes)
        dataset->n_classes = extra->n_classes;
    return KT_OK;
}
