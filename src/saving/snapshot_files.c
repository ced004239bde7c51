/* Folders and files of snapshots. Others may write to /dev/shm, too: what is not this user's is not touched. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "saving/run_number.h"
#include "saving/snapshot_private.h"

static const double OLDEST_SECONDS = 7 * 86400.0; /* nobody has come back for it */

static void write_prefix(char prefix[64])
{
    snprintf(prefix, 64, "ktrain-%lu-", (unsigned long)geteuid());
}

kt_status kt_snapshot_folder(char path[KT_PATH_BYTES], const char *folder, uint64_t run)
{
    char prefix[64];
    write_prefix(prefix);
    return kt_file_path(path, "%s/%s%016" PRIx64, folder, prefix, run);
}

static bool is_own(int fd, mode_t type)
{
    struct stat info;
    return fstat(fd, &info) == 0 && info.st_uid == geteuid() && (info.st_mode & S_IFMT) == type;
}

kt_status kt_snapshot_map(mapped_file *file, const char *folder, const char *name, size_t n_bytes, bool makes)
{
    char path[KT_PATH_BYTES];
    struct stat info;
    int code = 0;
    *file = (mapped_file){.fd = -1};
    KT_TRY(kt_file_path(path, "%s/%s", folder, name));
    file->fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | (makes ? O_CREAT : 0), 0600);
    if (file->fd < 0)
        return kt_fail(KT_IO, "%s: %s", path, strerror(errno));
    if (!is_own(file->fd, S_IFREG))
        code = EPERM;
    else if (makes) /* a page that is not there when it is touched would end the process */
        code = posix_fallocate(file->fd, 0, (off_t)n_bytes);
    if (code == 0 && (fstat(file->fd, &info) != 0 || (size_t)info.st_size < n_bytes))
        code = EINVAL;
    /* all pages now, and not one by one in the first step that is copied */
    const int how = MAP_SHARED | MAP_POPULATE;
    void *bytes = code == 0 ? mmap(NULL, n_bytes, PROT_READ | PROT_WRITE, how, file->fd, 0) : MAP_FAILED;
    if (bytes == MAP_FAILED) {
        code = code == 0 ? errno : code;
        close(file->fd);
        file->fd = -1;
        return kt_fail(KT_IO, "%s: %s", path, strerror(code));
    }
    file->bytes = bytes;
    file->n_bytes = n_bytes;
    return KT_OK;
}

void kt_snapshot_unmap(mapped_file *file)
{
    if (file->fd < 0)
        return;
    munmap(file->bytes, file->n_bytes);
    close(file->fd);
    *file = (mapped_file){.fd = -1};
}

/* Makes the folder, or finds it, and opens the file that is its lock. */
static kt_status open_owner(const char *path, const char *of, int *fd)
{
    if (mkdir(path, 0700) != 0 && errno != EEXIST)
        return kt_fail(KT_IO, "%s: %s", path, strerror(errno));
    const int folder = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (folder < 0)
        return kt_fail(KT_IO, "%s: %s", path, strerror(errno));
    const bool own = is_own(folder, S_IFDIR);
    close(folder);
    if (!own)
        return kt_fail(KT_IO, "%s: is somebody else's", path);
    *fd = open(of, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    return *fd >= 0 ? KT_OK : kt_fail(KT_IO, "%s: %s", of, strerror(errno));
}

kt_status kt_snapshot_take_folder(const char *path, const char *run_dir, int *lock)
{
    char of[KT_PATH_BYTES], whole[PATH_MAX];
    int fd = -1;
    *lock = -1;
    KT_TRY(kt_file_path(of, "%s/of", path));
    const kt_status status = open_owner(path, of, &fd);
    if (status != KT_OK) {
        rmdir(path); /* which does nothing to one that holds anything */
        return status;
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        const int code = errno;
        close(fd);
        return kt_fail(KT_IO, "%s: %s", of, code == EWOULDBLOCK ? "is in use" : strerror(code));
    }
    *lock = fd;
    if (realpath(run_dir, whole) == NULL || ftruncate(fd, 0) != 0 ||
        kt_file_write(fd, whole, strlen(whole)) < strlen(whole))
        return kt_fail(KT_IO, "%s: %s", of, strerror(errno));
    return KT_OK;
}

/* Whether the run that a folder was made for can still come back for it. */
static bool is_wanted(const char *path, int of, uint64_t run)
{
    char first[KT_PATH_BYTES], dir[PATH_MAX] = "";
    struct stat info;
    const ssize_t n = pread(of, dir, sizeof dir - 1, 0);
    if (n <= 0 || kt_run_number_read(dir) != run || kt_file_path(first, "%s/0", path) != KT_OK)
        return false;
    return stat(first, &info) == 0 && difftime(time(NULL), info.st_mtime) < OLDEST_SECONDS;
}

/* What is locked belongs to a run that is under way. */
static void remove_orphan(const char *path, uint64_t run)
{
    char name[KT_PATH_BYTES];
    if (kt_file_path(name, "%s/of", path) != KT_OK)
        return;
    const int of = open(name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (of >= 0 && is_own(of, S_IFREG) && flock(of, LOCK_EX | LOCK_NB) == 0 && !is_wanted(path, of, run))
        kt_file_remove_tree(path);
    if (of >= 0)
        close(of);
}

void kt_snapshot_remove_orphans(const char *folder, const char *own)
{
    char prefix[64], path[KT_PATH_BYTES];
    const struct dirent *entry;
    uint64_t run;
    write_prefix(prefix);
    DIR *d = opendir(folder);
    while (d != NULL && (entry = readdir(d)) != NULL)
        if (strncmp(entry->d_name, prefix, strlen(prefix)) == 0 &&
            sscanf(entry->d_name + strlen(prefix), "%16" SCNx64, &run) == 1 &&
            kt_snapshot_folder(path, folder, run) == KT_OK && strcmp(path, own) != 0)
            remove_orphan(path, run);
    if (d != NULL)
        closedir(d);
}
