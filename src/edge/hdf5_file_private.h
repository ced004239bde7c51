/* What the files of hdf5_file share: hdf5_file.c (open, write, image), hdf5_file_read.c and hdf5_file_names.c. */
#ifndef KTRAIN_HDF5_FILE_PRIVATE_H
#define KTRAIN_HDF5_FILE_PRIVATE_H

#include <hdf5.h>

#include "edge/hdf5_file.h"

enum { SHORT_TEXT_BYTES = 256 };

struct kt_hdf5 {
    hid_t id;
    char *name;      /* for messages */
    hsize_t n_bytes; /* of the file that was opened; 0 for a new one, which is ours to trust */
};

/* kt_fail with "file: what path" and the reason that HDF5 recorded. */
kt_status kt_hdf5_fail(kt_status code, const kt_hdf5 *file, const char *path, const char *what);

/* The memory type of a kt_type; -1 for those that HDF5 has not (bool, float16). */
hid_t kt_hdf5_native_type(kt_type type);

#endif
