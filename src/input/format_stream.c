/* Reading bytes through stdio, libzip or zlib alike. */
#include "input/format_stream.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

enum { UNPACKED_PER_BYTE = 1032, READ_BYTES = 1 << 26 };

size_t kt_stream_most_unpacked(size_t packed_bytes)
{
    size_t most;
    return __builtin_mul_overflow(packed_bytes, UNPACKED_PER_BYTE, &most) ? SIZE_MAX : most;
}

kt_status kt_stream_file_bytes(const char *path, size_t *n_bytes)
{
    struct stat info;
    *n_bytes = 0;
    if (stat(path, &info) != 0)
        return kt_fail(KT_NO_INPUT, "%s: %s", path, strerror(errno));
    if (!S_ISREG(info.st_mode))
        return kt_fail(KT_NO_INPUT, "%s is not a regular file", path);
    *n_bytes = (size_t)info.st_size;
    return KT_OK;
}

/* Fills up to n bytes; fewer only at the end. */
static kt_status fill(kt_stream *stream, unsigned char *to, size_t n, size_t *done)
{
    *done = 0;
    while (*done < n) {
        size_t wanted = n - *done < READ_BYTES ? n - *done : READ_BYTES;
        long got = stream->read(stream->handle, to + *done, wanted);
        if (got < 0)
            return kt_fail(KT_DATA, "%s: cannot be read after byte %zu: %s", stream->name, stream->offset,
                           stream->error(stream->handle));
        if (got == 0)
            break;
        *done += (size_t)got;
        stream->offset += (size_t)got;
    }
    return KT_OK;
}

kt_status kt_stream_take(kt_stream *stream, void *to, size_t n, const char *what)
{
    size_t done;
    KT_TRY(fill(stream, to, n, &done));
    if (done < n)
        return kt_fail(KT_DATA, "%s is truncated: %s should be %zu bytes, but the file ends after %zu of them",
                       stream->name, what, n, done);
    return KT_OK;
}

static void swap_bytes(unsigned char *data, size_t count, size_t n)
{
    for (size_t i = 0; i < count; i++, data += n)
        for (size_t k = 0; k < n / 2; k++) {
            unsigned char byte = data[k];
            data[k] = data[n - 1 - k];
            data[n - 1 - k] = byte;
        }
}

static kt_status fail_size(const kt_stream *stream, const kt_array *shape, size_t expected, const char *found_words,
                           size_t found)
{
    char text[KT_SHAPE_TEXT_BYTES];
    return kt_fail(KT_DATA, "%s: its header says %s %s, %zu bytes in all, but %s %zu%s", stream->name,
                   kt_shape_text(shape->n_dims, shape->dims, text), kt_type_name(shape->type), expected, found_words,
                   found, found < expected ? ": it is truncated or its header is damaged" : "");
}

static kt_status check_size(const kt_stream *stream, const kt_array *shape, size_t *n_bytes)
{
    size_t expected;
    char text[KT_SHAPE_TEXT_BYTES];
    if (!kt_shape_bytes(shape->n_dims, shape->dims, kt_type_bytes(shape->type), n_bytes) ||
        __builtin_add_overflow(*n_bytes, stream->offset, &expected))
        return kt_fail(KT_DATA, "%s: its header says the impossible shape %s", stream->name,
                       kt_shape_text(shape->n_dims, shape->dims, text));
    if (stream->exact && expected != stream->most_bytes)
        return fail_size(stream, shape, expected, "there are", stream->most_bytes);
    if (expected > stream->most_bytes)
        return fail_size(stream, shape, expected, "packed in it are at most", stream->most_bytes);
    return KT_OK;
}

kt_status kt_stream_take_array(kt_stream *stream, kt_type type, size_t n_dims, const size_t *dims, bool swap,
                               kt_array *out)
{
    *out = (kt_array){0};
    kt_array shape = {.type = type, .n_dims = n_dims};
    memcpy(shape.dims, dims, n_dims * sizeof *dims);
    size_t n_bytes, done = 0, left = 0;
    KT_TRY(check_size(stream, &shape, &n_bytes));
    size_t expected = stream->offset + n_bytes;
    kt_array array;
    KT_TRY(kt_array_create(&array, type, n_dims, dims));
    kt_status status = fill(stream, array.data, n_bytes, &done);
    unsigned char extra[64];
    if (status == KT_OK && done == n_bytes) /* also lets an archive compare its checksum */
        status = fill(stream, extra, sizeof extra, &left);
    if (status == KT_OK && done < n_bytes)
        status = fail_size(stream, &shape, expected, "there are", stream->offset);
    if (status == KT_OK && left > 0)
        status = fail_size(stream, &shape, expected, "there are at least", stream->offset);
    if (status != KT_OK) {
        kt_array_free(&array);
        return status;
    }
    if (swap)
        swap_bytes(array.data, kt_array_count(&array), kt_type_bytes(type));
    *out = array;
    return KT_OK;
}
