/* The files of a sweep's directory, and what is taken over from others. */
#include "sweep/sweep_files.h"

#include <dirent.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/test_point.h"

/* What reading journals comes to. */
typedef struct reading {
    kt_trials *trials;
    kt_journal *target; /* lines of this sweep also go here, unless it has them; NULL: nowhere */
    size_t n, n_own, n_same_data;
} reading;

static kt_status take(void *context, const kt_config *config, const kt_outcome *outcome)
{
    reading *r = context;
    r->n++;
    const bool own = kt_space_has(r->trials->space, config);
    r->n_own += own;
    const kt_trials_source *source = &r->trials->source;
    if (own && kt_trial_key(config, source->fingerprint(source->context, config)) == outcome->key)
        r->n_same_data++;
    if (own && r->target != NULL && !kt_trials_knows_better(r->trials, outcome))
        KT_TRY(kt_journal_append(r->target, config, outcome));
    return kt_trials_remember(r->trials, outcome);
}

/* A pipe would be waited for. */
static kt_status check_regular(const char *path)
{
    return kt_file_exists(path) && !kt_file_is_regular(path) ? kt_fail(KT_IO, "%s: must be a regular file", path)
                                                             : KT_OK;
}

static kt_status read_journal(reading *r, const char *path, kt_log *log)
{
    size_t n_damaged, first;
    KT_TRY(check_regular(path));
    KT_TRY(kt_journal_read(path, take, r, &n_damaged, &first));
    if (n_damaged > 0)
        kt_log_warning(log,
                       "%s: %zu line%s damaged, the first is line %zu: trials that no other line has are run again",
                       path, n_damaged, n_damaged == 1 ? " is" : "s are", first);
    return KT_OK;
}

static int is_slices_journal(const struct dirent *entry)
{
    return fnmatch("journal-*-of-*.jsonl", entry->d_name, 0) == 0;
}

/* All journals of a directory: that of whole sweeps first, then those of slices. What target lacks goes there. */
static kt_status read_directory(reading *r, const char *dir, kt_journal *target, bool is_targets, kt_log *log)
{
    char path[KT_PATH_BYTES];
    struct dirent **found;
    r->target = is_targets ? NULL : target;
    KT_TRY(kt_file_path(path, "%s/journal.jsonl", dir));
    KT_TRY(read_journal(r, path, log));
    r->target = target;
    kt_status status = KT_OK;
    const int n = scandir(dir, &found, is_slices_journal, alphasort);
    for (int i = 0; i < n; free(found[i++])) {
        if (status == KT_OK)
            status = kt_file_path(path, "%s/%s", dir, found[i]->d_name);
        if (status == KT_OK)
            status = read_journal(r, path, log);
    }
    if (n >= 0)
        free(found);
    return status;
}

void kt_sweep_files_list_absent(const kt_sweep_files *files, char *text, size_t size)
{
    struct dirent **found;
    size_t slice, n_slices = 0, n_absent = 0;
    const int n = scandir(files->dir, &found, is_slices_journal, alphasort);
    for (int i = 0; i < n; free(found[i++]))
        if (sscanf(found[i]->d_name, "journal-%zu-of-%zu", &slice, &n_slices) != 2)
            n_slices = 0;
    if (n >= 0)
        free(found);
    text[0] = '\0';
    for (size_t p = 1, length = 0; p <= n_slices && length < size; p++) {
        char path[KT_PATH_BYTES];
        if (kt_file_path(path, "%s/journal-%zu-of-%zu.jsonl", files->dir, p, n_slices) != KT_OK || kt_file_exists(path))
            continue;
        length += (size_t)snprintf(text + length, size - length, "%s%zu",
                                   n_absent++ == 0 ? "; there is no journal of slice " : ", ", p);
    }
    const size_t length = strlen(text);
    if (n_absent > 0)
        snprintf(text + length, size - length, " of %zu", n_slices);
}

static kt_status check_own(const reading *r, const char *dir)
{
    if (r->n > 0 && r->n_own == 0)
        return kt_fail(KT_CONFIG,
                       "%s: the journal holds %zu trial%s of another sweep, none of this job: choose another run.dir",
                       dir, r->n, r->n == 1 ? "" : "s");
    if (r->n > 0 && r->n_same_data == 0)
        return kt_fail(KT_DATA,
                       "%s: the journal's %zu trial%s learned from other data: choose another run.dir, or put the same "
                       "files back",
                       dir, r->n, r->n == 1 ? "" : "s");
    return KT_OK;
}

/* Slices share the directory among themselves, not with the whole sweep. */
static kt_status lock(kt_sweep_files *f, const char *name, bool shared, int *lock)
{
    char path[KT_PATH_BYTES];
    KT_TRY(kt_file_path(path, "%s/%s", f->dir, name));
    KT_TRY(kt_file_lock(path, shared, lock));
    return *lock >= 0
               ? KT_OK
               : kt_fail(KT_CONFIG, "run.dir = %s is in use by another sweep: wait for it, or choose another", f->dir);
}

static kt_status lock_directory(kt_sweep_files *f)
{
    char path[KT_PATH_BYTES], name[80];
    KT_TRY(kt_file_path(path, "%s/trials", f->dir));
    KT_TRY(kt_file_make_directory(path));
    const bool whole = f->suffix[0] == '\0';
    KT_TRY(lock(f, ".lock", !whole, &f->locks[0]));
    snprintf(name, sizeof name, ".lock%s", f->suffix);
    if (!whole)
        KT_TRY(lock(f, name, false, &f->locks[1]));
    else
        kt_file_remove_leftovers(f->dir);
    return KT_OK;
}

static kt_status write_sweep(const kt_sweep_files *f, const kt_space *space)
{
    char path[KT_PATH_BYTES], *text;
    KT_TRY(kt_file_path(path, "%s/sweep%s.ini", f->dir, f->suffix));
    if (space->base.job != NULL && kt_file_same(space->base.job, path))
        return KT_OK;
    KT_TRY(kt_space_write(space, &text));
    const kt_status status = kt_file_replace(path, text, strlen(text));
    kt_memory_free(text);
    return status;
}

static kt_status refuse_run(const kt_sweep_files *f)
{
    char path[KT_PATH_BYTES];
    KT_TRY(kt_file_path(path, "%s/config.ini", f->dir));
    return kt_file_exists(path)
               ? kt_fail(KT_CONFIG, "run.dir = %s holds a training run: a sweep must have a directory of its own",
                         f->dir)
               : KT_OK;
}

/* A sweep has journals beside its trials; journals alone are there to be joined. */
static kt_status check_place(const kt_sweep_files *f)
{
    static const char *const journals[] = {".lock*", "log*.txt", "sweep*.ini*", "trials", "journal*.jsonl", NULL};
    static const char *const trials[] = {"????????????????", "????????????????.old-*", NULL};
    static const char *const others[] = {".lock*", "trials", NULL};
    char path[KT_PATH_BYTES], name[KT_NAME_BYTES];
    KT_TRY(kt_file_path(path, "%s/trials", f->dir));
    const bool has_trials = kt_file_is_directory(path);
    if (has_trials && kt_file_strangers(path, trials, name) == 0 &&
        kt_file_strangers(f->dir, journals, name) < kt_file_strangers(f->dir, others, name))
        return KT_OK;
    const size_t n = kt_file_strangers(f->dir, journals, name);
    return n == 0
               ? KT_OK
               : kt_fail(KT_CONFIG,
                         "run.dir = %s is no sweep's: it holds %s%s: must be new, empty, or the directory of a sweep",
                         f->dir, name, n > 1 ? " and more" : "");
}

/* Journals of other directories that are joined, too. */
static kt_status read_sources(const kt_sweep_files *f, kt_trials *trials, size_t n_sources, char *const *sources,
                              kt_log *log)
{
    for (size_t i = 0; i < n_sources; i++) {
        reading r = {.trials = trials};
        if (!kt_file_is_directory(sources[i]))
            return kt_fail(KT_NO_INPUT, "%s: there is no such directory", sources[i]);
        KT_TRY(read_directory(&r, sources[i], f->journal, kt_file_same(sources[i], f->dir), log));
        if (r.n == 0)
            return kt_fail(KT_NO_INPUT, "%s: holds no journal of a sweep", sources[i]);
        KT_TRY(check_own(&r, sources[i]));
    }
    return KT_OK;
}

static kt_status open_own(kt_sweep_files *f, kt_trials *trials, bool merge, kt_log *log)
{
    char path[KT_PATH_BYTES];
    reading r = {.trials = trials};
    KT_TRY(refuse_run(f));
    KT_TRY(check_place(f));
    KT_TRY(lock_directory(f));
    KT_TRY(kt_file_path(path, "%s/journal%s.jsonl", f->dir, f->suffix));
    KT_TRY(check_regular(path));
    KT_TRY(kt_journal_open(path, &f->journal));
    KT_TRY(read_directory(&r, f->dir, merge ? f->journal : NULL, true, log));
    KT_TRY(check_own(&r, f->dir));
    KT_TRY(kt_file_path(path, "%s/log%s.txt", f->dir, f->suffix));
    KT_TRY(kt_log_open_file(log, path));
    return write_sweep(f, trials->space);
}

kt_status kt_sweep_files_open(kt_sweep_files *files, kt_trials *trials, bool merge, size_t n_sources,
                              char *const *sources, kt_log *log)
{
    *files = (kt_sweep_files){.dir = trials->space->base.run.dir, .locks = {-1, -1}};
    kt_slice_suffix(trials->slice, files->suffix);
    kt_status status = open_own(files, trials, merge, log);
    if (status == KT_OK)
        status = read_sources(files, trials, n_sources, sources, log);
    if (status != KT_OK)
        kt_sweep_files_close(files);
    return status;
}

void kt_sweep_files_close(kt_sweep_files *files)
{
    kt_journal_close(files->journal);
    for (size_t i = 0; i < 2; i++)
        if (files->locks[i] >= 0)
            close(files->locks[i]);
    *files = (kt_sweep_files){.locks = {-1, -1}};
}

static bool is_needed(const kt_trials *t, size_t i, uint64_t best)
{
    const kt_trial *trial = &t->all[i];
    const size_t seeds = (size_t)t->space->settings.seeds;
    return trial->proposal.point == best || t->n_left[i / seeds] > 0 || kt_trials_may_go_on(t, i);
}

void kt_sweep_files_clear_strangers(const kt_sweep_files *files, const kt_trials *trials, const kt_trial *best)
{
    kt_config config;
    char path[KT_PATH_BYTES], *end;
    struct dirent **found;
    if (best == NULL || kt_trials_config(trials, best, &config) != KT_OK)
        config.run.dir = "";
    if (kt_file_path(path, "%s/trials", files->dir) != KT_OK)
        return;
    const int n = scandir(path, &found, NULL, alphasort);
    for (int i = 0; i < n; free(found[i++])) {
        const uint64_t key = strtoull(found[i]->d_name, &end, 16);
        if (*end == '\0' && kt_trials_knows(trials, key) &&
            kt_file_path(path, "%s/trials/%s", files->dir, found[i]->d_name) == KT_OK &&
            !kt_file_same(path, config.run.dir))
            kt_file_remove_tree(path);
    }
    if (n >= 0)
        free(found);
}

void kt_sweep_files_clear(kt_trials *trials, uint64_t best)
{
    kt_config config;
    for (size_t i = 0; i < trials->n; i++) {
        kt_trial *trial = &trials->all[i];
        if (trial->state != KT_TRIAL_DONE || !trial->has_directory || is_needed(trials, i, best))
            continue;
        if (kt_trials_config(trials, trial, &config) == KT_OK)
            kt_file_remove_tree(config.run.dir);
        KT_TEST_POINT("cleared");
        trial->has_directory = false;
    }
}
