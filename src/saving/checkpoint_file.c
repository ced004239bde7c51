/* Header and checksum of a checkpoint, which kt_file_replace renames into place; which are kept. */
#include "saving/checkpoint_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "base/memory.h"

/* The text is padded with zeros. */
enum { HEADER_BYTES = 512, PIECE_BYTES = 1 << 20 };
static const char magic[] = "ktrain checkpoint\n";

/* The checksum so far, with n bytes more. */
static uint32_t crc(uint32_t before, const void *bytes, size_t n)
{
    return (uint32_t)crc32_z(before, bytes, n);
}

/* The header with its last line, the checksum of all lines before it. */
static void make_header(char header[HEADER_BYTES], int format, size_t n_bytes, uint32_t image_crc)
{
    memset(header, 0, HEADER_BYTES);
    int n = snprintf(header, HEADER_BYTES, "%sformat %d\nbytes %zu\ncrc32 %08" PRIx32 "\n", magic, format, n_bytes,
                     image_crc);
    uint32_t own = crc(0, header, (size_t)n);
    snprintf(header + n, HEADER_BYTES - (size_t)n, "header %08" PRIx32 "\n", own);
}

/* What is written behind the header, and its checksum so far. */
typedef struct image {
    kt_replacement to;
    uint32_t crc;
} image;

static kt_status append(void *context, const void *bytes, size_t n_bytes)
{
    image *i = context;
    i->crc = crc(i->crc, bytes, n_bytes);
    return kt_replacement_append(&i->to, bytes, n_bytes);
}

kt_status kt_checkpoint_file_write(const char *path, kt_hdf5 *file)
{
    char header[HEADER_BYTES] = {0};
    image i = {.crc = 0};
    KT_TRY(kt_replacement_begin(&i.to, path));
    kt_status status = kt_replacement_append(&i.to, header, HEADER_BYTES);
    if (status == KT_OK)
        status = kt_hdf5_stream(file, path, append, &i);
    if (status == KT_OK) {
        make_header(header, KT_CHECKPOINT_FORMAT, i.to.n_bytes - HEADER_BYTES, i.crc);
        status = kt_replacement_write_front(&i.to, header, HEADER_BYTES);
    }
    return kt_replacement_end(&i.to, status);
}

/* What a header says; written again it gives the same bytes. */
typedef struct header_fields {
    int format;
    size_t n_image;
    uint32_t crc;
} header_fields;

/* bytes[n_bytes], then zeros: as much of a header as there is. */
static kt_status read_header(const char *path, const char bytes[HEADER_BYTES + 1], size_t n_bytes, header_fields *f,
                             bool *newer)
{
    char again[HEADER_BYTES];
    *f = (header_fields){0};
    if (strncmp(bytes, magic, strlen(magic)) != 0)
        return kt_fail(KT_DATA, "%s: not a ktrain checkpoint: must begin with \"ktrain checkpoint\"", path);
    if (n_bytes < HEADER_BYTES)
        return kt_fail(KT_DATA, "%s: damaged: cut short at byte %zu, within its header of %d bytes", path, n_bytes,
                       HEADER_BYTES);
    int n_fields =
        sscanf(bytes + strlen(magic), "format %d bytes %zu crc32 %" SCNx32, &f->format, &f->n_image, &f->crc);
    make_header(again, f->format, f->n_image, f->crc);
    if (n_fields != 3 || memcmp(again, bytes, HEADER_BYTES) != 0)
        return kt_fail(KT_DATA, "%s: damaged: the checksum of its header is wrong", path);
    *newer = f->format > KT_CHECKPOINT_FORMAT;
    return *newer ? kt_fail(KT_DATA, "%s: has format %d, but this ktrain reads up to format %d: use a newer ktrain",
                            path, f->format, KT_CHECKPOINT_FORMAT)
                  : KT_OK;
}

/* The next bytes of a file, as many as there are. KT_IO. */
static kt_status read_some(int fd, const char *path, void *bytes, size_t n_bytes, size_t *n_read)
{
    *n_read = 0;
    while (*n_read < n_bytes) {
        const ssize_t got = read(fd, (char *)bytes + *n_read, n_bytes - *n_read);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return kt_fail(KT_IO, "%s: reading stopped: %s", path, strerror(errno));
        if (got == 0)
            break;
        *n_read += (size_t)got;
    }
    return KT_OK;
}

/* Reads on from the header's end to the file's. */
static kt_status sum_image(int fd, const char *path, size_t *n_image, uint32_t *sum)
{
    unsigned char *piece;
    size_t n = PIECE_BYTES;
    kt_status status = KT_NEW(piece, PIECE_BYTES);
    *n_image = 0;
    *sum = 0;
    while (status == KT_OK && n == PIECE_BYTES) {
        status = read_some(fd, path, piece, PIECE_BYTES, &n);
        *n_image += n;
        *sum = crc(*sum, piece, n);
    }
    kt_memory_free(piece);
    return status;
}

static kt_status verify(int fd, const char *path, bool *newer)
{
    char header[HEADER_BYTES + 1] = {0};
    size_t n_bytes, n_image;
    header_fields f;
    uint32_t found;
    KT_TRY(read_some(fd, path, header, HEADER_BYTES, &n_bytes));
    KT_TRY(read_header(path, header, n_bytes, &f, newer));
    KT_TRY(sum_image(fd, path, &n_image, &found));
    if (n_image != f.n_image)
        return kt_fail(KT_DATA, "%s: damaged: has %zu bytes, must have %zu", path, n_image + HEADER_BYTES,
                       f.n_image + HEADER_BYTES);
    return found == f.crc
               ? KT_OK
               : kt_fail(KT_DATA, "%s: damaged: its checksum is %08" PRIx32 ", must be %08" PRIx32, path, found, f.crc);
}

kt_status kt_checkpoint_file_open(const char *path, kt_hdf5 **file, bool *newer)
{
    bool is_newer = false;
    struct stat info;
    *file = NULL;
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe must not keep it waiting */
    if (fd < 0)
        return kt_file_fail_open(path, "");
    kt_status status = fstat(fd, &info) == 0 && S_ISREG(info.st_mode)
                           ? verify(fd, path, &is_newer)
                           : kt_fail(KT_NO_INPUT, "%s: not a regular file", path);
    if (status == KT_OK)
        status = kt_hdf5_open_descriptor(file, fd, path);
    close(fd);
    if (newer != NULL)
        *newer = is_newer;
    return status;
}

/* N of "step-N.h5", or -1. */
static int64_t step_of(const char *name)
{
    char *end;
    if (strncmp(name, "step-", 5) != 0 || name[5] < '0' || name[5] > '9')
        return -1;
    int64_t step = strtoll(name + 5, &end, 10);
    return strcmp(end, ".h5") == 0 ? step : -1;
}

static int newest_first(const void *a, const void *b)
{
    int64_t step_a = step_of(strrchr(a, '/') + 1), step_b = step_of(strrchr(b, '/') + 1);
    return (step_a < step_b) - (step_a > step_b);
}

static kt_status scan(DIR *directory, const char *name, size_t *n, char (**paths)[KT_PATH_BYTES])
{
    size_t n_found = 0;
    const struct dirent *entry;
    while ((entry = readdir(directory)) != NULL)
        n_found += step_of(entry->d_name) >= 0;
    rewinddir(directory);
    KT_TRY(KT_NEW(*paths, n_found));
    while ((entry = readdir(directory)) != NULL && *n < n_found)
        if (step_of(entry->d_name) >= 0)
            KT_TRY(kt_file_path((*paths)[(*n)++], "%s/%s", name, entry->d_name));
    qsort(*paths, *n, sizeof **paths, newest_first);
    return KT_OK;
}

kt_status kt_checkpoint_file_list(const char *directory, size_t *n, char (**paths)[KT_PATH_BYTES])
{
    *n = 0;
    *paths = NULL;
    DIR *d = opendir(directory);
    if (d == NULL)
        return errno == ENOENT ? KT_OK : kt_fail(KT_IO, "%s: %s", directory, strerror(errno));
    kt_status status = scan(d, directory, n, paths);
    closedir(d);
    if (status != KT_OK) {
        kt_memory_free(*paths);
        *paths = NULL;
        *n = 0;
    }
    return status;
}

kt_status kt_checkpoint_file_prune(const char *directory, size_t keep)
{
    size_t n;
    char(*paths)[KT_PATH_BYTES];
    kt_status status = kt_checkpoint_file_list(directory, &n, &paths);
    for (size_t i = keep; i < n && status == KT_OK; i++)
        if (unlink(paths[i]) != 0 && errno != ENOENT)
            status = kt_fail(KT_IO, "%s: cannot be removed: %s", paths[i], strerror(errno));
    kt_memory_free(paths);
    if (status == KT_OK)
        kt_file_remove_leftovers(directory);
    return status;
}
