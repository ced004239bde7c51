/* What the files of hdf5_file share: hdf5_file.c (open, write), hdf5_file_driver.c (its bytes),
 * hdf5_file_trial.c, hdf5_file_stream.c, hdf5_file_read.c and hdf5_file_names.c. */
#ifndef KTRAIN_HDF5_FILE_PRIVATE_H
#define KTRAIN_HDF5_FILE_PRIVATE_H

#include <hdf5.h>

#include "edge/hdf5_file.h"

enum { SHORT_TEXT_BYTES = 256 };

/* Data that are made when the file is streamed. */
typedef struct later_rows {
    size_t at, n_rows, row_bytes; /* where they begin in the file */
    kt_hdf5_rows rows;
} later_rows;

struct kt_hdf5 {
    hid_t id;
    char *name;      /* for messages */
    hsize_t n_bytes; /* of the file that was opened; 0 for a new one, which is ours to trust */
    int fd;          /* of a new one: where it lies in memory; else -1 */
    int code;        /* errno of the first write to memory that failed; 0: none */
    size_t n_later, room_later;
    later_rows *later; /* [n_later], owned */
};

/* From now on files are opened with this access by what fd shows, whatever the name. fd is copied with each; *code is
 * set to the errno of the first write that fails, of which HDF5 is told nothing. */
void kt_hdf5_use_descriptor(hid_t access, int fd, int *code);

/* Opens what fd shows, or, fd below 0, the file `name`; as kt_hdf5_open. */
typedef kt_status kt_hdf5_opener(kt_hdf5 **out, int fd, const char *name);

/* KT_OK when a process of its own could open the file so and look at everything in it; else what it said, or KT_DATA
 * when it did not live to say anything. */
kt_status kt_hdf5_try(kt_hdf5_opener *opener, int fd, const char *name);

/* A new dataset; data NULL: only its place in the file. */
kt_status kt_hdf5_write_dataset(kt_hdf5 *file, const char *path, hid_t type, size_t n_dims, const size_t *dims,
                                const void *data);

/* kt_fail with "file: what path" and the reason that HDF5 recorded. */
kt_status kt_hdf5_fail(kt_status code, const kt_hdf5 *file, const char *path, const char *what);

/* The memory type of a kt_type; -1 for those that HDF5 has not (bool, float16). */
hid_t kt_hdf5_native_type(kt_type type);

#endif
