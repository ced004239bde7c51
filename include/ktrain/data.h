/* Samples in memory. Everything here is local. One thread at a time may change a data set. */
#ifndef KTRAIN_PUBLIC_DATA_H
#define KTRAIN_PUBLIC_DATA_H

#include <stddef.h>
#include <stdint.h>

#include "ktrain/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum ktrain_type { KTRAIN_U8, KTRAIN_F32 } ktrain_type;

/* Samples as rows of features, before any preprocessing: a model divides by data.scale itself. Floats are finite. */
typedef struct ktrain_array {
    ktrain_type type;   /* uint8_t or float */
    size_t n, d;        /* samples; features of each */
    const void *values; /* n x d, row-major; borrowed */
} ktrain_array;

typedef enum ktrain_part { KTRAIN_TRAINING, KTRAIN_VALIDATION, KTRAIN_TEST, KTRAIN_N_PARTS } ktrain_part;

/* How well samples are classified. Of no samples everything is 0. */
typedef struct ktrain_scores {
    int64_t samples;
    double accuracy, cross_entropy; /* right ones of all; mean, natural logarithm */
    double balanced_accuracy;       /* mean recall of the classes that have samples */
    double macro_f1;
} ktrain_scores;

/* A labelled data set around arrays. */
typedef struct ktrain_data ktrain_data;

/* labels[features.n], from 0 and below n_classes (0: the largest label + 1; at most 10,000,000). Both arrays are
 * borrowed, not copied: they stay as they are until ktrain_data_free. *out is NULL on failure. KTRAIN_USAGE;
 * KTRAIN_DATA, naming row and column: NaN or Inf, a label out of range, only one class. */
KTRAIN_API ktrain_status ktrain_data_create(ktrain_data **out, const ktrain_array *features, const int32_t *labels,
                                            size_t n_classes);

/* The classes' names, copied: names[n], n the number of classes. They end up in the model. */
KTRAIN_API ktrain_status ktrain_data_set_class_names(ktrain_data *data, size_t n, const char *const *names);

/* Which row is of which part: parts[n] of enum ktrain_part, n the number of samples; borrowed until ktrain_data_free.
 * Training and validation need a row at least. Without this call the configuration cuts the rows: data.split,
 * split_seed, shuffle, stratify. */
KTRAIN_API ktrain_status ktrain_data_set_parts(ktrain_data *data, size_t n, const uint8_t *parts);

KTRAIN_API size_t ktrain_data_n_samples(const ktrain_data *data);
KTRAIN_API size_t ktrain_data_n_features(const ktrain_data *data);
KTRAIN_API size_t ktrain_data_n_classes(const ktrain_data *data);

/* NULL is allowed. */
KTRAIN_API void ktrain_data_free(ktrain_data *data);

#ifdef __cplusplus
}
#endif

#endif
