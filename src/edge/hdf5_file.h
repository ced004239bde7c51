/* HDF5 files, built and read in memory: a full disk then shows itself in one plain write, and a damaged file is found
 * by its checksum before the library sees it. Everything here is local. HDF5's own error printing is off; messages are
 * ours. */
#ifndef KTRAIN_HDF5_FILE_H
#define KTRAIN_HDF5_FILE_H

#include <stdbool.h>

#include "base/array.h"

typedef struct kt_hdf5 kt_hdf5;

/* For the begin of a program that uses HDF5 through this module alone. When HDF5 1.10 could not close a file for lack
 * of memory it tries again at the end of the process, and crashes; from here on it does not. Not for a library: files
 * that others have left open are then not written out. */
void kt_hdf5_is_ours(void);

/* A new, empty file in memory. KT_NO_MEMORY. */
kt_status kt_hdf5_create(kt_hdf5 **out);
/* Both of these try it in a process of its own first, which looks at everything in the file: the library is no match
<<<<<<< HEAD
 * for files that are damaged, or made to do harm. KT_DATA when it crashes, or does not come to an end.
=======
 * for files that are damaged, or made to do harm. KT_DATA when it crashes, or comes to no end.
>>>>>>> origin/fuzz
 *
 * Opens what an open descriptor shows, read-only and without a lock: the very file, whatever its path leads to by now.
 * fd stays the caller's, and may be closed then. KT_DATA. */
kt_status kt_hdf5_open_descriptor(kt_hdf5 **out, int fd, const char *name);
/* Opens a file on disk, read-only and under HDF5's lock, where the file system has locks. KT_NO_INPUT; KT_DATA, with
 * HDF5's reason and what to do: another program is writing it, its writer has not closed it, it is truncated. */
kt_status kt_hdf5_open(kt_hdf5 **out, const char *path);
void kt_hdf5_close(kt_hdf5 *file); /* NULL is allowed */

/* Writes data[dims...] of `type` (not KT_BOOL, KT_F16, KT_F128) as dataset `path` ("/model/dense1/weight"), making the
 * groups on the way. n_dims 0: a scalar. */
kt_status kt_hdf5_write(kt_hdf5 *file, const char *path, kt_type type, size_t n_dims, const size_t *dims,
                        const void *data);
/* A scalar UTF-8 string dataset; and n of them as one 1-d dataset. */
kt_status kt_hdf5_write_text(kt_hdf5 *file, const char *path, const char *text);
kt_status kt_hdf5_write_texts(kt_hdf5 *file, const char *path, size_t n, char *const *texts);

/* The same as kt_hdf5_write, but data are made only when the file is streamed, and take no memory before: make writes
 * rows [first, first + n) of dims[0] to `rows`. what and data are borrowed until then. */
typedef struct kt_hdf5_rows {
    void (*make)(const void *what, const void *data, size_t first, size_t n, void *rows);
    const void *what, *data;
} kt_hdf5_rows;
kt_status kt_hdf5_write_later(kt_hdf5 *file, const char *path, kt_type type, size_t n_dims, const size_t *dims,
                              kt_hdf5_rows rows);

bool kt_hdf5_has(kt_hdf5 *file, const char *path);

/* What a path leads to, over hard, soft and external links (external: into another HDF5 file). */
typedef enum kt_hdf5_kind {
    KT_HDF5_ABSENT,
    KT_HDF5_ARRAY,    /* a dataset of at least one dimension */
    KT_HDF5_DANGLING, /* a link on the way leads to nothing, or in a circle */
    KT_HDF5_OTHER     /* a group, a single value, a type */
} kt_hdf5_kind;
kt_hdf5_kind kt_hdf5_look_up(kt_hdf5 *file, const char *path);
/* KT_DATA, with a sentence on what `path` is: for KT_HDF5_DANGLING and KT_HDF5_OTHER. */
kt_status kt_hdf5_fail_look_up(kt_hdf5 *file, const char *path);
/* Two names of one object. */
bool kt_hdf5_same(kt_hdf5 *file, const char *a, const char *b);

/* Reads a numeric dataset of any type into *out (freed with kt_array_free), in native byte order. KT_DATA: absent, not
 * numeric, too many dims. */
kt_status kt_hdf5_read(kt_hdf5 *file, const char *path, kt_array *out);
/* Reads into data[dims...], converting to `type`; KT_DATA when the shape is another, naming both. */
kt_status kt_hdf5_read_into(kt_hdf5 *file, const char *path, kt_type type, size_t n_dims, const size_t *dims,
                            void *data);
/* *out is owned by the caller (kt_memory_free). */
kt_status kt_hdf5_read_text(kt_hdf5 *file, const char *path, char **out);
/* *out: n owned strings in an owned array. */
kt_status kt_hdf5_read_texts(kt_hdf5 *file, const char *path, size_t *n, char ***out);
/* Calls visit with the path and shape of every dataset in the file, under each of its names and links, in name order,
 * until one returns false. */
kt_status kt_hdf5_visit(kt_hdf5 *file,
                        bool (*visit)(void *context, const char *path, size_t n_dims, const size_t *dims),
                        void *context);

/* The whole new file, which messages call `path`, from its first byte to its last, in pieces; nothing can be written to
 * it after. Rows that come later are made here. KT_IO: there was no room for it in memory. What `take` fails with ends
 * it. */
typedef kt_status kt_hdf5_take(void *context, const void *bytes, size_t n_bytes);
kt_status kt_hdf5_stream(kt_hdf5 *file, const char *path, kt_hdf5_take *take, void *context);

/* Replaces `path` atomically by the new file. KT_IO. */
kt_status kt_hdf5_save(kt_hdf5 *file, const char *path);

/* "1.10.8" */
const char *kt_hdf5_version(void);

#endif
