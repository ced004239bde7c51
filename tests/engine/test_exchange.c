/* Every way in which ranks can share a step, against one rank that does all of it, and against a plain reference that
 * forms the whole gradient and updates the whole vector. */
#include "engine/exchange_run.h"

const char *const kt_test_suite = "exchange";

/* ---- comparing ---- */

static bool same(const result *a, const result *b)
{
    bool all = a->copies && b->copies && a->n == b->n && a->n_slots == b->n_slots && a->n_state == b->n_state &&
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
    const kt_exchange_kind *kind; /* that it names; NULL: none */
    char keys[96];
} way;

enum { MOST_WAYS = 3 + 2 * KT_MOST_EXCHANGE_KINDS };
static way ways[MOST_WAYS];
static size_t n_ways;

static void add_way(size_t layout, const kt_exchange_kind *kind, const char *owner)
{
    way *w = &ways[n_ways++];
    w->layout = layout;
    w->kind = kind;
    snprintf(w->keys, sizeof w->keys, "parallel.exchange=%s parallel.optimizer_state=%s",
             kind != NULL ? kind->name : "auto", owner);
}

/* Layouts, and every kind of exchange in them. */
static void open_ways(void)
{
    open_layouts();
    n_ways = 0;
    add_way(WHOLE, NULL, "auto");
    add_way(ONE, NULL, "rank0");
    add_way(TWO, kt_exchange_kinds[0], "rank0");
    for (size_t k = 0; k < kt_n_exchange_kinds; k++) {
        add_way(ONE, kt_exchange_kinds[k], "sharded");
        add_way(TWO, kt_exchange_kinds[k], "sharded");
    }
}

static result plain, alone, shared, first;

/* All ways against one rank, bit for bit, and one rank against the reference. */
static void check_ways(const keys *k, bool by_openblas)
{
    const kt_config config = parse(k);
    const double clip = config.exchange.clip_norm;
    train_plainly(&config, &plain);
    train(ALONE, &config, 0, STEPS, &alone);
    const bool rounds = by_openblas || (clip > 0 && plain.norm[0] > clip);
    expect(rounds ? difference(&plain, &alone) < 1e-5 : same(&plain, &alone), k, "one rank and the reference");
    for (int step = 0; step < STEPS; step++)
        expect(clip > 0 ? fabs(alone.norm[step] - plain.norm[step]) <= 1e-5 * plain.norm[step] : alone.norm[step] == 0,
               k, "the norm");
    for (size_t w = 0; w < n_ways; w++) {
        const kt_config other = with(k, ways[w].keys);
        train(ways[w].layout, &other, 0, STEPS, &shared);
        expect(same(&alone, &shared), k, ways[w].keys);
        expect(memcmp(alone.norm, shared.norm, sizeof alone.norm) == 0, k, ways[w].keys);
    }
}

/* Each optimizer with each form of L2 (with every other one where layers are large); the rest of the keys in turn. */
static void check_optimizers(size_t path)
{
    static const char *const turns[] = {
        "model.batch_norm=true train.clip_norm=0.05",
        "optimizer.l2_biases=true model.dropout=0.3",
        "model.batch_norm=true model.dropout=0.3 optimizer.l2_biases=true",
        "train.clip_norm=0.05 parallel.shards=2 parallel.unit_shards=2",
        "parallel.shards=64 model.activation=tanh",
    };
    enum { N_TURNS = sizeof turns / sizeof turns[0] };
    open_ways();
    for (size_t i = 0; i < kt_n_optimizers * KT_N_L2_FORMS; i += path == SMALL ? 1 : 2) {
        keys k = {0};
        char words[128];
        snprintf(words, sizeof words, "optimizer.name=%s optimizer.l2=0.1 optimizer.l2_form=%s",
                 kt_optimizers[i / KT_N_L2_FORMS].name, kt_l2_form_names[i % KT_N_L2_FORMS]);
        add(&k, words);
        add(&k, paths[path]);
        add(&k, turns[i % N_TURNS]);
        check_ways(&k, path == OPENBLAS);
    }
    close_layouts();
}

static void layers_that_all_have_give_the_same_bits(void)
{
    check_optimizers(SMALL);
}

static void layers_that_are_dealt_give_the_same_bits(void)
{
    check_optimizers(LARGE);
}

static void openblas_gives_the_same_bits(void)
{
    check_optimizers(OPENBLAS);
}

static void instruction_sets_give_the_same_bits(void)
{
    open_ways();
    for (size_t path = SMALL; path <= LARGE; path++)
        for (size_t row = 0; row < KT_N_SIMD; row++) {
            char words[KEY_BYTES];
            keys k = {0};
            add(&k, paths[path]);
            add(&k, "model.batch_norm=true train.clip_norm=0.05 model.dropout=0.2 optimizer.l2=0.1");
            snprintf(words, sizeof words, "parallel.kernels=%s", kt_simd_rows[row].name);
            const kt_config config = parse(&k), other = with(&k, words);
            if (!kt_simd_rows[row].supported())
                continue;
            train(ALONE, &config, 0, STEPS, &alone);
            for (size_t layout = ONE; layout < N_LAYOUTS; layout++) {
                train(layout, &other, 0, STEPS, &shared);
                expect(same(&alone, &shared), &k, words);
            }
        }
    close_layouts();
}

/* ---- clipping ---- */

static void a_norm_that_is_not_reached_changes_nothing(void)
{
    open_ways();
    for (size_t path = 0; path < N_PATHS; path++)
        for (size_t w = 0; w < n_ways; w++) {
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
    open_ways();
    for (size_t path = 0; path < N_PATHS; path++) {
        keys k = {0};
        add(&k, paths[path]);
        add(&k, "optimizer.l2=0.1 model.batch_norm=true train.clip_norm=0.05 model.dropout=0.2");
        const kt_config config = parse(&k);
        train(ALONE, &config, 0, STEPS, &alone);
        for (size_t w = 0; w < n_ways; w++) {
            const way *next = &ways[(w + 3) % n_ways];
            const kt_config before = with(&k, ways[w].keys), after = with(&k, next->keys);
            memset(&shared, 0, sizeof shared);
            train(ways[w].layout, &before, 0, 1, &shared);
            train(next->layout, &after, 1, STEPS, &shared);
            expect(same(&alone, &shared), &k, ways[w].keys);
        }
    }
    close_layouts();
}

/* ---- the order left to MPI ---- */

static void a_free_order_agrees_to_rounding(void)
{
    open_ways();
    for (size_t path = 0; path < N_PATHS; path++) {
        keys k = {0};
        add(&k, paths[path]);
        add(&k, "optimizer.name=momentum optimizer.l2=0.1 model.batch_norm=true train.clip_norm=0.5");
        const kt_config config = parse(&k);
        train(ALONE, &config, 0, STEPS, &alone);
        for (size_t w = 0; w < n_ways; w++) {
            kt_config other = with(&k, ways[w].keys);
            other.exchange.reproducible = false;
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
    open_ways();
    for (size_t w = 0; w < n_ways; w++) {
        kt_exchange_plan plan;
        keys k = {0};
        add(&k, ways[w].keys);
        const kt_config config = parse(&k);
        const kt_network_spec spec = network_of(&config);
        const kt_replica *replica = &replicas[ways[w].layout];
        const bool several = replica->n_replicas > 1;
        const kt_exchange_kind *kind = ways[w].kind;
        kt_network_room room;
        KT_CHECK_STATUS(KT_OK, kt_network_measure(&spec, &replica->team, &room));
        KT_CHECK_STATUS(
            KT_OK, kt_exchange_choose(&plan, &replicas[ways[w].layout], &config.exchange, &config.optimizer, &spec));
        KT_CHECK(plan.n_layers == 3 && plan.job.n_slots == 2 && plan.job.batch_size == MAX_ROWS);
        KT_CHECK(plan.n_floats == room.n_floats && plan.n_units == 48 + 32 + 16);
        KT_CHECK(plan.job.rank0 == (strstr(ways[w].keys, "rank0") != NULL));
        for (size_t l = 0; l < plan.n_layers && several && kind != NULL; l++)
            KT_CHECK(plan.kind[l] == kind);
        KT_CHECK(kind == NULL || (plan.n_sums > 0) == (several && kind->needs_sums));
        KT_CHECK((plan.link.bytes_per_second > 0) == (several && kind == NULL));
        kt_exchange_plan_free(&plan);
        KT_CHECK(plan.kind == NULL);
    }
    close_layouts();
}

/* A batch has as many numbers as samples times units, and no more: 54,000 of 40 are few. */
static void only_messages_that_are_too_long_are_refused(void)
{
    static const size_t most = ((size_t)1 << 31) / 40; /* the widest layer has 40 units, on either side */
    const size_t sizes[] = {46341, 54000, most, most + 1};
    open_ways();
    for (size_t w = 0; w < n_ways; w++)
        for (size_t i = 0; i < 4; i++) {
            kt_exchange_plan plan;
            keys k = {0};
            add(&k, ways[w].keys);
            add(&k, "parallel.exchange=factors");
            const kt_config config = parse(&k);
            kt_network_spec spec = kt_config_network(&config, N_IN, N_CLASSES);
            spec.max_batch = sizes[i];
            const kt_status status =
                kt_exchange_choose(&plan, &replicas[ways[w].layout], &config.exchange, &config.optimizer, &spec);
            const bool too_long = replicas[ways[w].layout].n_replicas > 1 && sizes[i] > most;
            KT_CHECK(status == (too_long ? KT_CONFIG : KT_OK));
            KT_CHECK(!too_long || strstr(kt_error_message(), "in a layer of 40 are too many numbers") != NULL);
            kt_exchange_plan_free(&plan);
        }
    close_layouts();
}

const kt_test kt_tests[] = {
    {"layers that every rank has give the same bits in every layout, exchange, optimizer and form of L2",
     layers_that_all_have_give_the_same_bits},
    {"so do layers whose panels are dealt", layers_that_are_dealt_give_the_same_bits},
    {"so do products by OpenBLAS", openblas_gives_the_same_bits},
    {"all instruction sets give the same bits in every layout", instruction_sets_give_the_same_bits},
    {"a clipping norm that is not reached is told and changes nothing", a_norm_that_is_not_reached_changes_nothing},
    {"a run goes on in another layout to the same bits", state_moves_to_another_layout},
    {"with reproducible = false runs agree to rounding, and all copies of the weights stay the same",
     a_free_order_agrees_to_rounding},
    {"a plan follows the configuration and the layout", a_plan_follows_its_keys},
    {"only messages that are too long are refused", only_messages_that_are_too_long_are_refused},
    {NULL, NULL},
};
