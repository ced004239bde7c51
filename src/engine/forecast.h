/* What a job costs, before it runs: the cost model (cost.h) filled from a configuration and its data. Local. */
#ifndef KTRAIN_FORECAST_H
#define KTRAIN_FORECAST_H

#include "engine/config.h"
#include "engine/cost.h"
#include "engine/data.h"
#include "engine/exchange.h"
#include "input/batches.h"

typedef struct kt_forecast {
    const kt_config *config; /* borrowed, as is what spec borrows from it */
    kt_network_spec spec;
    kt_exchange_plan plan;        /* of replica 0; nothing is chosen */
    kt_network_room room;         /* of a rank alone */
    size_t n_train, n_validation; /* samples */
    kt_batch_sizes batches;
    kt_machine machine; /* a typical one; may be changed */
} kt_forecast;

/* For n_ranks on n_hosts. KT_CONFIG when the network cannot be made. *f is zeroed on failure. */
kt_status kt_forecast_create(kt_forecast *f, const kt_config *config, const kt_data *data, size_t n_ranks,
                             size_t n_hosts);
void kt_forecast_free(kt_forecast *forecast);

/* What the first steps may try of n_ranks on n_hosts, in that order, and how each lies there. Returns their number. */
size_t kt_forecast_arrangements(const kt_forecast *forecast, size_t n_ranks, size_t n_hosts,
                                kt_arrangement out[KT_MOST_ARRANGEMENTS], kt_layout layouts[KT_MOST_ARRANGEMENTS]);

/* The first of them. */
kt_layout kt_forecast_layout(const kt_forecast *forecast, size_t n_ranks, size_t n_hosts);

/* Seconds of a step; and of an epoch: its steps, and the validation after them. */
double kt_forecast_step(const kt_forecast *forecast, const kt_layout *layout);
double kt_forecast_epoch(const kt_forecast *forecast, const kt_layout *layout);

#endif
