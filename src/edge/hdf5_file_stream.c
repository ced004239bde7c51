/* A new file from its first byte to its last: what HDF5 has written, and between it the data that come later. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "edge/hdf5_file_private.h"

/* Rows are made so many bytes at a time, and whole panels of 16 of them. */
enum { PIECE_BYTES = 1 << 20, PIECE_ROWS = 16 };

static kt_status find_place(kt_hdf5 *file, const char *path, size_t *at)
{
    const hid_t dataset = H5Dopen2(file->id, path, H5P_DEFAULT);
    const haddr_t place = dataset >= 0 ? H5Dget_offset(dataset) : HADDR_UNDEF;
    *at = (size_t)place;
    const kt_status status =
        place != HADDR_UNDEF ? KT_OK : kt_hdf5_fail(KT_INTERNAL, file, path, "has no place for dataset");
    if (dataset >= 0)
        H5Dclose(dataset);
    return status;
}

kt_status kt_hdf5_write_later(kt_hdf5 *file, const char *path, kt_type type, size_t n_dims, const size_t *dims,
                              kt_hdf5_rows rows)
{
    later_rows later = {.n_rows = dims[0], .row_bytes = kt_type_bytes(type), .rows = rows};
    for (size_t i = 1; i < n_dims; i++)
        later.row_bytes *= dims[i];
    if (later.n_rows == 0 || later.row_bytes == 0)
        return kt_hdf5_write(file, path, type, n_dims, dims, NULL);
    KT_TRY(KT_GROW(file->later, file->n_later, file->room_later));
    KT_TRY(kt_hdf5_write_dataset(file, path, kt_hdf5_native_type(type), n_dims, dims, NULL));
    KT_TRY(find_place(file, path, &later.at));
    file->later[file->n_later++] = later;
    return KT_OK;
}

static int by_place(const void *a, const void *b)
{
    const later_rows *x = a, *y = b;
    return (x->at > y->at) - (x->at < y->at);
}

/* What HDF5 has written of [begin, end). */
static kt_status stream_written(const kt_hdf5 *file, size_t begin, size_t end, kt_hdf5_take *take, void *context,
                                unsigned char *piece)
{
    while (begin < end) {
        const size_t wanted = end - begin < PIECE_BYTES ? end - begin : PIECE_BYTES;
        const ssize_t got = pread(file->fd, piece, wanted, (off_t)begin);
        if (got <= 0)
            return kt_fail(KT_IO, "%s: cannot be read back: %s", file->name,
                           got < 0 ? strerror(errno) : "it has shrunk");
        KT_TRY(take(context, piece, (size_t)got));
        begin += (size_t)got;
    }
    return KT_OK;
}

static kt_status stream_rows(const later_rows *later, kt_hdf5_take *take, void *context)
{
    size_t most = PIECE_BYTES / later->row_bytes / PIECE_ROWS * PIECE_ROWS;
    most = most < PIECE_ROWS ? PIECE_ROWS : most;
    most = most < later->n_rows ? most : later->n_rows;
    unsigned char *piece;
    kt_status status = (piece = kt_memory_new(most, later->row_bytes)) != NULL ? KT_OK : KT_NO_MEMORY;
    for (size_t first = 0; first < later->n_rows && status == KT_OK; first += most) {
        const size_t n = later->n_rows - first < most ? later->n_rows - first : most;
        later->rows.make(later->rows.what, later->rows.data, first, n, piece);
        status = take(context, piece, n * later->row_bytes);
    }
    kt_memory_free(piece);
    return status;
}

static kt_status stream_all(kt_hdf5 *file, size_t n_bytes, kt_hdf5_take *take, void *context, unsigned char *piece)
{
    size_t at = 0;
    if (file->n_later > 0) /* there is no array without one */
        qsort(file->later, file->n_later, sizeof *file->later, by_place);
    for (const later_rows *l = file->later; l < file->later + file->n_later; l++) {
        KT_TRY(stream_written(file, at, l->at, take, context, piece));
        KT_TRY(stream_rows(l, take, context));
        at = l->at + l->n_rows * l->row_bytes;
    }
    return stream_written(file, at, n_bytes, take, context, piece);
}

kt_status kt_hdf5_stream(kt_hdf5 *file, const char *path, kt_hdf5_take *take, void *context)
{
    const herr_t closed = H5Fclose(file->id);
    file->id = -1;
    if (file->code != 0)
        return kt_fail(KT_IO, "%s: cannot be made in memory: %s", path, strerror(file->code));
    const off_t n_bytes = closed >= 0 ? lseek(file->fd, 0, SEEK_END) : -1;
    if (n_bytes <= 0)
        return kt_hdf5_fail(KT_INTERNAL, file, "", "cannot be ended");
    unsigned char *piece = kt_memory_new(PIECE_BYTES, 1);
    if (piece == NULL)
        return KT_NO_MEMORY;
    const kt_status status = stream_all(file, (size_t)n_bytes, take, context, piece);
    kt_memory_free(piece);
    return status;
}

static kt_status append(void *replacement, const void *bytes, size_t n_bytes)
{
    return kt_replacement_append(replacement, bytes, n_bytes);
}

kt_status kt_hdf5_save(kt_hdf5 *file, const char *path)
{
    kt_replacement to;
    KT_TRY(kt_replacement_begin(&to, path));
    return kt_replacement_end(&to, kt_hdf5_stream(file, path, append, &to));
}
