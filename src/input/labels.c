/* Labels to class numbers, and names for classes. */
#include "input/labels.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "input/csv.h"
#include "input/foreign.h"

enum { MAX_NAME_BYTES = 256 };

/* ---- label arrays ---- */

static kt_status take_whole(const kt_array *array, const char *name, size_t n, int32_t *labels, size_t *n_classes)
{
    *n_classes = 0;
    for (size_t i = 0; i < n; i++) {
        double value = kt_array_get(array, i);
        if (!(value >= 0 && value < KT_MAX_CLASSES) || value != floor(value))
            return kt_fail(KT_DATA, "%s: the label in row %zu is %.17g; whole numbers from 0 to %d are needed", name,
                           i + 1, value, KT_MAX_CLASSES - 1);
        labels[i] = (int32_t)value;
        if ((size_t)labels[i] + 1 > *n_classes)
            *n_classes = (size_t)labels[i] + 1;
    }
    return KT_OK;
}

static kt_status take_one_hot(const kt_array *array, const char *name, size_t n, size_t n_classes, int32_t *labels)
{
    for (size_t i = 0; i < n; i++) {
        size_t n_ones = 0;
        for (size_t c = 0; c < n_classes; c++) {
            double value = kt_array_get(array, i * n_classes + c);
            if (value != 0 && value != 1)
                return kt_fail(KT_DATA,
                               "%s: labels of %zu columns must be one-hot, 0 or 1, but row %zu, column %zu is %.17g",
                               name, n_classes, i + 1, array->n_left_out + c + 1, value);
            if (value == 1) {
                labels[i] = (int32_t)c;
                n_ones++;
            }
        }
        if (n_ones != 1)
            return kt_fail(KT_DATA, "%s: the one-hot row %zu has %zu ones; exactly one is needed", name, i + 1, n_ones);
    }
    return KT_OK;
}

void kt_labels_flatten(kt_array *array, size_t n_samples)
{
    if (array->n_dims == 2 && array->dims[0] == 1 && n_samples != 1) {
        array->n_dims = 1;
        array->dims[0] = array->dims[1];
    }
}

kt_status kt_labels_from_array(const kt_array *array, const char *name, int32_t **labels, size_t *n, size_t *n_classes)
{
    *labels = NULL;
    *n = *n_classes = 0;
    char text[KT_SHAPE_TEXT_BYTES];
    bool one_hot = array->n_dims == 2 && array->dims[1] >= 2;
    bool flat = array->n_dims == 1 || (array->n_dims == 2 && array->dims[1] == 1);
    if (!one_hot && !flat)
        return kt_fail(KT_DATA, "%s has shape %s; labels are (n,), (n, 1), or one-hot rows (n, classes)", name,
                       kt_shape_text(array->n_dims, array->dims, text));
    if (one_hot && array->dims[1] > KT_MAX_CLASSES)
        return kt_fail(KT_DATA, "%s has %zu columns; one-hot labels of at most %d classes are possible", name,
                       array->dims[1], KT_MAX_CLASSES);
    int32_t *taken;
    size_t n_rows = array->dims[0], n_found = one_hot ? array->dims[1] : 0;
    KT_TRY(KT_NEW(taken, n_rows));
    kt_status status =
        one_hot ? take_one_hot(array, name, n_rows, n_found, taken) : take_whole(array, name, n_rows, taken, &n_found);
    if (status != KT_OK) {
        kt_memory_free(taken);
        return status;
    }
    *labels = taken;
    *n = n_rows;
    *n_classes = n_found;
    return KT_OK;
}

/* ---- class names ---- */

typedef struct names_file {
    kt_csv csv;
    char **names; /* owned, KT_MAX_CLASSES of them, NULL where none was seen */
    size_t n;     /* largest index + 1 */
} names_file;

/* Well-formed UTF-8 without control characters: names go into HDF5, JSON and HTML. */
static bool is_clean_utf8(const char *text)
{
    for (size_t n = strlen(text), length; n > 0; text += length, n -= length) {
        length = kt_text_character(text, n);
        if (length == 0 || (unsigned char)*text < 0x20 || *text == 0x7f)
            return false;
    }
    return true;
}

static kt_status take_name(names_file *f, const char *index_text, const char *name)
{
    char *end;
    unsigned long index = strtoul(index_text, &end, 10);
    if (index_text[0] < '0' || index_text[0] > '9' || *end != '\0' || index >= KT_MAX_CLASSES)
        return kt_fail(KT_DATA, "%s: line %zu: \"%.40s\" is not a class index from 0 to %d", f->csv.name, f->csv.line,
                       index_text, KT_MAX_CLASSES - 1);
    if (name == NULL || name[0] == '\0')
        return kt_fail(KT_DATA, "%s: line %zu: class %lu has no name; a line is index,...,name", f->csv.name,
                       f->csv.line, index);
    if (strlen(name) > MAX_NAME_BYTES || !is_clean_utf8(name))
        return kt_fail(KT_DATA, "%s: line %zu: the name of class %lu is not UTF-8 of at most %d bytes", f->csv.name,
                       f->csv.line, index, MAX_NAME_BYTES);
    if (f->names[index] != NULL)
        return kt_fail(KT_DATA, "%s: line %zu: class %lu comes a second time", f->csv.name, f->csv.line, index);
    f->names[index] = kt_memory_string(name);
    if (f->names[index] == NULL)
        return KT_NO_MEMORY;
    if (index + 1 > f->n)
        f->n = index + 1;
    return KT_OK;
}

/* The first cell of a row and its last; a row may be one cell, which is both. */
static kt_status take_row(names_file *f, char **index, bool *quoted, char **name)
{
    bool ends;
    KT_TRY(kt_csv_cell(&f->csv, index, quoted, &ends));
    *name = NULL;
    while (!ends)
        KT_TRY(kt_csv_cell(&f->csv, name, NULL, &ends));
    return KT_OK;
}

static kt_status take_rows(names_file *f)
{
    while (!kt_csv_at_end(&f->csv)) {
        char *index, *name;
        bool quoted;
        const bool first = f->csv.next_line == 1;
        KT_TRY(take_row(f, &index, &quoted, &name));
        const bool heading = first && (index[0] < '0' || index[0] > '9');
        const bool blank = index[0] == '\0' && name == NULL && !quoted;
        if (!heading && !blank)
            KT_TRY(take_name(f, index, name));
    }
    if (f->n == 0)
        return kt_fail(KT_DATA, "%s has no class names; lines index,...,name are needed", f->csv.name);
    for (size_t c = 0; c < f->n; c++)
        if (f->names[c] == NULL)
            return kt_fail(KT_DATA, "%s lacks class %zu, but has class %zu", f->csv.name, c, f->n - 1);
    return KT_OK;
}

kt_status kt_class_names_read(const char *path, size_t *n, char ***names)
{
    *n = 0;
    *names = NULL;
    unsigned char *bytes;
    size_t n_bytes;
    KT_TRY(kt_file_read(path, &bytes, &n_bytes));
    names_file f = {.csv = kt_csv_start(path, (char *)bytes, n_bytes)};
    kt_status status = kt_foreign_check(path, bytes, n_bytes);
    if (status == KT_OK)
        status = KT_NEW(f.names, KT_MAX_CLASSES);
    if (status == KT_OK)
        status = take_rows(&f);
    kt_memory_free(bytes);
    if (status != KT_OK) {
        if (f.names != NULL)
            kt_class_names_free(KT_MAX_CLASSES, f.names);
        return status;
    }
    *n = f.n;
    *names = f.names;
    return KT_OK;
}

void kt_class_names_free(size_t n, char **names)
{
    for (size_t i = 0; names != NULL && i < n; i++)
        kt_memory_free(names[i]);
    kt_memory_free(names);
}
