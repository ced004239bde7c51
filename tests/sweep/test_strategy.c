/* strategy.h: every strategy on functions whose optimum is known, the draws, and the cases around them. */
#include "sweep/strategy.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "sweep/strategy_sweep.h"
#include "test.h"

const char *const kt_test_suite = "strategy";

static sweep now, before;
static problem p;

static void names(void)
{
    static const char *const expected[] = {"grid", "random", "greedy", "halving", "list"};
    CU_ASSERT(kt_n_strategies >= N_KINDS);
    for (size_t k = 0; k < N_KINDS; k++) {
        CU_ASSERT(strcmp(kt_strategies[k]->name, expected[k]) == 0);
        CU_ASSERT(kt_strategies[k]->adapts == (k == GREEDY || k == HALVING));
        CU_ASSERT(kt_strategies[k]->names == (k == LIST));
    }
}

static void grid_finds(void)
{
    set_bowl(&p, bowl);
    run(GRID, &p, 8, 1, false, &now);
    CU_ASSERT(now.n == 1920 && all_different(&now));
    CU_ASSERT(now.best_value == 0 && now.best.epochs == 0);
    run(RANDOM, &p, 8, 1, false, &before);
    CU_ASSERT(before.best_value == 0 && same_way(&now, &before));
}

static void greedy_finds(void)
{
    enum { ONE_ROUND = 12 + 3 + 1 + 1 + 1 + 4 };
    set_bowl(&p, bowl);
    run(GREEDY, &p, 5, 1, true, &now);
    CU_ASSERT(now.best_value == 0 && all_different(&now));
    CU_ASSERT(now.n > ONE_ROUND && now.n <= 2 * ONE_ROUND);
    p.search.rounds = 1;
    run(GREEDY, &p, 5, 1, true, &now);
    CU_ASSERT(now.best_value == 0 && now.n == ONE_ROUND);
}

static void halving_finds(void)
{
    int64_t epochs = 0;
    set_bowl(&p, noisy_bowl);
    for (uint64_t seed = 0; seed < 10; seed++) {
        p.seed = p.search.seed = seed;
        run(HALVING, &p, 8, seed, false, &now);
        CU_ASSERT(now.best.epochs == 81 && now.best.rung == 4);
        CU_ASSERT(bowl(&p, &now.best) == 0);
        /* All of what is taken up again, as if it had begun from 0. */
        for (size_t i = 0; i < now.n; i++)
            epochs += now.made[i].epochs;
    }
    CU_ASSERT(epochs / 10 < 1920 * 81 / 8);
}

/* Greedy with value a tie keeps the start; with nothing finite it keeps it, too. */
static void greedy_ties(void)
{
    static const size_t n_values[] = {3, 3};
    for (int diverges = 0; diverges < 2; diverges++) {
        p = (problem){.value = any_value, .n_levels = 1, .one_in_diverges = (uint64_t)diverges, .search.rounds = 9};
        set_axes(&p, 2, n_values);
        p.start[0] = 2, p.start[1] = 1;
        run(GREEDY, &p, 3, 1, true, &now);
        CU_ASSERT(now.n == 5);
        for (size_t i = 3; i < 5; i++)
            CU_ASSERT(now.made[i].point == 6 || now.made[i].point == 8);
    }
}

static double by_last_axis(const problem *unused, const kt_proposal *proposal)
{
    (void)unused;
    return proposal->point % 4 == 1 ? 5 : 1;
}

static void greedy_smallest(void)
{
    static const size_t n_values[] = {2, 4};
    p = (problem){.value = by_last_axis, .search.rounds = 9};
    set_axes(&p, 2, n_values);
    p.start[1] = 1;
    run(GREEDY, &p, 1, 1, true, &now);
    CU_ASSERT(now.n == 6);
    CU_ASSERT(now.made[5].point == 4); /* the second round's first axis is tried around point 0 */
}

static void by_cost(void)
{
    set_bowl(&p, bowl);
    for (size_t kind = GRID; kind <= RANDOM; kind++) {
        p.search.n_draws = 300;
        run(kind, &p, 1, 1, false, &now);
        CU_ASSERT(now.n == (kind == GRID ? 1920 : 300));
        for (size_t i = 1; i < now.n; i++) {
            const double last = any_cost(NULL, now.made[i - 1].point), cost = any_cost(NULL, now.made[i].point);
            CU_ASSERT(last > cost || (last == cost && now.made[i - 1].point < now.made[i].point));
        }
    }
    run(GREEDY, &p, 1, 1, false, &now);
    for (size_t i = 1; i < 12; i++)
        CU_ASSERT(any_cost(NULL, now.made[i - 1].point) >= any_cost(NULL, now.made[i].point));
}

static void draws_distinct(void)
{
    set_bowl(&p, bowl);
    p.search.n_draws = 200;
    run(RANDOM, &p, 1, 1, false, &now);
    CU_ASSERT(now.n == 200 && all_different(&now));
    run(RANDOM, &p, 7, 2, false, &before);
    CU_ASSERT(same_way(&now, &before));
    p.search.seed += UINT64_C(1) << 40;
    run(RANDOM, &p, 1, 1, false, &before);
    CU_ASSERT(before.n == 200 && !same_way(&now, &before));
}

/* One rung of halving shows the draws in their order. */
static void draws_add(void)
{
    set_bowl(&p, bowl);
    p.search.max_epochs = 1;
    p.search.n_draws = 1000;
    run(HALVING, &p, 1, 1, false, &before);
    p.search.n_draws = 300;
    run(HALVING, &p, 1, 1, false, &now);
    CU_ASSERT(now.n == 300 && before.n == 1000);
    CU_ASSERT(memcmp(now.made, before.made, 300 * sizeof now.made[0]) == 0);
}

static void draws_uniform(void)
{
    enum { SEEDS = 3000, N = 10, DRAWS = 3 };
    static const size_t n_values[] = {N};
    int count[DRAWS][N] = {{0}};
    p = (problem){.value = any_value, .n_levels = 9};
    set_axes(&p, 1, n_values);
    p.search.min_epochs = p.search.max_epochs = 1;
    p.search.reduction = 2;
    p.search.n_draws = DRAWS;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        p.search.seed = seed;
        run(HALVING, &p, 1, 1, false, &now);
        CU_ASSERT(now.n == DRAWS);
        for (size_t i = 0; i < DRAWS; i++)
            count[i][now.made[i].point]++;
    }
    for (size_t i = 0; i < DRAWS; i++)
        for (size_t point = 0; point < N; point++) /* 300, with a standard deviation of 16.4 */
            CU_ASSERT(abs(count[i][point] - SEEDS / N) < 74);
}

static void huge_space(void)
{
    size_t n_values[52];
    uint64_t any = 0, all = UINT64_MAX;
    for (size_t a = 0; a < 52; a++)
        n_values[a] = 2;
    p = (problem){.value = any_value, .n_levels = 1000000};
    set_axes(&p, 52, n_values);
    p.search.n_draws = 100;
    p.search.max_epochs = 9, p.search.min_epochs = 1, p.search.reduction = 3, p.search.rounds = 3;
    run(RANDOM, &p, 3, 1, true, &now);
    CU_ASSERT(now.n == 100 && all_different(&now));
    for (size_t i = 0; i < now.n; i++)
        any |= now.made[i].point, all &= now.made[i].point;
    CU_ASSERT(any == (UINT64_C(1) << 52) - 1 && all == 0);
    run(HALVING, &p, 3, 1, true, &now);
    CU_ASSERT(now.n >= 100 + 33 + 11 && all_different(&now));
    run(GREEDY, &p, 3, 1, true, &now);
    CU_ASSERT(now.n > 53 && now.n <= 1 + 3 * 52 && all_different(&now));
}

static void too_many(void)
{
    static const size_t n_values[] = {(size_t)1 << 26, (size_t)1 << 26};
    p = (problem){.value = any_value, .search = {.max_epochs = 2, .min_epochs = 1, .reduction = 2, .rounds = 1}};
    set_axes(&p, 2, n_values);
    for (size_t kind = 0; kind < N_KINDS; kind++) {
        kt_strategy *strategy = NULL;
        if (kind == GREEDY)
            continue;
        KT_CHECK_STATUS(KT_NO_MEMORY, kt_strategy_create(&strategy, kind, &p.search));
        KT_CHECK_MESSAGE("does not hold 4503599627370496 points to try: must be fewer");
        CU_ASSERT(strategy == NULL);
    }
    kt_strategy_free(NULL);
}

static void too_much_to_keep(void)
{
    const size_t n_values[] = {kt_memory_available() / 1000};
    p = (problem){.value = any_value, .search = {.max_epochs = 2, .min_epochs = 1, .reduction = 2, .bytes_each = 4000}};
    set_axes(&p, 1, n_values); /* the points themselves would fit */
    for (size_t kind = 0; kind < N_KINDS; kind++) {
        kt_strategy *strategy = NULL;
        if (kind == GREEDY)
            continue;
        KT_CHECK_STATUS(KT_NO_MEMORY, kt_strategy_create(&strategy, kind, &p.search));
        kt_strategy_free(strategy);
    }
}

static void one_point(void)
{
    static const size_t n_values[] = {1, 1};
    for (size_t kind = 0; kind < N_KINDS; kind++) {
        p = (problem){.value = any_value, .n_levels = 2};
        set_axes(&p, 2, n_values);
        p.search.max_epochs = 5, p.search.min_epochs = 1, p.search.reduction = 2, p.search.rounds = 3;
        run(kind, &p, 2, 1, true, &now);
        CU_ASSERT(now.n == (kind == HALVING ? 4 : 1)); /* 1, 2, 4 and 5 epochs */
        CU_ASSERT(now.made[now.n - 1].epochs == (kind == HALVING ? 5 : 0));
    }
}

static void one_value(void)
{
    static const size_t n_values[] = {1, 3, 1};
    for (size_t kind = GRID; kind <= GREEDY; kind++) {
        p = (problem){.value = any_value, .n_levels = 1000};
        set_axes(&p, 3, n_values);
        p.search.rounds = 3;
        run(kind, &p, 2, 1, true, &now);
        CU_ASSERT(now.n == 3 && all_different(&now));
    }
}

static void all_diverge(void)
{
    set_bowl(&p, any_value);
    p.one_in_diverges = 1;
    run(HALVING, &p, 4, 1, false, &now);
    CU_ASSERT(now.n == 1920 && now.made[1919].rung == 0);
    run(GREEDY, &p, 4, 1, true, &now);
    CU_ASSERT(now.n == 22);
}

static void large_reduction(void)
{
    static const size_t n_values[] = {6};
    p = (problem){.value = any_value, .n_levels = 1000000};
    set_axes(&p, 1, n_values);
    p.search.max_epochs = 50, p.search.min_epochs = 1, p.search.reduction = 20;
    run(HALVING, &p, 3, 1, true, &now);
    CU_ASSERT(now.n == 6 + 1 + 1);
    CU_ASSERT(now.made[6].epochs == 20 && now.made[7].epochs == 50 && now.made[6].point == now.made[7].point);
    for (size_t i = 0; i < 6; i++)
        CU_ASSERT(now.value[i] >= any_value(&p, &(kt_proposal){.point = now.made[6].point, .epochs = 1}));
}

static void huge_epochs(void)
{
    static const size_t n_values[] = {2};
    p = (problem){.value = any_value, .n_levels = 1000000};
    set_axes(&p, 1, n_values);
    p.search.max_epochs = INT64_MAX, p.search.min_epochs = 1, p.search.reduction = 2;
    run(HALVING, &p, 1, 1, true, &now);
    CU_ASSERT(now.made[now.n - 1].epochs == INT64_MAX && now.made[now.n - 1].rung == 63);
}
/* What is expected at first comes true where nothing depends on the values, and where they are as by chance. */
static void expectations(void)
{
    static const uint64_t expected[] = {1920, 1920, 22, 1920 + 640 + 213 + 71 + 23, 1920};
    set_bowl(&p, noisy_bowl);
    p.search.rounds = 1;
    for (size_t kind = 0; kind < N_KINDS; kind++) {
        run(kind, &p, 3, 1, false, &now);
        CU_ASSERT(now.expected == expected[kind]);
        CU_ASSERT(kind == HALVING ? now.n >= now.expected && now.n < now.expected + now.expected / 10
                                  : now.n == now.expected);
    }
}

/* Rounds that change nothing would take forever, and what is known of so many would fill the memory. */
static void endless_rounds(void)
{
    set_bowl(&p, any_value);
    p.n_levels = 1000000;
    p.search.rounds = INT64_MAX;
    run(GREEDY, &p, 3, 1, true, &now);
    CU_ASSERT(now.n > 22 && now.n < 1920);
}

static void nan_diverged(void)
{
    static const size_t n_values[] = {3};
    kt_strategy *strategy;
    kt_proposal proposal;
    size_t n = 0;
    p = (problem){.search = {.max_epochs = 2, .min_epochs = 1, .reduction = 2}};
    set_axes(&p, 1, n_values);
    KT_CHECK_STATUS(KT_OK, kt_strategy_create(&strategy, HALVING, &p.search));
    for (; kt_strategy_propose(strategy, &proposal) == KT_PROPOSED; n++)
        kt_strategy_tell(strategy, &proposal, (double)NAN);
    CU_ASSERT(n == 3);
    kt_strategy_free(strategy);
}

/* n^2 steps anywhere would take minutes. */
static void many_draws(void)
{
    enum { N = 100000 };
    static const size_t n_values[] = {N};
    kt_strategy *strategy;
    kt_proposal proposal;
    size_t n = 0;
    p = (problem){.value = any_value, .n_levels = 1000000};
    set_axes(&p, 1, n_values);
    p.search.max_epochs = 27, p.search.min_epochs = 1, p.search.reduction = 3;
    KT_CHECK_STATUS(KT_OK, kt_strategy_create(&strategy, HALVING, &p.search));
    for (; kt_strategy_propose(strategy, &proposal) == KT_PROPOSED; n++)
        kt_strategy_tell(strategy, &proposal, any_value(&p, &proposal));
    CU_ASSERT(n > N + N / 3 + N / 9 + N / 27 && n < 2 * N);
    CU_ASSERT(kt_strategy_expected(strategy) == n);
    kt_strategy_free(strategy);
}
static void a_point_is_its_indices(void)
{
    static const size_t n_values[] = {3, 1, 4};
    for (uint64_t point = 0; point < 12; point++) {
        size_t indices[3];
        for (size_t a = 0; a < 3; a++)
            indices[a] = kt_point_index(3, n_values, point, a);
        CU_ASSERT(kt_point_of(3, n_values, indices) == point);
        CU_ASSERT(kt_point_with(3, n_values, point, 2, 0) == point - indices[2]);
        CU_ASSERT(kt_point_with(3, n_values, point, 0, 2) == indices[2] + 8);
    }
}

const kt_test kt_tests[] = {
    {"a point is its indices on the axes, the last of which changes fastest", a_point_is_its_indices},
    {"there are five strategies, of which greedy and halving adapt", names},
    {"the grid, and random with all draws, try every point once and find the best", grid_finds},
    {"greedy finds the best of a separable function in a round and tries no point twice", greedy_finds},
    {"halving finds the best through noise with an eighth of the grid's epochs", halving_finds},
    {"greedy keeps what it has when nothing is better or nothing is finite", greedy_ties},
    {"of several best values greedy takes the first", greedy_smallest},
    {"what can be tried at the same time is handed out by cost", by_cost},
    {"random draws are distinct, the same for a seed and others for another", draws_distinct},
    {"fewer draws are the first of more", draws_add},
    {"every place of the draws is uniform over the points", draws_uniform},
    {"2^52 points are no burden to those that try few of them", huge_space},
    {"more points than memory holds are refused with their number", too_many},
    {"what is kept of each point counts, too", too_much_to_keep},
    {"one point is tried once, by halving once on each rung", one_point},
    {"axes with one value cost nothing", one_value},
    {"a search ends when everything diverges", all_diverge},
    {"with a reduction larger than the draws the best goes through all rungs", large_reduction},
    {"epochs that double to the largest number do not overflow", huge_epochs},
    {"a NaN counts as diverged", nan_diverged},
    {"halving of 100000 draws is quick", many_draws},
    {"what is expected at first comes true, of halving within a tenth", expectations},
    {"greedy without a limit of rounds ends when a round changes nothing", endless_rounds},
    {NULL, NULL},
};
