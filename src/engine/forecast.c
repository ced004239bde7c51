#include "engine/forecast.h"

#include <string.h>

#include "base/memory.h"
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
    const size_t k = kt_replica_ranks_wanted(config, f->batches.each);
    f->exchange = kt_exchange_job_of(config, f->batches.each, kt_cost_layout(n_ranks, n_hosts, k).n_replicas);
    f->max_rows = kt_evaluate_max_rows(f->batches.largest, &data->split);
    kt_status status = kt_network_shared_bytes(&f->spec, f->max_rows, &f->network_bytes, &f->n_parameters);
    if (status == KT_OK)
        status = KT_NEW(f->layers, f->spec.hidden.n + 1);
    if (status != KT_OK) {
        *f = (kt_forecast){0};
        return status;
    }
    f->n_layers = f->spec.hidden.n + 1;
    for (size_t l = 0; l < f->n_layers; l++) {
        f->layers[l].n_in = l == 0 ? set->d : f->layers[l - 1].n_out;
        f->layers[l].n_out = l < f->spec.hidden.n ? (size_t)f->spec.hidden.values[l] : set->n_classes;
    }
    return KT_OK;
}

void kt_forecast_free(kt_forecast *forecast)
{
    kt_memory_free(forecast->layers);
    *forecast = (kt_forecast){0};
}

kt_layout kt_forecast_layout(const kt_forecast *f, size_t n_ranks, size_t n_hosts)
{
    return kt_cost_layout(n_ranks, n_hosts, kt_replica_ranks_wanted(f->config, f->exchange.batch_size));
}

kt_layer_costs kt_forecast_layer(const kt_forecast *f, const kt_layout *layout, size_t l)
{
    return (kt_layer_costs){kt_cost_factors(&f->machine, layout, &f->exchange, f->layers[l]),
                            kt_cost_allreduce(&f->machine, layout, &f->exchange, f->layers[l]),
                            kt_exchange_by_factors(f->config, &f->machine, layout, &f->exchange, f->layers[l])};
}

/* Products and barriers, then exchange and update of every layer. */
double kt_forecast_step(const kt_forecast *f, const kt_layout *layout)
{
    const kt_step_cost step = kt_cost_step(&f->machine, layout, &f->exchange, f->layers, f->n_layers);
    double seconds = step.forward_seconds + step.backward_seconds + step.barrier_seconds;
    if (layout->n_replicas == 1)
        return seconds + step.update_seconds;
    for (size_t l = 0; l < f->n_layers; l++) {
        const kt_layer_costs c = kt_forecast_layer(f, layout, l);
        seconds += c.by_factors ? c.factors.seconds : c.allreduce.seconds;
    }
    return seconds;
}

double kt_forecast_epoch(const kt_forecast *f, const kt_layout *layout)
{
    const double n = (double)f->n_parameters * (double)f->n_validation;
    return (double)f->batches.steps * kt_forecast_step(f, layout) +
           2 * n / (f->machine.core_flops * (double)layout->n_ranks);
}
