/* Whole networks (network.h) on the seats of a team, and on several teams, emulated by threads: the bits are those of
 * one rank alone. */
#include <math.h>

#include "base/random.h"
#include "edge/linalg.h"
#include "net/activation.h"
#include "net/loss.h"
#include "net/optimizer.h"

#include "net/crew.h"
#include "net/whole_gradient.h"

const char *const kt_test_suite = "network_teams";

enum { M = 29, MOST_ROWS = 40, MOST_IN = 400, MOST_CLASSES = 37, SHARDS = 8, N_STEPS = 4 };

/* Rows of the batches of a training; the last is of a single row. */
static const size_t batches[N_STEPS] = {M, 7, M, 1};

/* Where layers are owned by panels, and where every seat has all (dense.h): W. */
typedef struct shape {
    size_t n_in, n_hidden;
    int64_t hidden[3];
    size_t n_classes, n_split; /* layers that are owned by panels */
} shape;

static const shape shapes[] = {
    {30, 2, {300, 40}, 21, 2},     /* - - W */
    {30, 3, {23, 410, 30}, 21, 2}, /* W - - W */
    {30, 2, {280, 270}, 37, 3},    /* - - - */
    {30, 2, {40, 23}, 21, 0},      /* W W W */
    {400, 0, {0}, 37, 1},          /* - */
    {30, 0, {0}, 21, 0},           /* W */
};
enum { N_SHAPES = sizeof shapes / sizeof shapes[0] };

static kt_network_spec spec_of(const shape *s, int activation, int form)
{
    return (kt_network_spec){.n_in = s->n_in,
                             .n_classes = s->n_classes,
                             .hidden = {s->n_hidden, s->hidden},
                             .activation = activation,
                             .batch_norm = form & 1,
                             .batch_norm_momentum = 0.1,
                             .batch_norm_epsilon = 1e-5,
                             .dropout = form & 2 ? 0.3 : 0,
                             .unit_shards = 16,
                             .n_shards = SHARDS,
                             .n_slots = 2,
                             .max_rows = MOST_ROWS,
                             .max_batch = M};
}

static const kt_network_spec *spec; /* of the network under test */
static bool apart;                  /* the seats of a team share no memory */

/* What one rank has, and has computed: logits of the last step, and of a later evaluation. */
typedef struct copy {
    kt_network *net;
    kt_optimizer *optimizer;
    void *memory; /* of the vectors; NULL: the network's own */
    float *gradient;
    float logits[M * MOST_CLASSES], evaluated[MOST_ROWS * MOST_CLASSES];
} copy;

static copy alone, copies[MOST_TEAMS][MOST_SEATS];

/* ---- a training ---- */

/* The inputs of the rows here, many of them 0; the others are NaNs, which nobody may read. */
static void fill_input(kt_network *net, const kt_rows *rows, size_t step)
{
    const kt_random_place place = {.seed = 3, .purpose = KT_RANDOM_INIT, .layer = 99, .epoch = (uint32_t)step};
    const kt_range here = kt_rows_range(rows);
    float all[MOST_ROWS * MOST_IN];
    kt_random_normal(&place, 0, rows->M * spec->n_in, all);
    for (size_t r = 0; r < rows->M; r++) {
        float *x = kt_network_input(net, r);
        for (size_t i = 0; i < spec->n_in; i++)
            x[i] = r < here.begin || r >= here.end ? NAN : fmaxf(0, all[r * spec->n_in + i]);
    }
}

static void loss(kt_network *net, const kt_rows *rows)
{
    const kt_loss_spec softmax = {.n_classes = spec->n_classes};
    const kt_range here = kt_rows_range(rows);
    const size_t first = here.begin * spec->n_classes;
    kt_loss_sums sums = {0};
    int32_t y[M];
    for (size_t r = 0; r < M; r++)
        y[r] = (int32_t)(r * 5 % spec->n_classes);
    kt_loss_softmax(&softmax,
                    &(kt_logits){here.end - here.begin, rows->M, kt_network_logits(net) + first, y + here.begin}, &sums,
                    kt_network_d_logits(net) + first);
}

/* Rows of inputs and deltas that another team has, to where backward would have left them. */
static void take_rows(copy *to, copy *from, const kt_rows *of)
{
    const kt_range rows = kt_rows_range(of);
    size_t n_layers;
    const kt_dense *mine = kt_network_dense(to->net, &n_layers), *its = kt_network_dense(from->net, &n_layers);
    for (size_t l = 0; l < n_layers; l++) {
        const kt_panels a = kt_dense_panels(&mine[l], mine[l].delta, of->M);
        const kt_panels b = kt_dense_panels(&its[l], its[l].delta, of->M);
        for (size_t r = rows.begin; r < rows.end; r++)
            memcpy(mine[l].x.x + r * mine[l].x.ld, its[l].x.x + r * its[l].x.ld, mine[l].n_in * sizeof(float));
        for (size_t p = 0; p < a.n; p++)
            memcpy(a.at + p * a.stride + rows.begin * KT_PANEL, b.at + p * b.stride + rows.begin * KT_PANEL,
                   (rows.end - rows.begin) * KT_PANEL * sizeof(float));
        kt_network_products(to->net)->note(&mine[l].x, rows, rows);
    }
}

static void fetch_rows(const seat *me, const kt_rows *rows)
{
    crew_everyone(me);
    for (size_t t = 0; t < me->crew->shape.n_teams; t++) {
        const kt_rows its = {rows->M, SHARDS, me->crew->shape.cut[t], me->crew->shape.cut[t + 1]};
        if (t != me->number)
            take_rows(&copies[me->number][me->team.seat], &copies[t][me->team.seat], &its);
    }
    crew_everyone(me);
}

static void step(copy *c, const seat *me, kt_pass *pass, int64_t number)
{
    fill_input(c->net, &pass->rows, (size_t)number);
    kt_network_forward(c->net, pass);
    loss(c->net, &pass->rows);
    kt_network_backward(c->net, pass);
    if (me != NULL)
        fetch_rows(me, &pass->rows);
    network_whole_gradient(c->net, &pass->rows, c->gradient);
    const kt_updates updates = kt_optimizer_prepare(c->optimizer, number, 0.01, 0.7, pass->rows.M);
    network_update(c->net, c->optimizer, &updates, c->gradient);
}

/* Steps of training, then an evaluation of more rows. me: NULL for the rank alone. */
static kt_status train(copy *c, const seat *me, size_t first, size_t end)
{
    const kt_optimizer_spec adam = {
        .kind = (int)kt_n_optimizers - 1, .beta1 = 0.9, .beta2 = 0.99, .epsilon = 1e-6, .l2 = 0.01};
    uint32_t sample[M];
    for (uint32_t r = 0; r < M; r++)
        sample[r] = 1000 + 3 * r;
    kt_pass pass = {.training = true, .seed = 7, .sample = sample};
    KT_TRY(kt_optimizer_create(&c->optimizer, &adam, kt_network_simd(c->net), kt_network_parameters(c->net)));
    KT_TRY(KT_NEW(c->gradient, kt_network_parameters(c->net)->room));
    kt_network_initialize(c->net, 7);
    for (int64_t t = 1; t <= N_STEPS; t++) {
        pass.epoch = (uint32_t)t;
        pass.rows = (kt_rows){batches[t - 1], SHARDS, first, end};
        step(c, me, &pass, t);
        if (t + 1 == N_STEPS)
            memcpy(c->logits, kt_network_logits(c->net), M * spec->n_classes * sizeof(float));
    }
    pass = (kt_pass){.rows = {MOST_ROWS, SHARDS, first, end}};
    fill_input(c->net, &pass.rows, 0);
    kt_network_forward(c->net, &pass);
    memcpy(c->evaluated, kt_network_logits(c->net), MOST_ROWS * spec->n_classes * sizeof(float));
    return KT_OK;
}

static kt_status work(const seat *me, void *context)
{
    copy *c = &copies[me->number][me->team.seat];
    (void)context;
    KT_TRY(kt_network_create_in_team(&c->net, spec, &me->team, c->memory));
    crew_everyone(me);
    return train(c, me, me->first, me->end);
}

static void free_copy(copy *c)
{
    kt_network_free(c->net);
    kt_optimizer_free(c->optimizer);
    kt_memory_free(c->gradient);
    kt_memory_free(c->memory);
}

/* ---- against the rank alone, bit by bit ---- */

static size_t count_other_rows(const float *a, const float *b, kt_rows rows)
{
    const kt_range here = kt_rows_range(&rows);
    size_t n_other = 0;
    for (size_t r = here.begin; r < here.end; r++)
        n_other += memcmp(a + r * spec->n_classes, b + r * spec->n_classes, spec->n_classes * sizeof *a) != 0;
    return n_other;
}

/* Own panels of all tensors. */
static size_t count_other_panels(const copy *c, const kt_tensors *mine, const kt_tensors *expected)
{
    size_t n_other = 0, n_layers;
    const kt_dense *dense = kt_network_dense(c->net, &n_layers);
    for (size_t i = 0; i < mine->n; i++) {
        const kt_tensor *t = &mine->tensor[i];
        const size_t first = dense[t->block].own.begin * t->per_panel, end = dense[t->block].own.end * t->per_panel;
        for (size_t k = 0; k < mine->n_vectors && end > first; k++)
            n_other +=
                memcmp(t->here[k] + first, expected->tensor[i].here[k] + first, (end - first) * sizeof(float)) != 0;
    }
    return n_other;
}

static size_t count_other_vectors(const kt_tensors *mine, const kt_tensors *expected)
{
    size_t n_other = 0;
    for (size_t k = 0; k < mine->n_vectors && !apart; k++)
        n_other += memcmp(mine->vector[k], expected->vector[k], mine->room * sizeof(float)) != 0;
    return n_other;
}

static void check_copy(const copy *c, size_t first, size_t end)
{
    const kt_tensors *mine[] = {kt_network_parameters(c->net), kt_network_state(c->net)};
    const kt_tensors *expected[] = {kt_network_parameters(alone.net), kt_network_state(alone.net)};
    CU_ASSERT(count_other_rows(c->logits, alone.logits, (kt_rows){M, SHARDS, first, end}) == 0);
    CU_ASSERT(count_other_rows(c->evaluated, alone.evaluated, (kt_rows){MOST_ROWS, SHARDS, first, end}) == 0);
    for (size_t i = 0; i < 2; i++) {
        CU_ASSERT(count_other_panels(c, mine[i], expected[i]) == 0);
        CU_ASSERT(count_other_vectors(mine[i], expected[i]) == 0);
    }
}

/* All seats of a team share the vectors of its first, or have some of their own. */
static void *memory_of(size_t seat_number, size_t n_bytes, void *of_first)
{
    void *memory = seat_number == 0 || apart ? kt_memory_new(n_bytes, 1) : of_first;
    CU_ASSERT_FATAL(memory != NULL);
    return memory;
}

static void check_crew(size_t n_teams, size_t n_seats, const size_t *cut)
{
    kt_network_room room;
    size_t n_letters;
    KT_CHECK_STATUS(KT_OK, kt_network_measure(spec, &(kt_team){.n_seats = n_seats}, &room));
    for (size_t t = 0; t < n_teams; t++)
        for (size_t s = 0; s < n_seats; s++)
            copies[t][s] = (copy){.memory = memory_of(s, room.shared_bytes, copies[t][0].memory)};
    const crew_shape of_crew = {n_teams, n_seats, cut, room.letter_bytes};
    const size_t n_shares = crew_run(&of_crew, work, NULL, &n_letters);
    CU_ASSERT(n_shares == (n_teams > 1 && spec->batch_norm ? N_STEPS * spec->hidden.n * 3 : 0));
    CU_ASSERT((n_letters > 0) == (n_seats > 1 && room.letter_bytes > 0));
    for (size_t t = 0; t < n_teams; t++)
        for (size_t s = n_seats; s-- > 0;) {
            check_copy(&copies[t][s], cut[t], cut[t + 1]);
            copies[t][s].memory = s == 0 || apart ? copies[t][s].memory : NULL;
            free_copy(&copies[t][s]);
        }
}

/* A rank alone; then crews of all sizes, on the same network. */
static void check_network(kt_network_spec of, bool many)
{
    spec = &of;
    alone = (copy){0};
    KT_CHECK_STATUS(KT_OK, kt_network_create(&alone.net, spec));
    CU_ASSERT_FATAL(alone.net != NULL);
    KT_CHECK_STATUS(KT_OK, train(&alone, NULL, 0, SHARDS));
    for (size_t i = 0; i < MOST_ROWS * spec->n_classes; i++)
        CU_ASSERT(isfinite(alone.evaluated[i]));
    for (size_t k = 0; k <= spec->n_slots; k++)
        CU_ASSERT(count_outside(kt_network_parameters(alone.net), kt_network_parameters(alone.net)->vector[k]) == 0);
    static const size_t seats[] = {1, 2, 3, 5, 9}; /* nine are more than some layers have panels */
    for (size_t k = 0; k < sizeof seats / sizeof seats[0]; k++)
        check_crew(1, seats[k], (const size_t[]){0, 8});
    check_crew(2, 2, (const size_t[]){0, 4, 8});
    if (many) {
        check_crew(3, 1, (const size_t[]){0, 3, 3, 8}); /* one without rows */
        check_crew(3, 2, (const size_t[]){0, 1, 6, 8});
        check_crew(4, 1, (const size_t[]){0, 2, 4, 6, 8});
        check_crew(5, 3, (const size_t[]){0, 0, 2, 4, 5, 8});
    }
    free_copy(&alone);
}

static void any_shape(void)
{
    for (size_t s = 0; s < N_SHAPES; s++)
        for (int form = 0; form < 4; form++)
            check_network(spec_of(&shapes[s], (int)s, form), form == 3);
}

static void any_activation(void)
{
    for (int a = 0; a < (int)kt_n_activations; a++)
        check_network(spec_of(&shapes[1], a, a % 4), false);
}

/* One run; fewer than seats; more than panels. */
static void any_unit_shards(void)
{
    static const int64_t unit_shards[] = {1, 2, 4, KT_MAX_SHARDS};
    for (size_t s = 0; s < 3; s++)
        for (size_t k = 0; k < sizeof unit_shards / sizeof unit_shards[0]; k++) {
            kt_network_spec of = spec_of(&shapes[s], 0, 3);
            of.unit_shards = unit_shards[k];
            check_network(of, s == 1);
        }
}

static void by_openblas(void)
{
    kt_linalg_start(1);
    for (size_t s = 0; s < 3; s++) {
        kt_network_spec of = spec_of(&shapes[s], 0, 3);
        of.products = KT_PRODUCTS_OPENBLAS;
        check_network(of, s == 1);
    }
}

static void without_shared_memory(void)
{
    apart = true;
    for (size_t s = 0; s < N_SHAPES; s++) {
        kt_network_spec of = spec_of(&shapes[s], (int)s, (int)s % 4);
        of.n_slots = 2;
        spec = &of;
        alone = (copy){0};
        KT_CHECK_STATUS(KT_OK, kt_network_create(&alone.net, spec));
        KT_CHECK_STATUS(KT_OK, train(&alone, NULL, 0, SHARDS));
        for (size_t n_seats = 2; n_seats <= 4; n_seats++)
            check_crew(1, n_seats, (const size_t[]){0, 8});
        free_copy(&alone);
    }
    apart = false;
}

/* The shapes above are what they are for. */
static void layers_are_split(void)
{
    for (size_t s = 0; s < N_SHAPES; s++) {
        size_t n_split = 0, n_in = shapes[s].n_in;
        for (size_t l = 0; l <= shapes[s].n_hidden; l++) {
            const size_t n_out = l < shapes[s].n_hidden ? (size_t)shapes[s].hidden[l] : shapes[s].n_classes;
            n_split += !kt_dense_is_whole(n_in, n_out);
            n_in = n_out;
        }
        CU_ASSERT(n_split == shapes[s].n_split);
    }
}

const kt_test kt_tests[] = {
    {"the networks below have layers that are split, and layers that every seat has", layers_are_split},
    {"no bit depends on teams and seats, for every shape, with dropout and batch norm", any_shape},
    {"nor for any activation", any_activation},
    {"nor for one run of units, fewer than seats, or more than panels", any_unit_shards},
    {"nor by OpenBLAS", by_openblas},
    {"nor when seats share no memory", without_shared_memory},
    {NULL, NULL},
};
