/* Written under a temporary name, fsynced, renamed. */
#include "base/replacement.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/test_point.h"

kt_status kt_replacement_begin(kt_replacement *r, const char *path)
{
    char target[PATH_MAX]; /* behind symbolic links */
    struct stat info;
    r->fd = -1;
    r->n_bytes = 0;
    const bool is_there = stat(path, &info) == 0 && realpath(path, target) != NULL;
    if (is_there && !S_ISREG(info.st_mode))
        return kt_fail(KT_IO, "%s: is %s: must be a file", path,
                       S_ISDIR(info.st_mode) ? "a directory" : "no regular file");
    KT_TRY(kt_file_path(r->path, "%s", is_there ? target : path));
    KT_TRY(kt_file_path(r->temporary, "%s.tmp.%ld", r->path, (long)getpid()));
    r->fd = open(r->temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    return r->fd >= 0 ? KT_OK : kt_fail(KT_IO, "%s: cannot be written: %s", r->path, strerror(errno));
}

kt_status kt_replacement_append(kt_replacement *r, const void *bytes, size_t n_bytes)
{
    const size_t done = kt_file_write(r->fd, bytes, n_bytes);
    r->n_bytes += done;
    return done == n_bytes
               ? KT_OK
               : kt_fail(KT_IO, "%s: writing stopped at byte %zu: %s", r->path, r->n_bytes, strerror(errno));
}

kt_status kt_replacement_write_front(kt_replacement *r, const void *bytes, size_t n_bytes)
{
    return lseek(r->fd, 0, SEEK_SET) == 0 && kt_file_write(r->fd, bytes, n_bytes) == n_bytes
               ? KT_OK
               : kt_fail(KT_IO, "%s: writing stopped at byte 0: %s", r->path, strerror(errno));
}

kt_status kt_replacement_end(kt_replacement *r, kt_status status)
{
    if (r->fd < 0)
        return status;
    if (status == KT_OK && fsync(r->fd) != 0)
        status = kt_fail(KT_IO, "%s: %s", r->path, strerror(errno));
    if (close(r->fd) != 0 && status == KT_OK)
        status = kt_fail(KT_IO, "%s: %s", r->path, strerror(errno));
    r->fd = -1;
    KT_TEST_POINT("file_written");
    if (status == KT_OK && rename(r->temporary, r->path) != 0)
        status = kt_fail(KT_IO, "%s: cannot be replaced: %s", r->path, strerror(errno));
    if (status != KT_OK) {
        unlink(r->temporary);
        return status;
    }
    KT_TEST_POINT("file_renamed");
    return kt_file_sync_directory_of(r->path);
}
