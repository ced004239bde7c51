/* A labelled data set in memory. Everything here is local. */
#ifndef KTRAIN_DATASET_H
#define KTRAIN_DATASET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/notes.h"
#include "input/format.h"

typedef struct kt_dataset {
    size_t n;           /* samples */
    size_t d;           /* features of a sample */
    kt_type type;       /* as features are kept: KT_U8 where all are whole numbers from 0 to 255, else KT_F32 */
    bool narrowed;      /* kept as bytes, but came, not all of them at least, as something wider */
    void *features;     /* n x d row-major */
    int32_t *labels;    /* n, 0 <= label < n_classes; NULL when unlabelled */
    bool borrowed;      /* features and labels belong to someone else */
    size_t n_classes;   /* 0 when unlabelled */
    char **class_names; /* owned, n_classes strings, or NULL */
    kt_type file_type;  /* what the features file held */
    size_t shape[2];    /* of one sample as the file had it: {h, w}, or {d, 0} */
    size_t n_left_out;  /* columns of a table in front of the features, for messages */
    kt_notes notes;     /* what readers found strange in the files */
} kt_dataset;

/* What the features look like: kept in a model file, so that predict can warn about other data. */
typedef struct kt_dataset_statistics {
    double min, max, mean, standard_deviation, zero_fraction;
} kt_dataset_statistics;

/* Which files there are, and how they are read. */
typedef struct kt_dataset_spec {
    const char *features, *labels, *class_names;
    const char *validation_features, *validation_labels, *test_features, *test_labels; /* "": parts of the others */
    kt_table_rules tables;
    double scale; /* what inputs are divided by */
} kt_dataset_spec;

extern const kt_option_rows kt_dataset_options; /* of kt_dataset_spec, but for the tables' (format.h) */

/* Reads features ((n, d), (n, h, w) or (n, h, w, 1), any numeric type) and labels ((n,) or (n, 1) whole numbers of any
 * type, or one-hot rows (n, C); NULL or "" for none), checks them and takes them over. `class_names` is NULL, "", or a
 * CSV with a header whose first column is the class index and whose last is the name. KT_DATA, naming file, row and
 * column: NaN/Inf, n = 0, labels out of range or not whole, X and y of different lengths, a names file that lacks a
 * class. n_classes is the number of names, else of one-hot columns, else the largest label + 1; classes without samples
 * are allowed. class_names is not read when unlabelled. Tables are read by `rules` (NULL: all is decided there), of
 * which index_column is that of the features. *out is zeroed on failure. */
kt_status kt_dataset_read(const char *features, const char *labels, const char *class_names,
                          const kt_table_rules *rules, kt_dataset *out);

/* A data set around arrays of the caller, borrowed: features of KT_U8 or KT_F32 and shape (n, d), labels[n] or NULL.
 * n_classes 0: the largest label + 1. `name` is the features' in messages. KT_DATA as above, or a label outside the
 * classes. *out is zeroed on failure. */
kt_status kt_dataset_borrow(const kt_array *features, const int32_t *labels, size_t n_classes, const char *name,
                            kt_dataset *out);

void kt_dataset_free(kt_dataset *dataset);

/* Adds the samples of `extra`, labelled like `dataset` and read from `name`, after its own; features kept as bytes
 * become floats when the other's are. n_classes grows when extra has more, unless class names fix it. Its notes are
 * joined. KT_DATA, dataset unchanged: another width, or a class without a name. */
kt_status kt_dataset_append(kt_dataset *dataset, const kt_dataset *extra, const char *name);

/* out[n_rows x d] = features of rows index[n_rows], each divided by `scale`, in float (x / scale, rounded once). */
void kt_dataset_gather(const kt_dataset *dataset, const uint32_t *index, size_t n_rows, float scale, float *out);

/* The same, with ld >= d floats from a row of out to the next; those beyond d stay. */
void kt_dataset_gather_apart(const kt_dataset *dataset, const uint32_t *index, size_t n_rows, float scale, float *out,
                             size_t ld);

/* counts[n_classes]: samples of each class among index[n_rows] (index NULL: all rows). */
void kt_dataset_class_counts(const kt_dataset *dataset, const uint32_t *index, size_t n_rows, size_t *counts);

/* Of counts[n]: the class with the fewest samples, of those that have any (n: none has), and that with the most; of
 * equal ones the first. */
void kt_class_extremes(size_t n, const size_t *counts, size_t *least, size_t *most);

/* Of rows index[n_rows], n_rows > 0 (index NULL: of all rows). */
kt_dataset_statistics kt_dataset_describe(const kt_dataset *dataset, const uint32_t *index, size_t n_rows);

/* A 64-bit hash of shape, type, features (as floats when narrowed) and labels (FNV-1a over 8-byte words, folded): tells
 * one data set from another, not an attacker. */
uint64_t kt_dataset_fingerprint(const kt_dataset *dataset);

#endif
