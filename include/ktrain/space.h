/* What a sweep searches: an ordinary job, and in its [sweep] section how to search and the axes: keys of any section,
 * each with a list of values. Local, unless it takes a comm.
 *
 *   [sweep]
 *   strategy = grid
 *   optimizer.learning_rate = 0.001, 0.01, 0.1
 *   model.hidden = [32] | [64, 32] | [128]
 *
 * Values are separated by '|' where there is one, else by commas outside brackets; texts, and
 * lists of numbers without brackets (data.split), take '|' only. */
#ifndef KTRAIN_SPACE_H
#define KTRAIN_SPACE_H

#include "ktrain/comm.h"
#include "ktrain/config.h"
#include "ktrain/options.h"

/* Of the validation part. */
typedef enum kt_objective { KT_OBJECTIVE_CROSS_ENTROPY, KT_OBJECTIVE_ACCURACY } kt_objective;
typedef enum kt_seeds_vary { KT_SEEDS_TRAINING, KT_SEEDS_SPLIT, KT_SEEDS_BOTH } kt_seeds_vary;
typedef enum kt_keep_trials { KT_KEEP_BEST, KT_KEEP_ALL } kt_keep_trials;

typedef struct kt_sweep_settings {
    int strategy;                /* row of kt_strategies */
    int objective;               /* kt_objective */
    int64_t seeds;               /* repetitions of a point */
    int seeds_vary;              /* what differs between them: run.seed, data.split_seed or both count up */
    int64_t ranks_per_trial;
    int64_t points;              /* drawn by random and halving; KT_AUTO: all */
    int64_t seed;                /* of the draws */
    int64_t rounds;              /* of greedy */
    int64_t min_epochs, reduction; /* of halving */
    int keep_trials;             /* kt_keep_trials: whose directories stay */
} kt_sweep_settings;

extern const kt_option_table kt_sweep_options; /* the keys of [sweep] that are not axes */

typedef struct kt_axis {
    const kt_option *option; /* of kt_config_options */
    size_t n;
    char **values;           /* [n], owned: as kt_options_format writes them, all different */
    size_t start;            /* the value that the job itself has, when it is listed; else 0 */
} kt_axis;

typedef struct kt_space {
    kt_config base;             /* the job itself, without the axes */
    kt_sweep_settings settings;
    size_t n_axes;              /* >= 1 */
    kt_axis *axes;              /* [n_axes], owned, in the order of the file */
    uint64_t n_points;          /* the product of the axes: < 2^53 */
} kt_space;

/* Rank 0 reads the file; everyone gets the same space. Overrides: section.key=value for the job, sweep.key=value for
 * the sweep, sweep.section.key=values for an axis (instead of the file's). Collective. KT_NO_INPUT, KT_CONFIG,
 * KT_USAGE, with file, line and key: unknown keys, values out of bounds, a value listed twice, no axis, keys that are
 * no part of what a trial computes (run.dir, checkpoint.*), points that are no valid job (of more than 200,000 points
 * only those are checked that differ from the start in one axis). *out is zeroed on failure. */
kt_status kt_space_read(kt_comm *comm, const char *path, size_t n_overrides, char *const *overrides, kt_space *out);

/* The same from a text in memory. Local. */
kt_status kt_space_parse(const char *name, const char *text, size_t n_bytes, size_t n_overrides,
                         char *const *overrides, kt_space *out);
void kt_space_free(kt_space *space);

/* index[n_axes] of a point < n_points: the last axis changes fastest. */
void kt_space_indices(const kt_space *space, uint64_t point, size_t *index);

/* The job of a point's repetition (from 0), with train.epochs = epochs (0: as the point says). Its run.dir is the
 * base's. KT_CONFIG when the point is no valid job; the sentence names its values. */
kt_status kt_space_config(const kt_space *space, uint64_t point, int64_t repetition, int64_t epochs, kt_config *out);

/* "optimizer.learning_rate = 0.01, model.hidden = [32]" in text[size], cut when it does not fit. */
void kt_space_describe(const kt_space *space, uint64_t point, char *text, size_t size);

/* Whether a job is the base with other values on the axes, other seeds where repetitions count up, other epochs. */
bool kt_space_has(const kt_space *space, const kt_config *config);

/* The whole as an INI text that kt_space_parse reads back; owned by the caller (kt_memory_free). */
kt_status kt_space_write(const kt_space *space, char **text);

#endif
