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
        CU_ASSERT(b.y[j] == bias_of(&b)[j]); /* xhat is 0 */
        CU_ASSERT(b.dx[j] == 0 && isfinite(gradient_of(&b)[j]) && gradient_of(&b)[NARROW + j] == b.r[j]);
        CU_ASSERT(b.state[j] == before.state[j] && b.state[NARROW + j] == before.state[NARROW + j]);
    }
}

static void running_statistics(void)
{
    bench b, start;
    prepare(&b, kind_named("batch_norm"), NARROW, true);
    start = b;
    for (size_t i = 0; i < ROWS * NARROW; i++)
        b.x[i] += 4096; /* a mean far from 0 must not eat the variance's digits */
    forward(&b);
    for (size_t j = 0; j < NARROW; j++) {
        double mean = 0, squares = 0;
        for (size_t r = 0; r < ROWS; r++)
            mean += (double)b.x[r * NARROW + j] / ROWS;
        for (size_t r = 0; r < ROWS; r++)
            squares += pow((double)b.x[r * NARROW + j] - mean, 2);
        CU_ASSERT(is_near((double)b.state[j], 0.75 * (double)start.state[j] + 0.25 * mean, 1e-7));
        CU_ASSERT(is_near((double)b.state[NARROW + j],
                          0.75 * (double)start.state[NARROW + j] + 0.25 * squares / (ROWS - 1), 1e-6));
    }
    start = b;
    b.pass.training = false;
    forward(&b);
    CU_ASSERT(memcmp(b.state, start.state, sizeof b.state) == 0);
    for (size_t i = 0; i < ROWS * NARROW; i++) {
        const size_t j = i % NARROW;
        const double xhat = ((double)b.x[i] - (double)b.state[j]) / sqrt((double)b.state[NARROW + j] + 1e-3);
        CU_ASSERT(is_near((double)b.y[i], xhat * (double)b.parameters[j] + (double)bias_of(&b)[j], 1e-5));
    }
}

static void no_rows(void)
{
    bench b;
    for (int training = 0; training <= 1; training++) {
        prepare(&b, kind_named("batch_norm"), NARROW, training);
        b.pass.rows.M = 0;
        const float before = b.state[1];
        mark(b.n_formed, gradient_of(&b));
        forward(&b);
        backward(&b);
        for (size_t j = 0; j < 2 * NARROW; j++)
            CU_ASSERT(gradient_of(&b)[j] == 0);
        CU_ASSERT(b.state[1] == before);
    }
}

/* ---- several ranks ---- */

/* A copy of everything for each team, shared by its parts; and one rank that has all. */
static bench alone, copies[MOST_TEAMS];

/* A step of a rank, dx in place of dy. */
static kt_status run_seat(const seat *me, void *context)
{
    bench *b = &copies[me->number];
    kt_pass pass = alone.pass;
    const kt_range own = kt_dense_own(WIDE, true, &me->team);
    (void)context;
    pass.team = &me->team;
    pass.kernels = kt_kernels_best();
    pass.rows.first = me->first;
    pass.rows.end = me->end;
    pass_through(b, &pass, own);
    pass_back(b, &pass, own, b->r);
    return KT_OK;
}

/* The rows of a team are the lone rank's; it has written no others. */
static void check_copy(bench *b, const bench *start, size_t begin, size_t end)
{
    for (size_t r = 0; r < ROWS; r++) {
        const bool here = r >= begin && r < end;
        CU_ASSERT(same(WIDE, b->y + r * WIDE, (here ? &alone : start)->y + r * WIDE));
        CU_ASSERT(same(WIDE, b->r + r * WIDE, here ? alone.dx + r * WIDE : start->r + r * WIDE));
    }
    CU_ASSERT(same_rest(b, &alone));
}

/* Team t has shards cut[t] ... cut[t + 1] - 1. */
static void check_ranks(size_t n_teams, size_t n_parts, const size_t *cut, bool training)
{
    const size_t n_shards = cut[n_teams];
    static bench start;
    prepare(&alone, kind_named("batch_norm"), WIDE, training);
    alone.pass.rows.shards = alone.pass.rows.end = n_shards;
    forward(&alone);
    backward(&alone);
    prepare(&start, kind_named("batch_norm"), WIDE, training);
    mark(N_WIDE, start.y);
    for (size_t t = 0; t < n_teams; t++) {
        prepare(&copies[t], kind_named("batch_norm"), WIDE, training);
        mark(N_WIDE, copies[t].y);
    }
    const size_t n_shares = crew_run(n_teams, n_parts, cut, run_seat, NULL);
    CU_ASSERT(n_shares == (n_teams == 1 ? 0 : training ? 3 : 1)); /* sums, squares, backward */
    for (size_t t = 0; t < n_teams; t++) {
        const kt_rows rows = {ROWS, n_shards, cut[t], cut[t + 1]};
        check_copy(&copies[t], &start, kt_rows_begin(&rows), kt_rows_end(&rows));
    }
}

static void ranks(void)
{
    for (size_t n_parts = 1; n_parts <= 4; n_parts++) /* three tiles: one of four parts has no units */
        for (int training = 0; training <= 1; training++) {
            check_ranks(1, n_parts, (const size_t[]){0, 8}, training);
            check_ranks(2, n_parts, (const size_t[]){0, 4, 8}, training);
            check_ranks(2, n_parts, (const size_t[]){0, 7, 8}, training);    /* the eighth shard has no rows */
            check_ranks(3, n_parts, (const size_t[]){0, 5, 5, 8}, training); /* a team without shards */
            check_ranks(3, n_parts, (const size_t[]){0, 1, 2, 4}, training); /* two rows a shard */
            check_ranks(5, n_parts, (const size_t[]){0, 0, 1, 6, 7, 8}, training);
        }
}

const kt_test kt_tests[] = {
    {"a single row becomes the shift, and leaves the running statistics", one_row},
    {"a batch without rows has zero gradients and leaves the running statistics", no_rows},
    {"the running statistics are PyTorch's, and used at evaluation", running_statistics},
    {"no bit depends on how rows and units lie on ranks, even on none", ranks},
    {NULL, NULL},
};
