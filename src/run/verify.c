/* A table of the files that a run has, and how each is looked at. */
#include "run/verify.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "engine/config.h"
#include "saving/checkpoint.h"
#include "saving/checkpoint_file.h"
#include "saving/run_number.h"
#include "saving/snapshot.h"

enum { NOTE_BYTES = 160 };

typedef struct finding {
    char note[NOTE_BYTES]; /* what is in a good file, "" for nothing to be said */
    int64_t step;          /* of a checkpoint from which training can go on; else -1 */
} finding;

/* KT_OK: it is good. */
typedef kt_status look(const char *path, finding *found);

/* The checksums cover all of it; that head and counters can be read shows that HDF5 can open it. */
static kt_status look_at_checkpoint(const char *path, finding *found)
{
    *found = (finding){.step = -1};
    kt_hdf5 *file;
    kt_checkpoint_head head = {0};
    int64_t epoch = 0;
    KT_TRY(kt_checkpoint_file_open(path, &file, NULL));
    kt_status status = kt_checkpoint_read_head(file, path, &head);
    if (status == KT_OK)
        status = kt_hdf5_read_into(file, "/progress/step", KT_I64, 0, NULL, &found->step);
    if (status == KT_OK)
        status = kt_hdf5_read_into(file, "/progress/epoch", KT_I64, 0, NULL, &epoch);
    if (status == KT_OK)
        snprintf(found->note, NOTE_BYTES, "epoch %lld, step %lld", (long long)epoch, (long long)found->step);
    kt_checkpoint_free_head(&head);
    kt_hdf5_close(file);
    return status;
}

static kt_status look_at_model(const char *path, finding *found)
{
    const kt_status status = look_at_checkpoint(path, found);
    found->step = -1;
    return status;
}

static kt_status look_at_config(const char *path, finding *found)
{
    *found = (finding){.step = -1};
    kt_config config;
    unsigned char *text;
    size_t n_bytes;
    KT_TRY(kt_file_read(path, &text, &n_bytes));
    const kt_status status = kt_config_parse(path, (const char *)text, n_bytes, 0, NULL, &config);
    kt_memory_free(text);
    return status;
}

static kt_status look_at_json(const char *path, finding *found)
{
    *found = (finding){.step = -1};
    json_error_t error;
    json_t *root = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
    json_decref(root);
    return root != NULL ? KT_OK : kt_fail(KT_DATA, "%s:%d: %s", path, error.line, error.text);
}

/* Every line has as many cells as the first, and the last one its end. */
static kt_status look_at_table(const char *path, finding *found)
{
    *found = (finding){.step = -1};
    unsigned char *text;
    size_t n_bytes, n_lines = 0, wanted = 0;
    kt_status status = KT_OK;
    KT_TRY(kt_file_read(path, &text, &n_bytes));
    for (const char *line = (const char *)text, *end; *line != '\0' && status == KT_OK; line = end) {
        size_t n = 1;
        for (end = line; *end != '\0' && *end != '\n'; end++)
            n += *end == ',';
        n_lines++;
        wanted = n_lines == 1 ? n : wanted;
        if (n != wanted || *end == '\0')
            status = kt_fail(KT_DATA, "%s:%zu: cut short: has %zu cells, must have %zu and a newline", path, n_lines, n,
                             wanted);
        end += *end == '\n';
    }
    if (status == KT_OK && n_lines == 0)
        status = kt_fail(KT_DATA, "%s: is empty", path);
    snprintf(found->note, NOTE_BYTES, "%zu rows", n_lines > 0 ? n_lines - 1 : 0);
    kt_memory_free(text);
    return status;
}

static const struct file_row {
    const char *name;
    look *look;
} files[] = {
    {"config.ini", look_at_config}, {"best.h5", look_at_model},      {"history.csv", look_at_table},
    {"steps.csv", look_at_table},   {"attempts.csv", look_at_table}, {"confusion.csv", look_at_table},
    {"summary.json", look_at_json},
};

static int64_t look_at(const char *path, look *at, kt_log *log, kt_verified *out)
{
    finding found;
    const kt_status status = at(path, &found);
    out->n_files++;
    out->n_bad += status != KT_OK;
    if (log != NULL && status == KT_OK)
        kt_log_line(log, "good     %s%s%s", path, found.note[0] != '\0' ? "  " : "", found.note);
    else if (log != NULL)
        kt_log_line(log, "damaged  %s", kt_error_message());
    return status == KT_OK ? found.step : -1;
}

static kt_status look_at_checkpoints(const char *dir, kt_log *log, kt_verified *out)
{
    char directory[KT_PATH_BYTES];
    char(*paths)[KT_PATH_BYTES];
    size_t n;
    KT_TRY(kt_file_path(directory, "%s/checkpoints", dir));
    KT_TRY(kt_checkpoint_file_list(directory, &n, &paths));
    for (size_t i = 0; i < n; i++) {
        const int64_t step = look_at(paths[i], look_at_checkpoint, log, out);
        out->newest_step = step > out->newest_step ? step : out->newest_step;
    }
    kt_memory_free(paths);
    return KT_OK;
}

/* What is in memory is looked at by its heads alone: who goes on from it looks at all of it. */
static void look_for_snapshot(const char *dir, kt_log *log, kt_verified *out)
{
    char path[KT_PATH_BYTES];
    unsigned char *text;
    size_t n_bytes;
    kt_config config;
    if (kt_file_path(path, "%s/config.ini", dir) != KT_OK || kt_file_read(path, &text, &n_bytes) != KT_OK)
        return;
    const kt_status status = kt_config_parse(path, (const char *)text, n_bytes, 0, NULL, &config);
    kt_memory_free(text);
    const int64_t step = status == KT_OK ? kt_snapshots_peek(config.checkpoint.snapshots, kt_run_number_read(dir)) : -1;
    if (step > out->newest_step)
        out->newest_step = step;
    if (step >= 0 && log != NULL)
        kt_log_line(log, "memory   a snapshot of step %lld in %s", (long long)step, config.checkpoint.snapshots);
}

kt_status kt_verify_run(const char *dir, kt_log *log, kt_verified *out)
{
    char path[KT_PATH_BYTES];
    *out = (kt_verified){.newest_step = -1};
    KT_TRY(look_at_checkpoints(dir, log, out));
    look_for_snapshot(dir, log, out);
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        KT_TRY(kt_file_path(path, "%s/%s", dir, files[i].name));
        if (kt_file_exists(path))
            look_at(path, files[i].look, log, out);
    }
    return out->n_files > 0 ? KT_OK : kt_fail(KT_NO_INPUT, "%s: no run is there: must be the run.dir of one", dir);
}
