/* What the trainer's files share: trainer_create.c (its beginning and end), trainer.c (the loop), trainer_step.c,
 * trainer_arrange.c (who works how), trainer_state.c (saving and resuming), trainer_results.c, trainer_report.c. */
#ifndef KTRAIN_TRAINER_PRIVATE_H
#define KTRAIN_TRAINER_PRIVATE_H

#include "base/shards.h"
#include "engine/arrangement.h"
#include "input/batches.h"
#include "run/trainer.h"

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
    kt_history history; /* rank 0 only, as are the best weights */
    float *best_parameters, *best_state;
    int64_t saved_step, saved_best_epoch; /* what is on disk */
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

/* Writes a checkpoint, and best.h5 when it is another, unless this step is on disk already. Collective. */
kt_status kt_trainer_save(kt_trainer *trainer);

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
