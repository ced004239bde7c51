/* Bytes for the binary formats, from a plain file, a member of an archive or a compressed file. Everything here is
 * local. */
#ifndef KTRAIN_FORMAT_STREAM_H
#define KTRAIN_FORMAT_STREAM_H

#include <stdbool.h>

#include "base/array.h"

typedef struct kt_stream {
    const char *name; /* for messages; borrowed */
    void *handle;     /* of the opener */
    /* Up to n bytes into `to`; returns how many, 0 at the end, below 0 on failure. */
    long (*read)(void *handle, void *to, size_t n);
    const char *(*error)(void *handle); /* why read failed; owned by the handle */
    size_t most_bytes;                  /* it cannot hold more than this; exact when `exact` */
    bool exact;
    size_t offset; /* bytes taken */
} kt_stream;

/* Deflate packs at most 1032 bytes into one, and a little for short streams: what a header may claim of a compressed
 * file. */
size_t kt_stream_most_unpacked(size_t packed_bytes);

/* The length of a regular file. KT_NO_INPUT when there is none. */
kt_status kt_stream_file_bytes(const char *path, size_t *n_bytes);

/* Takes exactly n bytes of `what` ("the header"). KT_DATA at an early end, saying how many there were; KT_IO or KT_DATA
 * on failure. */
kt_status kt_stream_take(kt_stream *stream, void *to, size_t n, const char *what);

/* Takes the rest of the stream as the data of an array of the given type and shape. Its size is checked against the
 * stream's before anything is allocated. swap: the other byte order. KT_DATA when bytes lack or are left over. */
kt_status kt_stream_take_array(kt_stream *stream, kt_type type, size_t n_dims, const size_t *dims, bool swap,
                               kt_array *out);

/* An .npy from its first byte on. */
kt_status kt_npy_take(kt_stream *stream, kt_array *out);

#endif
