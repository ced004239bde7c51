/* The cost model filled from a job. */
#include "engine/forecast.h"

#include "base/share.h"
#include "engine/evaluate.h"
#include "engine/exchange.h"
#include "engine/replica.h"

kt_status kt_forecast_create(kt_forecast *f, const kt_config *config, const kt_data *data, size_t n_ranks,
                             size_t n_hosts)
{
    const kt_dataset *set = &data->set;
    *f = (kt_forecast){.config = config, .machine = kt_machine_typical, .n_train = data->split.n[KT_TRAIN]};
    f->batches = kt_batches_sizes(f->n_train, kt_config_batch_size(config), kt_config_fewest_samples(config));
    f->n_validation = data->split.n[KT_VALIDATION];
    f->spec = kt_config_network(config, set->d, set->n_classes);
    f->spec.max_rows = kt_evaluate_max_rows(f->batches.largest, &data->split);
    f->spec.max_batch = f->batches.largest;
    const kt_layout layout = kt_forecast_layout(f, n_ranks, n_hosts);
    kt_status status = kt_network_measure(&f->spec, &kt_team_alone, &f->room);
    if (status == KT_OK)
        status = kt_exchange_plan_create(&f->plan, &config->exchange, &config->optimizer, &f->spec, &layout, 0);
    if (status != KT_OK)
        kt_forecast_free(f);
    return status;
}

void kt_forecast_free(kt_forecast *forecast)
{
    kt_exchange_plan_free(&forecast->plan);
    *forecast = (kt_forecast){0};
}

/* An arrangement's ranks are the first ones, and hosts are filled one after the other. */
static kt_layout layout_of(const kt_arrangement *a, size_t n_ranks, size_t n_hosts)
{
    const size_t here = kt_larger(1, (a->n_ranks * n_hosts + n_ranks - 1) / n_ranks);
    if (a->ranks_per_replica == KT_RANKS_OF_ALL_HOSTS)
        return kt_cost_team(a->n_ranks, here);
    return kt_cost_layout(a->n_ranks, here, a->ranks_per_replica);
}

size_t kt_forecast_arrangements(const kt_forecast *f, size_t n_ranks, size_t n_hosts,
                                kt_arrangement out[KT_MOST_ARRANGEMENTS], kt_layout layouts[KT_MOST_ARRANGEMENTS])
{
    const kt_arrangement_job job = {.n_ranks = n_ranks,
                                    .n_hosts = n_hosts,
                                    .batch_size = f->batches.each,
                                    .n_shards = kt_exchange_shards(&f->config->exchange, f->batches.largest, n_ranks),
                                    .most_seats = kt_arrangement_seats(&f->spec)};
    const size_t n = kt_arrangements(&f->config->arrangement, &job, out);
    for (size_t i = 0; i < n; i++)
        layouts[i] = layout_of(&out[i], n_ranks, n_hosts);
    return n;
}

kt_layout kt_forecast_layout(const kt_forecast *f, size_t n_ranks, size_t n_hosts)
{
    kt_arrangement all[KT_MOST_ARRANGEMENTS];
    kt_layout layouts[KT_MOST_ARRANGEMENTS];
    kt_forecast_arrangements(f, n_ranks, n_hosts, all, layouts);
    return layouts[0];
}

/* Products and letters, then exchange and update of every layer. */
double kt_forecast_step(const kt_forecast *f, const kt_layout *layout)
{
    const kt_step_cost step = kt_cost_step(&f->machine, layout, &f->plan.job, f->plan.shape, f->plan.n_layers);
    double seconds = step.forward_seconds + step.backward_seconds + step.letter_seconds;
    if (layout->n_replicas == 1)
        return seconds + step.update_seconds;
    for (size_t l = 0; l < f->plan.n_layers; l++)
        seconds += kt_exchange_kind_for(&f->plan.spec, &f->machine, layout, &f->plan.job, f->plan.shape[l])
                       ->cost(&f->machine, layout, &f->plan.job, f->plan.shape[l])
                       .seconds;
    return seconds;
}

double kt_forecast_epoch(const kt_forecast *f, const kt_layout *layout)
{
    const double n = (double)f->room.n_parameters * (double)f->n_validation;
    return (double)f->batches.steps * kt_forecast_step(f, layout) +
           2 * n / (f->machine.core_flops * (double)layout->n_ranks);
}
