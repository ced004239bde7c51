#include "ktrain/run_directory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ktrain/memory.h"

static kt_status lock_directory(const char *dir, int *lock)
{
    char path[KT_PATH_BYTES];
    KT_TRY(kt_file_make_directory(dir));
    KT_TRY(kt_file_path(path, "%s/checkpoints", dir));
    KT_TRY(kt_file_make_directory(path));
    KT_TRY(kt_file_path(path, "%s/.lock", dir));
    *lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (*lock < 0)
        return kt_fail(KT_IO, "%s: cannot be written: %s", dir, strerror(errno));
    if (flock(*lock, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK) /* a file system without locks is no reason to stop */
        return KT_OK;
    close(*lock);
    *lock = -1;
    return kt_fail(KT_CONFIG, "run.dir = %s is in use by another ktrain: wait for it, or choose another directory", dir);
}

static bool holds_run(const char *dir)
{
    char path[KT_PATH_BYTES];
    return kt_file_path(path, "%s/config.ini", dir) == KT_OK && kt_file_exists(path);
}

/* Moves the locked directory out of the way, and makes and locks a new one. */
static kt_status move_aside(const char *dir, int *lock, kt_log *log)
{
    char old[KT_PATH_BYTES];
    if (!holds_run(dir))
        return KT_OK;
    size_t n = strlen(dir);
    while (n > 1 && dir[n - 1] == '/')
        n--;
    for (int i = 1;; i++) {
        KT_TRY(kt_file_path(old, "%.*s.old-%d", (int)n, dir, i));
        if (!kt_file_exists(old))
            break;
    }
    if (rename(dir, old) != 0)
        return kt_fail(KT_IO, "%s: cannot be moved to %s: %s", dir, old, strerror(errno));
    kt_log_line(log, "resume the earlier run in %s is now in %s", dir, old);
    close(*lock);
    return lock_directory(dir, lock);
}

/* A checkpoint is of this run when nothing that defines the run, nor the data, has changed. */
static kt_status check_same_run(kt_hdf5 *file, const char *path, const kt_config *config, uint64_t fingerprint)
{
    static char was[32 * KT_MAX_REALS], is[32 * KT_MAX_REALS]; /* too long for a stack frame */
    kt_checkpoint_head head;
    KT_TRY(kt_checkpoint_read_head(file, path, &head));
    kt_status status = KT_OK;
    const kt_option *other = kt_config_difference(&head.config, config, NULL);
    if (other != NULL) {
        kt_options_format(other, &head.config, was, sizeof was);
        kt_options_format(other, config, is, sizeof is);
        status = kt_fail(KT_CONFIG, "%s: was made with %s.%s = %.80s, now it is %.80s: set it back, choose another run.dir, or say checkpoint.resume=never",
                         path, other->section, other->key, was, is);
    } else if (head.fingerprint != fingerprint) {
        status = kt_fail(KT_DATA, "%s: was made from other data (fingerprint %016llx, now %016llx): use the same files, another run.dir, or checkpoint.resume=never",
                         path, (unsigned long long)head.fingerprint, (unsigned long long)fingerprint);
    }
    kt_checkpoint_free_head(&head);
    return status;
}

/* The newest good checkpoint of the directory; none is KT_OK with *file NULL. */
static kt_status open_newest(const char *dir, kt_log *log, kt_hdf5 **file, char path[KT_PATH_BYTES])
{
    char directory[KT_PATH_BYTES], aside[KT_PATH_BYTES];
    char(*paths)[KT_PATH_BYTES];
    size_t n, n_damaged = 0;
    *file = NULL;
    KT_TRY(kt_file_path(directory, "%s/checkpoints", dir));
    KT_TRY(kt_checkpoint_file_list(directory, &n, &paths));
    kt_status status = KT_OK;
    for (; n_damaged < n && *file == NULL; n_damaged++) {
        bool newer = false;
        memcpy(path, paths[n_damaged], KT_PATH_BYTES);
        status = kt_checkpoint_file_open(path, file, &newer);
        if (status == KT_OK || newer || (status != KT_DATA && status != KT_IO))
            break;
        kt_log_warning(log, "%s; using the one before it", kt_error_message());
    }
    if (n > 0 && n_damaged == n)
        status = kt_fail(KT_DATA, "%s: none of %zu checkpoints is good: put a good copy there, or start again with checkpoint.resume=never", directory, n);
    for (size_t i = 0; status == KT_OK && i < n_damaged; i++)
        if (kt_file_path(aside, "%s.damaged", paths[i]) == KT_OK)
            rename(paths[i], aside); /* so that it is neither counted nor tried again; failing does no harm */
    kt_memory_free(paths);
    return status;
}

/* Whether an open checkpoint belongs to a run that began with resume = `text`. */
static bool began_from(kt_hdf5 *file, const char *path, const char *text)
{
    kt_checkpoint_head head;
    if (file == NULL || kt_checkpoint_read_head(file, path, &head) != KT_OK)
        return false;
    bool same = strcmp(head.config.checkpoint.resume, text) == 0;
    kt_checkpoint_free_head(&head);
    return same;
}

static kt_status find_start(kt_run_directory *d, const kt_config *config, uint64_t fingerprint, kt_log *log)
{
    const char *resume = config->checkpoint.resume, *dir = config->run.dir;
    if (strcmp(resume, "never") == 0)
        return move_aside(dir, &d->lock, log);
    bool automatic = strcmp(resume, "auto") == 0;
    kt_status status = open_newest(dir, log, &d->start, d->start_path);
    if (automatic)
        KT_TRY(status);
    if (!automatic && !began_from(d->start, d->start_path, resume)) {
        kt_hdf5_close(d->start);
        KT_TRY(kt_file_path(d->start_path, "%s", resume));
        KT_TRY(kt_checkpoint_file_open(resume, &d->start, NULL));
        KT_TRY(check_same_run(d->start, d->start_path, config, fingerprint));
        return move_aside(dir, &d->lock, log);
    }
    return d->start == NULL ? KT_OK : check_same_run(d->start, d->start_path, config, fingerprint);
}

static kt_status write_config(const kt_config *config)
{
    char path[KT_PATH_BYTES], *text;
    KT_TRY(kt_file_path(path, "%s/config.ini", config->run.dir));
    KT_TRY(kt_options_write_ini(&kt_config_options, config, &text));
    kt_status status = kt_file_replace(path, text, strlen(text));
    kt_memory_free(text);
    return status;
}

static kt_status open_log(const kt_config *config, kt_log *log)
{
    char path[KT_PATH_BYTES];
    KT_TRY(kt_file_path(path, "%s/log.txt", config->run.dir));
    return kt_log_open_file(log, path);
}

kt_status kt_run_directory_open(kt_run_directory *out, const kt_config *config, uint64_t fingerprint, kt_log *log)
{
    *out = (kt_run_directory){.lock = -1};
    kt_status status = lock_directory(config->run.dir, &out->lock);
    if (status == KT_OK) /* checkpoints/ is looked after when it is pruned */
        kt_file_remove_leftovers(config->run.dir);
    if (status == KT_OK)
        status = find_start(out, config, fingerprint, log);
    if (status == KT_OK)
        status = open_log(config, log);
    if (status == KT_OK)
        status = write_config(config);
    if (status != KT_OK)
        kt_run_directory_close(out);
    return status;
}

void kt_run_directory_release_start(kt_run_directory *directory)
{
    kt_hdf5_close(directory->start);
    directory->start = NULL;
}

void kt_run_directory_close(kt_run_directory *directory)
{
    kt_run_directory_release_start(directory);
    if (directory->lock >= 0)
        close(directory->lock);
    directory->lock = -1;
}

kt_status kt_run_directory_model(const char *path, char model_path[KT_PATH_BYTES])
{
    struct stat info;
    char directory[KT_PATH_BYTES];
    char(*checkpoints)[KT_PATH_BYTES];
    size_t n;
    if (stat(path, &info) != 0)
        return kt_fail(KT_NO_INPUT, "%s: %s: must be the directory of a run or a model file", path, strerror(errno));
    if (!S_ISDIR(info.st_mode))
        return kt_file_path(model_path, "%s", path);
    KT_TRY(kt_file_path(model_path, "%s/best.h5", path));
    bool has_best = kt_file_exists(model_path), wants_best = true;
    if (has_best) {
        kt_hdf5 *file;
        kt_checkpoint_head head;
        KT_TRY(kt_checkpoint_file_open(model_path, &file, NULL));
        kt_status status = kt_checkpoint_read_head(file, model_path, &head);
        kt_hdf5_close(file);
        KT_TRY(status);
        wants_best = kt_config_restores_best(&head.config);
        kt_checkpoint_free_head(&head);
    }
    if (has_best && wants_best)
        return KT_OK;
    KT_TRY(kt_file_path(directory, "%s/checkpoints", path));
    KT_TRY(kt_checkpoint_file_list(directory, &n, &checkpoints));
    if (n > 0)
        memcpy(model_path, checkpoints[0], KT_PATH_BYTES);
    kt_memory_free(checkpoints);
    return n > 0 || has_best ? KT_OK : kt_fail(KT_NO_INPUT, "%s: holds neither best.h5 nor checkpoints: must be the directory of a run", path);
}
