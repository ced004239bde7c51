/* Whole networks (network.h) in memory that a team's parts share, on one team and on several, emulated by threads: the
 * bits are those of one rank alone. */
#include <math.h>

#include "base/memory.h"
#include "base/random.h"
#include "edge/linalg.h"
#include "net/activation.h"
#include "net/loss.h"
#include "net/network.h"

#include "net/crew.h"
#include "net/whole_gradient.h"

const char *const kt_test_suite = "network_teams";

enum { N_STEPS = 3, N_CLASSES = 21, N_IN = 30, M = 29, FEW = 5, SHARDS = 8 };

/* Several tiles of own kernels in every layer, and the last not full; several of OpenBLAS in the hidden ones. */
static const int64_t narrow[2] = {40, 23}, wide[2] = {280, 270};

static kt_network_spec spec_of(const int64_t *hidden, int64_t thin_rows, int activation, int form)
{
    return (kt_network_spec){.n_in = N_IN,
                             .n_classes = N_CLASSES,
                             .hidden = {2, hidden},
                             .activation = activation,
                             .batch_norm = form & 1,
                             .batch_norm_momentum = 0.1,
                             .batch_norm_epsilon = 1e-5,
                             .dropout = form & 2 ? 0.3 : 0,
                             .thin_rows = thin_rows,
                             .transposed_input = form & 4,
                             .n_shards = SHARDS};
}

/* One copy of a network and what it has computed. */
typedef struct copy {
    void *memory; /* NULL: the network's own */
    kt_network *parts[MOST_PARTS];
    float *gradient;
    float logits[M * N_CLASSES], evaluated[FEW * N_CLASSES]; /* of the last step, and of a later evaluation */
} copy;

static const kt_network_spec *spec; /* of the network under test */
static copy alone, copies[MOST_TEAMS];

/* The inputs of the rows here; the others are NaNs, which nobody may read. */
static void fill_input(kt_network *net, const kt_rows *rows)
{
    float *x = kt_network_input(net);
    const kt_random_place place = {.seed = 3, .purpose = KT_RANDOM_INIT, .layer = 99};
    kt_random_normal(&place, 0, rows->M * N_IN, x);
    memset(x, 0xff, kt_rows_begin(rows) * N_IN * sizeof *x);
    memset(x + kt_rows_end(rows) * N_IN, 0xff, (rows->M - kt_rows_end(rows)) * N_IN * sizeof *x);
}

static void loss(kt_network *net, const kt_rows *rows, const float *logits)
{
    const kt_loss_spec softmax = {.n_classes = N_CLASSES};
    const size_t begin = kt_rows_begin(rows), m = kt_rows_end(rows) - begin;
    kt_loss_sums sums = {0};
    int32_t y[M];
    for (size_t r = 0; r < M; r++)
        y[r] = (int32_t)(r * 5 % N_CLASSES);
    kt_loss_softmax(&softmax, &(kt_logits){m, rows->M, logits + begin * N_CLASSES, y + begin}, &sums,
                    kt_network_d_logits(net) + begin * N_CLASSES);
}

/* What has been announced to one part in a step, and a checksum of it at that time. */
typedef struct watch {
    kt_network *network;
    const kt_rows *rows;
    size_t n, layer[6];
    uint64_t sum[6];
} watch;

static uint64_t checksum(const watch *w, size_t layer, bool deltas)
{
    size_t n;
    const kt_factors *f = &kt_network_factors(w->network, &n)[layer];
    const size_t width = deltas ? f->dense.n_out : f->dense.n_in, begin = kt_rows_begin(w->rows) * width;
    const unsigned char *bytes = (const unsigned char *)((deltas ? f->delta : f->x) + begin);
    uint64_t sum = 0;
    for (size_t i = 0; i < (kt_rows_end(w->rows) * width - begin) * sizeof(float); i++)
        sum = (sum ^ bytes[i]) * UINT64_C(0x100000001b3) + 1;
    return sum;
}

static void announced(void *context, size_t layer, bool deltas)
{
    watch *w = context;
    if (w->n < 6) {
        w->layer[w->n] = layer;
        w->sum[w->n] = checksum(w, layer, deltas);
    }
    w->n++;
}

/* Inputs were announced upwards, deltas downwards, each when it was what it is now. */
static kt_status check_announced(const watch *w)
{
    size_t n;
    kt_network_factors(w->network, &n);
    if (w->n != 2 * n)
        return kt_fail(KT_INTERNAL, "%zu announcements in a step of %zu layers", w->n, n);
    for (size_t i = 0; i < 2 * n; i++)
        if (w->layer[i] != (i < n ? i : 2 * n - 1 - i) || w->sum[i] != checksum(w, w->layer[i], i >= n))
            return kt_fail(KT_INTERNAL, "announcement %zu is not complete, or of another layer", i);
    return KT_OK;
}

/* The factors of the other teams' rows. */
static void fetch_factors(const seat *me)
{
    size_t n_factors;
    kt_network *net = copies[me->number].parts[0];
    const kt_factors *mine = kt_network_factors(net, &n_factors);
    crew_everyone(me);
    for (size_t t = 0; t < me->crew->n_teams && me->team.seat == 0; t++) {
        const seat *other = &me->crew->seats[t * me->team.n_seats];
        const kt_factors *from = kt_network_factors(copies[t].parts[0], &n_factors);
        const kt_rows rows = {M, SHARDS, other->first, other->end};
        const size_t begin = kt_rows_begin(&rows), m = kt_rows_end(&rows) - begin;
        for (size_t l = 0; l < n_factors && t != me->number; l++) {
            memcpy(mine[l].x + begin * mine[l].dense.n_in, from[l].x + begin * from[l].dense.n_in,
                   m * from[l].dense.n_in * sizeof(float));
            memcpy(mine[l].delta + begin * mine[l].dense.n_out, from[l].delta + begin * from[l].dense.n_out,
                   m * from[l].dense.n_out * sizeof(float));
        }
    }
    crew_everyone(me);
}

/* Plain descent by the gradient over all rows, which one part forms. */
static kt_status descend(kt_network *net, const kt_pass *pass, float *gradient)
{
    kt_pass all = *pass;
    float *parameters = kt_network_parameters(net);
    all.rows.first = 0, all.rows.end = SHARDS;
    KT_TRY(network_whole_gradient(net, &all, gradient));
    for (size_t i = 0; i < kt_network_n_parameters(net); i++)
        parameters[i] -= 0.3f * gradient[i];
    return KT_OK;
}

static void fill_together(kt_network *net, const kt_rows *rows)
{
    if (kt_network_team(net)->seat == 0)
        fill_input(net, rows);
    kt_team_barrier(kt_network_team(net));
}

static kt_status step(kt_network *net, const seat *me, kt_pass *pass, copy *c)
{
    const kt_team *team = kt_network_team(net);
    watch seen = {.network = net, .rows = &pass->rows};
    pass->announce = announced;
    pass->announce_context = &seen;
    fill_together(net, &pass->rows);
    const float *logits = kt_network_forward(net, pass);
    if (team->seat == 0)
        loss(net, &pass->rows, logits);
    kt_team_barrier(team);
    kt_network_backward(net, pass);
    KT_TRY(check_announced(&seen));
    if (me != NULL)
        fetch_factors(me);
    if (team->seat == 0) {
        memcpy(c->logits, logits, sizeof c->logits);
        KT_TRY(descend(net, pass, c->gradient));
    }
    kt_team_barrier(team);
    return KT_OK;
}

/* Steps of training, then an evaluation of fewer rows. me: NULL for the rank alone. */
static kt_status train(kt_network *net, const seat *me, kt_rows rows, copy *c)
{
    uint32_t sample[M];
    kt_pass pass = kt_network_pass(net, rows);
    pass.training = true;
    pass.seed = 7;
    pass.sample = sample;
    for (uint32_t r = 0; r < M; r++)
        sample[r] = 1000 + 3 * r;
    kt_network_initialize(net, 7);
    for (pass.epoch = 1; pass.epoch <= N_STEPS; pass.epoch++)
        KT_TRY(step(net, me, &pass, c));
    pass = kt_network_pass(net, (kt_rows){FEW, SHARDS, rows.first, rows.end});
    fill_together(net, &pass.rows);
    const float *logits = kt_network_forward(net, &pass);
    if (kt_network_team(net)->seat == 0)
        memcpy(c->evaluated, logits, sizeof c->evaluated);
    return KT_OK;
}

static kt_status work(const seat *me, void *context)
{
    copy *c = &copies[me->number];
    (void)context;
    KT_TRY(kt_network_create_in_pool(&c->parts[me->team.seat], spec, M, &me->team, c->memory));
    crew_everyone(me);
    return train(c->parts[me->team.seat], me, (kt_rows){M, SHARDS, me->first, me->end}, c);
}

static bool same_rows(const float *a, const float *b, kt_rows rows)
{
    const size_t begin = kt_rows_begin(&rows) * N_CLASSES;
    return memcmp(a + begin, b + begin, kt_rows_end(&rows) * N_CLASSES * sizeof *a - begin * sizeof *a) == 0;
}

/* One copy against the rank alone, all bit by bit. */
static void check_copy(copy *c, size_t n_parts, size_t first, size_t end)
{
    const size_t n = kt_network_n_parameters(alone.parts[0]), n_state = kt_network_n_state(alone.parts[0]);
    const float *parameters = kt_network_parameters(c->parts[0]);
    CU_ASSERT(memcmp(parameters, kt_network_parameters(alone.parts[0]), n * sizeof *parameters) == 0);
    CU_ASSERT(memcmp(c->gradient, alone.gradient, n * sizeof *parameters) == 0);
    CU_ASSERT(memcmp(kt_network_state(c->parts[0]), kt_network_state(alone.parts[0]), n_state * sizeof(float)) == 0);
    CU_ASSERT(same_rows(c->logits, alone.logits, (kt_rows){M, SHARDS, first, end}));
    CU_ASSERT(same_rows(c->evaluated, alone.evaluated, (kt_rows){FEW, SHARDS, first, end}));
    for (size_t p = 0; p < n_parts; p++)
        kt_network_free(c->parts[p]);
    kt_memory_free(c->memory);
    kt_memory_free(c->gradient);
}

static void check_crew(size_t n_teams, size_t n_parts, const size_t *cut)
{
    size_t n_bytes, n_parameters;
    KT_CHECK_STATUS(KT_OK, kt_network_pool_bytes(spec, M, &n_bytes, &n_parameters));
    for (size_t t = 0; t < n_teams; t++) {
        copies[t] = (copy){.memory = kt_memory_new(n_bytes, 1), .gradient = kt_memory_new(n_parameters, sizeof(float))};
        CU_ASSERT_FATAL(copies[t].memory != NULL && copies[t].gradient != NULL);
    }
    const size_t n_shares = crew_run(n_teams, n_parts, cut, work, NULL);
    CU_ASSERT(n_shares == (n_teams > 1 && spec->batch_norm ? N_STEPS * spec->hidden.n * 3 : 0));
    for (size_t t = 0; t < n_teams; t++)
        check_copy(&copies[t], n_parts, cut[t], cut[t + 1]);
}

/* A rank alone, then crews of all sizes, on the same network. */
static void check_network(kt_network_spec of, bool many)
{
    kt_network *net;
    size_t n, n_bytes;
    kt_linalg_start(1);
    spec = &of;
    KT_CHECK_STATUS(KT_OK, kt_network_pool_bytes(spec, M, &n_bytes, &n));
    CU_ASSERT(n_bytes > n * sizeof(float));
    KT_CHECK_STATUS(KT_OK, kt_network_create(&net, spec, M));
    alone = (copy){.parts = {net}, .gradient = kt_memory_new(n, sizeof(float))};
    CU_ASSERT_FATAL(net != NULL && alone.gradient != NULL);
    KT_CHECK_STATUS(KT_OK, train(net, NULL, (kt_rows){M, SHARDS, 0, SHARDS}, &alone));
    CU_ASSERT(isfinite(kt_linalg_sum_squares(n, kt_network_parameters(net))));
    for (size_t n_parts = 1; n_parts <= 4; n_parts++)
        check_crew(1, n_parts, (const size_t[]){0, 8});
    check_crew(2, 2, (const size_t[]){0, 4, 8});
    if (many) {
        check_crew(3, 1, (const size_t[]){0, 3, 3, 8}); /* one without rows */
        check_crew(3, 2, (const size_t[]){0, 1, 6, 8});
        check_crew(4, 1, (const size_t[]){0, 2, 4, 6, 8});
        check_crew(5, 3, (const size_t[]){0, 0, 2, 4, 5, 8});
    }
    kt_network_free(net);
    kt_memory_free(alone.gradient);
}

static void thin(void)
{
    for (int a = 0; a < (int)kt_n_activations; a++)
        for (int form = 0; form < 4; form++)
            check_network(spec_of(narrow, M, a, form + (a + form) % 2 * 4), form == 3 || a == 0);
}

static void by_blas(void)
{
    for (int a = 0; a < (int)kt_n_activations; a++)
        check_network(spec_of(wide, 0, a, (a + 1) % 8), a == 0);
}

/* Training by OpenBLAS, evaluation by own kernels: a part then has other units than before. */
static void both(void)
{
    check_network(spec_of(wide, FEW, 3, 3), true);
    check_network(spec_of(wide, FEW, 3, 7), true);
}

static void without_hidden_layers(void)
{
    for (int form = 3; form < 8; form += 4) {
        kt_network_spec regression = spec_of(NULL, M, 0, form);
        regression.hidden.n = 0;
        check_network(regression, true);
    }
}

static bool same_network(kt_network *a, kt_network *b)
{
    return memcmp(kt_network_parameters(a), kt_network_parameters(b), kt_network_n_parameters(a) * sizeof(float)) ==
               0 &&
           memcmp(kt_network_state(a), kt_network_state(b), kt_network_n_state(a) * sizeof(float)) == 0;
}

/* Every part sees the whole as soon as its own call returns. */
static kt_status initialize(const seat *me, void *context)
{
    copy *c = &copies[me->number];
    KT_TRY(kt_network_create_in_pool(&c->parts[me->team.seat], spec, 1, &me->team, c->memory));
    kt_network_initialize(c->parts[me->team.seat], 12);
    if (!same_network(c->parts[me->team.seat], context))
        return kt_fail(KT_INTERNAL, "part %zu does not see what one rank makes", me->team.seat);
    return KT_OK;
}

static void check_initializer(int initializer, int form, size_t n_parts)
{
    kt_network *net;
    kt_network_spec of = spec_of(wide, 0, 0, form);
    of.initializer = initializer, of.init_scale = 0.5;
    spec = &of;
    size_t n_bytes;
    KT_CHECK_STATUS(KT_OK, kt_network_pool_bytes(spec, 1, &n_bytes, NULL));
    KT_CHECK_STATUS(KT_OK, kt_network_create(&net, spec, 1));
    copies[0] = (copy){.memory = kt_memory_new(n_bytes, 1)};
    CU_ASSERT_FATAL(net != NULL && copies[0].memory != NULL);
    kt_network_initialize(net, 12);
    crew_run(1, n_parts, (const size_t[]){0, SHARDS}, initialize, net);
    for (size_t p = 0; p < n_parts; p++)
        kt_network_free(copies[0].parts[p]);
    kt_memory_free(copies[0].memory);
    kt_network_free(net);
}

static void initialization(void)
{
    for (size_t n_parts = 1; n_parts <= MOST_PARTS; n_parts++)
        for (size_t i = 0; i < kt_n_initializers; i++) {
            check_initializer((int)i, 1, n_parts);
            check_initializer((int)i, 5, n_parts);
        }
}

const kt_test kt_tests[] = {
    {"by own kernels, no bit depends on teams and parts, for every activation, dropout and batch norm", thin},
    {"by OpenBLAS neither", by_blas},
    {"nor when training goes by one and evaluation by the other", both},
    {"nor without hidden layers", without_hidden_layers},
    {"parts initialize a network as one rank does", initialization},
    {NULL, NULL},
};
