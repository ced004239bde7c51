/* A small network that is trained for some steps, with its ranks laid out and its gradients exchanged in any way; and
 * the same without any exchange. */
#ifndef KTRAIN_TEST_EXCHANGE_RUN_H
#define KTRAIN_TEST_EXCHANGE_RUN_H

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/random.h"
#include "engine/config.h"
#include "engine/exchange.h"
#include "net/loss.h"
#include "plain_gradient.h"
#include "test.h"

enum { N_IN = 37, N_CLASSES = 5, MAX_ROWS = 24, STEPS = 3, ALL = 1 << 20, MAX_KEYS = 16, KEY_BYTES = 64 };
enum { MOST = 32000 }; /* more than the parameters of any network here */
enum { ROOM_BYTES = 4 << 20, LETTER_BYTES = 1 << 20 };

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
    static const char text[] = "[data]\nfeatures = x\nlabels = y\n[model]\nhidden = [40, 23]\n"
                               "[parallel]\nshards = 8\n";
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

/* Layers that every rank has whole; layers whose panels are dealt, of which there are 19, 3 and 1; the same by
 * OpenBLAS. So ranks outnumber panels, samples and, with 2 of them, shards and runs. */
enum { SMALL, LARGE, OPENBLAS, N_PATHS };
static const char *const paths[N_PATHS] = {"", "model.hidden=[300,40]",
                                           "model.hidden=[300,40] parallel.products=openblas"};

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
        KT_CHECK_STATUS(KT_OK, kt_replica_allocate(&replicas[i], &(kt_replica_room){.n_bytes = ROOM_BYTES,
                                                                                    .letter_bytes = LETTER_BYTES}));
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
    bool copies; /* of their own that ranks have are the same */
    double norm[STEPS];
} result;

typedef struct run {
    kt_replica *replica; /* NULL: the network alone */
    kt_network *network;
    kt_exchange_plan plan;
    kt_exchange *exchange;
} run;

static kt_pass pass_of(const kt_config *config, int step, kt_rows rows)
{
    static uint32_t sample[MAX_ROWS];
    for (uint32_t i = 0; i < MAX_ROWS; i++)
        sample[i] = i;
    return (kt_pass){
        .rows = rows, .training = true, .seed = (uint64_t)config->run.seed, .epoch = (uint32_t)step, .sample = sample};
}

/* Forward, loss and backward of the rows here, on data that step and row alone decide. */
static void make_factors(kt_network *network, kt_pass *pass)
{
    const kt_range rows = kt_rows_range(&pass->rows);
    const kt_loss_spec loss = {.n_classes = N_CLASSES};
    for (size_t r = rows.begin; r < rows.end; r++)
        kt_random_normal(&(kt_random_place){.seed = 5, .epoch = pass->epoch, .sample = (uint32_t)r}, 0, N_IN,
                         kt_network_input(network, r));
    kt_network_forward(network, pass);
    for (size_t r = rows.begin; r < rows.end; r++) {
        const int32_t label = (int32_t)((r * r + pass->epoch) % N_CLASSES);
        kt_loss_softmax(&loss, &(kt_logits){1, pass->rows.M, kt_network_logits(network) + r * N_CLASSES, &label},
                        &(kt_loss_sums){0}, kt_network_d_logits(network) + r * N_CLASSES);
    }
    kt_network_backward(network, pass);
}

static kt_network_spec network_of(const kt_config *config)
{
    kt_network_spec spec = kt_config_network(config, N_IN, N_CLASSES);
    spec.max_rows = spec.max_batch = MAX_ROWS;
    return spec;
}

static void start(run *r, kt_replica *replica, const kt_config *config)
{
    const kt_network_spec spec = network_of(config);
    kt_network_room room;
    char *memory = kt_replica_memory(replica);
    r->replica = replica;
    KT_CHECK_STATUS(KT_OK, kt_network_measure(&spec, &replica->team, &room));
    KT_CHECK_STATUS(KT_OK, kt_exchange_choose(&r->plan, replica, &config->exchange, &config->optimizer, &spec));
    CU_ASSERT_FATAL(room.shared_bytes + kt_exchange_pool_bytes(&r->plan) <= ROOM_BYTES);
    CU_ASSERT_FATAL(room.letter_bytes <= LETTER_BYTES && kt_exchange_letter_bytes(&r->plan) <= LETTER_BYTES);
    kt_replica_barrier(replica);
    if (replica->team.seat == 0)
        memset(memory, 0, ROOM_BYTES);
    kt_replica_barrier(replica);
    KT_CHECK_STATUS(KT_OK, kt_network_create_in_team(&r->network, &spec, &replica->team, memory));
    KT_CHECK_STATUS(KT_OK, kt_exchange_create(&r->exchange, replica, &r->plan, r->network, memory + room.shared_bytes));
    kt_network_initialize(r->network, 1);
}

static void do_step(run *r, const kt_config *config, int step)
{
    const kt_replica *replica = r->replica;
    const kt_rows rows = kt_replica_rows(replica, replica->number, rows_of_step[step], r->plan.job.n_shards);
    kt_pass pass = pass_of(config, step, rows);
    make_factors(r->network, &pass);
    kt_exchange_apply(r->exchange, step + 1, 0.01, &pass);
}

/* Whether this rank's own values are those of the vector. */
static bool are_copies(const kt_tensors *all)
{
    bool same = true;
    for (const kt_tensor *t = all->tensor; t < all->tensor + all->n; t++)
        same = same && memcmp(t->here[0], all->vector[0] + t->offset, t->n * sizeof(float)) == 0;
    return same;
}

/* A run's state as replica 0 has it, to all ranks: what a checkpoint holds. */
static void gather(const run *r, result *out)
{
    kt_comm *world = r->replica->world;
    const kt_tensors *parameters = kt_network_parameters(r->network), *state = kt_network_state(r->network);
    out->n = parameters->room;
    out->n_slots = kt_exchange_n_slots(r->exchange);
    out->n_state = state->room;
    CU_ASSERT_FATAL(out->n <= MOST && out->n_state <= sizeof out->state / sizeof out->state[0]);
    kt_exchange_gather_state(r->exchange);
    memcpy(out->parameters, parameters->vector[0], out->n * sizeof(float));
    memcpy(out->state, state->vector[0], out->n_state * sizeof(float));
    for (size_t s = 0; s < out->n_slots; s++) {
        memcpy(out->slots[s], parameters->vector[1 + s], out->n * sizeof(float));
        kt_comm_broadcast(world, 0, out->slots[s], out->n * sizeof(float));
    }
    out->copies = are_copies(parameters) && are_copies(state);
    kt_replica_barrier(r->replica);
}

/* The way back. What other replicas than the first have must not matter. */
static void scatter(const run *r, const result *from)
{
    const kt_tensors *parameters = kt_network_parameters(r->network), *state = kt_network_state(r->network);
    if (r->replica->team.seat == 0) {
        for (size_t k = 0; k < parameters->n_vectors; k++)
            memset(parameters->vector[k], 0xff, from->n * sizeof(float));
        memset(state->vector[0], 0xff, from->n_state * sizeof(float));
    }
    if (r->replica->team.seat == 0 && r->replica->number == 0) {
        memcpy(parameters->vector[0], from->parameters, from->n * sizeof(float));
        memcpy(state->vector[0], from->state, from->n_state * sizeof(float));
        for (size_t s = 0; s < from->n_slots; s++)
            memcpy(parameters->vector[1 + s], from->slots[s], from->n * sizeof(float));
    }
    kt_replica_spread_network(r->replica, r->network);
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
    const kt_network_spec spec = network_of(config);
    const size_t V = (size_t)config->exchange.shards;
    static float gradient[MOST];
    kt_network *network;
    kt_optimizer *optimizer;
    memset(out, 0, sizeof *out);
    KT_CHECK_STATUS(KT_OK, kt_network_create(&network, &spec));
    kt_network_initialize(network, 1);
    const kt_tensors *parameters = kt_network_parameters(network), *state = kt_network_state(network);
    out->n = parameters->room;
    out->n_state = state->room;
    out->n_slots = kt_optimizers[config->optimizer.kind].n_slots;
    CU_ASSERT_FATAL(out->n <= MOST);
    KT_CHECK_STATUS(KT_OK, kt_optimizer_create(&optimizer, &config->optimizer, kt_network_simd(network), parameters));
    for (int step = 0; step < STEPS; step++) {
        kt_pass pass = pass_of(config, step, (kt_rows){rows_of_step[step], V, 0, V});
        double squares = 0, clip = config->exchange.clip_norm;
        make_factors(network, &pass);
        plain_gradient(network, &pass.rows, gradient);
        for (size_t i = 0; i < out->n; i++)
            squares += (double)gradient[i] * (double)gradient[i];
        out->norm[step] = sqrt(squares);
        const double scale = clip > 0 && clip < sqrt(squares) ? clip / sqrt(squares) : 1;
        const kt_updates updates = kt_optimizer_prepare(optimizer, step + 1, 0.01, scale, rows_of_step[step]);
        kt_optimizer_update(optimizer, &updates, 0, out->n, gradient);
    }
    memcpy(out->parameters, parameters->vector[0], out->n * sizeof(float));
    memcpy(out->state, state->vector[0], out->n_state * sizeof(float));
    for (size_t s = 0; s < out->n_slots; s++)
        memcpy(out->slots[s], parameters->vector[1 + s], out->n * sizeof(float));
    out->copies = true;
    kt_optimizer_free(optimizer);
    kt_network_free(network);
}

#endif
