/* Taking a run directory: new, to be continued, finished or somebody else's. */
#include "run/run_directory.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/test_point.h"
#include "saving/checkpoint_file.h"
#include "saving/run_number.h"

/* Reads DIR/config.ini: what the run in a directory was started with last. */
static kt_status read_config(const char *dir, kt_config *config)
{
    char path[KT_PATH_BYTES];
    unsigned char *text;
    size_t n_bytes;
    KT_TRY(kt_file_path(path, "%s/config.ini", dir));
    KT_TRY(kt_file_read(path, &text, &n_bytes));
    kt_status status = kt_config_parse(path, (const char *)text, n_bytes, 0, NULL, config);
    kt_memory_free(text);
    return status;
}

/* What a checkpoint of another run was made with. */
static kt_status read_config_of(const char *path, kt_config *config)
{
    kt_checkpoint_head head = {0};
    kt_hdf5 *file;
    KT_TRY(kt_checkpoint_file_open(path, &file, NULL));
    const kt_status status = kt_checkpoint_read_head(file, path, &head);
    kt_hdf5_close(file);
    *config = head.config;
    kt_checkpoint_free_head(&head);
    return status;
}

void kt_run_directory_settle(kt_config *config)
{
    const char *resume = config->checkpoint.resume;
    const bool from_path = strcmp(resume, "auto") != 0;
    kt_config before;
    if (config->exchange.shards != KT_AUTO || strcmp(resume, "never") == 0)
        return;
    kt_status status = read_config(config->run.dir, &before);
    if (from_path && (status != KT_OK || strcmp(before.checkpoint.resume, resume) != 0))
        status = read_config_of(resume, &before);
    if (status == KT_OK)
        config->exchange.shards = before.exchange.shards;
}

/* ---- whose directory it is ---- */

static bool holds(const char *dir, const char *name)
{
    char path[KT_PATH_BYTES];
    return kt_file_path(path, "%s/%s", dir, name) == KT_OK && kt_file_exists(path);
}

/* A run has checkpoints, or its configuration and its log where these are lost. What a start that was stopped before
 * leaves is as good as nothing. */
static kt_status check_place(const char *dir)
{
    static const char *const checkpoints[] = {"step-*.h5*", NULL}, *const nothing[] = {NULL};
    static const char *const started[] = {".lock", "checkpoints", "config.ini.tmp.*", "log.txt", NULL};
    static const char *const made[] = {".lock", "checkpoints", NULL};
    char path[KT_PATH_BYTES], name[KT_NAME_BYTES];
    kt_config config;
    KT_TRY(kt_file_path(path, "%s/checkpoints", dir));
    const size_t n_saved = kt_file_strangers(path, nothing, name);
    if (n_saved > kt_file_strangers(path, checkpoints, name))
        return KT_OK;
    if (holds(dir, "log.txt") && read_config(dir, &config) == KT_OK)
        return KT_OK;
    const size_t n = n_saved > 0 ? n_saved : kt_file_strangers(dir, holds(dir, ".lock") ? started : made, name);
    return n == 0 ? KT_OK
                  : kt_fail(KT_CONFIG,
                            "run.dir = %s is no run's: it holds %s%s%s: must be new, empty, or the directory of a run",
                            dir, n_saved > 0 ? "checkpoints/" : "", name, n > 1 ? " and more" : "");
}

static bool lies_inside(const char *path, const char *dir)
{
    char real_path[PATH_MAX], real_dir[PATH_MAX];
    if (realpath(path, real_path) == NULL || realpath(dir, real_dir) == NULL)
        return false;
    size_t n = strlen(real_dir);
    return strncmp(real_path, real_dir, n) == 0 && real_path[n] == '/';
}

/* What a run writes, or moves aside, must be none of what it reads. Its own config.ini may be the job: it then stays as
 * it is. */
static kt_status check_input(const kt_config *c, const char *input, bool is_job, bool moves)
{
    static const char *const outputs[] = {"config.ini", "log.txt",       "history.csv",  "steps.csv",
                                          "best.h5",    "confusion.csv", "summary.json", "attempts.csv"};
    char file[KT_PATH_BYTES], path[KT_PATH_BYTES];
    kt_format_file(input, file);
    if (moves && !is_job && lies_inside(file, c->run.dir))
        return kt_fail(KT_CONFIG,
                       "run.dir = %s holds a run and %s: cannot be moved aside for checkpoint.resume = never",
                       c->run.dir, file);
    for (size_t o = 0; o < sizeof outputs / sizeof outputs[0]; o++) {
        KT_TRY(kt_file_path(path, "%s/%s", c->run.dir, outputs[o]));
        if (kt_file_same(file, path) && !(is_job && o == 0))
            return kt_fail(KT_CONFIG,
                           "run.dir = %s: %s is what this run reads, and would write: must be another directory",
                           c->run.dir, file);
    }
    return KT_OK;
}

static kt_status check_inputs(const kt_config *c)
{
    const char *const inputs[] = {c->job,
                                  c->data.features,
                                  c->data.labels,
                                  c->data.class_names,
                                  c->data.validation_features,
                                  c->data.validation_labels,
                                  c->data.test_features,
                                  c->data.test_labels};
    const bool moves = strcmp(c->checkpoint.resume, "never") == 0 && holds(c->run.dir, "config.ini");
    for (size_t i = 0; i < sizeof inputs / sizeof inputs[0]; i++)
        if (inputs[i] != NULL)
            KT_TRY(check_input(c, inputs[i], i == 0, moves));
    return KT_OK;
}

static kt_status lock_directory(kt_run_directory *d)
{
    const char *dir = d->config->run.dir;
    char path[KT_PATH_BYTES];
    KT_TRY(kt_file_make_directory(dir));
    KT_TRY(kt_file_path(path, "%s/checkpoints", dir));
    KT_TRY(kt_file_make_directory(path));
    KT_TRY(kt_file_path(path, "%s/.lock", dir));
    KT_TRY(kt_file_lock(path, false, &d->lock));
    KT_TEST_POINT("locked");
    return d->lock >= 0
               ? KT_OK
               : kt_fail(KT_CONFIG,
                         "run.dir = %s is in use by another ktrain: wait for it, or choose another directory", dir);
}

static kt_status refuse_sweep(const char *dir)
{
    return holds(dir, "trials")
               ? kt_fail(KT_CONFIG, "run.dir = %s holds a sweep: a run must have a directory of its own", dir)
               : KT_OK;
}

static kt_status open_log(kt_run_directory *d)
{
    char path[KT_PATH_BYTES];
    KT_TRY(kt_file_path(path, "%s/log.txt", d->config->run.dir));
    return kt_log_open_file(d->log, path);
}

/* Moves the locked directory out of the way, and makes and locks a new one. */
static kt_status move_aside(kt_run_directory *d)
{
    const char *dir = d->config->run.dir;
    char old[KT_PATH_BYTES];
    if (!holds(dir, "config.ini"))
        return KT_OK;
    size_t n = strlen(dir);
    while (n > 1 && dir[n - 1] == '/')
        n--;
    if (dir[n - 1] == '/' || dir[n - 1] == '.')
        return kt_fail(KT_CONFIG,
                       "run.dir = %s holds a run and cannot be moved aside: must be a directory with a name of its own",
                       dir);
    for (int i = 1;; i++) {
        KT_TRY(kt_file_path(old, "%.*s.old-%d", (int)n, dir, i));
        if (!kt_file_exists(old))
            break;
    }
    if (rename(dir, old) != 0)
        return kt_fail(KT_IO, "%s: cannot be moved to %s: %s", dir, old, strerror(errno));
    KT_TEST_POINT("moved_aside");
    kt_log_line(d->log, "resume the earlier run in %s is now in %s", dir, old);
    close(d->lock);
    KT_TRY(lock_directory(d));
    return open_log(d);
}

/* The split that is stored must be the one that would be made now: else samples would change sides. */
static kt_status check_same_split(kt_hdf5 *file, const char *path, const kt_split *split)
{
    kt_split stored;
    KT_TRY(kt_checkpoint_read_split(file, &stored));
    bool same = true;
    for (int p = 0; p < KT_N_PARTS && same; p++)
        same = stored.n[p] == split->n[p] &&
               memcmp(stored.index[p], split->index[p], split->n[p] * sizeof *split->index[p]) == 0;
    kt_split_free(&stored);
    return same
               ? KT_OK
               : kt_fail(KT_DATA,
                         "%s: was made with another split of the data: start again with checkpoint.resume=never", path);
}

/* A checkpoint is of this run when nothing that defines the run, nor the data, has changed. */
static kt_status check_start(const kt_run_directory *d)
{
    const char *path = d->start_path;
    kt_text_buffer was = {0}, is = {0};
    kt_checkpoint_head head;
    if (kt_checkpoint_is_model_only(d->start))
        return kt_fail(KT_CONFIG,
                       "%s: is a model without the state of its training: must be one of a run's checkpoints/", path);
    KT_TRY(kt_checkpoint_read_head(d->start, path, &head));
    kt_status status = KT_OK;
    const kt_option *other = kt_config_difference(&head.config, d->config);
    if (other != NULL) {
        kt_options_format(other, &head.config, &was);
        kt_options_format(other, d->config, &is);
        status = kt_fail(KT_CONFIG,
                         "%s: was made with %s.%s = %.80s, now it is %.80s: set it back, choose another run.dir, or "
                         "say checkpoint.resume=never",
                         path, other->section, other->key, was.bytes, is.bytes);
        kt_memory_free(was.bytes);
        kt_memory_free(is.bytes);
    } else if (head.data.fingerprint != d->data->fingerprint) {
        status = kt_fail(KT_DATA,
                         "%s: was made from other data (fingerprint %016llx, now %016llx): use the same files, another "
                         "run.dir, or checkpoint.resume=never",
                         path, (unsigned long long)head.data.fingerprint, (unsigned long long)d->data->fingerprint);
    }
    kt_checkpoint_free_head(&head);
    return status == KT_OK ? check_same_split(d->start, path, &d->data->split) : status;
}

/* The newest good checkpoint of the directory, open, and its path; none at all is KT_OK with *file NULL. Warns of
 * damaged ones; with set_aside they are renamed, so that they are neither counted nor tried again. */
static kt_status open_newest(const char *dir, bool set_aside, kt_log *log, kt_hdf5 **file, char path[KT_PATH_BYTES])
{
    char directory[KT_PATH_BYTES], aside[KT_PATH_BYTES];
    char(*paths)[KT_PATH_BYTES];
    size_t n, n_damaged = 0;
    *file = NULL;
    KT_TRY(kt_file_path(directory, "%s/checkpoints", dir));
    KT_TRY(kt_checkpoint_file_list(directory, &n, &paths));
    kt_status status = KT_OK;
    for (; n_damaged < n; n_damaged++) {
        bool newer = false;
        memcpy(path, paths[n_damaged], KT_PATH_BYTES);
        status = kt_checkpoint_file_open(path, file, &newer);
        if (status != KT_DATA || newer)
            break;
        kt_log_warning(log, "%s; using the one before it", kt_error_message());
    }
    if (n > 0 && n_damaged == n)
        status = kt_fail(
            KT_DATA,
            "%s: none of %zu checkpoints is good: put a good copy there, or start again with checkpoint.resume=never",
            directory, n);
    for (size_t i = 0; set_aside && status == KT_OK && i < n_damaged; i++)
        if (kt_file_path(aside, "%s.damaged", paths[i]) == KT_OK)
            rename(paths[i], aside); /* failing does no harm */
    kt_memory_free(paths);
    return status;
}

/* From the newest checkpoint, where there is one. */
static kt_status go_on(kt_run_directory *d)
{
    KT_TRY(open_newest(d->config->run.dir, true, d->log, &d->start, d->start_path));
    return d->start == NULL ? KT_OK : check_start(d);
}

/* resume = PATH: a run that was begun so goes on; else PATH is its beginning. */
static kt_status start_from(kt_run_directory *d, const char *start)
{
    const char *dir = d->config->run.dir;
    kt_config before;
    const bool begun = read_config(dir, &before) == KT_OK && strcmp(before.checkpoint.resume, start) == 0;
    if (begun)
        KT_TRY(go_on(d));
    if (d->start != NULL)
        return KT_OK;
    if (lies_inside(start, dir))
        return kt_fail(
            KT_CONFIG,
            "checkpoint.resume = %s lies in run.dir = %s: must be another run's; to go back, choose another run.dir",
            start, dir);
    if (!kt_file_exists(start))
        return kt_fail(
            KT_NO_INPUT,
            "checkpoint.resume = %s: there is no such file: must be auto, never, or the path of a checkpoint", start);
    KT_TRY(kt_file_path(d->start_path, "%s", start));
    KT_TRY(kt_checkpoint_file_open(start, &d->start, NULL));
    KT_TRY(check_start(d));
    return begun ? KT_OK : move_aside(d);
}

static kt_status find_start(kt_run_directory *d)
{
    const char *resume = d->config->checkpoint.resume;
    if (strcmp(resume, "auto") == 0)
        return go_on(d);
    return strcmp(resume, "never") == 0 ? move_aside(d) : start_from(d, resume);
}

static kt_status write_config(const kt_config *config)
{
    char path[KT_PATH_BYTES], *text;
    KT_TRY(kt_file_path(path, "%s/config.ini", config->run.dir));
    if (config->job != NULL && kt_file_same(config->job, path))
        return KT_OK;
    KT_TRY(kt_options_write_ini(kt_config_options(), config, &text));
    kt_status status = kt_file_replace(path, text, strlen(text));
    kt_memory_free(text);
    return status;
}

kt_status kt_run_directory_open(kt_run_directory *out, const kt_config *config, const kt_data *data, kt_log *log)
{
    char checkpoints[KT_PATH_BYTES];
    *out = (kt_run_directory){.config = config, .data = data, .log = log, .lock = -1};
    kt_status status = kt_file_path(checkpoints, "%s/checkpoints", config->run.dir);
    if (status == KT_OK)
        status = refuse_sweep(config->run.dir);
    if (status == KT_OK)
        status = check_place(config->run.dir);
    if (status == KT_OK)
        status = check_inputs(config);
    if (status == KT_OK)
        status = lock_directory(out);
    if (status == KT_OK) { /* before anything is written: they may be what fills the disk */
        kt_file_remove_leftovers(config->run.dir);
        kt_file_remove_leftovers(checkpoints);
        status = open_log(out);
    }
    if (status == KT_OK)
        status = find_start(out);
    if (status == KT_OK)
        status = write_config(config);
    if (status == KT_OK && kt_run_number_take(out->lock, &out->number) != KT_OK)
        kt_log_warning(log, "%s/%s", config->run.dir, kt_error_message());
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

/* Whether the run in a directory leaves its best weights, as far as can be told. */
static bool leaves_best(const char *dir)
{
    kt_config config;
    return read_config(dir, &config) != KT_OK || kt_config_restores_best(&config);
}

kt_status kt_run_directory_open_model(const char *path, kt_log *log, kt_hdf5 **file, char model_path[KT_PATH_BYTES])
{
    struct stat info;
    *file = NULL;
    if (stat(path, &info) != 0)
        return kt_file_fail_open(path, ": must be the directory of a run or a model file");
    if (!S_ISDIR(info.st_mode)) {
        KT_TRY(kt_file_path(model_path, "%s", path));
        return kt_checkpoint_file_open(model_path, file, NULL);
    }
    if (!leaves_best(path))
        KT_TRY(open_newest(path, false, log, file, model_path));
    if (*file != NULL)
        return KT_OK;
    KT_TRY(kt_file_path(model_path, "%s/best.h5", path));
    if (kt_file_exists(model_path))
        return kt_checkpoint_file_open(model_path, file, NULL);
    KT_TRY(open_newest(path, false, log, file, model_path));
    return *file != NULL ? KT_OK
                         : kt_fail(KT_NO_INPUT,
                                   "%s: holds neither best.h5 nor checkpoints: must be the directory of a run", path);
}
