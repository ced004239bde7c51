/* A small network that is trained for some steps, with its ranks laid out and its gradients exchanged in any way; and
 * the same without any exchange. */
#ifndef KTRAIN_TEST_EXCHANGE_RUN_H
#define KTRAIN_TEST_EXCHANGE_RUN_H

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/random.h"
#include "engine/config.h"
#include "engine/rank_rows.h"
#include "net/loss.h"
#include "net/whole_gradient.h"
#include "test.h"

enum { N_IN = 37, N_CLASSES = 5, MAX_ROWS = 24, STEPS = 3, ALL = 1 << 20, MAX_KEYS = 16, KEY_BYTES = 64 };
enum { MOST = 26000 }; /* more than the parameters of any network here */
enum { ROOM_BYTES = 4 << 20 };

/* Rows of the steps of a run: the last batch is short, and fewer than its shards. */
static const size_t rows_of_step[STEPS] = {24, 24, 5};

/* ---- configurations ---- */

typedef struct keys {
    size_t n;
    char text[MAX_KEYS][KEY_BYTES];
} keys;

/* Adds keys that are separated by spaces. */
static void add(keys *k, const char *words)
{
    for (int length; *words != '\0'; words += length) {
        char word[KEY_BYTES] = "";
        length = 0;
        CU_ASSERT_FATAL(k->n < MAX_KEYS);
        if (sscanf(words, " %63s%n", word, &length) != 1)
            return;
        memcpy(k->text[k->n++], word, sizeof word);
    }
}

static kt_config parse(const keys *k)
{
    static const char text[] = "[data]\nfeatures = x\nlabels = y\n[model]\nhidden = [40, 23]\n";
    char *words[MAX_KEYS];
    kt_config config;
    for (size_t i = 0; i < k->n; i++)
        words[i] = (char *)(uintptr_t)k->text[i];
    KT_CHECK_STATUS(KT_OK, kt_config_parse("x.ini", text, strlen(text), k->n, words, &config));
    return config;
}

static kt_config with(const keys *base, const char *more)
{
    keys k = *base;
    add(&k, more);
    return parse(&k);
}

/* Products by own kernels, in tiles of 16 units: 3, 2 and 1 of them; or by OpenBLAS, in tiles of 256: 2, 1 and 1, with
 * a last batch that is thin. So ranks outnumber tiles, samples and, with 2 of them, shards. */
static const char *const paths[2] = {"", "model.hidden=[300,40] parallel.thin_batch=8"};

/* ---- layouts ---- */

/* Each rank's replica of one rank, of two, of all; and a run of its own, which nobody takes part in. */
enum { ALONE, ONE, TWO, WHOLE, N_LAYOUTS };

static kt_comm *self;
static kt_replica replicas[N_LAYOUTS];

static void open_layouts(void)
{
    static const size_t ranks_per_replica[N_LAYOUTS] = {1, 1, 2, ALL};
    KT_CHECK_STATUS(KT_OK, kt_comm_group(kt_test_world, kt_comm_rank(kt_test_world), &self));
    for (size_t i = 0; i < N_LAYOUTS; i++) {
        kt_comm *world = i == ALONE ? self : kt_test_world;
        KT_CHECK_STATUS(KT_OK, kt_replica_create(&replicas[i], world, ranks_per_replica[i]));
        KT_CHECK_STATUS(KT_OK, kt_replica_allocate(&replicas[i], ROOM_BYTES, 0));
    }
}

static void close_layouts(void)
{
    for (size_t i = 0; i < N_LAYOUTS; i++)
        kt_replica_free(&replicas[i]);
    kt_comm_free(self);
}

/* ---- a run ---- */

/* What a run has come to. */
typedef struct result {
    size_t n, n_slots, n_state;
    float parameters[MOST], slots[KT_MAX_SLOTS][MOST], state[2048];
    double norm[STEPS];
} result;

typedef struct run {
    kt_replica *replica; /* NULL: the network alone */
    kt_network *network;
    kt_exchange_plan plan;
    kt_exchange *exchange;
} run;

static kt_pass pass_of(const kt_network *network, const kt_config *config, int step, kt_rows rows)
{
    static uint32_t sample[MAX_ROWS];
    for (uint32_t i = 0; i < MAX_ROWS; i++)
        sample[i] = i;
    kt_pass pass = kt_network_pass(network, rows);
    pass.training = true;
    pass.seed = (uint64_t)config->run.seed;
    pass.epoch = (uint32_t)step;
    pass.sample = sample;
    return pass;
}

/* Forward, loss and backward of the rows here, on data that step and row alone decide. */
static void make_factors(kt_network *network, const kt_pass *pass)
{
    const size_t begin = kt_rows_begin(&pass->rows), end = kt_rows_end(&pass->rows);
    const kt_loss_spec loss = {.n_classes = N_CLASSES};
    const kt_team *team = kt_network_team(network);
    for (size_t r = begin; r < end && team->seat == 0; r++)
        kt_random_normal(&(kt_random_place){.seed = 5, .epoch = pass->epoch, .sample = (uint32_t)r}, 0, N_IN,
                         kt_network_input(network) + r * N_IN);
    kt_team_barrier(team);
    const float *logits = kt_network_forward(network, pass);
    for (size_t r = begin; r < end && team->seat == 0; r++) {
        const int32_t label = (int32_t)((r * r + pass->epoch) % N_CLASSES);
        kt_loss_softmax(&loss, &(kt_logits){1, pass->rows.M, logits + r * N_CLASSES, &label}, &(kt_loss_sums){0},
                        kt_network_d_logits(network) + r * N_CLASSES);
    }
    kt_team_barrier(team);
    kt_network_backward(network, pass);
}

static void start(run *r, kt_replica *replica, const kt_config *config)
{
    const kt_network_spec spec = kt_config_network(config, N_IN, N_CLASSES);
    size_t n_bytes;
    char *memory = kt_replica_memory(replica);
    r->replica = replica;
    KT_CHECK_STATUS(KT_OK, kt_network_pool_bytes(&spec, MAX_ROWS, &n_bytes, NULL));
    KT_CHECK_STATUS(KT_OK,
                    kt_exchange_choose(&r->plan, replica, &config->exchange, &config->optimizer, &spec, MAX_ROWS));
    CU_ASSERT_FATAL(n_bytes + kt_exchange_pool_bytes(&r->plan) <= ROOM_BYTES);
    kt_replica_barrier(replica);
    if (replica->team.seat == 0)
        memset(memory, 0, ROOM_BYTES);
    kt_replica_barrier(replica);
    KT_CHECK_STATUS(KT_OK, kt_network_create_in_pool(&r->network, &spec, MAX_ROWS, &replica->team, memory));
    KT_CHECK_STATUS(KT_OK, kt_exchange_create(&r->exchange, replica, &r->plan, r->network, memory + n_bytes));
    kt_network_initialize(r->network, 1);
}

static void do_step(run *r, const kt_config *config, int step)
{
    const kt_replica *replica = r->replica;
    const kt_rows rows = kt_rank_rows_of_replica(replica, replica->number, rows_of_step[step], r->plan.job.n_shards);
    kt_pass pass = pass_of(r->network, config, step, rows);
    if (step != 1) /* without it nothing is sent before its time, which changes no bit either */
        kt_exchange_listen(r->exchange, &pass);
    make_factors(r->network, &pass);
    kt_exchange_apply(r->exchange, step + 1, 0.01, &pass);
}

/* A run's state as replica 0 has it, to all ranks: what a checkpoint holds. */
static void gather(const run *r, result *out)
{
    kt_comm *world = r->replica->world;
    out->n = kt_network_n_parameters(r->network);
    out->n_slots = kt_exchange_n_slots(r->exchange);
    out->n_state = kt_network_n_state(r->network);
    CU_ASSERT_FATAL(out->n <= MOST && out->n_state <= sizeof out->state / sizeof out->state[0]);
    kt_exchange_gather_state(r->exchange);
    memcpy(out->parameters, kt_network_parameters(r->network), out->n * sizeof(float));
    memcpy(out->state, kt_network_state(r->network), out->n_state * sizeof(float));
    for (size_t s = 0; s < out->n_slots; s++) {
        memcpy(out->slots[s], kt_exchange_slot(r->exchange, s), out->n * sizeof(float));
        kt_comm_broadcast(world, 0, out->slots[s], out->n * sizeof(float));
    }
}

/* The way back. What other replicas than the first have must not matter. */
static void scatter(const run *r, const result *from)
{
    if (r->replica->team.seat == 0) {
        memcpy(kt_network_parameters(r->network), from->parameters, from->n * sizeof(float));
        memcpy(kt_network_state(r->network), from->state, from->n_state * sizeof(float));
        for (size_t s = 0; s < from->n_slots; s++)
            memset(kt_exchange_slot(r->exchange, s), 0xff, from->n * sizeof(float));
        for (size_t s = 0; s < from->n_slots && r->replica->number == 0; s++)
            memcpy(kt_exchange_slot(r->exchange, s), from->slots[s], from->n * sizeof(float));
    }
    kt_exchange_scatter_state(r->exchange);
    kt_replica_barrier(r->replica);
}

static void stop(run *r)
{
    kt_exchange_free(r->exchange);
    kt_exchange_plan_free(&r->plan);
    kt_network_free(r->network);
}

/* Steps [begin, end) from *inout, or from the beginning. */
static void train(size_t layout, const kt_config *config, int begin, int end, result *inout)
{
    run r = {0};
    start(&r, &replicas[layout], config);
    if (begin > 0)
        scatter(&r, inout);
    for (int step = begin; step < end; step++) {
        do_step(&r, config, step);
        inout->norm[step] = kt_exchange_norm(r.exchange);
    }
    gather(&r, inout);
    stop(&r);
}

/* The same without any exchange: the whole gradient, its norm in double, one update of the whole vector. */
static void train_plainly(const kt_config *config, result *out)
{
    const kt_network_spec spec = kt_config_network(config, N_IN, N_CLASSES);
    const size_t V = (size_t)config->exchange.shards;
    static float gradient[MOST];
    kt_network *network;
    kt_optimizer *optimizer;
    size_t n_tensors;
    memset(out, 0, sizeof *out);
    KT_CHECK_STATUS(KT_OK, kt_network_create(&network, &spec, MAX_ROWS));
    kt_network_initialize(network, 1);
    out->n = kt_network_n_parameters(network);
    out->n_state = kt_network_n_state(network);
    out->n_slots = kt_optimizers[config->optimizer.kind].n_slots;
    const kt_tensor *tensors = kt_network_parameter_tensors(network, &n_tensors);
    float *slots[KT_MAX_SLOTS];
    for (size_t s = 0; s < KT_MAX_SLOTS; s++)
        slots[s] = out->slots[s];
    KT_CHECK_STATUS(KT_OK, kt_optimizer_create(&optimizer, &config->optimizer, kt_network_kernels(network), tensors,
                                               n_tensors, slots));
    for (int step = 0; step < STEPS; step++) {
        const kt_pass pass = pass_of(network, config, step, (kt_rows){rows_of_step[step], V, 0, V});
        double squares = 0, clip = config->exchange.clip_norm;
        make_factors(network, &pass);
        KT_CHECK_STATUS(KT_OK, network_whole_gradient(network, &pass, gradient));
        for (size_t i = 0; i < out->n; i++)
            squares += (double)gradient[i] * (double)gradient[i];
        out->norm[step] = sqrt(squares);
        const double scale = clip > 0 && clip < sqrt(squares) ? clip / sqrt(squares) : 1;
        const kt_updates updates = kt_optimizer_prepare(optimizer, step + 1, 0.01, scale, rows_of_step[step]);
        kt_optimizer_update(optimizer, &updates, 0, out->n, kt_network_parameters(network), gradient);
    }
    memcpy(out->parameters, kt_network_parameters(network), out->n * sizeof(float));
    memcpy(out->state, kt_network_state(network), out->n_state * sizeof(float));
    kt_optimizer_free(optimizer);
    kt_network_free(network);
}

#endif
