/* What the classes of samples are: label arrays and class names. Everything here is local. */
#ifndef KTRAIN_LABELS_H
#define KTRAIN_LABELS_H

#include <stddef.h>
#include <stdint.h>

#include "base/array.h"

enum { KT_MAX_CLASSES = 10000 }; /* a confusion matrix has the square of it */

/* *labels[*n] (owned by the caller, kt_memory_free) from whole numbers (n,) or (n, 1), or one-hot rows (n, C), C >= 2.
 * *n_classes is C, or the largest label + 1. `name` is the file's, for messages. KT_DATA, with the row: not whole,
 * below 0, beyond KT_MAX_CLASSES, not exactly one 1 in a row. */
kt_status kt_labels_from_array(const kt_array *array, const char *name, int32_t **labels, size_t *n, size_t *n_classes);

/* One row (1, n), as MATLAB writes labels, becomes (n,), unless it can be the one-hot row of a single sample. */
void kt_labels_flatten(kt_array *array, size_t n_samples);

/* Reads a CSV whose first column is a class's index and whose last is its name; other columns are passed over, and so
 * is a first line of headings. A cell in double quotes may hold commas. *names: *n owned strings in an owned array.
 * KT_DATA, with the line: an index that is no number or comes twice, an index below the largest that is missing, a name
 * that is empty or not UTF-8. */
kt_status kt_class_names_read(const char *path, size_t *n, char ***names);

void kt_class_names_free(size_t n, char **names);

#endif
