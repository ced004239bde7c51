/* What the trainer's files share: trainer_create.c (its beginning and end), trainer.c (the loop), trainer_step.c,
 * trainer_arrange.c (who works how), trainer_save.c, trainer_resume.c, trainer_results.c, trainer_report.c. */
#ifndef KTRAIN_TRAINER_PRIVATE_H
#define KTRAIN_TRAINER_PRIVATE_H

#include "base/file.h"
#include "base/shards.h"
#include "engine/arrangement.h"
#include "input/batches.h"
#include "process/worker.h"
#include "run/trainer.h"
#include "saving/snapshot.h"

/* Of every shard of the batch under way: in the replica's memory, since leaders tell each other of them. */
typedef struct kt_board {
    kt_shard_result shards[KT_MAX_SHARDS];
} kt_board;

enum { KT_WATCHED_STEPS = 64 };

/* How arrangements did, and how the present one does, as rank 0 sees it. */
typedef struct kt_arrangements_tried {
    kt_arrangement_times times;
    bool tries, soon;     /* others than the best so far are under way; are to be, however little is left to train */
    size_t fastest;       /* that was said last, + 1; 0: none */
    double start_seconds; /* of the present one */
    double trying_seconds, due_seconds;           /* when the last tries began; when the next are due */
    size_t n_steps, n_slow;                       /* since the start; looks in a row that found it slow */
    double last_seconds, steps[KT_WATCHED_STEPS]; /* when the last step ended; how long the last ones took */
} kt_arrangements_tried;

/* How it is saved. */
typedef struct kt_saving {
    bool is_open;
    bool takes_snapshots; /* the same on all ranks, as are path, shape and newest */
    char path[KT_PATH_BYTES];
    kt_snapshot_shape shape;
    int newest;              /* snapshot; -1: none yet */
    kt_snapshots *snapshots; /* where this rank writes to them, or once did; else NULL */
    bool is_over;            /* nobody will go on from them */
    /* Rank 0's. */
    kt_model_vectors best;       /* owned: the best epoch's weights, where there are no snapshots to hold them */
    int best_place, sealed_best; /* where they are, and where the newest snapshot says they are */
    int pinned, pinned_best;     /* what a checkpoint is written from, while the worker is busy */
    kt_worker *worker;           /* that writes checkpoints from snapshots */
    struct kt_saving_job *job;
    kt_status status; /* of the last one; and what it said */
    kt_error error;
    double snapshot_due, checkpoint_due, pause_seconds; /* pause: between checkpoints */
    double snapshot_cost;                               /* seconds, on the average of late */
} kt_saving;

struct kt_trainer {
    /* What to do; borrowed. */
    kt_comm *comm;
    const kt_config *config;
    const kt_data *data;
    kt_log *log;
    const char *dir; /* NULL: nothing is written */
    kt_pulse pulse;
    kt_provenance provenance; /* of this start */
    bool root;

    /* Who works on what. */
    kt_arrangements_tried tried;
    bool rearranges; /* the ranks leave their steps for another arrangement; the same on those that work */
    kt_network_spec spec;
    size_t n_parameters;
    kt_comm *work; /* the ranks that train: here one of them when `works`, else those that sleep */
    bool works;
    kt_replica replica; /* and below: zero on ranks that sleep */
    kt_exchange_plan plan;
    kt_network *network; /* in the replica's memory, as is the board */
    kt_board *board;
    kt_exchange *exchange;
    kt_batches batches;
    int32_t *labels; /* [largest batch]: of the batch under way */
    kt_range kept;   /* rows of it that the next batch has as well and that still stand in the network, perhaps none */
    kt_loss_spec loss;
    double *class_weights; /* [n_classes]: room for the loss's */

    /* Where it stands. */
    kt_run_state state; /* the same on all ranks, as is `asked` */
    bool asked;         /* to stop */
    unsigned words;     /* said in the step just made, and not yet acted on: a bit each (replica.h) */
    kt_history history; /* rank 0 only */
    kt_saving saving;
    int64_t saved_step, saved_best_epoch; /* what is on disk, or about to be */
    kt_attempts *attempts;                /* rank 0, while it trains into a directory; else NULL */

    /* The clock, for speed and files. */
    double start_seconds, seconds_before; /* of this start; trained by earlier ones */
    double epoch_seconds;                 /* when the epoch under way began, or was resumed */
    int64_t epoch_samples;                /* trained since then */
    double bar_seconds;                   /* when the bar was last drawn */
};

/* Sets what may be tried, and the arrangement to begin with. Collective. */
kt_status kt_trainer_arrange(kt_trainer *trainer);

/* Everything that depends on the arrangement: made, and freed. Collective. */
kt_status kt_trainer_build_arrangement(kt_trainer *trainer, const kt_arrangement *arrangement);
void kt_trainer_free_arrangement(kt_trainer *trainer);

/* Rank 0, after each step: says so when it is time to try another arrangement. Local. */
void kt_trainer_watch_steps(kt_trainer *trainer);

/* The ranks that sleep hear how those that work fared: state, what comes next, status. Collective over all. */
kt_status kt_trainer_meet(kt_trainer *trainer, kt_status status, kt_stop_reason *reason);

/* The next arrangement to try, or the best, with everything as it stands. Collective over all. */
kt_status kt_trainer_rearrange(kt_trainer *trainer);

/* One step of the epoch under way. KT_DIVERGED. Collective. */
kt_status kt_trainer_step(kt_trainer *trainer, size_t step);

/* Records that `what` ("training loss") is not finite, and where that began: n_rows samples of it are in the network, 0
 * when they are not. Local. */
kt_status kt_trainer_diverged(const kt_trainer *trainer, const char *what, double loss, size_t n_rows);

/* ---- trainer_save.c ---- */

/* After another arrangement was made: the ranks that will write to snapshots can. Collective over all. */
void kt_trainer_attach_snapshots(kt_trainer *trainer);

/* The rest of it. Collective. */
void kt_trainer_close_saving(kt_trainer *trainer);

/* Nobody will go on from the snapshots: they are removed in the end. Local. */
void kt_trainer_end_saving(kt_trainer *trainer);

/* Rank 0: where the best epoch's weights are; and all that is saved, with the vectors of the network. Local. */
kt_model_vectors kt_trainer_best(const kt_trainer *trainer);
kt_run_view kt_trainer_view(kt_trainer *trainer);

/* Rank 0: the network's weights are the best now. Local. */
void kt_trainer_keep_best(kt_trainer *trainer);

/* Sets when the first snapshot and checkpoint are due. Local. */
void kt_trainer_start_clock(kt_trainer *trainer);

/* Words that rank 0 has to say in the next step: none on the others. Local. */
unsigned kt_trainer_saving_words(kt_trainer *trainer, bool ends_epoch);

/* After a step that ends the epoch, or not: what the words in it ask for, and every_steps. And after the epoch's
 * validation: what is left of it, and every_epochs. Collective. */
kt_status kt_trainer_save_when_due(kt_trainer *trainer, bool ends_epoch);
kt_status kt_trainer_save_epoch(kt_trainer *trainer);

/* Makes a checkpoint, and best.h5 when it is another, unless this step is on disk already: from a snapshot it is
 * written beside what follows, and what goes wrong is heard with the next one. waits: it is on disk. Collective. */
kt_status kt_trainer_save(kt_trainer *trainer, bool waits);

/* Waits for what is being written; the network that it was written from may go. Local. */
void kt_trainer_settle_saving(kt_trainer *trainer);

/* Rank 0 writes best.h5 unless the best epoch's is on disk already. Local. */
kt_status kt_trainer_write_best(kt_trainer *trainer);

/* Adds a part's samples to the metrics. Collective. */
kt_status kt_trainer_score(kt_trainer *trainer, kt_part part, kt_metrics *metrics);

/* Where the epoch stands: a bar on a terminal, a line elsewhere when nothing was said for long. Local. */
void kt_trainer_show_progress(kt_trainer *trainer);

/* Puts an epoch on record: rank 0's history, its file and a line for the user. `rate` is of its last step. Local. */
kt_status kt_trainer_record_epoch(kt_trainer *trainer, const kt_scores *validation, double rate);

/* history.csv and steps.csv with what earlier starts brought, and without what a lost checkpoint had seen; and in
 * attempts.csv this start. Local. */
kt_status kt_trainer_start_files(kt_trainer *trainer);

/* Adds the step just made to steps.csv. Local. */
kt_status kt_trainer_log_step(const kt_trainer *trainer, double loss);

/* Of training so far, all starts together. Local. */
double kt_trainer_seconds(const kt_trainer *trainer);

#endif
