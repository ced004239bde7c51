/* The configuration of a run: a struct filled by INI keys. Every key is a row of the table beside the struct that it
 * is in: a module's own, or here (config.c) where it is the floors' above. It owns
 * nothing, and is copied like a number; its texts and lists stay where they are (intern.h). Local, unless it takes a
 * comm. */
#ifndef KTRAIN_CONFIG_H
#define KTRAIN_CONFIG_H

#include "base/log.h"
#include "base/options.h"
#include "edge/comm.h"
#include "engine/arrangement.h"
#include "engine/exchange.h"
#include "input/dataset.h"
#include "input/split.h"
#include "net/early_stopping.h"
#include "net/loss.h"
#include "net/optimizer.h"
#include "net/schedule.h"

enum { KT_BATCH_FULL = KT_WORD(0) };

typedef struct kt_config {
    const char *job; /* no key: the file that it was read from, NULL when it was none */
    struct {
        const char *thin_batch;
    } gone; /* what was set of keys that are no more; NULL: nothing */
    struct {
        const char *dir;
        int64_t seed, log_steps;
        double max_minutes, hang_minutes; /* 0: none */
    } run;
    kt_dataset_spec data;
    kt_split_spec split;
    kt_network_spec model;
    struct {
        int64_t epochs, batch_size, max_steps;
        int restore_best; /* kt_decision */
    } train;
    kt_early_stopping_spec stopping;
    kt_loss_settings loss;
    kt_optimizer_spec optimizer;
    kt_schedule_spec schedule;
    kt_exchange_spec exchange;
    kt_arrangement_spec arrangement;
    struct {
        int64_t threads;
    } parallel;
    struct {
        int64_t every_epochs, every_steps, keep; /* every_epochs: or KT_AUTO */
        double every_minutes, overhead;          /* minutes: 0: none */
        const char *snapshots, *resume;          /* snapshots: a folder, or "off" */
    } checkpoint;
} kt_config;

/* All keys: joined from the modules' tables by the first call. */
const kt_option_table *kt_config_options(void);

/* A hash of all keys that define a run's numbers. Local. */
uint64_t kt_config_hash(const kt_config *config);

extern const kt_option_synonym kt_config_synonyms[]; /* in config_names.c */

/* Every key at its default. */
kt_status kt_config_defaults(kt_config *out);

/* Sets the keys of an INI text; what is wrong goes to `mistakes`. Whether they fit together is not asked. Local. */
void kt_config_take(const char *name, const char *text, size_t n_bytes, kt_config *config, kt_mistakes *mistakes);

/* Rank 0 reads the file; everyone parses the same bytes, then the overrides ("section.key=value"), then checks the
 * whole; all mistakes are told. Collective. KT_NO_INPUT, KT_CONFIG, KT_USAGE. */
kt_status kt_config_read(kt_comm *comm, const char *path, size_t n_overrides, char *const *overrides, kt_config *out);

/* The same from a text in memory. Local. A [sweep] section is refused: it is for space.h. */
kt_status kt_config_parse(const char *name, const char *text, size_t n_bytes, size_t n_overrides,
                          char *const *overrides, kt_config *out);

/* Everyone gets rank 0's configuration: as a text, since an address is of its own process only. Collective.
 * KT_NO_MEMORY. */
kt_status kt_config_broadcast(kt_comm *comm, kt_config *config);

/* Whether the keys fit together. `name` begins the message. KT_CONFIG. */
kt_status kt_config_check(const char *name, const kt_config *config);

/* Rank 0 reads a file; everyone gets its bytes in *text (NUL-terminated; owned by the caller, kt_memory_free).
 * Collective. KT_NO_INPUT. *text is NULL on failure. */
kt_status kt_config_read_text(kt_comm *comm, const char *path, char **text, size_t *n_bytes);

/* A hash of all that a run computes: of the keys that are not at their defaults, without KT_OPTION_PLACE. A key that a
 * later version adds, at its default, does not change it. */
uint64_t kt_config_key(const kt_config *config);

/* The first key that defines a run (KT_OPTION_DEFINES) and differs; NULL when none does. */
const kt_option *kt_config_difference(const kt_config *a, const kt_config *b);

/* Warns of keys that were set and are no more. Local. */
void kt_config_report_gone(const kt_config *config, kt_log *log);

/* Whether a part of the data comes from files of its own. */
bool kt_config_has_files(const kt_config *config, kt_part part);

/* The batch size as kt_batches_create takes it: 0 for the whole training set. */
size_t kt_config_batch_size(const kt_config *config);

/* Samples that a batch must have: one has no spread to normalize by. */
size_t kt_config_fewest_samples(const kt_config *config);

/* OpenBLAS's threads of a rank: one unless asked for more. */
int kt_config_threads(const kt_config *config);

/* Whether a run leaves its best weights rather than its last. */
bool kt_config_restores_best(const kt_config *config);

/* The network for data of n_in features and n_classes. */
kt_network_spec kt_config_network(const kt_config *config, size_t n_in, size_t n_classes);

#endif
