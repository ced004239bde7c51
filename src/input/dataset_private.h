/* What the files of dataset share. */
#ifndef KTRAIN_DATASET_PRIVATE_H
#define KTRAIN_DATASET_PRIVATE_H

#include "base/simd.h"
#include "input/dataset.h"

/* out[n] = x[n] / scale. reciprocal: 1 / scale, where that gives the quotients of all bytes, else 0
 * (find_reciprocal). */
typedef struct kt_dataset_loops {
    float (*find_reciprocal)(float scale);
    void (*bytes)(size_t n, const uint8_t *restrict x, float scale, float reciprocal, float *restrict out);
    void (*floats)(size_t n, const float *restrict x, float scale, float *restrict out);
} kt_dataset_loops;

KT_SIMD_DECLARE(const kt_dataset_loops, kt_dataset_loops, );

/* Adds a warning when columns of the features, as the file has them, vary by less than float32 can show. d: features of
 * a sample. Values must be finite. */
kt_status kt_dataset_check_precision(const kt_array *array, const char *name, size_t d, kt_notes *notes);

#endif
