/* The table of a checkpoint's fields, written and read by the same rows. */
#include "saving/checkpoint.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "saving/checkpoint_file.h"

/* Scalars by name, so that saving and loading are the same list. */
typedef struct field {
    const char *path;
    kt_type type;
    size_t offset; /* in kt_run_state */
} field;

#define PLACE(path, type, member)                  \
    {                                              \
        path, type, offsetof(kt_run_state, member) \
    }

static const field fields[] = {
    PLACE("/progress/epoch", KT_I64, progress.epoch),
    PLACE("/progress/step", KT_I64, progress.step),
    PLACE("/progress/step_in_epoch", KT_I64, progress.step_in_epoch),
    PLACE("/progress/loss_sum", KT_F64, progress.sums.loss),
    PLACE("/progress/cross_entropy_sum", KT_F64, progress.sums.cross_entropy),
    PLACE("/progress/correct", KT_I64, progress.sums.correct),
    PLACE("/progress/samples", KT_I64, progress.sums.samples),
    PLACE("/progress/seconds", KT_F64, progress.seconds),
    PLACE("/progress/ranks", KT_I64, progress.ranks),
    PLACE("/early_stopping/best_loss", KT_F64, stopping.best_loss),
    PLACE("/early_stopping/best_epoch", KT_I64, stopping.best_epoch),
    PLACE("/early_stopping/n_bad", KT_I64, stopping.n_bad),
    PLACE("/schedule/best", KT_F64, schedule.best),
    PLACE("/schedule/reductions", KT_F64, schedule.reductions),
    PLACE("/schedule/n_bad", KT_I64, schedule.n_bad),
    PLACE("/schedule/n_seen", KT_I64, schedule.n_seen),
};

enum { N_FIELDS = sizeof fields / sizeof fields[0], PATH = 256 };

typedef kt_status tensor_function(kt_hdf5 *file, const char *path, const kt_tensor *tensor, float *data);

static void make_rows(const void *tensor, const void *data, size_t first, size_t n, void *rows)
{
    kt_tensor_rows_to_file(tensor, data, first, n, rows);
}

/* Only when the file goes to disk are its rows made: the largest tensor of a file needs no memory. */
static kt_status write_tensor(kt_hdf5 *file, const char *path, const kt_tensor *tensor,
                              float *data) // NOLINT(readability-non-const-parameter): others read into it
{
    return kt_hdf5_write_later(file, path, KT_F32, tensor->n_dims, tensor->dims,
                               (kt_hdf5_rows){make_rows, tensor, data});
}

static kt_status read_tensor(kt_hdf5 *file, const char *path, const kt_tensor *tensor, float *data)
{
    float *as_named;
    KT_TRY(KT_NEW(as_named, tensor->n));
    const kt_status status = kt_hdf5_read_into(file, path, KT_F32, tensor->n_dims, tensor->dims, as_named);
    if (status == KT_OK)
        kt_tensor_from_file(tensor, as_named, data);
    kt_memory_free(as_named);
    return status;
}

/* Every tensor of a vector, as group/name; the names of groups and tensors are ours, and short. */
static kt_status each_tensor(kt_hdf5 *file, const char *group, const kt_tensors *all, float *vector,
                             tensor_function *visit)
{
    for (const kt_tensor *t = all->tensor; t < all->tensor + all->n; t++) {
        char path[PATH];
        snprintf(path, sizeof path, "%.*s/%s", PATH / 2, group, t->name);
        KT_TRY(visit(file, path, t, vector + t->offset));
    }
    return KT_OK;
}

static kt_status each_model_tensor(kt_hdf5 *file, const char *group, const kt_network *network, kt_model_vectors model,
                                   tensor_function *visit)
{
    KT_TRY(each_tensor(file, group, kt_network_parameters(network), model.parameters, visit));
    return each_tensor(file, group, kt_network_state(network), model.state, visit);
}

static kt_status each_slot(kt_hdf5 *file, const kt_run_view *s, tensor_function *visit)
{
    for (size_t k = 0; k < s->n_slots; k++) {
        char group[PATH];
        snprintf(group, sizeof group, "/optimizer/%s", s->slot_names[k]);
        KT_TRY(each_tensor(file, group, kt_network_parameters(s->network), s->slots[k], visit));
    }
    return KT_OK;
}

static kt_status write_history(kt_hdf5 *file, const kt_history *history)
{
    double *column;
    kt_status status = KT_NEW(column, history->n);
    for (size_t c = 0; c < KT_HISTORY_COLUMNS && status == KT_OK; c++) {
        char path[PATH];
        snprintf(path, sizeof path, "/history/%s", kt_history_columns[c]);
        for (size_t i = 0; i < history->n; i++)
            column[i] = kt_history_values(&history->records[i])[c];
        status = kt_hdf5_write(file, path, KT_F64, 1, &history->n, column);
    }
    kt_memory_free(column);
    return status;
}

static kt_status read_history(kt_hdf5 *file, kt_history *history)
{
    for (size_t c = 0; c < KT_HISTORY_COLUMNS; c++) {
        char path[PATH];
        kt_array column;
        snprintf(path, sizeof path, "/history/%s", kt_history_columns[c]);
        KT_TRY(kt_hdf5_read(file, path, &column));
        kt_status status = KT_OK;
        for (size_t i = 0; c == 0 && i < kt_array_count(&column) && status == KT_OK; i++)
            status = kt_history_append(history, &(kt_epoch_record){0});
        if (status == KT_OK && kt_array_count(&column) != history->n)
            status = kt_fail(KT_DATA, "%s has %zu records: must have %zu like the others", path,
                             kt_array_count(&column), history->n);
        for (size_t i = 0; i < history->n && status == KT_OK; i++)
            ((double *)&history->records[i])[c] = kt_array_get(&column, i);
        kt_array_free(&column);
        KT_TRY(status);
    }
    return KT_OK;
}

static kt_status write_scalar(kt_hdf5 *file, const char *path, kt_type type, const void *value)
{
    return kt_hdf5_write(file, path, type, 0, NULL, value);
}

static kt_status write_u64(kt_hdf5 *file, const char *path, uint64_t value)
{
    return write_scalar(file, path, KT_U64, &value);
}

static kt_status write_config(kt_hdf5 *file, const kt_config *config)
{
    char *text;
    KT_TRY(kt_options_write_ini(kt_config_options(), config, &text));
    kt_status status = kt_hdf5_write_text(file, "/config", text);
    kt_memory_free(text);
    return status;
}

static kt_status write_data(kt_hdf5 *file, const kt_data *data, double scale)
{
    const kt_dataset *set = &data->set;
    const kt_dataset_statistics *s = &data->statistics;
    const double statistics[] = {s->min, s->max, s->mean, s->standard_deviation, s->zero_fraction};
    const uint64_t shape[] = {set->shape[0], set->shape[1]};
    KT_TRY(write_u64(file, "/data/fingerprint", data->fingerprint));
    KT_TRY(write_u64(file, "/data/samples", set->n));
    KT_TRY(write_u64(file, "/data/features", set->d));
    KT_TRY(write_u64(file, "/data/classes", set->n_classes));
    KT_TRY(write_u64(file, "/data/type", set->file_type));
    KT_TRY(kt_hdf5_write(file, "/data/shape", KT_U64, 1, (size_t[]){2}, shape));
    KT_TRY(kt_hdf5_write(file, "/data/statistics", KT_F64, 1, (size_t[]){5}, statistics));
    KT_TRY(write_scalar(file, "/data/scale", KT_F64, &scale));
    if (set->class_names != NULL)
        KT_TRY(kt_hdf5_write_texts(file, "/data/class_names", set->n_classes, set->class_names));
    for (int p = 0; p < KT_N_PARTS; p++) {
        char path[PATH];
        snprintf(path, sizeof path, "/split/%s", kt_part_names[p]);
        KT_TRY(kt_hdf5_write(file, path, KT_U32, 1, &data->split.n[p], data->split.index[p]));
    }
    return KT_OK;
}

static const char provenance_path[] = "/provenance/%s";

static kt_status write_provenance(kt_hdf5 *file, const kt_provenance *provenance)
{
    for (size_t i = 0; i < kt_n_provenance_rows; i++) {
        char path[PATH];
        snprintf(path, sizeof path, provenance_path, kt_provenance_rows[i].name);
        KT_TRY(kt_hdf5_write_text(file, path, kt_provenance_text(provenance, &kt_provenance_rows[i])));
    }
    return KT_OK;
}

kt_status kt_checkpoint_read_provenance(kt_hdf5 *file, kt_provenance *out)
{
    memset(out, 0, sizeof *out);
    for (size_t i = 0; i < kt_n_provenance_rows; i++) {
        char path[PATH], *text;
        snprintf(path, sizeof path, provenance_path, kt_provenance_rows[i].name);
        if (!kt_hdf5_has(file, path))
            continue;
        KT_TRY(kt_hdf5_read_text(file, path, &text));
        kt_provenance_set_text(out, &kt_provenance_rows[i], text);
        kt_memory_free(text);
    }
    return KT_OK;
}

/* What checkpoints and model files share. */
static kt_status fill_model(kt_hdf5 *file, const kt_run_view *s, kt_model_vectors model)
{
    KT_TRY(write_config(file, s->config));
    KT_TRY(write_provenance(file, s->provenance));
    KT_TRY(write_data(file, s->data, s->config->data.scale));
    KT_TRY(each_model_tensor(file, "/model", s->network, model, write_tensor));
    for (size_t i = 0; i < N_FIELDS; i++)
        KT_TRY(write_scalar(file, fields[i].path, fields[i].type, (const char *)s->state + fields[i].offset));
    return write_history(file, s->history);
}

static const char model_only[] = "/model_only"; /* there in a model file */

bool kt_checkpoint_is_model_only(kt_hdf5 *file)
{
    return kt_hdf5_has(file, model_only);
}

static bool best_is_another(const kt_run_view *s)
{
    return s->state->stopping.best_epoch > 0 &&
           (s->state->stopping.best_epoch < s->state->progress.epoch || s->state->progress.step_in_epoch > 0);
}

static kt_status fill_all(kt_hdf5 *file, const kt_run_view *s)
{
    KT_TRY(fill_model(file, s, s->now));
    if (best_is_another(s))
        KT_TRY(each_model_tensor(file, "/best", s->network, s->best, write_tensor));
    return each_slot(file, s, write_tensor);
}

static kt_status fill_best(kt_hdf5 *file, const kt_run_view *s)
{
    KT_TRY(fill_model(file, s, s->best));
    return kt_hdf5_write_text(file, model_only, "the weights of the best epoch; no state of the optimizer");
}

static kt_status write_filled(const char *path, const kt_run_view *view,
                              kt_status (*fill)(kt_hdf5 *file, const kt_run_view *view))
{
    kt_hdf5 *file;
    KT_TRY(kt_hdf5_create(&file));
    kt_status status = fill(file, view);
    if (status == KT_OK)
        status = kt_checkpoint_file_write(path, file);
    kt_hdf5_close(file);
    return status;
}

kt_status kt_checkpoint_write(const char *path, const kt_run_view *view)
{
    return write_filled(path, view, fill_all);
}

kt_status kt_checkpoint_write_best(const char *path, const kt_run_view *view)
{
    return write_filled(path, view, fill_best);
}

static kt_status read_u64(kt_hdf5 *file, const char *path, size_t *value)
{
    uint64_t wide;
    KT_TRY(kt_hdf5_read_into(file, path, KT_U64, 0, NULL, &wide));
    *value = (size_t)wide;
    return KT_OK;
}

static kt_status read_config(kt_hdf5 *file, const char *path, kt_config *config)
{
    char *text;
    KT_TRY(kt_hdf5_read_text(file, "/config", &text));
    kt_status status = kt_config_parse(path, text, strlen(text), 0, NULL, config);
    kt_memory_free(text);
    return status;
}

static kt_status read_head(kt_hdf5 *file, const char *path, kt_checkpoint_head *h)
{
    double s[5];
    size_t fingerprint, type;
    KT_TRY(read_config(file, path, &h->config));
    KT_TRY(read_u64(file, "/data/fingerprint", &fingerprint));
    KT_TRY(read_u64(file, "/data/features", &h->data.n_in));
    KT_TRY(read_u64(file, "/data/classes", &h->data.n_classes));
    KT_TRY(read_u64(file, "/data/type", &type));
    KT_TRY(kt_hdf5_read_into(file, "/data/statistics", KT_F64, 1, (size_t[]){5}, s));
    h->data.fingerprint = fingerprint;
    h->data.file_type = type < KT_N_TYPES ? (kt_type)type : KT_F32;
    h->data.statistics = (kt_dataset_statistics){s[0], s[1], s[2], s[3], s[4]};
    return kt_hdf5_has(file, "/data/class_names")
               ? kt_hdf5_read_texts(file, "/data/class_names", &h->n_names, &h->class_names)
               : KT_OK;
}

kt_status kt_checkpoint_read_head(kt_hdf5 *file, const char *path, kt_checkpoint_head *head)
{
    memset(head, 0, sizeof *head);
    kt_status status = read_head(file, path, head);
    if (status != KT_OK)
        kt_checkpoint_free_head(head);
    return status;
}

void kt_checkpoint_free_head(kt_checkpoint_head *head)
{
    for (size_t i = 0; i < head->n_names; i++)
        kt_memory_free(head->class_names[i]);
    kt_memory_free(head->class_names);
    memset(head, 0, sizeof *head);
}

kt_status kt_checkpoint_read_tensors(kt_hdf5 *file, const char *group, const kt_network *network,
                                     kt_model_vectors model)
{
    return each_model_tensor(file, group, network, model, read_tensor);
}

kt_status kt_checkpoint_read(kt_hdf5 *file, const kt_run_view *view)
{
    KT_TRY(kt_checkpoint_read_tensors(file, "/model", view->network, view->now));
    for (size_t i = 0; i < N_FIELDS; i++)
        KT_TRY(
            kt_hdf5_read_into(file, fields[i].path, fields[i].type, 0, NULL, (char *)view->state + fields[i].offset));
    const char *best = best_is_another(view) ? "/best" : "/model";
    if (view->state->stopping.best_epoch > 0)
        KT_TRY(kt_checkpoint_read_tensors(file, best, view->network, view->best));
    KT_TRY(each_slot(file, view, read_tensor));
    return read_history(file, view->history);
}

kt_status kt_checkpoint_read_split(kt_hdf5 *file, kt_split *split)
{
    size_t n[KT_N_PARTS];
    kt_array parts[KT_N_PARTS] = {0};
    kt_status status = KT_OK;
    for (int p = 0; p < KT_N_PARTS && status == KT_OK; p++) {
        char path[PATH];
        snprintf(path, sizeof path, "/split/%s", kt_part_names[p]);
        status = kt_hdf5_read(file, path, &parts[p]);
        n[p] = status == KT_OK ? kt_array_count(&parts[p]) : 0;
    }
    if (status == KT_OK)
        status = kt_split_allocate(split, n);
    for (int p = 0; p < KT_N_PARTS; p++) {
        for (size_t i = 0; status == KT_OK && i < n[p]; i++)
            split->index[p][i] = (uint32_t)kt_array_get(&parts[p], i);
        kt_array_free(&parts[p]);
    }
    return status;
}
