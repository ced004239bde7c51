/* What a run tells its user: lines and a bar while it goes, tables and files when it is done. Local, for rank 0; on
 * other ranks the log is silent and nothing is written. */
#ifndef KTRAIN_REPORT_H
#define KTRAIN_REPORT_H

#include "base/log.h"
#include "engine/config.h"
#include "engine/metrics.h"
#include "net/early_stopping.h"
#include "run/attempts.h"
#include "saving/history.h"
#include "saving/provenance.h"

typedef enum kt_stop_reason {
    KT_STOP_NOT,
    KT_STOP_EPOCHS,
    KT_STOP_PATIENCE,
    KT_STOP_STEPS,
    KT_STOP_DIVERGENCE,
    KT_STOP_PREEMPTION,
    KT_N_STOP_REASONS
} kt_stop_reason;

/* "epochs", as in summary.json; and a few words for people. */
const char *kt_stop_reason_name(kt_stop_reason reason);
const char *kt_stop_reason_words(kt_stop_reason reason);

/* How far an epoch is, for the bar. */
typedef struct kt_epoch_progress {
    int64_t epoch, epochs; /* under way, from 1; at most */
    size_t step, steps;    /* done; of the epoch */
    double samples_per_second, seconds_left;
    double train_loss, validation_loss; /* so far; of the epoch before (NaN: none) */
} kt_epoch_progress;

void kt_report_bar(kt_log *log, const kt_epoch_progress *progress);
/* The same as a line, for when nothing was said for long. */
void kt_report_heartbeat(kt_log *log, const kt_epoch_progress *progress);

/* Whether this epoch (from 1) gets a line: the first hundred do, then every 2nd, 5th, 10th, ..., so that thousands of
 * epochs are some hundred lines. */
bool kt_report_shows_epoch(int64_t epoch);
void kt_report_epoch(kt_log *log, const kt_config *config, const kt_epoch_record *record,
                     const kt_early_stopping_state *stopping, double samples_per_second);

/* history.csv: written anew from the records, as a CSV with a header. KT_IO. */
kt_status kt_report_write_history(const char *path, const kt_history *history);
/* One more record at its end. KT_IO. */
kt_status kt_report_append_history(const char *path, const kt_epoch_record *record);
/* steps.csv: its header, and of the lines that are there those of the first n_steps steps. KT_IO. */
kt_status kt_report_start_steps(const char *path, int64_t n_steps);
/* One more line "step,loss" at its end. KT_IO. */
kt_status kt_report_append_step(const char *path, int64_t step, double loss);

/* What a run came to. */
typedef struct kt_results {
    kt_scores best[KT_N_PARTS], last[KT_N_PARTS];
    kt_metrics detail; /* owned: of the weights the run leaves, on the test part (validation when there is none) */
    kt_part detail_part;
    bool leaves_best;
    kt_stop_reason reason;
    int64_t epochs, best_epoch, steps;
    double seconds;
    int64_t ranks;                     /* of the start that trained last */
    kt_attempts_sum attempts;          /* of the run */
    kt_arrangement_times arrangements; /* of them; n is 0 when nothing was trained */
    size_t n_parameters;
    size_t memory_bytes; /* rank 0: that the ranks of its host have laid out together, at the end */
} kt_results;

const kt_scores *kt_results_left(const kt_results *results); /* [KT_N_PARTS]: of the weights the run leaves */

/* Prints the closing table. */
void kt_report_results(kt_log *log, const kt_results *results, const char *dir);
/* Prints a table of scores, a row for each part that has samples. */
void kt_report_scores(kt_log *log, const kt_scores scores[KT_N_PARTS], const char *const names[KT_N_PARTS]);

/* summary.json and confusion.csv in `dir`. class_names may be NULL. KT_IO. */
kt_status kt_report_write_results(const char *dir, const kt_config *config, const kt_provenance *provenance,
                                  const kt_results *results, char *const *class_names);

/* By whom this start is made, for log.txt alone. */
void kt_report_provenance(kt_log *log, const kt_provenance *provenance);

#endif
