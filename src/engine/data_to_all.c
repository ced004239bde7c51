/* One copy of rank 0's data for the ranks of each host. */
#include <string.h>

#include "base/memory.h"
#include "engine/data_private.h"

static size_t features_bytes(const kt_dataset *set)
{
    return set->n * set->d * kt_type_bytes(set->type);
}

/* Labels follow the features, on a cache line of their own. */
static size_t labels_offset(const kt_dataset *set)
{
    return (features_bytes(set) / 64 + 1) * 64;
}

/* The ranks of each host, and the first ranks of all hosts. */
static kt_status group(kt_comm *comm, kt_data *data, kt_comm **firsts)
{
    KT_TRY(kt_comm_agree(comm, kt_comm_group_host(comm, &data->host)));
    return kt_comm_agree(comm, kt_comm_group(comm, kt_comm_rank(data->host) == 0 ? 0 : 1, firsts));
}

/* A copy of the rank's own, for what rank 0 will send; rank 0 has it. */
static kt_status allocate_copy(kt_dataset *set, bool labelled)
{
    if (set->features != NULL)
        return KT_OK;
    set->features = kt_memory_new(features_bytes(set), 1);
    if (set->features == NULL)
        return KT_NO_MEMORY;
    return labelled ? KT_NEW(set->labels, set->n) : KT_OK;
}

/* The set's arrays lie in the pool from now on; what rank 0 has read moves there. */
static void use_pool(kt_data *data, bool labelled)
{
    kt_dataset *set = &data->set;
    char *memory = kt_pool_memory(data->pool);
    kt_dataset own = {.features = set->features, .labels = set->labels};
    set->borrowed = true;
    set->features = memory;
    set->labels = labelled ? (int32_t *)(void *)(memory + labels_offset(set)) : NULL;
    if (own.features != NULL)
        memcpy(set->features, own.features, features_bytes(set));
    if (own.labels != NULL)
        memcpy(set->labels, own.labels, set->n * sizeof *own.labels);
    if (!data->view)
        kt_dataset_free(&own);
}

/* Room for rank 0's data: one pool for the ranks of a host, else (one rank, or no room for a pool) a copy each. */
static kt_status make_room(kt_comm *comm, kt_data *data, const size_t n_split[KT_N_PARTS], bool labelled)
{
    size_t n_bytes = labels_offset(&data->set) + (labelled ? data->set.n * sizeof *data->set.labels : 0);
    kt_status status = kt_comm_rank(comm) == 0 ? KT_OK : kt_split_allocate(&data->split, n_split);
    if (kt_comm_size(data->host) > 1 && kt_pool_create(data->host, n_bytes, &data->pool) == KT_OK)
        use_pool(data, labelled);
    else if (status == KT_OK)
        status = allocate_copy(&data->set, labelled);
    return kt_comm_agree(comm, status);
}

static void send(kt_comm *comm, kt_dataset *set)
{
    kt_comm_broadcast(comm, 0, set->features, features_bytes(set));
    if (set->labels != NULL)
        kt_comm_broadcast(comm, 0, set->labels, set->n * sizeof *set->labels);
}

static kt_status fill(kt_comm *comm, kt_comm *firsts, kt_data *data, const size_t n_split[KT_N_PARTS], bool labelled)
{
    KT_TRY(make_room(comm, data, n_split, labelled));
    if (kt_comm_rank(data->host) == 0)
        send(firsts, &data->set);
    if (data->pool != NULL)
        kt_pool_barrier(data->pool);
    else
        send(data->host, &data->set);
    for (int p = 0; p < KT_N_PARTS; p++)
        kt_comm_broadcast(comm, 0, data->split.index[p], data->split.n[p] * sizeof *data->split.index[p]);
    return KT_OK;
}

/* Rank 0's class names, one after the other with their NULs, to all. */
static kt_status send_names(kt_comm *comm, kt_dataset *set)
{
    uint64_t n_bytes = 0;
    char *text = NULL;
    for (size_t c = 0; set->class_names != NULL && c < set->n_classes; c++)
        n_bytes += strlen(set->class_names[c]) + 1;
    kt_comm_broadcast(comm, 0, &n_bytes, sizeof n_bytes);
    if (n_bytes == 0)
        return KT_OK;
    kt_status status = KT_NEW(text, n_bytes);
    if (status == KT_OK && set->class_names == NULL)
        status = KT_NEW(set->class_names, set->n_classes);
    else if (status == KT_OK)
        for (size_t c = 0, at = 0; c < set->n_classes; at += strlen(set->class_names[c++]) + 1)
            strcpy(text + at, set->class_names[c]);
    status = kt_comm_agree(comm, status);
    if (status == KT_OK) {
        kt_comm_broadcast(comm, 0, text, n_bytes);
        for (size_t c = 0, at = 0; c < set->n_classes && status == KT_OK; at += strlen(text + at) + 1, c++)
            if (set->class_names[c] == NULL && (status = KT_NEW(set->class_names[c], strlen(text + at) + 1)) == KT_OK)
                strcpy(set->class_names[c], text + at);
        status = kt_comm_agree(comm, status);
    }
    kt_memory_free(text);
    return status;
}

/* What rank 0 tells of its data before it sends them. No pointers: they are of its own process only. */
typedef struct facts {
    bool labelled, narrowed;
    size_t n, d, n_classes, shape[2], n_left_out, n_split[KT_N_PARTS];
    kt_type type, file_type;
    kt_notes notes;
    struct kt_own_file own_files[KT_N_PARTS];
    uint64_t fingerprint;
    kt_dataset_statistics statistics;
} facts;

static facts facts_of(const kt_data *data)
{
    const kt_dataset *set = &data->set;
    facts f = {
        .labelled = set->labels != NULL,
        .n = set->n,
        .d = set->d,
        .n_classes = set->n_classes,
        .shape = {set->shape[0], set->shape[1]},
        .n_left_out = set->n_left_out,
        .type = set->type,
        .narrowed = set->narrowed,
        .file_type = set->file_type,
        .notes = set->notes,
        .fingerprint = data->fingerprint,
        .statistics = data->statistics,
    };
    memcpy(f.n_split, data->split.n, sizeof f.n_split);
    memcpy(f.own_files, data->own_files, sizeof f.own_files);
    return f;
}

static kt_data data_of(const facts *f)
{
    kt_data data = {
        .set = {.n = f->n,
                .d = f->d,
                .n_classes = f->n_classes,
                .shape = {f->shape[0], f->shape[1]},
                .n_left_out = f->n_left_out,
                .type = f->type,
                .narrowed = f->narrowed,
                .file_type = f->file_type,
                .notes = f->notes},
        .fingerprint = f->fingerprint,
        .statistics = f->statistics,
    };
    memcpy(data.own_files, f->own_files, sizeof data.own_files);
    return data;
}

/* Everyone gets rank 0's data. */
static kt_status distribute(kt_comm *comm, kt_data *data)
{
    facts f = facts_of(data);
    kt_comm *firsts = NULL;
    kt_comm_broadcast(comm, 0, &f, sizeof f);
    if (kt_comm_rank(comm) != 0)
        *data = data_of(&f);
    kt_status status = group(comm, data, &firsts);
    if (status == KT_OK)
        status = fill(comm, firsts, data, f.n_split, f.labelled);
    if (status == KT_OK)
        status = send_names(comm, &data->set);
    kt_comm_free(firsts);
    return status;
}

kt_status kt_data_give(kt_comm *comm, kt_status read_status, kt_data *data)
{
    kt_status status = kt_comm_agree(comm, read_status);
    if (status == KT_OK && kt_comm_size(comm) > 1)
        status = distribute(comm, data);
    if (status != KT_OK)
        kt_data_free(data);
    return status;
}

kt_status kt_data_to_all(kt_comm *comm, const kt_config *config, const kt_data *data, kt_data *out)
{
    *out = (kt_data){0};
    return kt_data_give(comm, kt_comm_rank(comm) == 0 ? kt_data_view(data, config, out) : KT_OK, out);
}
