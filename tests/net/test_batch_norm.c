/* Batch normalization (layer.h): statistics, one row, and rows and units on several ranks, emulated by threads. Its
 * gradients: test_layer.c. */
#include "net/crew.h"
#include "net/layer_bench.h"

const char *const kt_test_suite = "batch_norm";

static void one_row(void)
{
    bench b, before;
    prepare(&b, kind_named("batch_norm"), NARROW, true);
    b.pass.rows = (kt_rows){1, SHARDS, 0, SHARDS};
    before = b;
    forward(&b);
    backward(&b);
    for (size_t j = 0; j < NARROW; j++) {
        CU_ASSERT(b.y[j] == shift_of(&b)[j]); /* xhat is 0 */
        CU_ASSERT(b.dx[j] == 0 && isfinite(gradient_of(&b, 0)[j]) && gradient_of(&b, 1)[j] == b.r[j]);
    }
    CU_ASSERT(memcmp(b.state, before.state, sizeof b.state) == 0);
}

static void running_statistics(void)
{
    bench b, start;
    prepare(&b, kind_named("batch_norm"), NARROW, true);
    const float *mean_now = b.state, *variance_now = variance_of(&b);
    for (size_t i = 0; i < ROWS * NARROW; i++)
        b.x[place(i / NARROW, i % NARROW)] += 4096; /* a mean far from 0 must not eat the variance's digits */
    start = b;
    forward(&b);
    for (size_t j = 0; j < NARROW; j++) {
        double mean = 0, squares = 0;
        for (size_t r = 0; r < ROWS; r++)
            mean += (double)b.x[place(r, j)] / ROWS;
        for (size_t r = 0; r < ROWS; r++)
            squares += pow((double)b.x[place(r, j)] - mean, 2);
        CU_ASSERT(is_near((double)mean_now[j], 0.75 * (double)start.state[j] + 0.25 * mean, 1e-7));
        CU_ASSERT(is_near((double)variance_now[j],
                          0.75 * (double)start.state[KT_PANEL + j] + 0.25 * squares / (ROWS - 1), 1e-6));
    }
    start = b;
    b.pass.training = false;
    forward(&b);
    CU_ASSERT(memcmp(b.state, start.state, sizeof b.state) == 0);
    for (size_t i = 0; i < ROWS * NARROW; i++) {
        const size_t j = i % NARROW, at = place(i / NARROW, j);
        const double xhat =
            ((double)b.x[at] - (double)mean_now[j]) / sqrt((double)variance_now[j] + bench_spec.batch_norm_epsilon);
        CU_ASSERT(is_near((double)b.y[at], xhat * (double)b.parameters[j] + (double)shift_of(&b)[j], 1e-5));
    }
}

static void no_rows(void)
{
    bench b;
    for (int training = 0; training <= 1; training++) {
        prepare(&b, kind_named("batch_norm"), NARROW, training);
        b.pass.rows.M = 0;
        const float before = b.state[1];
        mark(NARROW, gradient_of(&b, 0));
        mark(NARROW, gradient_of(&b, 1));
        forward(&b);
        backward(&b);
        for (size_t j = 0; j < NARROW; j++)
            CU_ASSERT(gradient_of(&b, 0)[j] == 0 && gradient_of(&b, 1)[j] == 0);
        CU_ASSERT(b.state[1] == before);
    }
}

/* ---- several ranks ---- */

/* A bench for each rank, and one of a rank that has all. */
static bench alone, copies[MOST_TEAMS][MOST_SEATS];

/* Two steps of a rank, dx in place of dy. */
static kt_status run_seat(const seat *me, void *context)
{
    bench *b = &copies[me->number][me->team.seat];
    kt_pass pass = b->pass;
    (void)context;
    pass.team = &me->team;
    pass.rows = (kt_rows){ROWS, alone.pass.rows.shards, me->first, me->end};
    for (int step = 0; step < 2; step++) {
        pass_through(b, &pass);
        pass_back(b, &pass, b->r);
    }
    return KT_OK;
}

/* Own rows and panels are the lone rank's; others are as they were. */
static void check_seat(bench *b, kt_range rows)
{
    float zero[KT_PANEL];
    mark(KT_PANEL, zero);
    for (size_t p = 0; p < MOST_PANELS; p++)
        for (size_t r = 0; r < ROWS; r++) {
            const size_t at = p * STRIDE + r * KT_PANEL;
            const bool here = p >= b->own.begin && p < b->own.end && r >= rows.begin && r < rows.end;
            CU_ASSERT(same(KT_PANEL, b->y + at, here ? alone.y + at : zero));
            CU_ASSERT(!here || same(KT_PANEL, b->r + at, alone.r + at));
        }
    CU_ASSERT(same_rest(b, &alone));
}

static void check_ranks(const crew_shape *shape, bool training, bool whole)
{
    const kt_layer_kind *kind = kind_named("batch_norm");
    const size_t n_shards = shape->cut[shape->n_teams];
    prepare(&alone, kind, WIDE, training);
    alone.pass.rows.shards = alone.pass.rows.end = n_shards;
    for (int step = 0; step < 2; step++) {
        forward(&alone);
        pass_back(&alone, &alone.pass, alone.r);
    }
    for (size_t t = 0; t < shape->n_teams; t++)
        for (size_t s = 0; s < shape->n_seats; s++) {
            bench *b = &copies[t][s];
            prepare_panels(b, kind, WIDE, whole ? (kt_range){0, MOST_PANELS} : kt_share(MOST_PANELS, s, shape->n_seats),
                           training);
            make(b, kind, copies[t][0].shared, whole);
            mark(N, b->y);
        }
    const size_t n_shares = crew_run(shape, run_seat, NULL, NULL);
    CU_ASSERT(n_shares == 2 * (shape->n_teams == 1 ? 0 : training ? 3 : 1)); /* sums, squares, backward */
    for (size_t t = 0; t < shape->n_teams; t++)
        for (size_t s = 0; s < shape->n_seats; s++)
            check_seat(&copies[t][s], kt_rows_range(&(kt_rows){ROWS, n_shards, shape->cut[t], shape->cut[t + 1]}));
}

static void ranks(void)
{
    static const size_t one[] = {0, 8}, halves[] = {0, 4, 8}, empty_shard[] = {0, 7, 8}, no_shard[] = {0, 5, 5, 8},
                        two_rows[] = {0, 1, 2, 4}, five[] = {0, 0, 1, 6, 7, 8};
    for (size_t n_seats = 1; n_seats <= 4; n_seats++) /* three panels: one of four seats has none */
        for (int form = 0; form < 4; form++) {
            const crew_shape shapes[] = {{1, n_seats, one, 0},         {2, n_seats, halves, 0},
                                         {2, n_seats, empty_shard, 0}, {3, n_seats, no_shard, 0},
                                         {3, n_seats, two_rows, 0},    {5, n_seats, five, 0}};
            for (size_t k = 0; k < sizeof shapes / sizeof shapes[0]; k++)
                check_ranks(&shapes[k], form & 1, form & 2);
        }
}

const kt_test kt_tests[] = {
    {"a single row becomes the shift, and leaves the running statistics", one_row},
    {"a batch without rows has zero gradients and leaves the running statistics", no_rows},
    {"the running statistics are PyTorch's, and used at evaluation", running_statistics},
    {"no bit depends on how rows and units lie on ranks, even on none, or on all", ranks},
    {NULL, NULL},
};
