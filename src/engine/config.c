#include "engine/config.h"

#include <float.h>
#include <string.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/intern.h"
#include "base/memory.h"

#define NO_MIN (-DBL_MAX)
#define NO_MAX DBL_MAX
#define MANY   1e15 /* whole numbers up to here are exact in a double */

static const char *word(const char *const *words, size_t n, size_t i)
{
    return i < n ? words[i] : NULL;
}

#define WORDS(name, ...)                                       \
    static const char *name(size_t i)                          \
    {                                                          \
        static const char *const words[] = {__VA_ARGS__};      \
        return word(words, sizeof words / sizeof words[0], i); \
    }

WORDS(auto_word, "auto")
WORDS(full_word, "full")
WORDS(decision_words, "auto", "true", "false")
WORDS(class_weight_words, "none", "balanced")
WORDS(exchange_words, "auto", "allreduce", "factors")
WORDS(replica_words, "auto", "node")
WORDS(state_words, "auto", "rank0", "sharded")

static const char *kernels_name(size_t i)
{
    return i == 0 ? "auto" : i - 1 < kt_n_kernels ? kt_kernels_table[i - 1]->name : NULL;
}

static const char *activation_name(size_t i)
{
    return i < kt_n_activations ? kt_activations[i].name : NULL;
}

static const char *initializer_name(size_t i)
{
    return i < kt_n_initializers ? kt_initializers[i].name : NULL;
}

static const char *optimizer_name(size_t i)
{
    return i < kt_n_optimizers ? kt_optimizers[i].name : NULL;
}

static const char *schedule_name(size_t i)
{
    return i < kt_n_schedules ? kt_schedules[i].name : NULL;
}

static const char *unit_name(size_t i)
{
    return word(kt_schedule_unit_names, KT_N_UNITS, i);
}

static const char *l2_form_name(size_t i)
{
    return word(kt_l2_form_names, KT_N_L2_FORMS, i);
}

#define AT(field) offsetof(kt_config, field)
enum { DEF = KT_OPTION_DEFINES, ABOVE = KT_OPTION_ABOVE, BELOW = KT_OPTION_BELOW, PLACE = KT_OPTION_PLACE };

static const kt_option rows[] = {
    {"run", "dir", KT_OPTION_TEXT, AT(run.dir), "runs/default", 0, 0, NULL, PLACE,
     "directory of everything the run writes; made when it is not there"},
    {"run", "seed", KT_OPTION_INT, AT(run.seed), "1", 0, MANY, NULL, DEF,
     "seed of the initial weights, the order of the samples and dropout"},
    {"run", "log_steps", KT_OPTION_INT, AT(run.log_steps), "0", 0, 1e9, NULL, PLACE,
     "write the loss of each of the first so many steps to steps.csv"},

    {"data", "features", KT_OPTION_TEXT, AT(data.features), "", 0, 0, NULL, 0,
     "samples: .npy, .npz, IDX (.gz too), .csv or .h5, of shape (n, d) or (n, h, w); file:member names an array inside "
     ".npz or .h5"},
    {"data", "labels", KT_OPTION_TEXT, AT(data.labels), "", 0, 0, NULL, 0,
     "their classes: whole numbers from 0, or one-hot rows"},
    {"data", "class_names", KT_OPTION_TEXT, AT(data.class_names), "", 0, 0, NULL, 0,
     "CSV with a header: class index in the first column, name in the last; may be empty"},
    {"data", "validation_features", KT_OPTION_TEXT, AT(data.validation_features), "", 0, 0, NULL, 0,
     "a file of its own for validation; its share of the split is then left to the others"},
    {"data", "validation_labels", KT_OPTION_TEXT, AT(data.validation_labels), "", 0, 0, NULL, 0, "its classes"},
    {"data", "test_features", KT_OPTION_TEXT, AT(data.test_features), "", 0, 0, NULL, 0,
     "a file of its own for the test; its share of the split is then left to the others"},
    {"data", "test_labels", KT_OPTION_TEXT, AT(data.test_labels), "", 0, 0, NULL, 0, "its classes"},
    {"data", "header", KT_OPTION_CHOICE, AT(data.header), "auto", 0, 0, decision_words, 0,
     "whether a table (.csv) begins with a line of names; auto = when no cell of it is a number, or they are 0, 1, "
     "..., n-1"},
    {"data", "index_column", KT_OPTION_CHOICE, AT(data.index_column), "auto", 0, 0, decision_words, 0,
     "whether the first column of a table of features holds row numbers and is left out; auto = whole numbers without "
     "a name, or under "
     "\"Unnamed: 0\""},
    {"data", "scale", KT_OPTION_REAL, AT(data.scale), "1", 0, FLT_MAX, NULL, DEF | ABOVE,
     "inputs are divided by this (255 for bytes); kept in the model file"},
    {"data", "split", KT_OPTION_REALS, AT(data.split), "0.70, 0.15, 0.15", 0, 1, NULL, DEF,
     "fractions of training, validation and test; their sum is 1"},
    {"data", "split_seed", KT_OPTION_INT, AT(data.split_seed), "1", 0, MANY, NULL, DEF,
     "seed of the split, which depends on nothing else"},
    {"data", "shuffle", KT_OPTION_BOOL, AT(data.shuffle), "true", 0, 0, NULL, DEF, "shuffle before splitting"},
    {"data", "stratify", KT_OPTION_BOOL, AT(data.stratify), "true", 0, 0, NULL, DEF,
     "spread every class over the parts in proportion"},

    {"model", "hidden", KT_OPTION_INTS, AT(model.hidden), "[128]", 1, 1e7, NULL, DEF,
     "widths of the hidden layers; [] is softmax regression"},
    {"model", "activation", KT_OPTION_CHOICE, AT(model.activation), "relu", 0, 0, activation_name, DEF,
     "of the hidden layers"},
    {"model", "dropout", KT_OPTION_REAL, AT(model.dropout), "0", 0, 1, NULL, DEF | BELOW,
     "probability of dropping a hidden unit in training (inverted dropout)"},
    {"model", "batch_norm", KT_OPTION_BOOL, AT(model.batch_norm), "false", 0, 0, NULL, DEF,
     "normalize before each activation, over the whole batch of all ranks; a last batch of one sample joins the one "
     "before"},
    {"model", "batch_norm_momentum", KT_OPTION_REAL, AT(model.batch_norm_momentum), "0.1", 0, 1, NULL, DEF | ABOVE,
     "weight of the newest batch in the running statistics"},
    {"model", "batch_norm_epsilon", KT_OPTION_REAL, AT(model.batch_norm_epsilon), "1e-5", 0, 1, NULL, DEF | ABOVE,
     "added to the variance"},
    {"model", "init", KT_OPTION_CHOICE, AT(model.initializer), "he", 0, 0, initializer_name, DEF,
     "initial weights; biases start at 0"},
    {"model", "init_scale", KT_OPTION_REAL, AT(model.init_scale), "0.01", 0, 1e3, NULL, DEF | ABOVE,
     "standard deviation of init = normal, half width of init = uniform"},

    {"train", "epochs", KT_OPTION_INT, AT(train.epochs), "200", 1, 1e9, NULL, 0,
     "passes over the training samples, at most"},
    {"train", "batch_size", KT_OPTION_INT, AT(train.batch_size), "16", 1, 1e9, full_word, DEF,
     "samples of a step over all ranks; full = the whole training set"},
    {"train", "max_steps", KT_OPTION_INT, AT(train.max_steps), "0", 0, MANY, NULL, 0,
     "stop with a checkpoint after this many steps in all, also within an epoch; 0 = no limit"},
    {"train", "early_stopping", KT_OPTION_BOOL, AT(train.early_stopping), "true", 0, 0, NULL, 0,
     "stop after `patience` epochs in a row without a better validation loss"},
    {"train", "patience", KT_OPTION_INT, AT(train.patience), "10", 1, 1e9, NULL, 0, "of early stopping, in epochs"},
    {"train", "min_delta", KT_OPTION_REAL, AT(train.min_delta), "0", 0, NO_MAX, NULL, 0,
     "an improvement must be larger than this to count"},
    {"train", "restore_best", KT_OPTION_CHOICE, AT(train.restore_best), "auto", 0, 0, decision_words, 0,
     "leave the weights of the best epoch rather than the last; auto = as early_stopping"},
    {"train", "label_smoothing", KT_OPTION_REAL, AT(train.label_smoothing), "0", 0, 1, NULL, DEF | BELOW,
     "targets are (1 - s) onehot + s / classes"},
    {"train", "class_weights", KT_OPTION_REALS, AT(train.class_weights), "none", 0, 1e6, class_weight_words, DEF,
     "weight of each class in the loss; balanced = samples / (classes that have some * samples of the class)"},
    {"train", "clip_norm", KT_OPTION_REAL, AT(train.clip_norm), "0", 0, NO_MAX, NULL, DEF,
     "largest global norm of the loss's gradient, before L2; 0 = no clipping"},

    {"optimizer", "name", KT_OPTION_CHOICE, AT(optimizer.kind), "adam", 0, 0, optimizer_name, DEF,
     "how a step uses its gradient"},
    {"optimizer", "learning_rate", KT_OPTION_REAL, AT(schedule.initial), "0.001", 0, NO_MAX, NULL, DEF | ABOVE,
     "at the start (after warm-up)"},
    {"optimizer", "momentum", KT_OPTION_REAL, AT(optimizer.momentum), "0.9", 0, 1, NULL, DEF | BELOW,
     "of momentum and nesterov"},
    {"optimizer", "beta1", KT_OPTION_REAL, AT(optimizer.beta1), "0.9", 0, 1, NULL, DEF | BELOW,
     "decay of Adam's first moment"},
    {"optimizer", "beta2", KT_OPTION_REAL, AT(optimizer.beta2), "0.999", 0, 1, NULL, DEF | BELOW,
     "decay of Adam's second moment, and of rmsprop's mean square"},
    {"optimizer", "epsilon", KT_OPTION_REAL, AT(optimizer.epsilon), "1e-8", 0, 1, NULL, DEF | ABOVE,
     "of adam, adamw and rmsprop"},
    {"optimizer", "l2", KT_OPTION_REAL, AT(optimizer.l2), "0", 0, NO_MAX, NULL, DEF,
     "strength of weight decay (lambda)"},
    {"optimizer", "l2_form", KT_OPTION_CHOICE, AT(optimizer.l2_form), "batch", 0, 0, l2_form_name, DEF,
     "batch adds lambda/m w to the gradient (m = samples of the step); coupled adds lambda w; decoupled shrinks the "
     "weights by rate * lambda"},
    {"optimizer", "l2_biases", KT_OPTION_BOOL, AT(optimizer.l2_biases), "false", 0, 0, NULL, DEF,
     "also on biases and batch norm's gains and shifts"},
    {"optimizer", "schedule", KT_OPTION_CHOICE, AT(schedule.kind), "constant", 0, 0, schedule_name, DEF,
     "of the learning rate"},
    {"optimizer", "schedule_unit", KT_OPTION_CHOICE, AT(schedule.unit), "epoch", 0, 0, unit_name, DEF,
     "what the schedule counts"},
    {"optimizer", "gamma", KT_OPTION_REAL, AT(schedule.gamma), "0.99", 0, 1, NULL, DEF | ABOVE,
     "factor of exponential, step and plateau"},
    {"optimizer", "final_learning_rate", KT_OPTION_REAL, AT(schedule.final), "0", 0, NO_MAX, NULL, DEF,
     "where linear and cosine end; lower bound of plateau"},
    {"optimizer", "period", KT_OPTION_INT, AT(schedule.period), "100", 1, MANY, NULL, DEF,
     "units until linear and cosine end; between two reductions of step"},
    {"optimizer", "warmup", KT_OPTION_INT, AT(schedule.warmup), "0", 0, MANY, NULL, DEF,
     "units of linear warm-up before the schedule"},
    {"optimizer", "plateau_patience", KT_OPTION_INT, AT(schedule.plateau_patience), "5", 0, 1e9, NULL, DEF,
     "epochs without a better validation loss that plateau lets pass"},

    {"parallel", "exchange", KT_OPTION_CHOICE, AT(parallel.exchange), "auto", 0, 0, exchange_words, 0,
     "how replicas combine gradients: allreduce adds them; factors gathers what they are made of, and every replica "
     "forms them itself; auto "
     "chooses by layer and measured network"},
    {"parallel", "optimizer_state", KT_OPTION_CHOICE, AT(parallel.optimizer_state), "auto", 0, 0, state_words, 0,
     "of layers that allreduce: rank0's replica updates all weights and sends them; sharded: every replica updates a "
     "slice; auto = sharded"},
    {"parallel", "ranks_per_replica", KT_OPTION_INT, AT(parallel.ranks_per_replica), "auto", 1, 4096, replica_words, 0,
     "ranks of a host that share one copy of the weights, at most; node = all of a host; 1 = every rank has its own; "
     "auto = node for thin "
     "batches, 1 for larger ones"},
    {"parallel", "reproducible", KT_OPTION_BOOL, AT(parallel.reproducible), "true", 0, 0, NULL, 0,
     "add up in an order that does not depend on the ranks: any number of them gives the same bits; false leaves the "
     "order to MPI"},
    {"parallel", "shards", KT_OPTION_INT, AT(parallel.shards), "8", 1, KT_MAX_SHARDS, NULL, DEF,
     "parts of a batch that are summed apart and then added along a tree, a power of two: no more replicas than these "
     "can share a batch"},
    {"parallel", "thin_batch", KT_OPTION_INT, AT(parallel.thin_batch), "256", 0, 1e6, NULL, DEF,
     "batches of up to so many samples go through ktrain's own kernels, larger ones through OpenBLAS"},
    {"parallel", "kernels", KT_OPTION_CHOICE, AT(parallel.kernels), "auto", 0, 0, kernels_name, 0,
     "instruction set of ktrain's own kernels; auto = the best that the processor has"},
    {"parallel", "threads", KT_OPTION_INT, AT(parallel.threads), "auto", 1, 1024, auto_word, 0,
     "BLAS threads of a rank; auto = 1"},

    {"checkpoint", "every_epochs", KT_OPTION_INT, AT(checkpoint.every_epochs), "1", 0, 1e9, NULL, PLACE,
     "epochs between checkpoints; 0 = only at the end of the run"},
    {"checkpoint", "every_steps", KT_OPTION_INT, AT(checkpoint.every_steps), "0", 0, MANY, NULL, PLACE,
     "steps between checkpoints within an epoch; 0 = none"},
    {"checkpoint", "keep", KT_OPTION_INT, AT(checkpoint.keep), "2", 1, 1e6, NULL, PLACE,
     "newest checkpoints kept, besides best.h5"},
    {"checkpoint", "resume", KT_OPTION_TEXT, AT(checkpoint.resume), "auto", 0, 0, NULL, PLACE,
     "auto goes on from the run's newest good checkpoint; never starts again, moving an older run aside; or the path "
     "of a checkpoint"},
};

static const char *section_help(const char *section)
{
    static const struct {
        const char *section, *help;
    } sections[] = {
        {"run", "What the run is called and where it writes."},
        {"data", "What is learned, and which part of it trains, validates and tests. Paths are relative to where the "
                 "program is started."},
        {"model", "The network: hidden blocks of dense, [batch norm], activation, [dropout], then a dense layer to the "
                  "classes."},
        {"train", "Loss, batches, and when to stop."},
        {"optimizer", "The update, its learning rate over time, and weight decay."},
        {"parallel", "How ranks share the work. shards, thin_batch, kernels and threads touch the result by rounding; "
                     "with reproducible = true nothing else does."},
        {"checkpoint", "What is saved, when, and how a run goes on."},
    };
    for (size_t i = 0; i < sizeof sections / sizeof sections[0]; i++)
        if (strcmp(sections[i].section, section) == 0)
            return sections[i].help;
    return NULL;
}

const kt_option_table kt_config_options = {
    .options = rows,
    .n = sizeof rows / sizeof rows[0],
    .section_help = section_help,
    .synonyms = kt_config_synonyms,
};

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
    return kt_options_defaults(&kt_config_options, out);
}

void kt_config_take(const char *name, const char *text, size_t n_bytes, kt_config *config, kt_mistakes *mistakes)
{
    const kt_option_section sweep = {"sweep", refuse_sweep, &name};
    kt_options_read_ini(&kt_config_options, config, &sweep, name, text, n_bytes, mistakes);
}

kt_status kt_config_parse(const char *name, const char *text, size_t n_bytes, size_t n_overrides,
                          char *const *overrides, kt_config *out)
{
    kt_mistakes mistakes = {0};
    KT_TRY(kt_config_defaults(out));
    kt_config_take(name, text, n_bytes, out, &mistakes);
    for (size_t i = 0; i < n_overrides; i++)
        kt_mistakes_add(&mistakes, kt_options_override(&kt_config_options, out, overrides[i]));
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
    kt_status status = root ? kt_options_write_ini(&kt_config_options, config, &text) : KT_OK;
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
    enum { N_ROWS = sizeof rows / sizeof rows[0] };
    static kt_text_buffer line;           /* kept: this is asked for every point of a sweep */
    static uint64_t default_hash[N_ROWS]; /* of each row's line; filled by the first call */
    kt_config defaults;
    if (default_hash[0] == 0 && kt_options_defaults(&kt_config_options, &defaults) == KT_OK)
        for (size_t i = 0; i < N_ROWS; i++) {
            write_line(&rows[i], &defaults, &line);
            default_hash[i] = kt_hash_bytes(KT_HASH_START, line.bytes, line.n);
        }
    uint64_t key = KT_HASH_START;
    for (size_t i = 0; i < N_ROWS; i++) {
        if (rows[i].flags & KT_OPTION_PLACE)
            continue;
        write_line(&rows[i], config, &line);
        if (kt_hash_bytes(KT_HASH_START, line.bytes, line.n) != default_hash[i])
            key = kt_hash_bytes(key, line.bytes, line.n);
    }
    return key;
}

const kt_option *kt_config_difference(const kt_config *a, const kt_config *b)
{
    kt_text_buffer text_a = {0}, text_b = {0};
    const kt_option *difference = NULL;
    for (size_t i = 0; i < kt_config_options.n && difference == NULL; i++) {
        const kt_option *o = &rows[i];
        write_line(o, a, &text_a);
        write_line(o, b, &text_b);
        if ((o->flags & KT_OPTION_DEFINES) && strcmp(text_a.bytes, text_b.bytes) != 0)
            difference = o;
    }
    kt_memory_free(text_a.bytes);
    kt_memory_free(text_b.bytes);
    return difference;
}

bool kt_config_has_files(const kt_config *config, kt_part part)
{
    return part == KT_TRAIN ||
           (part == KT_VALIDATION ? config->data.validation_features : config->data.test_features)[0] != '\0';
}

kt_table_rules kt_config_table_rules(const kt_config *config)
{
    return (kt_table_rules){.header = config->data.header, .index_column = config->data.index_column};
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
    if (config->train.restore_best == KT_RESTORE_AUTO)
        return config->train.early_stopping;
    return config->train.restore_best == KT_RESTORE_TRUE;
}

kt_network_spec kt_config_network(const kt_config *config, size_t n_in, size_t n_classes)
{
    return (kt_network_spec){
        .n_in = n_in,
        .n_classes = n_classes,
        .n_hidden = config->model.hidden.n,
        .hidden = config->model.hidden.values,
        .activation = config->model.activation,
        .initializer = config->model.initializer,
        .init_scale = config->model.init_scale,
        .dropout = config->model.dropout,
        .batch_norm = config->model.batch_norm,
        .batch_norm_momentum = config->model.batch_norm_momentum,
        .batch_norm_epsilon = config->model.batch_norm_epsilon,
        .thin_rows = (size_t)config->parallel.thin_batch,
        .kernels = config->parallel.kernels,
        .transposed_input = true,
        .n_shards = KT_MAX_SHARDS,
    };
}
