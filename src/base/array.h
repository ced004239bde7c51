/* A numeric array as a file held it: the common ground of all readers. Everything here is local. */
#ifndef KTRAIN_ARRAY_H
#define KTRAIN_ARRAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/* Element types in native byte order. The readers turn what they find into one of these. Checkpoints hold the numbers:
 * add at the end only. */
typedef enum kt_type {
    KT_BOOL,
    KT_I8,
    KT_U8,
    KT_I16,
    KT_U16,
    KT_I32,
    KT_U32,
    KT_I64,
    KT_U64,
    KT_F16,
    KT_F32,
    KT_F64,
    KT_F128,
    KT_N_TYPES
} kt_type;

enum { KT_ARRAY_MAX_DIMS = 4 };

typedef struct kt_array {
    kt_type type;
    size_t n_dims;
    size_t dims[KT_ARRAY_MAX_DIMS]; /* outermost first; rows are contiguous (C order) */
    void *data;                     /* owned, kt_memory_new */
    size_t n_left_out;              /* columns of a table in front of these that were not taken, for messages */
} kt_array;

size_t kt_type_bytes(kt_type type);
const char *kt_type_name(kt_type type); /* "uint8", "float32", ... as NumPy says it */

/* Zeroed data for `type` and dims[n_dims] (n_dims <= KT_ARRAY_MAX_DIMS). KT_NO_MEMORY, also when the product overflows;
 * *out is then zeroed. */
kt_status kt_array_create(kt_array *out, kt_type type, size_t n_dims, const size_t *dims);

/* Product of the dims. */
size_t kt_array_count(const kt_array *array);

/* Element i as a double (int64 and uint64 beyond 2^53 and float128 lose digits). A bool is 0 or 1, whatever its
 * byte. */
double kt_array_get(const kt_array *array, size_t i);

/* *out (freed with kt_array_free) has the dims in reverse: element (i, j) of `array` is its (j, i). */
kt_status kt_array_transpose(const kt_array *array, kt_array *out);

/* Frees the data and zeroes the struct. */
void kt_array_free(kt_array *array);

/* *n_bytes = bytes_each times the product of dims[n_dims]; false when that overflows. */
bool kt_shape_bytes(size_t n_dims, const size_t *dims, size_t bytes_each, size_t *n_bytes);

enum { KT_SHAPE_TEXT_BYTES = 96 };

/* Writes "(5000, 784)" into text[KT_SHAPE_TEXT_BYTES] for messages, and returns it. */
const char *kt_shape_text(size_t n_dims, const size_t *dims, char *text);

#endif
