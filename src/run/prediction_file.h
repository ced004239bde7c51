/* Files of predictions: one table row per format, chosen by the name's ending. Local. */
#ifndef KTRAIN_PREDICTION_FILE_H
#define KTRAIN_PREDICTION_FILE_H

#include <stddef.h>

#include "base/status.h"

/* KT_USAGE when the ending of `path` is none of .csv, .npy, .h5. */
kt_status kt_prediction_file_check(const char *path);

/* Replaces `path` atomically by probabilities[n x n_classes], rows in input order:
 *   .csv  a header of class_names[n_classes], or Clase_0,...,Clase_{C-1} when it is NULL; numbers that read back as
 *   the same float .npy  float32 (n, C) .h5   the same as dataset /probabilities, the names as /class_names
 * KT_USAGE, KT_IO. */
kt_status kt_prediction_file_write(const char *path, size_t n, size_t n_classes, const float *probabilities,
                                   char *const *class_names);

#endif
