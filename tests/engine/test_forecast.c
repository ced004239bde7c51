/* What a job is predicted to cost, against the cost model that it is made of. */
#include <math.h>
#include <string.h>

#include "engine/forecast.h"
#include "test.h"

const char *const kt_test_suite = "forecast";

enum { N_IN = 30, N_CLASSES = 4, N_TRAIN = 100, N_VALIDATION = 20 };

static kt_config config_with(const char *key, const char *value)
{
    static const char text[] = "[data]\nfeatures = x\nlabels = y\n[model]\nhidden = [50, 20]\n";
    char word[64];
    char *words[] = {word};
    kt_config config;
    snprintf(word, sizeof word, "%s=%s", key, value);
    KT_CHECK_STATUS(KT_OK, kt_config_parse("x.ini", text, strlen(text), 1, words, &config));
    return config;
}

static kt_data data_of_sizes(void)
{
    kt_data data = {0};
    data.set.n = N_TRAIN + N_VALIDATION;
    data.set.d = N_IN;
    data.set.n_classes = N_CLASSES;
    data.split.n[KT_TRAIN] = N_TRAIN;
    data.split.n[KT_VALIDATION] = N_VALIDATION;
    return data;
}

static void a_forecast_knows_the_network_and_its_steps(void)
{
    const kt_data data = data_of_sizes();
    const kt_config config = config_with("train.batch_size", "16");
    kt_forecast f;
    KT_CHECK_STATUS(KT_OK, kt_forecast_create(&f, &config, &data, 1, 1));
    CU_ASSERT(f.plan.n_layers == 3 && f.plan.shape[0].n_in == N_IN && f.plan.shape[1].n_out == 20 &&
              f.plan.shape[2].n_out == N_CLASSES);
    CU_ASSERT(f.room.n_parameters == (N_IN + 1) * 50 + 51 * 20 + 21 * N_CLASSES);
    CU_ASSERT(f.batches.steps == 7 && f.plan.job.batch_size == 16);
    const kt_layout layout = kt_forecast_layout(&f, 1, 1);
    const double validation = 2.0 * (double)f.room.n_parameters * N_VALIDATION / f.machine.core_flops;
    CU_ASSERT(fabs(kt_forecast_epoch(&f, &layout) - 7 * kt_forecast_step(&f, &layout) - validation) <= 1e-15);
    kt_forecast_free(&f);
}

/* Before anything is measured: one copy a host where batches are small, else one each, or as told. */
static void ranks_share_the_weights(void)
{
    static const struct {
        const char *key, *value;
        size_t n_replicas, ranks_per_replica;
    } rows[] = {{"train.batch_size", "16", 2, 2},
                {"train.batch_size", "full", 4, 1},
                {"parallel.ranks_per_replica", "2", 2, 2},
                {"parallel.ranks_per_replica", "1", 4, 1},
                {"parallel.ranks_per_replica", "all", 1, 4}};
    kt_data data = data_of_sizes();
    data.split.n[KT_TRAIN] = 1000;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const kt_config config = config_with(rows[i].key, rows[i].value);
        kt_forecast f;
        KT_CHECK_STATUS(KT_OK, kt_forecast_create(&f, &config, &data, 4, 2));
        const kt_layout layout = kt_forecast_layout(&f, 4, 2);
        CU_ASSERT(layout.n_replicas == rows[i].n_replicas && layout.ranks_per_replica == rows[i].ranks_per_replica);
        kt_forecast_free(&f);
    }
}

static void a_layer_goes_as_configured_or_by_what_costs_least(void)
{
    const kt_data data = data_of_sizes();
    for (size_t k = 0; k <= kt_n_exchange_kinds; k++) {
        const kt_config config = config_with("parallel.exchange", k == 0 ? "auto" : kt_exchange_kinds[k - 1]->name);
        kt_forecast f;
        KT_CHECK_STATUS(KT_OK, kt_forecast_create(&f, &config, &data, 4, 2));
        const kt_layout layout = kt_forecast_layout(&f, 4, 2);
        for (size_t l = 0; l < f.plan.n_layers; l++) {
            const kt_layer_shape shape = f.plan.shape[l];
            const kt_exchange_kind *kind =
                kt_exchange_kind_for(&config.exchange, &f.machine, &layout, &f.plan.job, shape);
            const double least = kind->cost(&f.machine, &layout, &f.plan.job, shape).seconds;
            CU_ASSERT(k == 0 || kind == kt_exchange_kinds[k - 1]);
            for (size_t other = 0; other < kt_n_exchange_kinds && k == 0; other++)
                CU_ASSERT(least <= kt_exchange_kinds[other]->cost(&f.machine, &layout, &f.plan.job, shape).seconds);
        }
        kt_forecast_free(&f);
    }
}

static void a_network_that_cannot_be_made_has_none(void)
{
    kt_data data = data_of_sizes();
    const kt_config config = config_with("train.batch_size", "16");
    kt_forecast f;
    data.set.d = 0;
    KT_CHECK_STATUS(KT_CONFIG, kt_forecast_create(&f, &config, &data, 1, 1));
    CU_ASSERT(f.plan.shape == NULL && f.plan.n_layers == 0);
}

const kt_test kt_tests[] = {
    {"a forecast knows the network and the steps of its epoch", a_forecast_knows_the_network_and_its_steps},
    {"small batches share the weights of a host, or of all hosts as told; large ones do not", ranks_share_the_weights},
    {"a layer goes by the exchange that is configured, or by what costs least",
     a_layer_goes_as_configured_or_by_what_costs_least},
    {"a network that cannot be made has no forecast", a_network_that_cannot_be_made_has_none},
    {NULL, NULL},
};
