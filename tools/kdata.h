/* What the files of kdata share: kdata.c (the command line), kdata_convert.c and kdata_inspect.c. */
#ifndef KTRAIN_KDATA_H
#define KTRAIN_KDATA_H

#include <stdbool.h>
#include <stddef.h>

#include "base/array.h"

typedef struct arguments {
    size_t n; /* positional ones */
    char **values;
    const char *labels, *fractions, *seed;
    bool in_order, unstratified, transpose;
    const char *header; /* how tables are read; NULL: auto */
} arguments;

/* Reads features (n_samples 0) or the labels of so many samples, and prints what was decided of a table. */
kt_status kdata_read(const arguments *a, const char *name, size_t n_samples, kt_array *out);

/* Prints what a file of numbers holds: shape, type, range, classes, duplicates. */
kt_status kdata_inspect(const arguments *a);

/* Writes features, and perhaps labels, as HDF5; and those of each part of a split. */
kt_status kdata_convert(const arguments *a);
kt_status kdata_split(const arguments *a);

/* Bytes of one row (all dims but the first). */
size_t kdata_row_bytes(const kt_array *array);

#endif
