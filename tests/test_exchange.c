/* Every way to combine and apply gradients, against one optimizer over the sum. */
#include <math.h>
#include <string.h>

#include "ktrain/exchange.h"
#include "ktrain/memory.h"
#include "test.h"

const char *const kt_test_suite = "exchange";

enum { STEPS = 5, BATCH = 24 };

static kt_config make_config(const char *optimizer, const char *state, bool reproducible, double clip_norm)
{
    static const char text[] = "[data]\nfeatures = x\nlabels = y\n[model]\nhidden = [7]\n[optimizer]\nl2 = 0.1\n";
    char name[64], owner[64], order[64], clip[64];
    snprintf(name, sizeof name, "optimizer.name=%s", optimizer);
    snprintf(owner, sizeof owner, "parallel.optimizer_state=%s", state);
    snprintf(order, sizeof order, "parallel.reproducible=%s", reproducible ? "true" : "false");
    snprintf(clip, sizeof clip, "train.clip_norm=%g", clip_norm);
    kt_config config;
    KT_CHECK_STATUS(KT_OK, kt_config_parse("x.ini", text, strlen(text), 4, (char *[]){name, owner, order, clip}, &config));
    return config;
}

static kt_network *make_network(const kt_config *config)
{
    kt_network *network;
    kt_network_spec spec = kt_config_network(config, 11, 3);
    KT_CHECK_STATUS(KT_OK, kt_network_create(&network, &spec, 4));
    kt_network_initialize(network, 1);
    return network;
}

/* Rank r's part of a gradient: multiples of 1/64, so that the sum is exact in any order. */
static float part(int step, int rank, size_t i)
{
    return (float)((int)((size_t)(7 * step + 3 * rank + 1) * (i + 1) % 13) - 6) / 64;
}

/* Parameters[n] after all steps by a single optimizer over the summed gradient. */
static void reference(const kt_config *config, float *parameters)
{
    kt_network *network = make_network(config);
    size_t n_tensors, n = kt_network_n_parameters(network);
    const kt_tensor *tensors = kt_network_parameter_tensors(network, &n_tensors);
    kt_optimizer *optimizer;
    float *gradient = kt_network_gradients(network);
    KT_CHECK_STATUS(KT_OK, kt_optimizer_create(&optimizer, &config->optimizer, tensors, n_tensors, 0, n));
    for (int step = 1; step <= STEPS; step++) {
        double squares = 0;
        for (size_t i = 0; i < n; i++) {
            gradient[i] = 0;
            for (int r = 0; r < kt_comm_size(kt_test_world); r++)
                gradient[i] += part(step, r, i);
            squares += (double)gradient[i] * (double)gradient[i];
        }
        double clip = config->train.clip_norm;
        double scale = clip > 0 && sqrt(squares) > clip ? clip / sqrt(squares) : 1;
        kt_optimizer_update(optimizer, step, 0.01, scale, BATCH, kt_network_parameters(network), gradient);
    }
    memcpy(parameters, kt_network_parameters(network), n * sizeof *parameters);
    kt_optimizer_free(optimizer);
    kt_network_free(network);
}

/* Two halves, with the state gathered after the first and scattered into a new exchange before the second: what a
 * resumed run does. */
static void run(const kt_config *config, float *parameters, bool resume)
{
    kt_network *network = make_network(config);
    kt_exchange *exchange, *second;
    size_t n = kt_network_n_parameters(network);
    bool root = kt_comm_rank(kt_test_world) == 0;
    float *vector = root ? kt_memory_new(n, sizeof *vector) : NULL;
    KT_CHECK(kt_exchange_create(&exchange, kt_test_world, config, network) == KT_OK);
    for (int step = 1; step <= STEPS; step++) {
        if (resume && step == 3) {
            KT_CHECK(kt_exchange_create(&second, kt_test_world, config, network) == KT_OK);
            for (size_t k = 0; k < kt_exchange_n_slots(exchange); k++) {
                kt_exchange_gather_state(exchange, k, vector);
                kt_exchange_scatter_state(second, k, vector);
            }
            kt_exchange_free(exchange);
            exchange = second;
        }
        for (size_t i = 0; i < n; i++)
            kt_network_gradients(network)[i] = part(step, kt_comm_rank(kt_test_world), i);
        kt_exchange_apply(exchange, step, 0.01, BATCH);
    }
    memcpy(parameters, kt_network_parameters(network), n * sizeof *parameters);
    kt_memory_free(vector);
    kt_exchange_free(exchange);
    kt_network_free(network);
}

static void check(const kt_config *config, bool resume)
{
    float expected[256], actual[256];
    enum { N = 11 * 7 + 7 + 7 * 3 + 3 };
    reference(config, expected);
    run(config, actual, resume);
    double largest = 0;
    for (size_t i = 0; i < N; i++)
        largest = fmax(largest, fabs((double)expected[i] - (double)actual[i]));
    /* Only the clipping norm's own sum may round otherwise. */
    KT_CHECK(config->train.clip_norm > 0 ? largest < 1e-6 : largest == 0);
    KT_CHECK(isfinite(largest));
}

static void each(bool resume)
{
    static const char *const owners[] = {"auto", "rank0", "sharded"};
    for (size_t k = 0; k < kt_n_optimizers; k++)
        for (size_t o = 0; o < 3; o++)
            for (int clip = 0; clip < 2; clip++)
                for (int reproducible = 0; reproducible < 2; reproducible++) {
                    kt_config config = make_config(kt_optimizers[k].name, owners[o], reproducible, clip ? 0.5 : 0);
                    check(&config, resume);
                }
}

static void every_exchange_equals_one_optimizer(void)
{
    each(false);
}

static void state_moves_to_a_new_exchange(void)
{
    each(true);
}

static void the_prediction_counts_what_is_sent(void)
{
    kt_config config = make_config("adam", "sharded", true, 0);
    CU_ASSERT(kt_exchange_predict(&config, 1000, 1).sent_bytes == 0);
    CU_ASSERT(fabs(kt_exchange_predict(&config, 1000, 4).sent_bytes - 2 * 0.75 * 4000) < 1e-9);
    CU_ASSERT(kt_exchange_predict(&config, 1000, 4).memory_bytes < kt_exchange_predict(&config, 1000, 1).memory_bytes);
}

const kt_test kt_tests[] = {
    {"every exchange of every optimizer equals one optimizer over the sum", every_exchange_equals_one_optimizer},
    {"the state moves to a new exchange and goes on", state_moves_to_a_new_exchange},
    {"the prediction counts what is sent", the_prediction_counts_what_is_sent},
    {NULL, NULL},
};
