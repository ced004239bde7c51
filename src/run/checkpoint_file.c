/* Header and checksum of a checkpoint, which kt_file_replace renames into place; which are kept. */
#include "run/checkpoint_file.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "base/memory.h"

/* The text is padded with zeros. */
enum { HEADER_BYTES = 512 };
static const char magic[] = "ktrain checkpoint\n";

static uint32_t crc(const unsigned char *bytes, size_t n)
{
    return (uint32_t)crc32_z(0, bytes, n);
}

/* The header with its last line, the checksum of all lines before it. */
static void make_header(char header[HEADER_BYTES], int format, size_t n_bytes, uint32_t image_crc)
{
    memset(header, 0, HEADER_BYTES);
    int n = snprintf(header, HEADER_BYTES, "%sformat %d\nbytes %zu\ncrc32 %08" PRIx32 "\n", magic, format, n_bytes,
                     image_crc);
    uint32_t own = crc((unsigned char *)header, (size_t)n);
    snprintf(header + n, HEADER_BYTES - (size_t)n, "header %08" PRIx32 "\n", own);
}

kt_status kt_checkpoint_file_write(const char *path, kt_hdf5 *file)
{
    unsigned char *bytes;
    size_t n_bytes;
    KT_TRY(kt_hdf5_image(file, HEADER_BYTES, &bytes, &n_bytes));
    size_t n_image = n_bytes - HEADER_BYTES;
    make_header((char *)bytes, KT_CHECKPOINT_FORMAT, n_image, crc(bytes + HEADER_BYTES, n_image));
    kt_status status = kt_file_replace(path, bytes, n_bytes);
    kt_memory_free(bytes);
    return status;
}

/* A header is good when writing its own fields again gives the same 512 bytes. */
static kt_status verify(const char *path, const unsigned char *bytes, size_t n_bytes, bool *newer)
{
    int format = 0;
    size_t n_image = 0;
    uint32_t image_crc = 0;
    char header[HEADER_BYTES + 1] = {0}, again[HEADER_BYTES];
    memcpy(header, bytes, n_bytes < HEADER_BYTES ? n_bytes : HEADER_BYTES);
    if (strncmp(header, magic, strlen(magic)) != 0)
        return kt_fail(KT_DATA, "%s: not a ktrain checkpoint: must begin with \"ktrain checkpoint\"", path);
    if (n_bytes < HEADER_BYTES)
        return kt_fail(KT_DATA, "%s: damaged: cut short at byte %zu, within its header of %d bytes", path, n_bytes,
                       HEADER_BYTES);
    int n_fields = sscanf(header + strlen(magic), "format %d bytes %zu crc32 %" SCNx32, &format, &n_image, &image_crc);
    make_header(again, format, n_image, image_crc);
    if (n_fields != 3 || memcmp(again, header, HEADER_BYTES) != 0)
        return kt_fail(KT_DATA, "%s: damaged: the checksum of its header is wrong", path);
    *newer = format > KT_CHECKPOINT_FORMAT;
    if (*newer)
        return kt_fail(KT_DATA, "%s: has format %d, but this ktrain reads up to format %d: use a newer ktrain", path,
                       format, KT_CHECKPOINT_FORMAT);
    if (n_bytes - HEADER_BYTES != n_image)
        return kt_fail(KT_DATA, "%s: damaged: has %zu bytes, must have %zu", path, n_bytes, n_image + HEADER_BYTES);
    uint32_t found = crc(bytes + HEADER_BYTES, n_image);
    if (found != image_crc)
        return kt_fail(KT_DATA, "%s: damaged: its checksum is %08" PRIx32 ", must be %08" PRIx32, path, found,
                       image_crc);
    return KT_OK;
}

kt_status kt_checkpoint_file_open(const char *path, kt_hdf5 **file, bool *newer)
{
    unsigned char *bytes;
    size_t n_bytes;
    bool is_newer = false;
    *file = NULL;
    KT_TRY(kt_file_read(path, &bytes, &n_bytes));
    kt_status status = verify(path, bytes, n_bytes, &is_newer);
    if (status == KT_OK)
        status = kt_hdf5_open_image(file, bytes + HEADER_BYTES, n_bytes - HEADER_BYTES, path);
    kt_memory_free(bytes);
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
