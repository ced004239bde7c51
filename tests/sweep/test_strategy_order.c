/* strategy.h: the way of a search does not depend on who finishes when. Random small spaces, with ties and values that
 * diverge, and a second halving that sorts everything again for every m. */
#include "sweep/strategy.h"

#include <math.h>

#include "sweep/strategy_sweep.h"
#include "test.h"

const char *const kt_test_suite = "strategy_order";

enum { CASES = 1000 };

static sweep now, before;
static problem p;

static void any_workers(void)
{
    for (uint64_t seed = 0; seed < 200; seed++) {
        set_random_problem(&p, seed + 5000);
        for (size_t kind = 0; kind < kt_n_strategies; kind++) {
            run(kind, &p, 1, seed, false, &before);
            for (size_t w = 0; w < 9; w++) {
                run(kind, &p, (size_t[]){2, 3, 8}[w % 3], seed * 10 + w, false, &now);
                CU_ASSERT(same_way(&now, &before));
            }
        }
    }
}

static void large_any_workers(void)
{
    set_bowl(&p, noisy_bowl);
    p.search.n_draws = 500;
    run(HALVING, &p, 1, 0, true, &before);
    for (uint64_t seed = 0; seed < 30; seed++) {
        run(HALVING, &p, (size_t[]){2, 3, 8}[seed % 3], seed, false, &now);
        CU_ASSERT(same_way(&now, &before));
    }
}

/* What has been told of a sweep that was cut off is told at once when it starts again. */
static void replay(void)
{
    for (uint64_t seed = 0; seed < 200; seed++) {
        set_random_problem(&p, seed + 9000);
        for (size_t kind = GREEDY; kind <= HALVING; kind++) {
            run(kind, &p, 5, seed, false, &before);
            kt_strategy *strategy;
            KT_CHECK_STATUS(KT_OK, kt_strategy_create(&strategy, kind, &p.search));
            now.n = 0;
            while (kt_strategy_propose(strategy, &now.made[now.n]) == KT_PROPOSED) {
                size_t i = 0;
                while (i < before.n && !same_proposal(&before.made[i], &now.made[now.n]))
                    i++;
                CU_ASSERT_FATAL(i < before.n);
                kt_strategy_tell(strategy, &now.made[now.n++], before.value[i]);
            }
            kt_strategy_free(strategy);
            CU_ASSERT(same_way(&now, &before));
        }
    }
}

static void small_cases(void)
{
    for (uint64_t seed = 0; seed < CASES; seed++) {
        set_random_problem(&p, seed);
        for (size_t kind = 0; kind < kt_n_strategies; kind++) {
            run(kind, &p, 1 + hash(seed) % 9, seed, true, &now);
            const uint64_t all = p.search.n_points, drawn = p.search.n_draws;
            const uint64_t draws = drawn == 0 || drawn > all ? all : drawn;
            CU_ASSERT(all_different(&now));
            CU_ASSERT(kind != GRID || now.n == all);
            CU_ASSERT(kind != RANDOM || now.n == draws);
            CU_ASSERT(kind != HALVING || now.n >= draws);
            CU_ASSERT(kind != HALVING || p.one_in_diverges > 0 || now.best.epochs == p.search.max_epochs);
        }
    }
}

/* The second halving: a rung's points in order, from those of the rung below. */
typedef struct reference_rung {
    size_t n;
    uint64_t point[256];
    double value[256];
} reference_rung;

static bool promoted(const reference_rung *rung, uint64_t point)
{
    for (size_t i = 0; i < rung->n; i++)
        if (rung->point[i] == point)
            return true;
    return false;
}

/* How many of the first m are better than entry i, or as good and earlier. */
static size_t count_better(const reference_rung *rung, size_t m, size_t i)
{
    size_t n = 0;
    for (size_t j = 0; j < m; j++)
        n += rung->value[j] < rung->value[i] || (rung->value[j] == rung->value[i] && j < i);
    return n;
}

static void promote_all(const reference_rung *rung, size_t reduction, reference_rung *next)
{
    next->n = 0;
    for (size_t m = 1; m <= rung->n; m++) {
        const size_t n_best = m == rung->n && m < reduction ? 1 : m / reduction;
        for (size_t place = 0; place < n_best; place++)
            for (size_t i = 0; i < m; i++)
                if (count_better(rung, m, i) == place && !isinf(rung->value[i]) && !promoted(next, rung->point[i]))
                    next->point[next->n++] = rung->point[i];
    }
}

/* Takes up what a sweep did on a rung, which must be what was promoted into it, and returns the epochs. */
static int64_t take_rung(const sweep *done, size_t r, reference_rung *rung)
{
    const size_t n_promoted = rung->n;
    const kt_proposal *next;
    size_t i = 0, n = 0;
    int64_t epochs = 0;
    for (; (next = next_of_rung(done, r, &i)) != NULL; n++) {
        CU_ASSERT_FATAL(n < (r == 0 ? 256 : n_promoted));
        CU_ASSERT(r == 0 || rung->point[n] == next->point);
        rung->point[n] = next->point;
        rung->value[n] = done->value[i - 1];
        epochs = next->epochs;
    }
    CU_ASSERT(r == 0 || n == n_promoted);
    rung->n = n;
    return epochs;
}

static void second_halving(void)
{
    static reference_rung rungs[2];
    for (uint64_t seed = 0; seed < CASES; seed++) {
        set_random_problem(&p, seed + 20000);
        run(HALVING, &p, 1 + hash(seed) % 9, seed, false, &now);
        size_t n = 0, r = 0;
        int64_t expected = p.search.min_epochs;
        do {
            const int64_t epochs = take_rung(&now, r, &rungs[r % 2]), most = p.search.max_epochs;
            CU_ASSERT(epochs == (expected < most ? expected : most));
            n += rungs[r % 2].n;
            if (epochs == most)
                break;
            promote_all(&rungs[r % 2], (size_t)p.search.reduction, &rungs[(r + 1) % 2]);
            expected *= p.search.reduction;
        } while (rungs[++r % 2].n > 0);
        CU_ASSERT(n == now.n);
    }
}
const kt_test kt_tests[] = {
    {"any number of workers in any order makes the same proposals", any_workers},
    {"a large halving is the same for any number of workers", large_any_workers},
    {"told the recorded values at once, a strategy goes the same way", replay},
    {"1000 small searches keep every promise, never stand still and end exactly when nothing is left", small_cases},
    {"the promotions are those of a second halving", second_halving},
    {NULL, NULL},
};
