/* What a run learns from: the data set and its split, as the configuration says, the same on every rank. */
#ifndef KTRAIN_DATA_H
#define KTRAIN_DATA_H

#include "edge/comm_pool.h"
#include "engine/config.h"
#include "input/dataset.h"
#include "input/split.h"

typedef struct kt_data {
    kt_dataset set; /* all parts' samples; rows of separate validation and test files follow the others. Read only: the
                     * ranks of a host have one copy */
    kt_split split;
    struct kt_own_file {
        size_t first, n;
        kt_type file_type;
    } own_files[KT_N_PARTS]; /* the rows of parts that have files of their own; n = 0: cut from the main file */
    uint64_t fingerprint;
    kt_dataset_statistics statistics; /* of all samples */
    kt_comm *host;                    /* the ranks of this host; NULL when there is one rank in all */
    kt_pool *pool;                    /* of host, where the set's arrays lie; NULL: this rank has its own */
    bool view;                        /* the set belongs to another kt_data */
    const uint8_t *parts; /* [n], borrowed: each row's part (kt_part), chosen by who has the arrays; NULL: cut as the
                           * configuration says */
} kt_data;

/* Rank 0 reads and checks the files, every host gets a copy that its ranks share (every rank one of its own where a
 * host has no room for shared memory). Collective. KT_NO_INPUT, KT_DATA (also: a class in
 * validation or test that training lacks; parts of different width), KT_CONFIG. *out is zeroed on failure. */
kt_status kt_data_load(kt_comm *comm, const kt_config *config, kt_data *out);

/* Returns the status that loading has failed with. When the file that is not there is there by the same path from
 * another folder, which is `what` ("beside the job file"), the recorded sentence says so. Local. */
kt_status kt_data_fail_where(kt_status status, const kt_config *config, const char *folder, const char *what);

/* The samples of `data` split as another configuration says, which names the same files (kt_data_same_files): what
 * kt_data_load of it would give. Borrows data. Local. KT_DATA, KT_CONFIG. *out is zeroed on failure. */
kt_status kt_data_view(const kt_data *data, const kt_config *config, kt_data *out);

bool kt_data_same_files(const kt_config *a, const kt_config *b);

/* Statistics and fingerprint of data->set, which the caller has filled; what kt_data_view needs. Local. */
void kt_data_describe(kt_data *data);

/* Everyone gets rank 0's data (not read elsewhere; its set is borrowed for the lifetime of *out), cut as the
 * configuration says, like kt_data_load. Collective. KT_DATA, KT_CONFIG. *out is zeroed on failure. */
kt_status kt_data_to_all(kt_comm *comm, const kt_config *config, const kt_data *data, kt_data *out);

/* The same as kt_data_load for one file of samples, labelled or not ("" or NULL), all of it the test part; tables
 * are read by `rules`. Collective. */
kt_status kt_data_load_file(kt_comm *comm, const char *features, const char *labels, const kt_table_rules *rules,
                            kt_data *out);

/* Collective over the ranks that loaded it, except for a view or a zeroed *data. */
void kt_data_free(kt_data *data);

/* A few lines on size, range, parts, and the samples of the classes that have any; owned by the caller
 * (kt_memory_free). Local. */
kt_status kt_data_summary(const kt_data *data, const kt_config *config, char **text);

#endif
