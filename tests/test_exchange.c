/* Every way in which ranks can share a step, against one rank that does all of it, and against a plain reference that
 * forms the whole gradient and updates the whole vector. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "ktrain/exchange.h"
#include "ktrain/loss.h"
#include "ktrain/memory.h"
#include "ktrain/random.h"
#include "test.h"

const char *const kt_test_suite = "exchange";

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

/* Products by own kernels, in tiles of 16 units: 3, 2 and 1 of them; or by OpenBLAS, in tiles of 256: 2, 1 and 1, with a
 * last batch that is thin. So ranks outnumber tiles, samples and, with 2 of them, shards. */
static const char *const paths[2] = {"", "model.hidden=[300,40] parallel.thin_batch=8"};

/* ---- layouts ---- */

/* Each rank's replica of one rank, of two, of all; and a run of its own, which nobody takes part in. */
enum { ALONE, ONE, TWO, WHOLE, N_LAYOUTS };

static kt_comm *self;
static kt_replica replicas[N_LAYOUTS];

static void open_layouts(void)
{
    static const size_t ranks_per_replica[N_LAYOUTS] = {1, 1, 2, ALL};
    KT_CHECK_STATUS(KT_OK, kt_comm_split(kt_test_world, kt_comm_rank(kt_test_world), &self));
    for (size_t i = 0; i < N_LAYOUTS; i++) {
        kt_comm *world = i == ALONE ? self : kt_test_world;
        KT_CHECK_STATUS(KT_OK, kt_replica_create(&replicas[i], world, ranks_per_replica[i]));
        KT_CHECK_STATUS(KT_OK, kt_replica_allocate(&replicas[i], ROOM_BYTES));
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
    float parameters[MOST], slots[2][MOST], state[2048];
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
        .training = true, .seed = (uint64_t)config->run.seed, .epoch = (uint32_t)step, .sample = sample, .rows = rows};
}

/* Forward, loss and backward of the rows here, on data that step and row alone decide. */
static void make_factors(kt_network *network, const kt_pass *pass)
{
    const size_t begin = kt_rows_begin(&pass->rows), end = kt_rows_end(&pass->rows);
    const kt_loss_spec loss = {.n_classes = N_CLASSES};
    const kt_team *team = kt_network_team(network);
    const float *logits;
    for (size_t r = begin; r < end && team->part == 0; r++)
        kt_random_normal(&(kt_random_place){.seed = 5, .epoch = pass->epoch, .sample = (uint32_t)r}, 0, N_IN,
                         kt_network_input(network) + r * N_IN);
    kt_team_barrier(team);
    KT_CHECK_STATUS(KT_OK, kt_network_forward(network, pass, &logits));
    for (size_t r = begin; r < end && team->part == 0; r++) {
        const int32_t label = (int32_t)((r * r + pass->epoch) % N_CLASSES);
        kt_loss_softmax(&loss, 1, pass->rows.M, logits + r * N_CLASSES, &label, &(kt_loss_sums){0},
                        kt_network_d_logits(network) + r * N_CLASSES);
    }
    kt_team_barrier(team);
    KT_CHECK_STATUS(KT_OK, kt_network_backward(network, pass));
}

static void start(run *r, kt_replica *replica, const kt_config *config)
{
    const kt_network_spec spec = kt_config_network(config, N_IN, N_CLASSES);
    const size_t n_bytes = kt_network_shared_bytes(&spec, MAX_ROWS, NULL);
    char *memory = kt_replica_memory(replica);
    r->replica = replica;
    KT_CHECK_STATUS(KT_OK, kt_exchange_choose(&r->plan, replica, config, &spec, MAX_ROWS));
    CU_ASSERT_FATAL(n_bytes + kt_exchange_shared_bytes(&r->plan) <= ROOM_BYTES);
    kt_replica_barrier(replica);
    if (replica->team.part == 0)
        memset(memory, 0, ROOM_BYTES);
    kt_replica_barrier(replica);
    KT_CHECK_STATUS(KT_OK, kt_network_create_shared(&r->network, &spec, MAX_ROWS, &replica->team, memory));
    KT_CHECK_STATUS(KT_OK, kt_exchange_create(&r->exchange, replica, config, &r->plan, r->network, memory + n_bytes));
    kt_network_initialize(r->network, 1);
}

static void do_step(run *r, const kt_config *config, int step)
{
    const kt_replica *replica = r->replica;
    const kt_rows rows = kt_replica_rows(replica, replica->number, rows_of_step[step], r->plan.n_shards);
    kt_pass pass = pass_of(config, step, rows);
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
    if (r->replica->team.part == 0) {
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
    const size_t V = (size_t)config->parallel.shards;
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
    float *slots[2] = {out->slots[0], out->slots[1]};
    KT_CHECK_STATUS(KT_OK, kt_optimizer_create(&optimizer, &config->optimizer, tensors, n_tensors, slots));
    for (int step = 0; step < STEPS; step++) {
        const kt_pass pass = pass_of(config, step, (kt_rows){rows_of_step[step], V, 0, V});
        double squares = 0, clip = config->train.clip_norm;
        make_factors(network, &pass);
        KT_CHECK_STATUS(KT_OK, kt_network_gradient(network, &pass, gradient));
        for (size_t i = 0; i < out->n; i++)
            squares += (double)gradient[i] * (double)gradient[i];
        out->norm[step] = sqrt(squares);
        kt_optimizer_update(optimizer, step + 1, 0.01, clip > 0 && clip < sqrt(squares) ? clip / sqrt(squares) : 1,
                            rows_of_step[step], 0, out->n, kt_network_parameters(network), gradient);
    }
    memcpy(out->parameters, kt_network_parameters(network), out->n * sizeof(float));
    memcpy(out->state, kt_network_state(network), out->n_state * sizeof(float));
    kt_optimizer_free(optimizer);
    kt_network_free(network);
}

/* ---- comparing ---- */

static bool same(const result *a, const result *b)
{
    bool all = a->n == b->n && a->n_slots == b->n_slots && a->n_state == b->n_state &&
               memcmp(a->parameters, b->parameters, a->n * sizeof(float)) == 0 &&
               memcmp(a->state, b->state, a->n_state * sizeof(float)) == 0;
    for (size_t s = 0; all && s < a->n_slots; s++)
        all = memcmp(a->slots[s], b->slots[s], a->n * sizeof(float)) == 0;
    return all;
}

static double difference(const result *a, const result *b)
{
    double largest = 0;
    for (size_t i = 0; i < a->n; i++) {
        const double d = fabs((double)a->parameters[i] - (double)b->parameters[i]);
        largest = d > largest || isnan(d) ? d : largest;
    }
    return a->n == b->n ? largest : HUGE_VAL;
}

/* Says which one it was. */
static void expect(bool condition, const keys *k, const char *where)
{
    if (!condition && kt_comm_rank(kt_test_world) == 0) {
        fprintf(stderr, "\n    %s:", where);
        for (size_t i = 0; i < k->n; i++)
            fprintf(stderr, " %s", k->text[i]);
        fprintf(stderr, "\n");
    }
    KT_CHECK(condition);
}

/* ---- layouts and exchanges that must give the same ---- */

typedef struct way {
    size_t layout;
    const char *keys;
} way;

static const way ways[] = {
    {WHOLE, ""},
    {ONE, "parallel.exchange=factors"},
    {ONE, "parallel.exchange=allreduce parallel.optimizer_state=sharded"},
    {ONE, "parallel.exchange=auto parallel.optimizer_state=rank0"},
    {TWO, "parallel.exchange=factors"},
    {TWO, "parallel.exchange=allreduce parallel.optimizer_state=rank0"},
    {TWO, "parallel.exchange=allreduce parallel.optimizer_state=sharded"},
};
enum { N_WAYS = sizeof ways / sizeof ways[0] };

static result plain, alone, shared, first;

/* All ways against one rank, bit for bit, and one rank against the reference. */
static void check_ways(const keys *k)
{
    const kt_config config = parse(k);
    const double clip = config.train.clip_norm;
    train_plainly(&config, &plain);
    train(ALONE, &config, 0, STEPS, &alone);
    const bool clipped = clip > 0 && plain.norm[0] > clip;
    expect(clipped ? difference(&plain, &alone) < 1e-5 : same(&plain, &alone), k, "one rank and the reference");
    for (int step = 0; step < STEPS; step++)
        expect(clip > 0 ? fabs(alone.norm[step] - plain.norm[step]) <= 1e-5 * plain.norm[step] : alone.norm[step] == 0,
               k, "the norm");
    for (size_t w = 0; w < N_WAYS; w++) {
        const kt_config other = with(k, ways[w].keys);
        train(ways[w].layout, &other, 0, STEPS, &shared);
        expect(same(&alone, &shared), k, ways[w].keys);
        expect(memcmp(alone.norm, shared.norm, sizeof alone.norm) == 0, k, ways[w].keys);
    }
}

/* Each optimizer with each form of L2; the rest of the keys in turn, so that each value meets each path. */
static void check_optimizers(size_t path)
{
    static const char *const turns[] = {
        "model.batch_norm=true train.clip_norm=0.05",
        "optimizer.l2_biases=true model.dropout=0.3",
        "model.batch_norm=true model.dropout=0.3 optimizer.l2_biases=true",
        "train.clip_norm=0.05 parallel.shards=2",
        "parallel.shards=64 model.activation=tanh",
    };
    enum { N_TURNS = sizeof turns / sizeof turns[0] };
    open_layouts();
    for (size_t o = 0; o < kt_n_optimizers; o++)
        for (size_t form = 0; form < KT_N_L2_FORMS; form++) {
            keys k = {0};
            char words[128];
            snprintf(words, sizeof words, "optimizer.name=%s optimizer.l2=0.1 optimizer.l2_form=%s",
                     kt_optimizers[o].name, kt_l2_form_names[form]);
            add(&k, words);
            add(&k, paths[path]);
            add(&k, turns[(o * KT_N_L2_FORMS + form) % N_TURNS]);
            check_ways(&k);
        }
    close_layouts();
}

static void thin_batches_give_the_same_bits(void)
{
    check_optimizers(0);
}

static void large_batches_give_the_same_bits(void)
{
    check_optimizers(1);
}

/* ---- clipping ---- */

static void a_norm_that_is_not_reached_changes_nothing(void)
{
    open_layouts();
    for (size_t path = 0; path < 2; path++)
        for (size_t w = 0; w < N_WAYS; w++) {
            keys k = {0};
            add(&k, paths[path]);
            add(&k, ways[w].keys);
            const kt_config config = parse(&k), clips = with(&k, "train.clip_norm=1e6");
            train(ways[w].layout, &config, 0, STEPS, &alone);
            train(ways[w].layout, &clips, 0, STEPS, &shared);
            expect(same(&alone, &shared), &k, "clip_norm");
            KT_CHECK(shared.norm[0] > 0 && alone.norm[0] == 0);
        }
    close_layouts();
}

/* ---- the state of record ---- */

static void state_moves_to_another_layout(void)
{
    open_layouts();
    for (size_t path = 0; path < 2; path++) {
        keys k = {0};
        add(&k, paths[path]);
        add(&k, "optimizer.l2=0.1 model.batch_norm=true train.clip_norm=0.05 model.dropout=0.2");
        const kt_config config = parse(&k);
        train(ALONE, &config, 0, STEPS, &alone);
        for (size_t w = 0; w < N_WAYS; w++) {
            const way next = ways[(w + 3) % N_WAYS];
            const kt_config before = with(&k, ways[w].keys), after = with(&k, next.keys);
            memset(&shared, 0, sizeof shared);
            train(ways[w].layout, &before, 0, 1, &shared);
            train(next.layout, &after, 1, STEPS, &shared);
            expect(same(&alone, &shared), &k, ways[w].keys);
        }
    }
    close_layouts();
}

/* ---- the order left to MPI ---- */

static void a_free_order_agrees_to_rounding(void)
{
    open_layouts();
    for (size_t path = 0; path < 2; path++) {
        keys k = {0};
        add(&k, paths[path]);
        add(&k, "optimizer.name=momentum optimizer.l2=0.1 model.batch_norm=true train.clip_norm=0.5");
        const kt_config config = parse(&k);
        train(ALONE, &config, 0, STEPS, &alone);
        for (size_t w = 0; w < N_WAYS; w++) {
            kt_config other = with(&k, ways[w].keys);
            other.parallel.reproducible = false;
            train(ways[w].layout, &other, 0, STEPS, &shared);
            expect(difference(&alone, &shared) < 1e-6, &k, ways[w].keys);
            first = shared;
            kt_comm_broadcast(kt_test_world, 0, &first, sizeof first);
            expect(same(&first, &shared), &k, ways[w].keys); /* all copies are still one */
        }
    }
    close_layouts();
}

/* ---- what is decided before ---- */

static void a_plan_follows_its_keys(void)
{
    open_layouts();
    for (size_t w = 0; w < N_WAYS; w++) {
        kt_exchange_plan plan;
        keys k = {0};
        add(&k, ways[w].keys);
        const kt_config config = parse(&k);
        const kt_network_spec spec = kt_config_network(&config, N_IN, N_CLASSES);
        const kt_replica *replica = &replicas[ways[w].layout];
        const bool several = replica->n_replicas > 1, allreduces = strstr(ways[w].keys, "allreduce") != NULL;
        KT_CHECK_STATUS(KT_OK, kt_exchange_choose(&plan, &replicas[ways[w].layout], &config, &spec, MAX_ROWS));
        KT_CHECK(plan.n_layers == 3 && plan.n_slots == 2 && plan.batch_size == MAX_ROWS);
        KT_CHECK(plan.n_parameters == (N_IN + 1) * 40 + 41 * 23 + 24 * N_CLASSES);
        KT_CHECK(plan.rank0 == (strstr(ways[w].keys, "rank0") != NULL));
        const bool chosen = strstr(ways[w].keys, "auto") != NULL;
        for (size_t l = 0; l < plan.n_layers && !chosen; l++)
            KT_CHECK(plan.by_factors[l] == !(several && allreduces));
        KT_CHECK(plan.keeps_gradient == (plan.n_parts > 0));
        KT_CHECK(chosen || plan.keeps_gradient == (several && allreduces));
        KT_CHECK((plan.link.bytes_per_second > 0) == (several && chosen));
        kt_exchange_plan_free(&plan);
        KT_CHECK(plan.by_factors == NULL);
    }
    close_layouts();
}

const kt_test kt_tests[] = {
    {"a thin batch gives the same bits in every layout, exchange, optimizer and form of L2",
     thin_batches_give_the_same_bits},
    {"so does a batch that goes through OpenBLAS, with a thin one at its end", large_batches_give_the_same_bits},
    {"a clipping norm that is not reached is told and changes nothing", a_norm_that_is_not_reached_changes_nothing},
    {"a run goes on in another layout to the same bits", state_moves_to_another_layout},
    {"with reproducible = false runs agree to rounding, and all copies of the weights stay the same",
     a_free_order_agrees_to_rounding},
    {"a plan follows the configuration and the layout", a_plan_follows_its_keys},
    {NULL, NULL},
};
