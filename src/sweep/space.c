/* Points by number, and the job that a point is. */
#include "sweep/space.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/options_rows.h"
#include "base/text.h"
#include "sweep/space_private.h"

/* ---- keys ---- */

KT_WORDS(objective_word, [KT_OBJECTIVE_CROSS_ENTROPY] = "validation_cross_entropy",
         [KT_OBJECTIVE_ACCURACY] = "validation_accuracy")
KT_WORDS(seeds_vary_word, [KT_SEEDS_TRAINING] = "training", [KT_SEEDS_SPLIT] = "split", [KT_SEEDS_BOTH] = "both")
KT_WORDS(keep_word, [KT_KEEP_BEST] = "best", [KT_KEEP_ALL] = "all")
KT_WORDS(builds_on_word, [KT_BUILDS_ON_JOB] = "job", [KT_BUILDS_ON_PREVIOUS] = "previous")
KT_WORDS_OF(strategy_name, kt_n_strategies, kt_strategies[i]->name)

#define AT(field)        offsetof(kt_sweep_settings, field)
#define HELP(name, help) "; " #name " " help

static const kt_option rows[] = {
    {"sweep", "strategy", KT_OPTION_CHOICE, AT(strategy), "grid", 0, 0, strategy_name, 0,
     "how to search" KT_STRATEGIES(HELP)},
    {"sweep", "builds_on", KT_OPTION_CHOICE, AT(builds_on), "job", 0, 0, builds_on_word, 0,
     "what a named point changes: the job, or what the point before it has come to (previous: changes add up)"},
    {"sweep", "objective", KT_OPTION_CHOICE, AT(objective), "validation_cross_entropy", 0, 0, objective_word, 0,
     "what is best: the lowest cross-entropy or the highest accuracy of the weights that a trial leaves; mean over "
     "repetitions"},
    {"sweep", "seeds", KT_OPTION_INT, AT(seeds), "1", 1, KT_MAX_SEEDS, NULL, 0,
     "repetitions of each point, whose seeds count up from the job's own"},
    {"sweep", "seeds_vary", KT_OPTION_CHOICE, AT(seeds_vary), "training", 0, 0, seeds_vary_word, 0,
     "what differs between repetitions: run.seed (training), data.split_seed (split) or both"},
    {"sweep", "ranks_per_trial", KT_OPTION_INT, AT(ranks_per_trial), "1", 1, 4096, NULL, 0,
     "ranks that share a trial: must divide the ranks of the sweep; trials run side by side, each on a group of so "
     "many"},
    {"sweep", "points", KT_OPTION_INT, AT(points), "auto", 1, 1e9, kt_auto_word, 0,
     "points that random and halving draw; auto = all, in a random order"},
    {"sweep", "seed", KT_OPTION_INT, AT(seed), "1", 0, 1e15, NULL, 0, "seed of these draws"},
    {"sweep", "rounds", KT_OPTION_INT, AT(rounds), "10", 1, 1e6, NULL, 0,
     "times that greedy goes through all axes, at most; it ends when a round finds nothing better"},
    {"sweep", "min_epochs", KT_OPTION_INT, AT(min_epochs), "3", 1, 1e9, NULL, 0,
     "epochs of halving's first rung; the last has train.epochs"},
    {"sweep", "reduction", KT_OPTION_INT, AT(reduction), "4", 2, 1000, NULL, 0,
     "of a rung of halving the best one in so many go on, with so many times the epochs"},
    {"sweep", "keep_trials", KT_OPTION_CHOICE, AT(keep_trials), "best", 0, 0, keep_word, 0,
     "whose directories stay: best = only the best point's; all = every trial's; results are on record for all"},
};

static const kt_option_heading headings[] = {
    {"sweep", "What ktrain sweep searches, and how; other commands refuse a file with this section. Besides the "
              "keys below it holds the axes: any key of another section that touches what is computed, as "
              "section.key = its values. Values are separated by '|', or by commas where there is no '|': "
              "optimizer.learning_rate = 0.001, 0.01; model.hidden = [32] | [64, 32]. Texts and lists without "
              "brackets (data.split) take '|' only. The points are all combinations. A named point sets several "
              "keys at once: point.adam = optimizer.name=adam model.hidden=[64, 32]; all named points together are "
              "one more axis. On the command line sweep.seeds=3 sets a key, "
              "sweep.optimizer.learning_rate=0.01,0.1 an axis and sweep.point.wide='model.hidden=[512]' a point."},
    {NULL, NULL},
};

const kt_option_table kt_sweep_options = {
    .options = rows,
    .n = sizeof rows / sizeof rows[0],
    .headings = headings,
    .also = kt_config_options,
};

/* ---- points ---- */

void kt_value_free(kt_value *value)
{
    for (size_t i = 0; i < value->n; i++)
        kt_memory_free(value->settings[i].text);
    kt_memory_free(value->settings);
    kt_memory_free(value->name);
    *value = (kt_value){0};
}

kt_setting *kt_value_find(const kt_value *value, const kt_option *option)
{
    for (size_t i = 0; i < value->n; i++)
        if (value->settings[i].option == option)
            return &value->settings[i];
    return NULL;
}

kt_status kt_value_set(kt_value *value, const kt_option *option, const char *text)
{
    kt_setting *setting = kt_value_find(value, option);
    char *copy = kt_memory_string(text);
    if (copy == NULL)
        return KT_NO_MEMORY;
    if (setting == NULL)
        setting = &value->settings[value->n++];
    else
        kt_memory_free(setting->text);
    *setting = (kt_setting){option, copy};
    return KT_OK;
}

void kt_axis_free(kt_axis *axis)
{
    for (size_t i = 0; i < axis->n; i++)
        kt_value_free(&axis->values[i]);
    kt_memory_free(axis->values);
    *axis = (kt_axis){0};
}

void kt_space_free(kt_space *space)
{
    for (size_t i = 0; i < space->n_axes; i++)
        kt_axis_free(&space->axes[i]);
    kt_memory_free(space->axes);
    kt_memory_free(space->sizes);
    kt_memory_free(space->start);
    memset(space, 0, sizeof *space);
}

size_t kt_space_index(const kt_space *space, uint64_t point, size_t axis)
{
    return kt_point_index(space->n_axes, space->sizes, point, axis);
}

const kt_value *kt_space_value(const kt_space *space, uint64_t point, size_t axis)
{
    return &space->axes[axis].values[kt_space_index(space, point, axis)];
}

size_t kt_space_named_axis(const kt_space *space)
{
    size_t i = 0;
    while (i < space->n_axes && space->axes[i].option != NULL)
        i++;
    return i;
}

void kt_space_describe(const kt_space *space, uint64_t point, char *text, size_t size)
{
    if (size > 0)
        text[0] = '\0';
    for (size_t i = 0, n = 0; i < space->n_axes && n < size; i++) {
        const kt_axis *axis = &space->axes[i];
        const bool named = axis->option == NULL;
        n += (size_t)snprintf(text + n, size - n, "%s%s%s%s", i > 0 ? ", " : "", named ? "" : axis->name,
                              named ? "" : " = ", kt_space_value(space, point, i)->name);
    }
}

static kt_status set_option(const kt_option *option, const char *text, kt_config *config)
{
    return kt_options_set(kt_config_options(), config, "axis", option->section, option->key, text);
}

kt_status kt_value_apply(const kt_value *value, kt_config *config)
{
    for (size_t i = 0; i < value->n; i++)
        KT_TRY(set_option(value->settings[i].option, value->settings[i].text, config));
    return KT_OK;
}

kt_status kt_space_config(const kt_space *space, uint64_t point, int64_t repetition, int64_t epochs, kt_config *out)
{
    *out = space->base;
    for (size_t i = 0; i < space->n_axes; i++)
        KT_TRY(kt_value_apply(kt_space_value(space, point, i), out));
    if (kt_space_varies_training(space))
        out->run.seed += repetition;
    if (kt_space_varies_split(space))
        out->split.seed += repetition;
    if (epochs > 0)
        out->train.epochs = epochs;
    if (kt_config_check("", out) == KT_OK)
        return KT_OK;
    char text[400], name[420]; /* of the rare case only */
    kt_space_describe(space, point, text, sizeof text);
    snprintf(name, sizeof name, "the point %s", text);
    return kt_config_check(name, out);
}

/* Gives every key that the axis sets its default. */
static kt_status level(const kt_axis *axis, kt_config *config)
{
    const size_t n = axis->option != NULL ? 1 : axis->n; /* all values of a key's axis set that key */
    for (size_t v = 0; v < n; v++)
        for (size_t i = 0; i < axis->values[v].n; i++) {
            const kt_option *option = axis->values[v].settings[i].option;
            KT_TRY(set_option(option, option->default_text, config));
        }
    return KT_OK;
}

bool kt_space_has(const kt_space *space, const kt_config *config)
{
    kt_config a = space->base, b = *config;
    for (size_t i = 0; i < space->n_axes; i++)
        if (level(&space->axes[i], &a) != KT_OK || level(&space->axes[i], &b) != KT_OK)
            return false;
    if (kt_space_varies_training(space))
        b.run.seed = a.run.seed;
    if (kt_space_varies_split(space))
        b.split.seed = a.split.seed;
    if (kt_space_varies_epochs(space))
        b.train.epochs = a.train.epochs;
    return kt_config_key(&a) == kt_config_key(&b);
}

/* ---- writing ---- */

static kt_status append_table(kt_text_buffer *buffer, const kt_option_table *table, const void *values)
{
    char *text;
    KT_TRY(kt_options_write_ini(table, values, &text));
    kt_text_append(buffer, "%s", text);
    kt_memory_free(text);
    return KT_OK;
}

static void append_axis(kt_text_buffer *buffer, const kt_axis *axis)
{
    kt_text_append(buffer, "%s =", axis->name);
    for (size_t i = 0; i < axis->n; i++)
        kt_text_append(buffer, "%s %s", i > 0 ? " |" : "", axis->values[i].name);
    kt_text_append(buffer, "\n");
}

/* One named point: of what it sets the part that the one before it (NULL: none) has not set already. */
static void append_point(kt_text_buffer *buffer, const kt_value *before, const kt_value *value)
{
    kt_text_append(buffer, "point.%s =", value->name);
    for (size_t i = 0, n = 0; i < value->n; i++) {
        const kt_setting *s = &value->settings[i], *known = before != NULL ? kt_value_find(before, s->option) : NULL;
        if (known == NULL || strcmp(known->text, s->text) != 0)
            kt_text_append(buffer, "%s %s.%s=%s", n++ > 0 ? " |" : "", s->option->section, s->option->key, s->text);
    }
    kt_text_append(buffer, "\n");
}

static void append_points(kt_text_buffer *buffer, const kt_space *space, const kt_axis *axis)
{
    const bool builds = space->settings.builds_on == KT_BUILDS_ON_PREVIOUS;
    for (size_t i = 0; i < axis->n; i++)
        append_point(buffer, builds && i > 0 ? &axis->values[i - 1] : NULL, &axis->values[i]);
}

kt_status kt_space_write(const kt_space *space, char **text)
{
    kt_text_buffer buffer = {0};
    *text = NULL;
    kt_status status = append_table(&buffer, kt_config_options(), &space->base);
    kt_text_append(&buffer, "\n");
    if (status == KT_OK)
        status = append_table(&buffer, &kt_sweep_options, &space->settings);
    for (size_t i = 0; i < space->n_axes; i++)
        if (space->axes[i].option != NULL)
            append_axis(&buffer, &space->axes[i]);
        else
            append_points(&buffer, space, &space->axes[i]);
    if (status == KT_OK)
        return kt_text_take(&buffer, text);
    kt_memory_free(buffer.bytes);
    return status;
}
