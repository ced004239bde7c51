/* Loading data sets once, and the view that a trial gets. */
#include "sweep/sweep_data.h"

#include <string.h>

#include "base/memory.h"
#include "engine/data_check.h"
#include "engine/forecast.h"

const kt_data *kt_sweep_data_find(const kt_sweep_data *data, const kt_config *config)
{
    for (size_t i = 0; i < data->n; i++)
        if (kt_data_same_files(&data->configs[i], config))
            return &data->sets[i];
    return NULL;
}

/* Whether an axis names files, so that points differ in their data. */
static bool names_files(const kt_axis *axis)
{
    bool names = false;
    for (size_t v = 0; v < axis->n; v++)
        for (size_t i = 0; i < axis->values[v].n; i++) {
            const kt_option *option = axis->values[v].settings[i].option;
            names |= strcmp(option->section, "data") == 0 && option->type == KT_OPTION_TEXT;
        }
    return names;
}

static size_t n_choices(const kt_axis *axis)
{
    return names_files(axis) ? axis->n : 1;
}

/* The data of every combination of files of the first n_axes axes; other axes stay as the point has them. */
static kt_status load_all(kt_comm *world, kt_sweep_data *data, uint64_t point, size_t n_axes)
{
    const kt_space *space = data->space;
    for (size_t v = 0; n_axes > 0 && v < n_choices(&space->axes[n_axes - 1]); v++)
        KT_TRY(load_all(world, data, kt_point_with(space->n_axes, space->sizes, point, n_axes - 1, v), n_axes - 1));
    if (n_axes > 0)
        return KT_OK;
    kt_config *config = &data->configs[data->n];
    KT_TRY(kt_comm_agree(world, kt_space_config(space, point, 0, 0, config)));
    if (kt_sweep_data_find(data, config) != NULL)
        return KT_OK;
    KT_TRY(kt_data_load(world, config, &data->sets[data->n]));
    data->n++;
    return KT_OK;
}

static kt_status allocate(kt_sweep_data *data)
{
    size_t most = 1;
    for (size_t a = 0; a < data->space->n_axes; a++)
        most *= n_choices(&data->space->axes[a]);
    KT_TRY(KT_NEW(data->sets, most));
    return KT_NEW(data->configs, most);
}

kt_status kt_sweep_data_load(kt_comm *world, const kt_space *space, kt_log *log, kt_sweep_data *out)
{
    *out = (kt_sweep_data){.space = space};
    kt_status status = kt_comm_agree(world, allocate(out));
    if (status == KT_OK)
        status = load_all(world, out, 0, space->n_axes);
    if (status == KT_OK)
        kt_config_report_gone(&space->base, log);
    for (size_t i = 0; i < out->n && status == KT_OK; i++)
        kt_data_report_notes(&out->sets[i], &out->configs[i], log);
    if (status != KT_OK)
        kt_sweep_data_free(out);
    return status;
}

void kt_sweep_data_free(kt_sweep_data *data)
{
    for (size_t i = 0; i < data->n; i++)
        kt_data_free(&data->sets[i]);
    kt_memory_free(data->sets);
    kt_memory_free(data->configs);
    *data = (kt_sweep_data){0};
}

/* ---- what is known of a job ---- */

static double expected_seconds(void *context, const kt_config *config)
{
    const kt_sweep_data *data = context;
    const size_t n_ranks = (size_t)data->space->settings.ranks_per_trial;
    kt_forecast forecast;
    if (kt_forecast_create(&forecast, config, kt_sweep_data_find(data, config), n_ranks, 1) != KT_OK)
        return 0; /* it will fail at once */
    const kt_layout layout = kt_forecast_layout(&forecast, n_ranks, 1);
    const double seconds = (double)config->train.epochs * kt_forecast_epoch(&forecast, &layout);
    kt_forecast_free(&forecast);
    return seconds;
}

static uint64_t fingerprint(void *context, const kt_config *config)
{
    const kt_data *set = kt_sweep_data_find(context, config);
    return set == NULL ? 0 : set->fingerprint; /* a job on record may name other files */
}

kt_trials_source kt_sweep_data_source(kt_sweep_data *data)
{
    return (kt_trials_source){expected_seconds, fingerprint, data};
}
