/* Reading a space: the [sweep] section's keys and axes, and the command line. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/intern.h"
#include "base/memory.h"
#include "base/text.h"
#include "sweep/space_private.h"

typedef kt_space_parser parser;

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

/* Appends a value to the axis, which has room. *n_bytes counts what all take when they are written. */
static kt_status add_value(parser *p, const char *where, kt_axis *axis, const char *value, size_t *n_bytes)
{
    enum { MOST = 32768 }; /* every value is compared with every other */
    const kt_option *o = axis->option;
    if (value[0] == '\0')
        return kt_fail(KT_CONFIG, "%s: %s.%s has an empty value: must be values separated by %s", where, o->section,
                       o->key, find_separator(o, "") == ',' ? "'|' or ','" : "'|'");
    KT_TRY(kt_options_set(kt_config_options(), &p->scratch.config, where, o->section, o->key, value));
    KT_TRY(kt_space_write_value(&p->scratch, o, &p->scratch.config));
    const char *text = p->scratch.text.bytes;
    for (size_t i = 0; i < axis->n; i++)
        if (strcmp(axis->values[i].name, text) == 0)
            return kt_fail(KT_CONFIG, "%s: %s.%s has the value %.120s twice: must be values that differ", where,
                           o->section, o->key, text);
    *n_bytes += strlen(text) + 3;
    if (*n_bytes > MOST)
        return kt_fail(KT_CONFIG, "%s: the values of %s.%s take more than %d bytes: must be fewer", where, o->section,
                       o->key, MOST);
    kt_value *added = &axis->values[axis->n++];
    added->name = kt_memory_string(text);
    KT_TRY(KT_NEW(added->settings, 1));
    return added->name != NULL ? kt_value_set(added, o, text) : KT_NO_MEMORY;
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
    snprintf(axis->name, sizeof axis->name, "%s.%s", option->section, option->key);
    char *copy = kt_memory_string(text);
    kt_status status = copy == NULL ? KT_NO_MEMORY : take_values(p, where, axis, copy);
    kt_memory_free(copy);
    if (status != KT_OK)
        kt_axis_free(axis);
    return status;
}

/* ---- keys ---- */

static const char point_section[] = "point";

static kt_status set_axis(parser *p, const char *where, const char *section, const char *key, const char *text)
{
    const kt_option *option;
    KT_TRY(kt_space_check_option(where, section, key, &option));
    if (option == NULL)
        return kt_options_set(kt_config_options(), &p->scratch.config, where, section, key,
                              text); /* says what is near */
    size_t i = kt_space_find_axis(p->space, option);
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
    if (strcmp(key, point_section) == 0)
        return kt_fail(KT_CONFIG, "%s: sweep.point has no name: must be point.NAME = section.key=value ...", where);
    const char **set = option == NULL ? NULL : &p->setting_places[option - kt_sweep_options.options];
    if (set != NULL && *set != NULL && !p->on_command_line)
        return kt_fail(KT_CONFIG, "%s: sweep.%s is set twice, first at %s", where, key, *set);
    KT_TRY(kt_options_set(&kt_sweep_options, &p->space->settings, where, "sweep", key, text));
    *set = kt_intern_text(where);
    return *set != NULL ? KT_OK : KT_NO_MEMORY;
}

/* The axis of the named points, made when the first one comes. */
static kt_status find_point_axis(parser *p, const char *where, kt_axis **out)
{
    kt_space *space = p->space;
    const size_t i = kt_space_named_axis(space);
    *out = &space->axes[i];
    if (i < space->n_axes)
        return KT_OK;
    KT_TRY(KT_NEW(p->point_places, KT_MOST_NAMED_POINTS));
    KT_TRY(KT_NEW((*out)->values, KT_MOST_NAMED_POINTS));
    snprintf((*out)->name, sizeof(*out)->name, "%s", point_section);
    p->axis_places[i] = kt_intern_text(where);
    space->n_axes++;
    return p->axis_places[i] != NULL ? KT_OK : KT_NO_MEMORY;
}

static kt_status set_point(parser *p, const char *where, const char *name, const char *text)
{
    kt_axis *axis;
    kt_value point;
    size_t i = 0;
    KT_TRY(find_point_axis(p, where, &axis));
    while (i < axis->n && strcmp(axis->values[i].name, name) != 0)
        i++;
    if (i < axis->n && !p->on_command_line)
        return kt_fail(KT_CONFIG, "%s: point.%s is set twice, first at %s", where, name, p->point_places[i]);
    if (i == KT_MOST_NAMED_POINTS)
        return kt_fail(KT_CONFIG, "%s: point.%.80s is one too many: must be at most %d points with names", where, name,
                       KT_MOST_NAMED_POINTS);
    KT_TRY(kt_space_parse_point(where, name, text, &p->scratch, &point));
    if (i < axis->n)
        kt_value_free(&axis->values[i]);
    else
        axis->n++;
    axis->values[i] = point;
    p->point_places[i] = kt_intern_text(where);
    return p->point_places[i] != NULL ? KT_OK : KT_NO_MEMORY;
}

/* A key of [sweep]: with a dot an axis, or a named point. */
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
    if (strcmp(section, point_section) == 0)
        return set_point(p, where, dot + 1, text);
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

/* How many of the axis's values set the key that an argument begins with. */
static size_t count_setters(const kt_axis *axis, const char *argument)
{
    const size_t n = strcspn(argument, "=");
    size_t n_setters = 0;
    for (size_t v = 0; v < axis->n; v++)
        for (size_t i = 0; i < axis->values[v].n; i++) {
            const kt_option *o = axis->values[v].settings[i].option;
            char key[KT_AXIS_NAME_BYTES];
            snprintf(key, sizeof key, "%s.%s", o->section, o->key);
            n_setters += strlen(key) == n && strncmp(key, argument, n) == 0;
        }
    return n_setters;
}

static kt_status override_job(parser *p, const char *argument)
{
    for (size_t i = 0; i < p->space->n_axes; i++) {
        const kt_axis *axis = &p->space->axes[i];
        const size_t n_setters = count_setters(axis, argument);
        if (n_setters == 0 || n_setters < axis->n) /* an axis is empty when all its points were mistakes */
            continue;
        if (axis->option != NULL)
            return kt_fail(KT_USAGE, "%s is swept: say sweep.%.200s to narrow it", axis->name, argument);
        return kt_fail(KT_USAGE,
                       "%.200s would change nothing: every point sets that key itself; say "
                       "sweep.point.NAME='...' to set a point anew",
                       argument);
    }
    return kt_options_override(kt_config_options(), &p->space->base, argument);
}

static void apply_overrides(parser *p, size_t n, char *const *overrides, kt_mistakes *mistakes)
{
    p->on_command_line = true;
    for (size_t i = 0; i < n; i++)
        if (is_for_sweep(overrides[i]))
            kt_mistakes_add(mistakes, override_sweep(p, overrides[i]));
    const size_t named = kt_space_named_axis(p->space);
    if (named < p->space->n_axes && p->space->settings.builds_on == KT_BUILDS_ON_PREVIOUS)
        kt_mistakes_add(mistakes, kt_space_build_points(&p->space->axes[named]));
    for (size_t i = 0; i < n; i++) /* after them: an axis may come from the command line */
        if (!is_for_sweep(overrides[i]))
            kt_mistakes_add(mistakes, override_job(p, overrides[i]));
}

/* ---- the whole ---- */

static kt_status parse(parser *p, const char *text, size_t n_bytes, size_t n_overrides, char *const *overrides)
{
    const kt_option_section sweep = {"sweep", set_key, p};
    kt_space *space = p->space;
    kt_mistakes mistakes = {0};
    KT_TRY(KT_NEW(p->axis_places, kt_config_options()->n + 1));
    KT_TRY(KT_NEW(p->setting_places, kt_sweep_options.n));
    KT_TRY(KT_NEW(space->axes, kt_config_options()->n + 1));
    KT_TRY(kt_options_defaults(kt_config_options(), &space->base));
    KT_TRY(kt_options_defaults(&kt_sweep_options, &space->settings));
    kt_options_read_ini(kt_config_options(), &space->base, &sweep, &(kt_ini){p->name, text, n_bytes}, &mistakes);
    apply_overrides(p, n_overrides, overrides, &mistakes);
    KT_TRY(kt_mistakes_tell(&mistakes, p->name));
    return kt_space_check(p);
}

kt_status kt_space_parse(const char *name, const char *text, size_t n_bytes, size_t n_overrides, char *const *overrides,
                         kt_space *out)
{
    parser *p;
    memset(out, 0, sizeof *out); /* padding too: two equal spaces have equal bytes in base */
    KT_TRY(KT_NEW(p, 1));
    p->name = name;
    p->space = out;
    kt_status status = parse(p, text, n_bytes, n_overrides, overrides);
    kt_memory_free(p->axis_places);
    kt_memory_free(p->point_places);
    kt_memory_free(p->setting_places);
    kt_memory_free(p->scratch.text.bytes);
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
