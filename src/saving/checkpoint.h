/* Checkpoints: one file (checkpoint_file.h) that holds everything a run needs to go on, or a model to be used.
 * Everything here is local, for rank 0. Contents:
 *
 *   /config                           resolved INI
 *   /model/<layer>/weight, bias, ...  the weights as [n_out, n_in]; batch norm's running statistics
 *   /best/<layer>/...                 the best epoch's, when they are others
 *   /optimizer/<state>/<layer>/...    full logical tensors, whatever ranks held them
 *   /progress, /early_stopping, /schedule, /history   counters and records
 *   /split/train, validation, test    rows of the data set
 *   /provenance/...                   by whom and where it was written (provenance.h)
 *   /data                             fingerprint, shape, scale, statistics, class names
 *
 * A model file (best.h5) has the best epoch's weights as /model, the rest as of when it was written, no /best and
 * /optimizer, and a text /model_only. */
#ifndef KTRAIN_CHECKPOINT_H
#define KTRAIN_CHECKPOINT_H

#include "edge/hdf5_file.h"
#include "engine/config.h"
#include "engine/data.h"
#include "net/early_stopping.h"
#include "net/loss.h"
#include "net/network.h"
#include "saving/history.h"
#include "saving/provenance.h"

/* Where a run stands. */
typedef struct kt_progress {
    int64_t epoch;         /* epochs finished */
    int64_t step;          /* updates made in all */
    int64_t step_in_epoch; /* of the epoch under way; 0 between epochs */
    kt_loss_sums sums;     /* over the samples of the epoch under way */
    double seconds;        /* of training, all starts together */
    int64_t ranks;         /* of the start that trained last */
} kt_progress;

/* The state of a run but for its vectors: plain numbers, which ranks send to each other as they are. */
typedef struct kt_run_state {
    kt_progress progress;
    kt_early_stopping_state stopping;
    kt_schedule_state schedule;
} kt_run_state;

/* The weights and running statistics of a model: vectors in the network's order. */
typedef struct kt_model_vectors {
    float *parameters, *state;
} kt_model_vectors;

/* What a checkpoint is made of, and what one is read into: a view, which owns nothing. Vectors are in the network's
 * order. */
typedef struct kt_run_view {
    const kt_config *config;
    const kt_data *data;
    const kt_provenance *provenance; /* not read back */
    const kt_network *network;       /* names and shapes of the tensors */
    kt_model_vectors now, best;      /* best: not read while stopping.best_epoch is 0 */
    size_t n_slots;                  /* optimizer state; 0 in a model file */
    const char *slot_names[KT_MAX_SLOTS];
    float *slots[KT_MAX_SLOTS];
    kt_run_state *state;
    kt_history *history;
} kt_run_view;

/* What a file says of itself before any tensor is read. */
typedef struct kt_checkpoint_head {
    kt_config config;
    struct kt_trained_on { /* plain numbers, which ranks send to each other as they are */
        uint64_t fingerprint;
        size_t n_in, n_classes;
        kt_type file_type;
        kt_dataset_statistics statistics;
    } data;
    size_t n_names;
    char **class_names; /* owned, n_names (0 or n_classes) */
} kt_checkpoint_head;

/* Replaces `path` atomically by all that is in view. KT_IO, the old file untouched. */
kt_status kt_checkpoint_write(const char *path, const kt_run_view *view);

/* The same as a model file of the best epoch's weights. */
kt_status kt_checkpoint_write_best(const char *path, const kt_run_view *view);

kt_status kt_checkpoint_read_head(kt_hdf5 *file, const char *path, kt_checkpoint_head *head);
void kt_checkpoint_free_head(kt_checkpoint_head *head);

/* Whether it is a model file, from which no training can go on. */
bool kt_checkpoint_is_model_only(kt_hdf5 *file);

/* By whom it was written: "" for what an older file does not say. */
kt_status kt_checkpoint_read_provenance(kt_hdf5 *file, kt_provenance *out);

/* Tensors of `group` ("/model", "/best") into parameters and state, shaped like the network's. KT_DATA when a shape is
 * another. */
kt_status kt_checkpoint_read_tensors(kt_hdf5 *file, const char *group, const kt_network *network,
                                     kt_model_vectors model);

/* Everything but head and split, into what the view shows. */
kt_status kt_checkpoint_read(kt_hdf5 *file, const kt_run_view *view);

/* Stored indices of the three parts, allocated. */
kt_status kt_checkpoint_read_split(kt_hdf5 *file, kt_split *split);

#endif
