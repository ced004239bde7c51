/* What the files of dataset share. */
#ifndef KTRAIN_DATASET_PRIVATE_H
#define KTRAIN_DATASET_PRIVATE_H

#include "input/dataset.h"

/* Adds a warning when columns of the features, as the file has them, vary by less than float32 can show. d: features of
 * a sample. Values must be finite. */
kt_status kt_dataset_check_precision(const kt_array *array, const char *name, size_t d, kt_notes *notes);

#endif
