/* A trained model, loaded from a run or a model file to be used. */
#ifndef KTRAIN_MODEL_H
#define KTRAIN_MODEL_H

#include "base/file.h"
#include "base/log.h"
#include "edge/comm.h"
#include "engine/data.h"
#include "engine/replica.h"
#include "net/network.h"
#include "saving/checkpoint.h"

typedef struct kt_model {
    kt_checkpoint_head head;  /* class names on rank 0 only */
    kt_replica replica;       /* one per host; zeroed without ranks */
    kt_network *network;      /* owned, in the replica's memory */
    char path[KT_PATH_BYTES]; /* of the file it came from, on rank 0 */
} kt_model;

/* Rank 0 reads the weights that the run `path` (a directory, or a model file or checkpoint) leaves; every host gets
 * them once, in a network with room for max_rows rows. *out must not move after. Collective. *out is zeroed on
 * failure. */
kt_status kt_model_load(kt_comm *comm, const char *path, size_t max_rows, kt_log *log, kt_model *out);
/* The same for a program without ranks: the network is in memory of its own. Local; so is kt_model_free of it. */
kt_status kt_model_open(const char *path, size_t max_rows, kt_log *log, kt_model *out);
void kt_model_free(kt_model *model); /* collective */

/* How tables for the model are read: as its own were, unless `header` ("auto", "true", "false"; NULL) says otherwise.
 * KT_USAGE. Local. */
kt_status kt_model_table_rules(const kt_model *model, const char *header, kt_table_rules *rules);

/* KT_DATA when the data have another number of features or, labelled, more classes; warns when their range, type or
 * statistics do not look like what was trained on. Local. */
kt_status kt_model_check_data(const kt_model *model, const kt_data *data, const char *name, kt_log *log);

#endif
