/* Reading a space: the [sweep] section's keys and axes, the command line, and what must hold of the whole. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "ktrain/intern.h"
#include "ktrain/memory.h"
#include "ktrain/text.h"
#include "space_private.h"

typedef struct parser {
    const char *name;
    kt_space *space;
    bool on_command_line;  /* there, what is set again counts instead */
    /* Where something was set: "grid.ini:12", "command line"; NULL: nowhere. Interned. */
    const char **axis_places;    /* [kt_config_options.n]: of space->axes */
    const char **setting_places; /* [kt_sweep_options.n] */
    kt_config scratch;     /* a value is set here to be written as all are */
    kt_text_buffer text;
} parser;

/* ---- the values of an axis ---- */

/* What stands between values; NUL: the text is one value. */
static char find_separator(const kt_option *option, const char *text)
{
    if (strchr(text, '|') != NULL)
        return '|';
    return option->type == KT_OPTION_REALS || option->type == KT_OPTION_TEXT ? '\0' : ',';
}

/* Cuts the next value, trimmed, off *rest, which becomes NULL after the last. Commas within brackets are a value's. */
static char *cut_value(char **rest, char separator)
{
    char *value = *rest + strspn(*rest, " \t"), *end = value;
    for (int depth = 0; *end != '\0' && (*end != separator || (separator == ',' && depth > 0)); end++)
        depth += (*end == '[') - (*end == ']');
    *rest = *end == '\0' ? NULL : end + 1;
    while (end > value && isspace((unsigned char)end[-1]))
        end--;
    *end = '\0';
    return value;
}

/* The option's value in p->text. */
static kt_status write_value(parser *p, const kt_option *option, const kt_config *config)
{
    kt_text_clear(&p->text);
    kt_options_format(option, config, &p->text);
    return p->text.status;
}

/* Appends a value to the axis, which has room. *n_bytes counts what all take when they are written. */
static kt_status add_value(parser *p, const char *where, kt_axis *axis, const char *value, size_t *n_bytes)
{
    enum { MOST = 32768 }; /* every value is compared with every other */
    const kt_option *o = axis->option;
    if (value[0] == '\0')
        return kt_fail(KT_CONFIG, "%s: %s.%s has an empty value: must be values separated by %s", where, o->section,
                       o->key, find_separator(o, "") == ',' ? "'|' or ','" : "'|'");
    KT_TRY(kt_options_set(&kt_config_options, &p->scratch, where, o->section, o->key, value));
    KT_TRY(write_value(p, o, &p->scratch));
    for (size_t i = 0; i < axis->n; i++)
        if (strcmp(axis->values[i], p->text.bytes) == 0)
            return kt_fail(KT_CONFIG, "%s: %s.%s has the value %.120s twice: must be values that differ", where,
                           o->section, o->key, p->text.bytes);
    *n_bytes += p->text.n + 3;
    if (*n_bytes > MOST)
        return kt_fail(KT_CONFIG, "%s: the values of %s.%s take more than %d bytes: must be fewer", where, o->section,
                       o->key, MOST);
    char *copy = kt_memory_string(p->text.bytes);
    if (copy == NULL)
        return KT_NO_MEMORY;
    axis->values[axis->n++] = copy;
    return KT_OK;
}

/* Fills the axis, whose option is set, from a text that is cut up. */
static kt_status take_values(parser *p, const char *where, kt_axis *axis, char *text)
{
    char separator = find_separator(axis->option, text);
    size_t most = 1, n_bytes = 0;
    for (const char *c = text; separator != '\0' && *c != '\0'; c++)
        most += *c == separator;
    KT_TRY(KT_NEW(axis->values, most));
    for (char *rest = text; rest != NULL;)
        KT_TRY(add_value(p, where, axis, cut_value(&rest, separator), &n_bytes));
    return KT_OK;
}

static kt_status parse_axis(parser *p, const char *where, const kt_option *option, const char *text, kt_axis *axis)
{
    *axis = (kt_axis){.option = option};
    char *copy = kt_memory_string(text);
    kt_status status = copy == NULL ? KT_NO_MEMORY : take_values(p, where, axis, copy);
    kt_memory_free(copy);
    if (status != KT_OK)
        kt_axis_free(axis);
    return status;
}

/* ---- keys ---- */

static size_t find_axis(const kt_space *space, const kt_option *option)
{
    size_t i = 0;
    while (i < space->n_axes && space->axes[i].option != option)
        i++;
    return i;
}

static kt_status set_axis(parser *p, const char *where, const char *section, const char *key, const char *text)
{
    const kt_option *option = kt_options_find(&kt_config_options, section, key);
    if (option == NULL)
        return kt_options_set(&kt_config_options, &p->scratch, where, section, key, text); /* says what is near */
    if (option->flags & KT_OPTION_PLACE)
        return kt_fail(KT_CONFIG, "%s: %s.%s cannot be swept: must be a key that changes what a trial computes", where,
                       section, key);
    size_t i = find_axis(p->space, option);
    if (i < p->space->n_axes && !p->on_command_line)
        return kt_fail(KT_CONFIG, "%s: %s.%s is set twice, first at %s", where, section, key, p->axis_places[i]);
    kt_axis axis;
    KT_TRY(parse_axis(p, where, option, text, &axis));
    if (i < p->space->n_axes)
        kt_axis_free(&p->space->axes[i]);
    else
        p->space->n_axes++;
    p->space->axes[i] = axis;
    p->axis_places[i] = kt_intern_text(where);
    return p->axis_places[i] != NULL ? KT_OK : KT_NO_MEMORY;
}

static kt_status set_setting(parser *p, const char *where, const char *key, const char *text)
{
    const kt_option *option = kt_options_find(&kt_sweep_options, "sweep", key);
    for (size_t i = 0; option == NULL && i < kt_config_options.n; i++)
        if (strcmp(kt_config_options.options[i].key, key) == 0)
            return kt_fail(KT_CONFIG, "%s: there is no key sweep.%s; did you mean %s.%s? (ktrain options lists all)",
                           where, key, kt_config_options.options[i].section, key);
    const char **set = option == NULL ? NULL : &p->setting_places[option - kt_sweep_options.options];
    if (set != NULL && *set != NULL && !p->on_command_line)
        return kt_fail(KT_CONFIG, "%s: sweep.%s is set twice, first at %s", where, key, *set);
    KT_TRY(kt_options_set(&kt_sweep_options, &p->space->settings, where, "sweep", key, text));
    *set = kt_intern_text(where);
    return *set != NULL ? KT_OK : KT_NO_MEMORY;
}

/* A key of [sweep]: with a dot an axis. */
static kt_status set_key(void *context, const char *where, const char *key, const char *text)
{
    parser *p = context;
    if (key == NULL)
        return KT_OK; /* the section begins */
    const char *dot = strchr(key, '.');
    if (dot == NULL)
        return set_setting(p, where, key, text);
    char section[64];
    snprintf(section, sizeof section, "%.*s", (int)(dot - key), key);
    return set_axis(p, where, section, dot + 1, text);
}

/* ---- command line ---- */

static const char sweep_prefix[] = "sweep.";

static bool is_for_sweep(const char *argument)
{
    return strncmp(argument, sweep_prefix, sizeof sweep_prefix - 1) == 0;
}

static kt_status override_sweep(parser *p, const char *argument)
{
    const char *begin = argument + sizeof sweep_prefix - 1, *equals = strchr(begin, '=');
    char key[128];
    if (equals == NULL || equals == begin || (size_t)(equals - begin) >= sizeof key)
        return kt_fail(KT_USAGE,
                       "%.200s: not of the form sweep.key=value, like sweep.seeds=3 or sweep.model.dropout=0,0.1",
                       argument);
    snprintf(key, sizeof key, "%.*s", (int)(equals - begin), begin);
    return set_key(p, "command line", key, equals + 1);
}

static kt_status override_job(parser *p, const char *argument)
{
    size_t n = strcspn(argument, "=");
    for (size_t i = 0; i < p->space->n_axes; i++) {
        const kt_option *o = p->space->axes[i].option;
        char key[128];
        snprintf(key, sizeof key, "%s.%s", o->section, o->key);
        if (strlen(key) == n && strncmp(key, argument, n) == 0)
            return kt_fail(KT_USAGE, "%s is swept: say sweep.%.200s to narrow it", key, argument);
    }
    return kt_options_override(&kt_config_options, &p->space->base, argument);
}

static void apply_overrides(parser *p, size_t n, char *const *overrides, kt_mistakes *mistakes)
{
    p->on_command_line = true;
    for (size_t i = 0; i < n; i++)
        if (is_for_sweep(overrides[i]))
            kt_mistakes_add(mistakes, override_sweep(p, overrides[i]));
    for (size_t i = 0; i < n; i++) /* after them: an axis may come from the command line */
        if (!is_for_sweep(overrides[i]))
            kt_mistakes_add(mistakes, override_job(p, overrides[i]));
}

/* ---- the whole ---- */

/* Where a key of [sweep] was set; the file when it was not. */
static const char *setting_place(const parser *p, const char *key)
{
    const kt_option *option = kt_options_find(&kt_sweep_options, "sweep", key);
    const char *where = p->setting_places[option - kt_sweep_options.options];
    return where != NULL ? where : p->name;
}

/* The place of the axis section.key; NULL when there is none. */
static const char *axis_place(const parser *p, const char *section, const char *key)
{
    size_t i = find_axis(p->space, kt_options_find(&kt_config_options, section, key));
    return i < p->space->n_axes ? p->axis_places[i] : NULL;
}

/* A seed that repetitions count up: not an axis too, and all of them within bounds. */
static kt_status check_seed(const parser *p, const char *section, const char *key, int64_t seed, const char *other)
{
    const long long n = (long long)p->space->settings.seeds;
    const char *where = axis_place(p, section, key);
    if (where != NULL)
        return kt_fail(KT_CONFIG,
                       "%s: %s.%s cannot be swept while sweep.seeds = %lld counts it up: must be seeds = 1 or "
                       "seeds_vary = %s",
                       where, section, key, n, other);
    const kt_option *o = kt_options_find(&kt_config_options, section, key);
    if ((double)seed + (double)n - 1 > o->max)
        return kt_fail(KT_CONFIG, "%s: sweep.seeds = %lld counts %s.%s = %lld up to more than %.12g: must be less",
                       setting_place(p, "seeds"), n, section, key, (long long)seed, o->max);
    return KT_OK;
}

static kt_status check_strategy(const parser *p)
{
    const kt_sweep_settings *s = &p->space->settings;
    const kt_strategy_kind *kind = kt_strategies[s->strategy];
    const char *epochs = axis_place(p, "train", "epochs");
    if (s->points != KT_AUTO && !kind->draws)
        return kt_fail(KT_CONFIG,
                       "%s: sweep.points = %lld with strategy = %s, which draws none: must be strategy = random or "
                       "halving",
                       setting_place(p, "points"), (long long)s->points, kind->name);
    if (!kt_space_varies_epochs(p->space))
        return KT_OK;
    if (epochs != NULL)
        return kt_fail(KT_CONFIG, "%s: train.epochs cannot be swept with strategy = %s, which sets it itself: must be "
                       "one value in [train]", epochs, kind->name);
    if (s->min_epochs > p->space->base.train.epochs)
        return kt_fail(KT_CONFIG, "%s: sweep.min_epochs = %lld is above train.epochs = %lld: must not be",
                       setting_place(p, "min_epochs"), (long long)s->min_epochs,
                       (long long)p->space->base.train.epochs);
    return KT_OK;
}

static kt_status check_settings(const parser *p)
{
    const kt_config *base = &p->space->base;
    if (p->space->n_axes == 0)
        return kt_fail(KT_CONFIG,
                       "%s: nothing to search: [sweep] must have an axis, like optimizer.learning_rate = 0.001, 0.01",
                       p->name);
    KT_TRY(check_strategy(p));
    if (kt_space_varies_training(p->space))
        KT_TRY(check_seed(p, "run", "seed", base->run.seed, "split"));
    if (kt_space_varies_split(p->space))
        KT_TRY(check_seed(p, "data", "split_seed", base->data.split_seed, "training"));
    return KT_OK;
}

/* Counts the points and finds where the job itself stands on each axis. */
static kt_status measure(parser *p)
{
    const uint64_t most = UINT64_C(1) << 53;
    kt_space *space = p->space;
    space->n_points = 1;
    for (size_t i = 0; i < space->n_axes; i++) {
        kt_axis *axis = &space->axes[i];
        if (axis->n > (most - 1) / space->n_points)
            return kt_fail(KT_CONFIG, "%s: the axes have 2^53 points or more together: must be fewer values", p->name);
        space->n_points *= axis->n;
        KT_TRY(write_value(p, axis->option, &space->base));
        for (size_t v = axis->n; v-- > 0;)
            if (strcmp(axis->values[v], p->text.bytes) == 0)
                axis->start = v;
    }
    return KT_OK;
}

static kt_status check_point(parser *p, uint64_t point)
{
    kt_status status = kt_space_config(p->space, point, 0, 0, &p->scratch);
    return status == KT_OK ? KT_OK : kt_fail_context(status, "%s", p->name);
}

/* All points; of very many only the job itself with each value by itself. */
static kt_status check_points(parser *p)
{
    enum { ALL = 200000 };
    const kt_space *space = p->space;
    if (space->n_points <= ALL) {
        for (uint64_t point = 0; point < space->n_points; point++)
            KT_TRY(check_point(p, point));
        return KT_OK;
    }
    uint64_t start = 0, stride = space->n_points;
    for (size_t i = 0; i < space->n_axes; i++)
        start = start * space->axes[i].n + space->axes[i].start;
    for (size_t i = 0; i < space->n_axes; i++) {
        const kt_axis *axis = &space->axes[i];
        stride /= axis->n;
        for (size_t v = 0; v < axis->n; v++)
            KT_TRY(check_point(p, start - axis->start * stride + v * stride));
    }
    return KT_OK;
}

static kt_status parse(parser *p, const char *text, size_t n_bytes, size_t n_overrides, char *const *overrides)
{
    const kt_option_section sweep = {"sweep", set_key, p};
    kt_space *space = p->space;
    kt_mistakes mistakes = {0};
    KT_TRY(KT_NEW(p->axis_places, kt_config_options.n));
    KT_TRY(KT_NEW(p->setting_places, kt_sweep_options.n));
    KT_TRY(KT_NEW(space->axes, kt_config_options.n));
    KT_TRY(kt_options_defaults(&kt_config_options, &space->base));
    KT_TRY(kt_options_defaults(&kt_sweep_options, &space->settings));
    kt_options_read_ini(&kt_config_options, &space->base, &sweep, p->name, text, n_bytes, &mistakes);
    apply_overrides(p, n_overrides, overrides, &mistakes);
    KT_TRY(kt_mistakes_tell(&mistakes, p->name));
    KT_TRY(check_settings(p));
    KT_TRY(measure(p));
    return check_points(p);
}

kt_status kt_space_parse(const char *name, const char *text, size_t n_bytes, size_t n_overrides,
                         char *const *overrides, kt_space *out)
{
    parser *p;
    memset(out, 0, sizeof *out); /* padding too: two equal spaces have equal bytes in base */
    KT_TRY(KT_NEW(p, 1));
    p->name = name;
    p->space = out;
    kt_status status = parse(p, text, n_bytes, n_overrides, overrides);
    kt_memory_free(p->axis_places);
    kt_memory_free(p->setting_places);
    kt_memory_free(p->text.bytes);
    kt_memory_free(p);
    if (status != KT_OK)
        kt_space_free(out);
    return status;
}

kt_status kt_space_read(kt_comm *comm, const char *path, size_t n_overrides, char *const *overrides, kt_space *out)
{
    char *text;
    size_t n_bytes;
    memset(out, 0, sizeof *out);
    KT_TRY(kt_config_read_text(comm, path, &text, &n_bytes));
    kt_status status = kt_space_parse(path, text, n_bytes, n_overrides, overrides, out);
    if (status == KT_OK && (out->base.job = kt_intern_text(path)) == NULL)
        status = KT_NO_MEMORY;
    status = kt_comm_agree(comm, status);
    kt_memory_free(text);
    if (status != KT_OK)
        kt_space_free(out);
    return status;
}
