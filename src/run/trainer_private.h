/* What the trainer's files share: trainer_create.c (its beginning and end), trainer.c (the loop), trainer_state.c
 * (saving and resuming), trainer_results.c, trainer_report.c. */
#ifndef KTRAIN_TRAINER_PRIVATE_H
#define KTRAIN_TRAINER_PRIVATE_H

#include <stdatomic.h>

#include "base/shards.h"
#include "input/batches.h"
#include "run/trainer.h"

/* What the ranks of a replica write for each other. */
typedef struct kt_board {
    kt_shard_result
        shards[KT_MAX_SHARDS];     /* plan.job.n_shards of the batch under way, of all replicas once they are told */
    _Alignas(64) atomic_int asked; /* one of the ranks was, to stop; stays set */
} kt_board;

struct kt_trainer {
    kt_comm *comm; /* borrowed, as are config, data, log and dir */
    const kt_config *config;
    const kt_data *data;
    kt_log *log;
    const char *dir;
    kt_provenance provenance; /* of this start */
    kt_pulse pulse;
    bool root;
    kt_replica replica;
    kt_exchange_plan plan;
    kt_network *network; /* in the replica's memory */
    kt_exchange *exchange;
    kt_board *board; /* in the replica's memory */
    bool asked;      /* to stop: the same on all ranks */
    kt_batches batches;
    kt_loss_spec loss;
    double *class_weights;                /* [n_classes], or NULL */
    kt_run_state state;                   /* the same on all ranks */
    kt_history history;                   /* rank 0 only */
    float *best_parameters, *best_state;  /* rank 0 only */
    int64_t saved_step, saved_best_epoch; /* what is on disk */
    int32_t *labels;                      /* [largest batch]: of the batch under way */
    double start_seconds, seconds_before; /* of this start; trained by earlier ones */
    double epoch_seconds;                 /* when the epoch under way began, or was resumed */
    int64_t epoch_samples;                /* trained since then */
    double bar_seconds;                   /* when the bar was last drawn */
};

/* Writes a checkpoint, and best.h5 when it is another, unless this step is on disk already. Collective. */
kt_status kt_trainer_save(kt_trainer *trainer);

/* Rank 0 writes best.h5 unless the best epoch's is on disk already. Local. */
kt_status kt_trainer_write_best(kt_trainer *trainer);

/* Adds a part's samples to the metrics. Collective. */
kt_status kt_trainer_score(kt_trainer *trainer, kt_part part, kt_metrics *metrics);

/* Of training so far, all starts together. Local. */
double kt_trainer_seconds(const kt_trainer *trainer);

#endif
