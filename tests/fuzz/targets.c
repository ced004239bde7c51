/* One small function for each reader, and the table of them. */
#include "targets.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "base/file.h"
#include "base/memory.h"
#include "engine/config.h"
#include "input/dataset.h"
#include "input/labels.h"
#include "run/attempts.h"
#include "run/model.h"
#include "saving/checkpoint_file.h"
#include "saving/snapshot.h"
#include "sweep/journal.h"
#include "sweep/space.h"

/* No file here is larger than some kilobytes. A library that asks for more gets none, as on a small host; where ktrain
 * does, kt_fuzz_read ends the process. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "max_allocation_size_mb=256:allocator_may_return_null=1:quarantine_size_mb=16";
}

/* HDF5 leaves some memory when it finds a file damaged. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libhdf5\n";
}

static kt_status write_file(const char *path, const unsigned char *bytes, size_t n)
{
    const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    const bool good = fd >= 0 && kt_file_write(fd, bytes, n) == n;
    if (fd >= 0)
        close(fd);
    return good ? KT_OK : kt_fail(KT_IO, "%s: cannot be written", path);
}

/* ---- texts ---- */

/* What was written of what was read must be read again, as the same. */
static kt_status read_ini(const kt_fuzz_input *input)
{
    kt_config config, again;
    char *text;
    KT_TRY(kt_config_parse("job.ini", (const char *)input->bytes, input->n, 0, NULL, &config));
    KT_TRY(kt_options_write_ini(kt_config_options(), &config, &text));
    kt_status status = kt_config_parse("again.ini", text, strlen(text), 0, NULL, &again);
    if (status != KT_OK || kt_config_key(&config) != kt_config_key(&again))
        status = kt_fail(KT_INTERNAL, "what was written is not what was read: %s", text);
    kt_memory_free(text);
    return status;
}

static kt_status read_sweep(const kt_fuzz_input *input)
{
    kt_space space;
    char *text = NULL;
    KT_TRY(kt_space_parse("sweep.ini", (const char *)input->bytes, input->n, 0, NULL, &space));
    kt_status status = kt_space_write(&space, &text);
    kt_space_free(&space);
    if (status == KT_OK && kt_space_parse("again.ini", text, strlen(text), 0, NULL, &space) != KT_OK)
        status = kt_fail(KT_INTERNAL, "what was written cannot be read: %s", text);
    kt_space_free(&space);
    kt_memory_free(text);
    return status;
}

static kt_status read_class_names(const kt_fuzz_input *input)
{
    size_t n;
    char **names;
    const kt_status status = kt_class_names_read(input->path, &n, &names);
    kt_class_names_free(n, names);
    return status;
}

static kt_status read_attempts(const kt_fuzz_input *input)
{
    const kt_attempts_sum sum = kt_attempts_read(input->path);
    return sum.n >= 0 && sum.lost_steps >= 0
               ? KT_OK
               : kt_fail(KT_INTERNAL, "attempts of %" PRId64 " lost steps", sum.lost_steps);
}

/* ---- data ---- */

static kt_status read_array(const char *path, bool labels, const kt_table_rules *rules)
{
    kt_array array;
    kt_notes notes = {0};
    int32_t *taken;
    size_t n, n_classes;
    KT_TRY(kt_format_read_by(path, labels, rules, &notes, &array));
    kt_labels_flatten(&array, 3);
    const kt_status status = kt_labels_from_array(&array, path, &taken, &n, &n_classes);
    kt_memory_free(taken);
    kt_array_free(&array);
    return status;
}

static kt_status read_dataset(const char *path, const kt_table_rules *rules)
{
    kt_dataset set;
    KT_TRY(kt_dataset_read(path, "", "", rules, &set));
    kt_dataset_describe(&set, NULL, set.n);
    kt_dataset_fingerprint(&set);
    kt_dataset_free(&set);
    return KT_OK;
}

static kt_status read_data(const kt_fuzz_input *input)
{
    (void)read_array(input->path, true, NULL);
    return read_dataset(input->path, NULL);
}

/* Of a file with members also one that was asked for. */
static kt_status read_member(const kt_fuzz_input *input)
{
    char name[KT_PATH_BYTES];
    KT_TRY(kt_file_path(name, "%s:y", input->path));
    (void)read_array(name, true, NULL);
    return read_data(input);
}

static kt_status read_table(const kt_fuzz_input *input)
{
    static const kt_table_rules rules[] = {{.header = KT_DECIDE_TRUE, .index_column = KT_DECIDE_TRUE},
                                           {.header = KT_DECIDE_FALSE, .index_column = KT_DECIDE_FALSE, .floats = true},
                                           {.n_rows = 3}};
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++)
        (void)read_array(input->path, i == 1, &rules[i]);
    return read_dataset(input->path, NULL);
}

/* ---- what ktrain has written ---- */

const char kt_fuzz_job[] = "[data]\nfeatures = x\nlabels = y\nscale = 3\n[model]\nhidden = [5]\nbatch_norm = true\n";

kt_network *kt_fuzz_network(void)
{
    static kt_network *network;
    kt_config config;
    if (network != NULL || kt_config_parse("job.ini", kt_fuzz_job, strlen(kt_fuzz_job), 0, NULL, &config) != KT_OK)
        return network;
    kt_network_spec spec = kt_config_network(&config, KT_FUZZ_FEATURES, KT_FUZZ_CLASSES);
    spec.n_slots = 0;
    spec.max_rows = 4;
    if (kt_network_create(&network, &spec) != KT_OK)
        network = NULL;
    return network;
}

/* The image in the envelope that it must have. */
static kt_status write_checkpoint(const kt_fuzz_input *input)
{
    enum { HEADER_BYTES = 512 };
    char *file;
    KT_TRY(KT_NEW(file, HEADER_BYTES + input->n));
    const int n = snprintf(file, HEADER_BYTES, "ktrain checkpoint\nformat %d\nbytes %zu\ncrc32 %08lx\n",
                           KT_CHECKPOINT_FORMAT, input->n, crc32_z(0, input->bytes, input->n));
    snprintf(file + n, (size_t)(HEADER_BYTES - n), "header %08lx\n", crc32_z(0, (unsigned char *)file, (size_t)n));
    memcpy(file + HEADER_BYTES, input->bytes, input->n);
    const kt_status status = write_file(input->path, (unsigned char *)file, HEADER_BYTES + input->n);
    kt_memory_free(file);
    return status;
}

/* All that a run reads of a checkpoint to go on, into a network like its own. */
static kt_status read_state(kt_hdf5 *file, const kt_model *model)
{
    float *const now = kt_network_parameters(model->network)->vector[0];
    float *const statistics = kt_network_state(model->network)->vector[0];
    float *slot;
    kt_run_state state;
    kt_history history = {0};
    KT_TRY(KT_NEW(slot, kt_network_parameters(model->network)->room));
    const kt_run_view view = {.network = model->network,
                              .now = {now, statistics},
                              .best = {now, statistics},
                              .n_slots = 2,
                              .slot_names = {"m", "v"},
                              .slots = {slot, slot},
                              .state = &state,
                              .history = &history};
    const kt_status status = kt_checkpoint_read(file, &view);
    kt_history_free(&history);
    kt_memory_free(slot);
    return status;
}

static kt_status read_rest(kt_hdf5 *file, const kt_model *model)
{
    kt_provenance provenance;
    kt_split split;
    KT_TRY(kt_checkpoint_read_provenance(file, &provenance));
    KT_TRY(kt_checkpoint_read_split(file, &split));
    kt_split_free(&split);
    return kt_checkpoint_is_model_only(file) ? KT_OK : read_state(file, model);
}

static kt_status read_checkpoint(const kt_fuzz_input *input)
{
    kt_model model;
    kt_hdf5 *file;
    KT_TRY(kt_model_open(input->path, 4, NULL, &model));
    kt_status status = kt_checkpoint_file_open(input->path, &file, NULL);
    if (status == KT_OK)
        status = read_rest(file, &model);
    kt_hdf5_close(file);
    kt_model_free(&model);
    return status;
}

static kt_status open_snapshots(const kt_fuzz_input *input, kt_snapshots **out)
{
    const kt_network *network = kt_fuzz_network();
    const kt_snapshot_shape shape = {1, kt_network_parameters(network)->room, kt_network_state(network)->room};
    const kt_snapshot_owner owner = {input->folder, input->folder, KT_FUZZ_RUN, KT_FUZZ_JOB};
    return kt_snapshots_create(out, &owner, &shape);
}

static kt_status write_into(const kt_snapshots *s, const char *name, const unsigned char *bytes, size_t n)
{
    char path[KT_PATH_BYTES];
    KT_TRY(kt_file_path(path, "%s/%s", kt_snapshots_path(s), name));
    return write_file(path, bytes, n);
}

/* The bytes are those of the best epoch's weights, and behind them those of a snapshot. */
static kt_status write_snapshot(const kt_fuzz_input *input)
{
    const kt_network *network = kt_fuzz_network();
    const kt_snapshot_shape shape = {1, kt_network_parameters(network)->room, kt_network_state(network)->room};
    const size_t n_best = kt_snapshot_best_bytes(&shape) < input->n ? kt_snapshot_best_bytes(&shape) : input->n;
    kt_snapshots *s;
    KT_TRY(open_snapshots(input, &s)); /* makes the folder, the first time */
    kt_status status = write_into(s, "best-0", input->bytes, n_best);
    if (status == KT_OK)
        status = write_into(s, "0", input->bytes + n_best, input->n - n_best);
    kt_snapshots_close(s, false);
    return status;
}

static kt_status read_snapshot(const kt_fuzz_input *input)
{
    kt_snapshots *s;
    kt_run_state state;
    kt_history history = {0};
    int best;
    KT_TRY(open_snapshots(input, &s));
    kt_snapshots_peek(input->folder, KT_FUZZ_RUN);
    const int newest = kt_snapshots_newest(s, kt_fuzz_network(), 0, &best);
    const kt_status status =
        newest >= 0 ? kt_snapshots_read(s, newest, &state, &history) : kt_fail(KT_DATA, "no snapshot is whole");
    kt_history_free(&history);
    kt_snapshots_close(s, false);
    return status;
}

/* Each line gets the checksum that it must have: else none is read further. */
static kt_status write_journal(const kt_fuzz_input *input)
{
    kt_text_buffer text = {0};
    char *lines;
    for (size_t at = 0, n; at < input->n; at += n + 1) {
        const unsigned char *line = input->bytes + at, *end = memchr(line, '\n', input->n - at);
        n = end != NULL ? (size_t)(end - line) : input->n - at;
        n = memchr(line, '\0', n) != NULL ? strlen((const char *)line) : n;
        kt_text_append(&text, "%.*s, \"crc\": \"%08lx\"}\n", (int)n, (const char *)line, crc32_z(0, line, n));
    }
    const size_t n_bytes = text.n;
    KT_TRY(kt_text_take(&text, &lines));
    const kt_status status = write_file(input->path, (unsigned char *)lines, n_bytes);
    kt_memory_free(lines);
    return status;
}

static kt_status count_line(void *context, const kt_config *config, const kt_outcome *outcome)
{
    (void)config, (void)outcome;
    ++*(size_t *)context;
    return KT_OK;
}

static kt_status read_journal(const kt_fuzz_input *input)
{
    size_t n_good = 0, n_damaged, first;
    KT_TRY(kt_journal_read(input->path, count_line, &n_good, &n_damaged, &first));
    return n_good > 0 ? KT_OK : kt_fail(KT_DATA, "no line is good");
}

/* ---- all ---- */

const kt_fuzz_target kt_fuzz_targets[] = {
    {"ini", "job.ini", NULL, read_ini, false},
    {"sweep", "sweep.ini", NULL, read_sweep, false},
    {"npy", "x.npy", NULL, read_data, false},
    {"npz", "x.npz", NULL, read_member, false},
    {"idx", "x.idx", NULL, read_data, false},
    {"table", "x.csv", NULL, read_table, false},
    {"classes", "classes.csv", NULL, read_class_names, false},
    {"hdf5", "x.h5", NULL, read_member, true},
    {"checkpoint", "step-1.h5", NULL, read_checkpoint, false},
    {"checkpoint_content", "step-1.h5", write_checkpoint, read_checkpoint, true},
    {"snapshot", "snapshot", write_snapshot, read_snapshot, false},
    {"journal", "journal.jsonl", NULL, read_journal, false},
    {"journal_content", "journal.jsonl", write_journal, read_journal, false},
    {"attempts", "attempts.csv", NULL, read_attempts, false},
};
const size_t kt_n_fuzz_targets = sizeof kt_fuzz_targets / sizeof kt_fuzz_targets[0];

const kt_fuzz_target *kt_fuzz_find(const char *name)
{
    for (size_t i = 0; i < kt_n_fuzz_targets; i++)
        if (strcmp(kt_fuzz_targets[i].name, name) == 0)
            return &kt_fuzz_targets[i];
    return NULL;
}

static void give_up(const kt_fuzz_target *target)
{
    fprintf(stderr, "%s: %s\n", target->name, kt_error_message());
    abort();
}

kt_status kt_fuzz_read(const kt_fuzz_target *target, const char *folder, const unsigned char *bytes, size_t n)
{
    char path[KT_PATH_BYTES];
    KT_TRY(kt_file_path(path, "%s/%s", folder, target->file));
    const kt_fuzz_input input = {folder, path, bytes, n};
    kt_status status = target->write != NULL ? target->write(&input) : write_file(path, bytes, n);
    if (status != KT_OK)
        give_up(target);
    status = target->read(&input);
    if (status == KT_NO_MEMORY || status == KT_INTERNAL)
        give_up(target);
    return status;
}
