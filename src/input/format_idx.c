/* IDX, the format of MNIST and its relatives, plain or gzipped: http://yann.lecun.com/exdb/mnist/ */
#include "input/format.h"
#include "input/format_stream.h"

#include <string.h>
#include <zlib.h>

/* By the third byte of the file; KT_N_TYPES for none. */
static kt_type type_of(unsigned code)
{
    static const kt_type types[] = {
        [0x08] = KT_U8, [0x09] = KT_I8, [0x0B] = KT_I16, [0x0C] = KT_I32, [0x0D] = KT_F32, [0x0E] = KT_F64};
    bool known = code >= 8 && code < sizeof types / sizeof types[0] && code != 0x0A;
    return known ? types[code] : KT_N_TYPES;
}

static bool recognizes(const unsigned char *head, size_t n)
{
    bool gzip = n >= 2 && head[0] == 0x1f && head[1] == 0x8b;
    return gzip ||
           (n >= 4 && head[0] == 0 && head[1] == 0 && type_of(head[2]) != KT_N_TYPES && head[3] >= 1 && head[3] <= 8);
}

static long read_gzip(void *handle, void *to, size_t n)
{
    int got = gzread(handle, to, (unsigned)n); /* the stream asks for at most 64 MiB */
    int code = Z_OK;
    gzerror(handle, &code);
    return got == 0 && code != Z_OK && code != Z_STREAM_END ? -1 : got; /* a truncated gzip ends as if it were whole */
}

static const char *gzip_error(void *handle)
{
    int code;
    const char *text = gzerror(handle, &code);
    return code == Z_BUF_ERROR ? "the compressed data is truncated" : text;
}

static kt_status take_idx(kt_stream *stream, kt_array *out)
{
    unsigned char start[4], be[4 * KT_ARRAY_MAX_DIMS];
    size_t dims[KT_ARRAY_MAX_DIMS];
    KT_TRY(kt_stream_take(stream, start, sizeof start, "the IDX magic"));
    kt_type type = type_of(start[2]);
    if (start[0] != 0 || start[1] != 0 || type == KT_N_TYPES)
        return kt_fail(
            KT_DATA,
            "%s holds no IDX data: it begins with %02x %02x %02x %02x; only IDX files are read compressed by "
            "gzip: gunzip it first",
            stream->name, start[0], start[1], start[2], start[3]);
    size_t n_dims = start[3];
    if (n_dims < 1 || n_dims > KT_ARRAY_MAX_DIMS)
        return kt_fail(KT_DATA, "%s has %zu dimensions; 1 to %d are understood", stream->name, n_dims,
                       KT_ARRAY_MAX_DIMS);
    KT_TRY(kt_stream_take(stream, be, 4 * n_dims, "the IDX shape"));
    for (size_t i = 0; i < n_dims; i++)
        dims[i] = (size_t)be[4 * i] << 24 | (size_t)be[4 * i + 1] << 16 | (size_t)be[4 * i + 2] << 8 | be[4 * i + 3];
    return kt_stream_take_array(stream, type, n_dims, dims, __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, out);
}

static kt_status read_array(const char *path, const char *member, const char *const *usual, kt_array *out)
{
    (void)usual;
    *out = (kt_array){0};
    if (member != NULL)
        return kt_fail(KT_DATA, "%s is an IDX file and has no members, so no \"%s\"; give its name alone", path,
                       member);
    size_t n_bytes;
    KT_TRY(kt_stream_file_bytes(path, &n_bytes));
    gzFile file = gzopen(path, "rb"); /* reads a plain file as it is */
    if (file == NULL)
        return kt_fail(KT_NO_INPUT, "%s cannot be opened", path);
    bool plain = gzdirect(file);
    kt_stream stream = {.name = path,
                        .handle = file,
                        .read = read_gzip,
                        .error = gzip_error,
                        .most_bytes = plain ? n_bytes : kt_stream_most_unpacked(n_bytes),
                        .exact = plain};
    kt_status status = take_idx(&stream, out);
    gzclose_r(file);
    return status;
}

const kt_format kt_format_idx = {
    .help = "an IDX file as MNIST has them, plain or gzipped",
    .recognizes = recognizes,
    .read = read_array,
};
