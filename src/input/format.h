/* File formats for arrays: a file format_x.c each, and its name in the list below. Everything here is local. */
#ifndef KTRAIN_FORMAT_H
#define KTRAIN_FORMAT_H

#include <stdbool.h>
#include <stdio.h>

#include "base/array.h"
#include "base/notes.h"
#include "base/options.h"

/* What the lines of a table (CSV) are taken for. */
typedef struct kt_table_rules {
    int header;       /* kt_decision: the first line is one of names. AUTO: when no cell of it is a number, or they are
                         0, 1, ..., n-1 */
    int index_column; /* the first column holds row numbers and is left out. AUTO: whole numbers under no name, or under
                         "Unnamed: 0" */
    size_t n_rows;    /* that there should be; 0: not known. Tells whether a single column's first 0 is its name */
    bool floats;      /* numbers that are not finite, or that no float holds, are refused */
} kt_table_rules;

extern const kt_option_rows kt_table_options; /* data.header, data.index_column */

/* In the order in which they are tried, with their usual endings. */
#define KT_FORMATS(X)         \
    X(npy, ".npy")            \
    X(npz, ".npz")            \
    X(hdf5, ".h5 .hdf5 .hdf") \
    X(idx, ".idx .gz")        \
    X(csv, ".csv .txt")

typedef struct kt_format {
    const char *help;
    /* True when the file's first bytes (`n` of them, at most 512) are this format's. NULL when it has no magic. */
    bool (*recognizes)(const unsigned char *head, size_t n);
    /* Reads the array `member` of the file; with member NULL the only one, or else the first of the names in `usual`
     * (ending with NULL) that is there. On failure *out is left zeroed and the sentence names the file and where in it,
     * and what would be right. */
    kt_status (*read)(const char *path, const char *member, const char *const *usual, kt_array *out);
    /* The same, of a table; instead of read. */
    kt_status (*read_table)(const char *path, const char *member, const kt_table_rules *rules, kt_notes *notes,
                            kt_array *out);
} kt_format;

#define KT_DECLARE_FORMAT(name, extensions) extern const kt_format kt_format_##name;
KT_FORMATS(KT_DECLARE_FORMAT)

typedef struct kt_format_row {
    const char *name, *extensions;
    const kt_format *format;
} kt_format_row;

extern const kt_format_row kt_formats[];
extern const size_t kt_n_formats;

/* Reads "file" or "file:member" (a member of an .npz or .h5) into *out, which the caller frees with kt_array_free. The
 * format is found by magic, then by extension. Of several members the first of X, x, features, images, data, x_train,
 * arr_0 is taken. KT_NO_INPUT when there is no such file, KT_DATA when it is malformed, KT_IO when reading fails. */
kt_status kt_format_read(const char *path_and_member, kt_array *out);

/* The same where tables are read by these rules (NULL: all is decided here); what was decided is added to the notes
 * (NULL: not told). Of labels, of several members it is the first of y, Y, labels, targets, y_train, arr_1. */
kt_status kt_format_read_by(const char *path_and_member, bool labels, const kt_table_rules *rules, kt_notes *notes,
                            kt_array *out);

/* Writes the file's part of "file" or "file:member" to file[KT_PATH_BYTES] (file.h). */
void kt_format_file(const char *path_and_member, char *file);

/* For the formats with members: *chosen is the one of names[n] that `member` or, when it is NULL, `usual` says.
 * KT_DATA, listing the names, when there is none. */
kt_status kt_format_choose(const char *path, const char *member, const char *const *usual, size_t n, char *const *names,
                           size_t *chosen);

/* Whether HDF5 begins behind a block of the user's: at byte 512, 1024, 2048, ... as in MATLAB's v7.3 files. */
bool kt_hdf5_is_behind_block(FILE *file);

#endif
