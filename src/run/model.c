/* Loading a model and its network, on many ranks or none. */
#include "run/model.h"

#include <stdint.h>
#include <string.h>

#include "engine/data_check.h"
#include "run/run_directory.h"

void kt_model_free(kt_model *model)
{
    kt_checkpoint_free_head(&model->head);
    kt_network_free(model->network);
    kt_replica_free(&model->replica);
    memset(model, 0, sizeof *model);
}

/* Rank 0: the file, verified, and its head. */
static kt_status open_model(const char *path, kt_log *log, kt_model *model, kt_hdf5 **file)
{
    KT_TRY(kt_run_directory_open_model(path, log, file, model->path));
    return kt_checkpoint_read_head(*file, model->path, &model->head);
}

static kt_status read_tensors(kt_hdf5 *file, kt_network *network)
{
    return kt_checkpoint_read_tensors(
        file, "/model", network,
        (kt_model_vectors){kt_network_parameters(network)->vector[0], kt_network_state(network)->vector[0]});
}

/* The network as it is used: nothing for training, and the best instructions of this processor. */
static kt_network_spec spec_of(const kt_model *model, size_t max_rows)
{
    const kt_checkpoint_head *head = &model->head;
    kt_network_spec spec = kt_config_network(&head->config, head->data.n_in, head->data.n_classes);
    spec.kernels = 0;
    spec.n_slots = 0;
    spec.max_rows = max_rows;
    return spec;
}

static kt_status create_network(kt_comm *comm, size_t max_rows, kt_model *model)
{
    kt_network_spec spec = spec_of(model, max_rows);
    kt_network_room room;
    kt_replica_agree_on_products(comm, &spec);
    KT_TRY(kt_replica_create(&model->replica, comm, SIZE_MAX));
    kt_status status = kt_network_measure(&spec, &model->replica.team, &room);
    if (status != KT_OK)
        kt_fail_context(status, "%s", model->path);
    KT_TRY(kt_comm_agree(comm, status));
    KT_TRY(kt_replica_allocate(&model->replica, &(kt_replica_room){.n_bytes = room.shared_bytes,
                                                                   .letter_bytes = room.letter_bytes,
                                                                   .rank_bytes = room.rank_bytes}));
    return kt_comm_agree(comm, kt_network_create_in_team(&model->network, &spec, &model->replica.team,
                                                         kt_replica_memory(&model->replica)));
}

static kt_status load(kt_comm *comm, const char *path, size_t max_rows, kt_log *log, kt_model *model, kt_hdf5 **file)
{
    bool root = kt_comm_rank(comm) == 0;
    KT_TRY(kt_comm_agree(comm, root ? open_model(path, log, model, file) : KT_OK));
    KT_TRY(kt_config_broadcast(comm, &model->head.config));
    kt_comm_broadcast(comm, 0, &model->head.data, sizeof model->head.data);
    if (!root)
        kt_file_path(model->path, "%s", path); /* what was asked for: rank 0 knows the file */
    KT_TRY(create_network(comm, max_rows, model));
    KT_TRY(kt_comm_agree(comm, root ? read_tensors(*file, model->network) : KT_OK));
    kt_replica_spread_network(&model->replica, model->network);
    return KT_OK;
}

kt_status kt_model_load(kt_comm *comm, const char *path, size_t max_rows, kt_log *log, kt_model *out)
{
    kt_hdf5 *file = NULL;
    memset(out, 0, sizeof *out);
    kt_status status = load(comm, path, max_rows, log, out, &file);
    kt_hdf5_close(file);
    if (status != KT_OK)
        kt_model_free(out);
    return status;
}

kt_status kt_model_table_rules(const kt_model *model, const char *header, kt_table_rules *rules)
{
    *rules = model->head.config.data.tables;
    return header != NULL ? kt_decision_parse("--header", header, &rules->header) : KT_OK;
}

static kt_status open_alone(const char *path, size_t max_rows, kt_log *log, kt_model *model, kt_hdf5 **file)
{
    KT_TRY(open_model(path, log, model, file));
    const kt_network_spec spec = spec_of(model, max_rows);
    const kt_status status = kt_network_create(&model->network, &spec);
    return status == KT_OK ? read_tensors(*file, model->network) : kt_fail_context(status, "%s", model->path);
}

kt_status kt_model_open(const char *path, size_t max_rows, kt_log *log, kt_model *out)
{
    kt_hdf5 *file = NULL;
    memset(out, 0, sizeof *out);
    const kt_status status = open_alone(path, max_rows, log, out, &file);
    kt_hdf5_close(file);
    if (status != KT_OK)
        kt_model_free(out);
    return status;
}

kt_status kt_model_check_data(const kt_model *model, const kt_data *data, const char *name, kt_log *log)
{
    const kt_dataset *set = &data->set;
    if (set->d != model->head.data.n_in)
        return kt_fail(KT_DATA, "%s: has %zu features a sample: must have %zu, like what %s was trained on", name,
                       set->d, model->head.data.n_in, model->path);
    if (set->n_classes > model->head.data.n_classes)
        return kt_fail(KT_DATA, "%s: its labels go up to %zu: must be below %zu, the classes of %s", name,
                       set->n_classes - 1, model->head.data.n_classes, model->path);
    kt_notes notes = set->notes;
    kt_data_compare(&(kt_looks){"the training data", model->head.data.statistics, model->head.data.file_type},
                    &(kt_looks){name, data->statistics, set->file_type}, model->head.config.data.scale, &notes);
    kt_log_notes(log, &notes);
    return KT_OK;
}
