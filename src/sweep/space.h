/* What a sweep searches: an ordinary job, and in its [sweep] section how to search and the axes. A point has one value
 * of each axis, and a value is a list of keys that it sets. Local, unless it takes a comm.
 *
 *   [sweep]
 *   strategy = grid
 *   optimizer.learning_rate = 0.001, 0.01, 0.1
 *   model.hidden = [32] | [64, 32] | [128]
 *   point.plain = optimizer.name=sgd
 *   point.adam = optimizer.name=adam optimizer.beta1=0.8
 *
 * An axis is a key of any section with a list of values, separated by '|' where there is one, else by commas outside
 * brackets; texts, and lists of numbers without brackets (data.split), take '|' only. All named points (point.NAME)
 * together are one axis, too, whose values set several keys each, separated by blanks or '|'. */
#ifndef KTRAIN_SPACE_H
#define KTRAIN_SPACE_H

#include "base/options.h"
#include "edge/comm.h"
#include "engine/config.h"

/* Of the validation part. */
typedef enum kt_objective { KT_OBJECTIVE_CROSS_ENTROPY, KT_OBJECTIVE_ACCURACY } kt_objective;
typedef enum kt_seeds_vary { KT_SEEDS_TRAINING, KT_SEEDS_SPLIT, KT_SEEDS_BOTH } kt_seeds_vary;
typedef enum kt_keep_trials { KT_KEEP_BEST, KT_KEEP_ALL } kt_keep_trials;
typedef enum kt_builds_on { KT_BUILDS_ON_JOB, KT_BUILDS_ON_PREVIOUS } kt_builds_on;

typedef struct kt_sweep_settings {
    int strategy;   /* row of kt_strategies */
    int objective;  /* kt_objective */
    int64_t seeds;  /* repetitions of a point */
    int seeds_vary; /* what differs between them: run.seed, data.split_seed or both count up */
    int64_t ranks_per_trial;
    int64_t points;                /* drawn by random and halving; KT_AUTO: all */
    int64_t seed;                  /* of the draws */
    int64_t rounds;                /* of greedy */
    int64_t min_epochs, reduction; /* of halving */
    int keep_trials;               /* kt_keep_trials: whose directories stay */
    int builds_on;                 /* kt_builds_on: where a named point begins */
} kt_sweep_settings;

extern const kt_option_table kt_sweep_options; /* the keys of [sweep] that are not axes */

typedef struct kt_setting {
    const kt_option *option; /* of kt_config_options */
    char *text;              /* owned: as kt_options_format writes it */
} kt_setting;

typedef struct kt_value {
    char *name; /* owned: the text of a key's value, or the name of a point; an axis has none twice */
    size_t n;
    kt_setting *settings; /* [n], owned: n >= 1, each another key; of a point with all that it builds on */
} kt_value;

enum { KT_MAX_SEEDS = 1000 };
enum { KT_AXIS_NAME_BYTES = 128, KT_POINT_NAME_BYTES = 33 }; /* with their ends */

typedef struct kt_axis {
    char name[KT_AXIS_NAME_BYTES]; /* "optimizer.learning_rate", or "point" */
    const kt_option *option;       /* of all values; NULL: they are named points */
    size_t n;
    kt_value *values; /* [n], owned, in the order of the file */
} kt_axis;

typedef struct kt_space {
    kt_config base; /* the job itself, without the axes */
    kt_sweep_settings settings;
    size_t n_axes;         /* >= 1 */
    kt_axis *axes;         /* [n_axes], owned, in the order of the file */
    size_t *sizes, *start; /* [n_axes], owned: the number of values of each axis, and that of the value that the
                                   job itself has, when it is listed; else 0 */
    uint64_t n_points;     /* the product of the axes: < 2^53 */
} kt_space;

/* Rank 0 reads the file; everyone gets the same space. Overrides: section.key=value for the job, sweep.key=value for
 * the sweep, sweep.section.key=values for an axis and sweep.point.NAME=settings for a point (instead of the file's).
 * Collective. KT_NO_INPUT, KT_CONFIG, KT_USAGE, with file, line and key: unknown keys, values out of bounds, a value
 * listed twice, points that are the same job, no axis, keys that are no part of what a trial computes (run.dir,
 * checkpoint.*), points that are no valid job (of more than 200,000 points only those are checked that differ from the
 * start in one axis). *out is zeroed on failure. */
kt_status kt_space_read(kt_comm *comm, const char *path, size_t n_overrides, char *const *overrides, kt_space *out);

/* The same from a text in memory. Local. */
kt_status kt_space_parse(const char *name, const char *text, size_t n_bytes, size_t n_overrides, char *const *overrides,
                         kt_space *out);
void kt_space_free(kt_space *space);

/* Whether repetitions count up run.seed, or data.split_seed. */
static inline bool kt_space_varies_training(const kt_space *space)
{
    return space->settings.seeds > 1 && space->settings.seeds_vary != KT_SEEDS_SPLIT;
}

static inline bool kt_space_varies_split(const kt_space *space)
{
    return space->settings.seeds > 1 && space->settings.seeds_vary != KT_SEEDS_TRAINING;
}

/* The index of the value that a point has on an axis, and the value. */
size_t kt_space_index(const kt_space *space, uint64_t point, size_t axis);
const kt_value *kt_space_value(const kt_space *space, uint64_t point, size_t axis);

/* The axis of the named points; n_axes when there are none. */
size_t kt_space_named_axis(const kt_space *space);

/* The job of a point's repetition (from 0), with train.epochs = epochs (0: as the point says). Its run.dir is the
 * base's. KT_CONFIG when the point is no valid job; the sentence names its values. */
kt_status kt_space_config(const kt_space *space, uint64_t point, int64_t repetition, int64_t epochs, kt_config *out);

/* "optimizer.learning_rate = 0.01, model.hidden = [32]" in text[size], cut when it does not fit; a named point is its
 * name alone. */
void kt_space_describe(const kt_space *space, uint64_t point, char *text, size_t size);

/* Whether a job is the base with other values on the axes, other seeds where repetitions count up, other epochs. */
bool kt_space_has(const kt_space *space, const kt_config *config);

/* The whole as an INI text that kt_space_parse reads back; owned by the caller (kt_memory_free). */
kt_status kt_space_write(const kt_space *space, char **text);

#endif
