/* What must hold of a space that was read: its settings, named points and axes together, and every point. */
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "sweep/space_private.h"

size_t kt_space_find_axis(const kt_space *space, const kt_option *option)
{
    size_t i = 0;
    while (i < space->n_axes && space->axes[i].option != option)
        i++;
    return i;
}

/* Where a key of [sweep] was set; the file when it was not. */
static const char *setting_place(const kt_space_parser *p, const char *key)
{
    const kt_option *option = kt_options_find(&kt_sweep_options, "sweep", key);
    const char *where = p->setting_places[option - kt_sweep_options.options];
    return where != NULL ? where : p->name;
}

/* The place of the axis section.key, or of the first named point that sets it; NULL when there is none. */
static const char *axis_place(const kt_space_parser *p, const char *section, const char *key)
{
    const kt_space *space = p->space;
    const kt_option *option = kt_options_find(kt_config_options(), section, key);
    const size_t i = kt_space_find_axis(space, option), named = kt_space_named_axis(space);
    if (i < space->n_axes)
        return p->axis_places[i];
    for (size_t v = 0; named < space->n_axes && v < space->axes[named].n; v++)
        if (kt_value_find(&space->axes[named].values[v], option) != NULL)
            return p->point_places[v];
    return NULL;
}

/* A seed that repetitions count up: not an axis too, and all of them within bounds. */
static kt_status check_seed(const kt_space_parser *p, const char *section, const char *key, int64_t seed,
                            const char *other)
{
    const long long n = (long long)p->space->settings.seeds;
    const char *where = axis_place(p, section, key);
    if (where != NULL)
        return kt_fail(KT_CONFIG,
                       "%s: %s.%s cannot be swept while sweep.seeds = %lld counts it up: must be seeds = 1 or "
                       "seeds_vary = %s",
                       where, section, key, n, other);
    const kt_option *o = kt_options_find(kt_config_options(), section, key);
    if ((double)seed + (double)n - 1 > o->max)
        return kt_fail(KT_CONFIG, "%s: sweep.seeds = %lld counts %s.%s = %lld up to more than %.12g: must be less",
                       setting_place(p, "seeds"), n, section, key, (long long)seed, o->max);
    return KT_OK;
}

/* What an axis sets is not a point's to set. */
static kt_status check_point_keys(const kt_space_parser *p, size_t v, const kt_value *point)
{
    for (size_t i = 0; i < point->n; i++) {
        const size_t axis = kt_space_find_axis(p->space, point->settings[i].option);
        if (axis < p->space->n_axes)
            return kt_fail(KT_CONFIG, "%s: point.%s sets %s, which is an axis, too (%s): must be one of both",
                           p->point_places[v], point->name, p->space->axes[axis].name, p->axis_places[axis]);
    }
    return KT_OK;
}

/* Names of one job would be trained twice, and compared. */
static kt_status check_twins(kt_space_parser *p, const kt_axis *axis)
{
    uint64_t *keys;
    kt_status status = KT_NEW(keys, axis->n);
    for (size_t v = 0; v < axis->n && status == KT_OK; v++) {
        p->scratch.config = p->space->base;
        status = kt_value_apply(&axis->values[v], &p->scratch.config);
        keys[v] = kt_config_key(&p->scratch.config);
        for (size_t i = 0; i < v && status == KT_OK; i++)
            if (keys[i] == keys[v])
                status = kt_fail(KT_CONFIG, "%s: point.%s is the same job as point.%s at %s: must differ",
                                 p->point_places[v], axis->values[v].name, axis->values[i].name, p->point_places[i]);
    }
    kt_memory_free(keys);
    return status;
}

static kt_status check_named_points(kt_space_parser *p)
{
    const kt_space *space = p->space;
    const size_t named = kt_space_named_axis(space);
    const kt_axis *axis = &space->axes[named];
    if (named == space->n_axes && kt_strategies[space->settings.strategy]->names)
        return kt_fail(KT_CONFIG,
                       "%s: sweep.strategy = %s tries points that have names, and there is none: must have some, like "
                       "point.adam = optimizer.name=adam optimizer.learning_rate=0.001",
                       setting_place(p, "strategy"), kt_strategies[space->settings.strategy]->name);
    if (named == space->n_axes && space->settings.builds_on != KT_BUILDS_ON_JOB)
        return kt_fail(KT_CONFIG, "%s: sweep.builds_on = previous without points that have names (point.NAME = ...)",
                       setting_place(p, "builds_on"));
    if (named == space->n_axes)
        return KT_OK;
    for (size_t v = 0; v < axis->n; v++)
        KT_TRY(check_point_keys(p, v, &axis->values[v]));
    return check_twins(p, axis);
}

static kt_status check_strategy(const kt_space_parser *p)
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
        return kt_fail(KT_CONFIG,
                       "%s: train.epochs cannot be swept with strategy = %s, which sets it itself: must be "
                       "one value in [train]",
                       epochs, kind->name);
    if (s->min_epochs > p->space->base.train.epochs)
        return kt_fail(KT_CONFIG, "%s: sweep.min_epochs = %lld is above train.epochs = %lld: must not be",
                       setting_place(p, "min_epochs"), (long long)s->min_epochs,
                       (long long)p->space->base.train.epochs);
    return KT_OK;
}

static kt_status check_settings(const kt_space_parser *p)
{
    const kt_config *base = &p->space->base;
    if (p->space->n_axes == 0)
        return kt_fail(KT_CONFIG,
                       "%s: nothing to search: [sweep] must have an axis, like optimizer.learning_rate = 0.001, 0.01, "
                       "or points, like point.adam = optimizer.name=adam",
                       p->name);
    KT_TRY(check_strategy(p));
    if (kt_space_varies_training(p->space))
        KT_TRY(check_seed(p, "run", "seed", base->run.seed, "split"));
    if (kt_space_varies_split(p->space))
        KT_TRY(check_seed(p, "data", "split_seed", base->split.seed, "training"));
    return KT_OK;
}

/* Counts the points and finds where the job itself stands on each axis. */
static kt_status measure(kt_space_parser *p)
{
    const uint64_t most = UINT64_C(1) << 53;
    kt_space *space = p->space;
    KT_TRY(KT_NEW(space->sizes, space->n_axes));
    KT_TRY(KT_NEW(space->start, space->n_axes));
    space->n_points = 1;
    for (size_t i = 0; i < space->n_axes; i++) {
        kt_axis *axis = &space->axes[i];
        if (axis->n > (most - 1) / space->n_points)
            return kt_fail(KT_CONFIG, "%s: the axes have 2^53 points or more together: must be fewer values", p->name);
        space->n_points *= axis->n;
        if (axis->option != NULL)
            KT_TRY(kt_space_write_value(&p->scratch, axis->option, &space->base));
        for (size_t v = axis->n; axis->option != NULL && v-- > 0;)
            if (strcmp(axis->values[v].name, p->scratch.text.bytes) == 0)
                space->start[i] = v;
        space->sizes[i] = axis->n;
    }
    return KT_OK;
}

static kt_status check_point(kt_space_parser *p, uint64_t point)
{
    const kt_space *space = p->space;
    const kt_status status = kt_space_config(space, point, 0, 0, &p->scratch.config);
    if (status == KT_OK)
        return KT_OK;
    const size_t named = kt_space_named_axis(space);
    const size_t v = named < space->n_axes ? kt_point_index(space->n_axes, space->sizes, point, named) : 0;
    return kt_fail_context(status, "%s", named < space->n_axes ? p->point_places[v] : p->name);
}

/* All points; of very many only the job itself with each value by itself. */
static kt_status check_points(kt_space_parser *p)
{
    enum { ALL = 200000 };
    const kt_space *space = p->space;
    if (space->n_points <= ALL) {
        for (uint64_t point = 0; point < space->n_points; point++)
            KT_TRY(check_point(p, point));
        return KT_OK;
    }
    const uint64_t start = kt_point_of(space->n_axes, space->sizes, space->start);
    for (size_t i = 0; i < space->n_axes; i++)
        for (size_t v = 0; v < space->sizes[i]; v++)
            KT_TRY(check_point(p, kt_point_with(space->n_axes, space->sizes, start, i, v)));
    return KT_OK;
}

kt_status kt_space_check(kt_space_parser *p)
{
    KT_TRY(check_named_points(p));
    KT_TRY(check_settings(p));
    KT_TRY(measure(p));
    return check_points(p);
}
