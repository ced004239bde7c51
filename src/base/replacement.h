/* A file that is written piece by piece and takes the place of another when it is whole. Everything here is local. */
#ifndef KTRAIN_REPLACEMENT_H
#define KTRAIN_REPLACEMENT_H

#include "base/file.h"

typedef struct kt_replacement {
    int fd; /* -1: none is under way */
    size_t n_bytes;
    char path[KT_PATH_BYTES], temporary[KT_PATH_BYTES];
} kt_replacement;

/* Begins "path.tmp.PID"; behind symbolic links, which stay. KT_IO: nothing was begun. */
kt_status kt_replacement_begin(kt_replacement *out, const char *path);

/* Adds bytes at its end; or writes over its first ones. KT_IO: it must be ended as a failure. */
kt_status kt_replacement_append(kt_replacement *replacement, const void *bytes, size_t n_bytes);
kt_status kt_replacement_write_front(kt_replacement *replacement, const void *bytes, size_t n_bytes);

/* With KT_OK: fsynced, renamed, directory fsynced; the file at the path is now this one, or, KT_IO, still the old one.
 * With any other status, which is returned: the temporary file is gone. */
kt_status kt_replacement_end(kt_replacement *replacement, kt_status status);

#endif
