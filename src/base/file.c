/* Reading, replacing, locking and removing files, with an error sentence for each thing that can go wrong. */
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <ftw.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/test_point.h"
#include "base/timer.h"

bool kt_file_exists(const char *path)
{
    return access(path, F_OK) == 0;
}

bool kt_file_is_directory(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

bool kt_file_is_regular(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISREG(info.st_mode);
}

bool kt_file_same(const char *a, const char *b)
{
    struct stat info_a, info_b;
    return stat(a, &info_a) == 0 && stat(b, &info_b) == 0 && info_a.st_dev == info_b.st_dev &&
           info_a.st_ino == info_b.st_ino;
}

static kt_status read_open(int fd, const char *path, unsigned char **bytes, size_t *n_bytes)
{
    struct stat info;
    if (fstat(fd, &info) != 0)
        return kt_fail(KT_IO, "%s: %s", path, strerror(errno));
    if (!S_ISREG(info.st_mode))
        return kt_fail(KT_NO_INPUT, "%s: not a regular file", path);
    size_t n = (size_t)info.st_size;
    unsigned char *data = kt_memory_new(n + 1, 1);
    if (data == NULL)
        return KT_NO_MEMORY;
    size_t done = 0;
    while (done < n) {
        ssize_t got = read(fd, data + done, n - done);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0) {
            kt_memory_free(data);
            return kt_fail(KT_IO, "%s: reading stopped at byte %zu of %zu: %s", path, done, n,
                           got < 0 ? strerror(errno) : "the file has shrunk");
        }
        done += (size_t)got;
    }
    *bytes = data;
    *n_bytes = n;
    return KT_OK;
}

kt_status kt_file_fail_open(const char *path, const char *wanted)
{
    const int code = errno;
    char folder[KT_PATH_BYTES];
    if (code != ENOENT || path[0] == '/' || path[0] == '\0' || getcwd(folder, sizeof folder) == NULL)
        return kt_fail(KT_NO_INPUT, "%s: %s%s", path, strerror(code), wanted);
    while (strncmp(path, "./", 2) == 0)
        path += 2;
    return kt_fail(KT_NO_INPUT, "%s: %s (looked for at %s/%s)%s", path, strerror(code),
                   strcmp(folder, "/") == 0 ? "" : folder, path, wanted);
}

bool kt_file_find_in(const char *folder, const char *path, char *found)
{
    char inside[KT_PATH_BYTES];
    const int n = snprintf(inside, sizeof inside, "%s/%s", folder, path);
    return path[0] != '/' && n > 0 && (size_t)n < sizeof inside && realpath(inside, found) != NULL &&
           kt_file_is_regular(found);
}

kt_status kt_file_read(const char *path, unsigned char **bytes, size_t *n_bytes)
{
    *bytes = NULL;
    *n_bytes = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return kt_file_fail_open(path, "");
    kt_status status = read_open(fd, path, bytes, n_bytes);
    close(fd);
    return status;
}

size_t kt_file_write(int fd, const void *bytes, size_t n_bytes)
{
    size_t done = 0;
    while (done < n_bytes) {
        ssize_t wrote = write(fd, (const char *)bytes + done, n_bytes - done);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote == 0)
            errno = EIO;
        if (wrote <= 0)
            break;
        done += (size_t)wrote;
    }
    return done;
}

kt_status kt_file_sync_directory_of(const char *path)
{
    char directory[KT_PATH_BYTES];
    KT_TRY(kt_file_path(directory, "%s", path));
    char *slash = strrchr(directory, '/');
    if (slash == NULL)
        strcpy(directory, ".");
    else
        slash[slash == directory ? 1 : 0] = '\0';
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) != 0) {
        /* Some file systems cannot sync a directory; the name is in it all the same. */
        bool unsupported = fd >= 0 && errno == EINVAL;
        if (fd >= 0)
            close(fd);
        return unsupported ? KT_OK : kt_fail(KT_IO, "%s: %s", directory, strerror(errno));
    }
    close(fd);
    return KT_OK;
}

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

/* A device or a pipe is written to; a rename would put a file in its place. */
static kt_status write_special(const char *path, const void *bytes, size_t n_bytes)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return kt_fail(KT_IO, "%s: cannot be written: %s", path, strerror(errno));
    const size_t done = kt_file_write(fd, bytes, n_bytes);
    kt_status status = KT_OK;
    if (done < n_bytes)
        status = kt_fail(KT_IO, "%s: writing stopped at byte %zu of %zu: %s", path, done, n_bytes, strerror(errno));
    if (close(fd) != 0 && status == KT_OK)
        status = kt_fail(KT_IO, "%s: %s", path, strerror(errno));
    return status;
}

kt_status kt_file_replace(const char *path, const void *bytes, size_t n_bytes)
{
    struct stat info;
    kt_replacement file;
    if (stat(path, &info) == 0 && !S_ISDIR(info.st_mode) && !S_ISREG(info.st_mode))
        return write_special(path, bytes, n_bytes);
    KT_TRY(kt_replacement_begin(&file, path));
    return kt_replacement_end(&file, kt_replacement_append(&file, bytes, n_bytes));
}

/* "anything.tmp.PID" */
static bool is_temporary(const char *name)
{
    const char *found = strstr(name, ".tmp.");
    if (found == NULL)
        return false;
    const char *pid = found + strlen(".tmp.");
    return pid[0] != '\0' && pid[strspn(pid, "0123456789")] == '\0';
}

void kt_file_remove_leftovers(const char *directory)
{
    char path[KT_PATH_BYTES];
    DIR *d = opendir(directory);
    const struct dirent *entry;
    while (d != NULL && (entry = readdir(d)) != NULL)
        if (is_temporary(entry->d_name) && kt_file_path(path, "%s/%s", directory, entry->d_name) == KT_OK)
            unlink(path);
    if (d != NULL)
        closedir(d);
}

static bool fits_any(const char *name, const char *const *patterns)
{
    bool fits = strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
    for (; *patterns != NULL && !fits; patterns++)
        fits = fnmatch(*patterns, name, 0) == 0;
    return fits;
}

size_t kt_file_strangers(const char *directory, const char *const *patterns, char name[KT_NAME_BYTES])
{
    size_t n = 0;
    DIR *d = opendir(directory);
    const struct dirent *entry;
    name[0] = '\0';
    while (d != NULL && (entry = readdir(d)) != NULL) {
        if (fits_any(entry->d_name, patterns))
            continue;
        if (n++ == 0 || strcmp(entry->d_name, name) < 0)
            snprintf(name, KT_NAME_BYTES, "%s", entry->d_name);
    }
    if (d != NULL)
        closedir(d);
    return n;
}

kt_status kt_file_replace_text(const char *path, kt_text_buffer *text)
{
    char *bytes;
    size_t n_bytes = text->n;
    KT_TRY(kt_text_take(text, &bytes));
    kt_status status = kt_file_replace(path, bytes, n_bytes);
    kt_memory_free(bytes);
    return status;
}

kt_status kt_file_make_directory(const char *path)
{
    char partial[KT_PATH_BYTES];
    KT_TRY(kt_file_path(partial, "%s", path));
    for (char *p = partial + 1;; p++) {
        if (*p != '/' && *p != '\0')
            continue;
        char end = *p;
        *p = '\0';
        if (mkdir(partial, 0777) != 0) {
            const int code = errno;
            struct stat info;
            const bool leads_on = stat(partial, &info) == 0;
            if (code != EEXIST || !leads_on || !S_ISDIR(info.st_mode))
                return kt_fail(KT_IO, "%s: the directory cannot be made: %s", partial,
                               code != EEXIST ? strerror(code)
                               : leads_on     ? "there is a file of that name"
                                              : "there is a link of that name, which leads nowhere");
        }
        *p = end;
        if (end == '\0')
            return KT_OK;
    }
}

kt_status kt_file_path(char *path, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(path, KT_PATH_BYTES, format, args);
    va_end(args);
    if (n < 0 || n >= KT_PATH_BYTES)
        return kt_fail(KT_CONFIG, "a path is longer than %d bytes: %.60s...", KT_PATH_BYTES - 1, path);
    return KT_OK;
}

static int remove_entry(const char *path, const struct stat *info, int kind, struct FTW *place)
{
    (void)info, (void)kind, (void)place;
    remove(path);
    return 0;
}

void kt_file_remove_tree(const char *path)
{
    enum { OPEN_DIRECTORIES = 8 };
    nftw(path, remove_entry, OPEN_DIRECTORIES, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

/* A directory may be renamed while its lock is waited for: the lock of the old one guards nothing in the new. */
static bool is_still_there(const char *path, int fd)
{
    struct stat named, opened;
    return stat(path, &named) == 0 && fstat(fd, &opened) == 0 && named.st_dev == opened.st_dev &&
           named.st_ino == opened.st_ino;
}

kt_status kt_file_lock(const char *path, bool shared, int *lock)
{
    /* The ranks of a run whose mpirun was killed live on for a second or two. */
    for (int tries = 0; tries < 30; tries++) {
        *lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
        if (*lock < 0 && (errno != ENOENT || tries == 0)) /* a directory that was there is about to be made again */
            return kt_fail(KT_IO, "%s: cannot be written: %s", path, strerror(errno));
        const bool is_free =
            *lock >= 0 && (flock(*lock, (shared ? LOCK_SH : LOCK_EX) | LOCK_NB) == 0 || errno != EWOULDBLOCK);
        if (is_free && is_still_there(path, *lock))
            return KT_OK;
        if (*lock >= 0)
            close(*lock);
        *lock = -1;
        if (!is_free)
            kt_timer_sleep(0.1);
    }
    return KT_OK;
}
