/* The configuration's tables joined, and a job read from an INI file and the command line. */
#include "engine/config.h"

#include <pthread.h>
#include <string.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/intern.h"
#include "base/memory.h"
#include "base/options_rows.h"
#include "base/shards.h"

KT_WORDS(full_word, "full")

#define AT(field) offsetof(kt_config, field)

/* What is no module's below: of the floors above, or of several. */
static const kt_option option_rows[] = {
    {"run", "dir", KT_OPTION_TEXT, AT(run.dir), "runs/default", 0, 0, NULL, PLACE,
     "directory of everything the run writes; made when it is not there"},
    {"run", "seed", KT_OPTION_INT, AT(run.seed), "1", 0, MANY, NULL, DEF,
     "seed of the initial weights, the order of the samples and dropout"},
    {"run", "log_steps", KT_OPTION_INT, AT(run.log_steps), "0", 0, 1e9, NULL, PLACE,
     "write the loss of each of the first so many steps to steps.csv"},
    {"run", "max_minutes", KT_OPTION_REAL, AT(run.max_minutes), "0", 0, 1e9, NULL, PLACE,
     "minutes after which the run saves a checkpoint and ends, to go on when it is started again; 0 = no limit. The "
     "end of a SLURM job does the same by itself"},
    {"run", "hang_minutes", KT_OPTION_REAL, AT(run.hang_minutes), "10", 0, 1e9, NULL, PLACE,
     "minutes without a finished step after which a rank ends the job, since another one is stuck or lost; 0 = never"},

    {"train", "epochs", KT_OPTION_INT, AT(train.epochs), "200", 1, 1e9, NULL, 0,
     "passes over the training samples, at most"},
    {"train", "batch_size", KT_OPTION_INT, AT(train.batch_size), "16", 1, 1e9, full_word, DEF,
     "samples of a step over all ranks; full = the whole training set"},
    {"train", "max_steps", KT_OPTION_INT, AT(train.max_steps), "0", 0, MANY, NULL, 0,
     "stop with a checkpoint after this many steps in all, also within an epoch; 0 = no limit"},
    {"train", "restore_best", KT_OPTION_CHOICE, AT(train.restore_best), "auto", 0, 0, kt_decision_word, 0,
     "leave the weights of the best epoch rather than the last; auto = as early_stopping"},

    {"parallel", "threads", KT_OPTION_INT, AT(parallel.threads), "auto", 1, 1024, kt_auto_word, 0,
     "BLAS threads of a rank; auto = 1"},

    {"checkpoint", "every_epochs", KT_OPTION_INT, AT(checkpoint.every_epochs), "auto", 0, 1e9, kt_auto_word, PLACE,
     "epochs between checkpoints; auto = as often as overhead allows; 0 = only at the end of the run"},
    {"checkpoint", "every_minutes", KT_OPTION_REAL, AT(checkpoint.every_minutes), "0", 0, 1e9, NULL, PLACE,
     "minutes between checkpoints, at most; 0 = no such limit"},
    {"checkpoint", "every_steps", KT_OPTION_INT, AT(checkpoint.every_steps), "0", 0, MANY, NULL, PLACE,
     "steps between checkpoints within an epoch; 0 = none"},
    {"checkpoint", "overhead", KT_OPTION_REAL, AT(checkpoint.overhead), "0.03", 0, 1000, NULL, PLACE,
     "share of the time that snapshots, and checkpoints with every_epochs = auto, may cost: how often they are made "
     "follows from what they take"},
    {"checkpoint", "snapshots", KT_OPTION_TEXT, AT(checkpoint.snapshots), "/dev/shm", 0, 0, NULL, PLACE,
     "a folder in memory where rank 0's host keeps the state of the last steps, for a start after a kill; off = none"},
    {"checkpoint", "keep", KT_OPTION_INT, AT(checkpoint.keep), "2", 1, 1e6, NULL, PLACE,
     "newest checkpoints kept, besides best.h5"},
    {"checkpoint", "resume", KT_OPTION_TEXT, AT(checkpoint.resume), "auto", 0, 0, NULL, PLACE,
     "auto goes on from the run's newest good checkpoint; never starts again, moving an older run aside; or the path "
     "of a checkpoint"},
};
static const kt_option_rows own_options = KT_OPTION_ROWS(option_rows);

static const kt_option_heading headings[] = {
    {"run", "What the run is called and where it writes."},
    {"data", "What is learned, and which part of it trains, validates and tests. Paths are relative to where the "
             "program is started."},
    {"model", "The network: hidden blocks of dense, [batch norm], activation, [dropout], then a dense layer to the "
              "classes."},
    {"train", "Loss, batches, and when to stop."},
    {"optimizer", "The update, its learning rate over time, and weight decay."},
    {"parallel", "How ranks share the work. shards, unit_shards and products touch the result by rounding; "
                 "with reproducible = true nothing else does."},
    {"checkpoint", "What is saved, when, and how a run goes on."},
    {NULL, NULL},
};

/* Whose keys there are, and where in a configuration their struct is. */
static const kt_option_group parts[] = {
    {&kt_exchange_options, AT(exchange)},   {&kt_arrangement_options, AT(arrangement)}, {&own_options, 0},
    {&kt_dataset_options, AT(data)},        {&kt_table_options, AT(data.tables)},       {&kt_split_options, AT(split)},
    {&kt_network_options, AT(model)},       {&kt_early_stopping_options, AT(stopping)}, {&kt_loss_options, AT(loss)},
    {&kt_optimizer_options, AT(optimizer)}, {&kt_schedule_options, AT(schedule)},
};

/* Where keys of several modules mix. The order is that of kt_config_key, too, and so stays. */
static const kt_option_place places[] = {
    {"data", "scale", "index_column"},        {"train", "restore_best", "min_delta"},
    {"train", "clip_norm", "class_weights"},  {"optimizer", "learning_rate", "name"},
    {"parallel", "ranks", "optimizer_state"}, {"parallel", "ranks_per_replica", "ranks"},
    {"parallel", "threads", "kernels"},       {NULL, NULL, NULL},
};

enum { ROOM = 128 };

/* Keys of earlier versions, which their checkpoints and jobs still have. */
static const kt_option gone[] = {
    {"parallel", "thin_batch", KT_OPTION_TEXT, AT(gone.thin_batch), NULL, 0, 0, NULL, 0,
     "batches of any size go by the same products (parallel.products)"},
};

static kt_option options[ROOM];
static kt_option_table joined = {.options = options,
                                 .headings = headings,
                                 .synonyms = kt_config_synonyms,
                                 .gone = gone,
                                 .n_gone = sizeof gone / sizeof gone[0]};

static void join_tables(void)
{
    joined.n = kt_options_join(parts, sizeof parts / sizeof parts[0], headings, places, ROOM, options);
}

const kt_option_table *kt_config_options(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, join_tables);
    return &joined;
}

static kt_status refuse_sweep(void *context, const char *where, const char *key, const char *text)
{
    const char *const *name = context;
    (void)key;
    (void)text;
    return kt_fail(KT_CONFIG, "%s: [sweep] is for ktrain sweep: say ktrain sweep %s", where, *name);
}

kt_status kt_config_defaults(kt_config *out)
{
    memset(out, 0, sizeof *out); /* padding too: two equal configurations are equal bytes */
    return kt_options_defaults(kt_config_options(), out);
}

void kt_config_take(const char *name, const char *text, size_t n_bytes, kt_config *config, kt_mistakes *mistakes)
{
    const kt_option_section sweep = {"sweep", refuse_sweep, &name};
    kt_options_read_ini(kt_config_options(), config, &sweep, &(kt_ini){name, text, n_bytes}, mistakes);
}

kt_status kt_config_parse(const char *name, const char *text, size_t n_bytes, size_t n_overrides,
                          char *const *overrides, kt_config *out)
{
    kt_mistakes mistakes = {0};
    KT_TRY(kt_config_defaults(out));
    kt_config_take(name, text, n_bytes, out, &mistakes);
    for (size_t i = 0; i < n_overrides; i++)
        kt_mistakes_add(&mistakes, kt_options_override(kt_config_options(), out, overrides[i]));
    KT_TRY(kt_mistakes_tell(&mistakes, name));
    return kt_config_check(name, out);
}

kt_status kt_config_read_text(kt_comm *comm, const char *path, char **text, size_t *n_bytes)
{
    unsigned char *bytes = NULL;
    uint64_t n = 0;
    bool root = kt_comm_rank(comm) == 0;
    kt_status status = KT_OK;
    *text = NULL;
    *n_bytes = 0;
    if (root) {
        size_t n_read = 0;
        status = kt_file_read(path, &bytes, &n_read);
        n = n_read;
    }
    KT_TRY(kt_comm_agree(comm, status));
    kt_comm_broadcast(comm, 0, &n, sizeof n);
    if (!root)
        status = KT_NEW(bytes, n + 1);
    status = kt_comm_agree(comm, status);
    if (status != KT_OK) {
        kt_memory_free(bytes);
        return status;
    }
    kt_comm_broadcast(comm, 0, bytes, n);
    *text = (char *)bytes;
    *n_bytes = n;
    return KT_OK;
}

kt_status kt_config_read(kt_comm *comm, const char *path, size_t n_overrides, char *const *overrides, kt_config *out)
{
    char *text;
    size_t n_bytes;
    KT_TRY(kt_config_read_text(comm, path, &text, &n_bytes));
    kt_status status = kt_config_parse(path, text, n_bytes, n_overrides, overrides, out);
    if (status == KT_OK && (out->job = kt_intern_text(path)) == NULL)
        status = KT_NO_MEMORY;
    status = kt_comm_agree(comm, status);
    kt_memory_free(text);
    return status;
}

kt_status kt_config_broadcast(kt_comm *comm, kt_config *config)
{
    const bool root = kt_comm_rank(comm) == 0;
    char *text = NULL;
    uint64_t n = 0;
    kt_status status = root ? kt_options_write_ini(kt_config_options(), config, &text) : KT_OK;
    if (root && status == KT_OK)
        n = strlen(text);
    KT_TRY(kt_comm_agree(comm, status));
    kt_comm_broadcast(comm, 0, &n, sizeof n);
    status = kt_comm_agree(comm, root ? KT_OK : KT_NEW(text, n + 1));
    if (status == KT_OK)
        kt_comm_broadcast(comm, 0, text, n);
    if (status == KT_OK)
        status =
            kt_comm_agree(comm, root ? KT_OK : kt_config_parse("rank 0's configuration", text, n, 0, NULL, config));
    kt_memory_free(text);
    return status;
}

/* "section.key=value\n" of a row. */
static void write_line(const kt_option *option, const kt_config *config, kt_text_buffer *line)
{
    kt_text_clear(line);
    kt_text_append(line, "%s.%s=", option->section, option->key);
    kt_options_format(option, config, line);
    kt_text_append(line, "\n");
}

uint64_t kt_config_key(const kt_config *config)
{
    static kt_text_buffer line;         /* kept: this is asked for every point of a sweep */
    static uint64_t default_hash[ROOM]; /* of each row's line; filled by the first call */
    const kt_option_table *table = kt_config_options();
    kt_config defaults;
    if (default_hash[0] == 0 && kt_options_defaults(table, &defaults) == KT_OK)
        for (size_t i = 0; i < table->n; i++) {
            write_line(&table->options[i], &defaults, &line);
            default_hash[i] = kt_hash_bytes(KT_HASH_START, line.bytes, line.n);
        }
    uint64_t key = KT_HASH_START;
    for (size_t i = 0; i < table->n; i++) {
        if (table->options[i].flags & KT_OPTION_PLACE)
            continue;
        write_line(&table->options[i], config, &line);
        if (kt_hash_bytes(KT_HASH_START, line.bytes, line.n) != default_hash[i])
            key = kt_hash_bytes(key, line.bytes, line.n);
    }
    return key;
}

const kt_option *kt_config_difference(const kt_config *a, const kt_config *b)
{
    const kt_option_table *table = kt_config_options();
    kt_text_buffer text_a = {0}, text_b = {0};
    const kt_option *difference = NULL;
    for (size_t i = 0; i < table->n && difference == NULL; i++) {
        const kt_option *o = &table->options[i];
        write_line(o, a, &text_a);
        write_line(o, b, &text_b);
        if ((o->flags & KT_OPTION_DEFINES) && strcmp(text_a.bytes, text_b.bytes) != 0)
            difference = o;
    }
    kt_memory_free(text_a.bytes);
    kt_memory_free(text_b.bytes);
    return difference;
}

uint64_t kt_config_hash(const kt_config *config)
{
    const kt_option_table *table = kt_config_options();
    kt_text_buffer text = {0};
    uint64_t hash = KT_HASH_START;
    for (size_t i = 0; i < table->n; i++) {
        const kt_option *o = &table->options[i];
        if (!(o->flags & KT_OPTION_DEFINES))
            continue;
        write_line(o, config, &text);
        hash = kt_hash_bytes(hash, text.bytes, strlen(text.bytes));
    }
    kt_memory_free(text.bytes);
    return hash;
}

void kt_config_report_gone(const kt_config *config, kt_log *log)
{
    for (const kt_option *o = gone; o < gone + sizeof gone / sizeof gone[0]; o++)
        if (*(const char *const *)((const char *)config + o->offset) != NULL)
            kt_log_warning(log, "%s.%s is gone and has no effect any more: %s", o->section, o->key, o->help);
}

bool kt_config_has_files(const kt_config *config, kt_part part)
{
    return part == KT_TRAIN ||
           (part == KT_VALIDATION ? config->data.validation_features : config->data.test_features)[0] != '\0';
}

size_t kt_config_fewest_samples(const kt_config *config)
{
    return config->model.batch_norm ? 2 : 1;
}

size_t kt_config_batch_size(const kt_config *config)
{
    return config->train.batch_size == KT_BATCH_FULL ? 0 : (size_t)config->train.batch_size;
}

int kt_config_threads(const kt_config *config)
{
    return config->parallel.threads == KT_AUTO ? 1 : (int)config->parallel.threads;
}

bool kt_config_restores_best(const kt_config *config)
{
    if (config->train.restore_best == KT_DECIDE_AUTO)
        return config->stopping.enabled;
    return config->train.restore_best == KT_DECIDE_TRUE;
}

kt_network_spec kt_config_network(const kt_config *config, size_t n_in, size_t n_classes)
{
    kt_network_spec spec = config->model;
    spec.n_in = n_in;
    spec.n_classes = n_classes;
    spec.n_slots = kt_optimizers[config->optimizer.kind].n_slots;
    spec.n_shards = KT_MAX_SHARDS;
    return spec;
}
