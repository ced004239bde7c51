/* What the files of sweep share: sweep.c (the sweep as all ranks go through it), sweep_root.c (what rank 0 knows, hands
 * out and puts on record), sweep_setup.c (groups of ranks, data, one trial), sweep_files.c (journals, directories) and
 * sweep_dry_run.c. */
#ifndef KTRAIN_SWEEP_PRIVATE_H
#define KTRAIN_SWEEP_PRIVATE_H

#include "base/file.h"
#include "engine/data.h"
#include "run/trainer.h"
#include "sweep/journal.h"
#include "sweep/strategy.h"
#include "sweep/sweep.h"
#include "sweep/trials.h"

/* The data sets that the points name, each loaded once: most sweeps have one. */
typedef struct kt_sweep_data {
    size_t n;
    kt_data *sets;      /* [n], owned */
    kt_config *configs; /* [n], owned: which files */
} kt_sweep_data;

/* Collective. Everything that a point names is read here, before anything is trained, and rank 0 says what is strange
 * about it. */
kt_status kt_sweep_load_data(kt_comm *world, const kt_space *space, kt_log *log, kt_sweep_data *out);
void kt_sweep_free_data(kt_sweep_data *data); /* collective */

/* The set that a job's files are. Local. */
const kt_data *kt_sweep_find_data(const kt_sweep_data *data, const kt_config *config);

/* Groups of ranks_per_trial ranks. Collective. KT_CONFIG when that does not divide the ranks. */
kt_status kt_sweep_split(kt_comm *world, const kt_space *space, kt_comm **group);

/* Cost and fingerprint of a job, from the data. */
typedef struct kt_sweep_costs {
    const kt_sweep_data *data;
    size_t ranks_per_trial;
} kt_sweep_costs;
kt_trials_source kt_sweep_source(kt_sweep_costs *costs);

/* Trains one job on the group's ranks, with its files in config->run.dir, and says in *outcome (all but key) what came
 * of it, also of a failure. config->checkpoint.resume may be changed. Collective over the group. */
void kt_sweep_train(kt_comm *group, kt_config *config, const kt_sweep_data *data, kt_pulse pulse, kt_outcome *outcome);

/* What came of a trial, of which the error record tells when it failed. Local. */
void kt_sweep_fill_outcome(kt_status status, const kt_results *results, kt_outcome *outcome);

/* ---- rank 0's files; local ---- */

typedef struct kt_sweep_files {
    const char *dir; /* borrowed: run.dir of the sweep */
    char suffix[48]; /* of this start's files: "" or "-1-of-4" */
    int locks[2];    /* -1: none */
    kt_journal *journal;
} kt_sweep_files;

/* Makes and locks the directory, opens its log, puts what all its journals have on trials' record, writes sweep.ini and
 * opens this start's journal. KT_CONFIG: in use, or the journals are another sweep's; KT_IO. */
kt_status kt_sweep_open_files(kt_sweep_files *files, const kt_space *space, const kt_sweep_plan *plan,
                              kt_trials *trials, kt_log *log);
void kt_sweep_close_files(kt_sweep_files *files);

/* "; there is no journal of slice 2, 5 of 8" in text[size], "" when nothing tells of one that is absent. */
void kt_sweep_list_absent(const kt_sweep_files *files, char *text, size_t size);

/* Removes the directories of trials that are done and not needed any more: but for the point `best` (the number of a
 * point; UINT64_MAX: none), of which all stay. */
void kt_sweep_clear_directories(kt_trials *trials, uint64_t best);

/* Removes the directories of all other trials on record, as of a sweep with other values in the same place, but for
 * that of `best` (NULL: none). */
void kt_sweep_clear_strangers(const kt_sweep_files *files, const kt_trials *trials, const kt_trial *best);

/* ---- the sweep under way ---- */

/* What the first rank of a group tells rank 0: what came of its trial (none yet: trial = KT_NO_TRIAL), and how long it
 * has waited for it. */
typedef struct kt_sweep_news {
    uint64_t trial;
    double idle_seconds;
    kt_outcome outcome;
} kt_sweep_news;

/* What rank 0 answers. */
typedef struct kt_sweep_order {
    bool stop;
    uint64_t trial;
    kt_proposal proposal;
    int64_t repetition;
} kt_sweep_order;

#define KT_NO_TRIAL UINT64_MAX

typedef struct kt_sweep {
    kt_comm *world, *mail, *group; /* mail: rank 0 and the first ranks of groups; all others stay silent on it */
    const kt_space *space;
    const kt_sweep_plan *plan;
    kt_log *log;
    kt_sweep_data data;
    kt_sweep_costs costs;
    kt_trials_source source;
    kt_config *config; /* of the trial under way */
    /* rank 0's */
    kt_trials trials;
    kt_sweep_files files;
    bool *waits;         /* [ranks]: first rank of a group that waits for an order */
    double *waits_since; /* [ranks] */
    bool *told;          /* rank 0, [ranks]: leaders that were told to stop */
    bool heard;          /* other leaders: within a trial, that they are to stop */
    size_t n_missing;    /* of a merge: trials that no journal has */
    size_t n_groups, n_stopped, n_running, n_trained;
    kt_point_result best; /* mean INFINITY: none yet */
    double start_seconds, bar_seconds, line_seconds, files_seconds;
    double idle_seconds, busy_until; /* of all groups; when the last trial was handed out */
    kt_error failure;                /* why the sweep must end early */
} kt_sweep;

/* ---- rank 0's part (sweep_root.c); local, but that it talks to the first ranks of groups ---- */

/* Opens the files and asks for all trials that are known beforehand. */
kt_status kt_sweep_open(kt_sweep *s);

/* What a group is to do next; KT_WAIT when that is not known yet. */
kt_answer kt_sweep_next(kt_sweep *s, kt_sweep_order *out);

/* A trial's end: on record first, then everything else. */
void kt_sweep_take(kt_sweep *s, size_t i, kt_outcome *outcome);

/* Takes news that have come, answers those who wait, and shows how far it all is. Between two steps of rank 0's own
 * trial (context is the kt_sweep), and while it waits. */
void kt_sweep_serve(void *context);

/* Without training: what is on record. What is missing is the sweep's failure. */
void kt_sweep_take_what_is_there(kt_sweep *s);

/* Whether best.ini's directory must be made: its trial's was cleared by an earlier start, or lies on another host. */
bool kt_sweep_lacks_best(kt_sweep *s, kt_sweep_order *o);

/* Start and end as the user sees them; conclude also leaves tables and files of whatever there is. KT_DIVERGED (all
 * that did not succeed) or KT_INTERNAL when no point succeeded. */
void kt_sweep_report_start(kt_sweep *s);
kt_status kt_sweep_conclude(kt_sweep *s);

#endif
