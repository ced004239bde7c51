/* What the files of kdata share: kdata.c (the command line, convert, split) and kdata_inspect.c. */
#ifndef KTRAIN_KDATA_H
#define KTRAIN_KDATA_H

#include <stdbool.h>
#include <stddef.h>

#include "ktrain/array.h"

typedef struct arguments {
    size_t n; /* positional ones */
    char **values;
    const char *labels, *fractions, *seed;
    bool in_order, unstratified;
} arguments;

/* Prints what a file of numbers holds: shape, type, range, classes, duplicates. */
kt_status kdata_inspect(const arguments *a);

/* Bytes of one row (all dims but the first). */
size_t kdata_row_bytes(const kt_array *array);

#endif
