/* Searches of known functions, and sweeps of them with simulated workers that finish in any order. */
#ifndef KTRAIN_TEST_STRATEGY_SWEEP_H
#define KTRAIN_TEST_STRATEGY_SWEEP_H

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sweep/strategy.h"
#include "test.h"

enum { MAX_AXES = 60, MAX_WORKERS = 16, MAX_MADE = 12000, MAX_RUNGS = 64 };
enum { GRID, RANDOM, GREEDY, HALVING, LIST, N_KINDS };

/* A function of integers that looks random (splitmix64). */
static inline uint64_t hash(uint64_t x)
{
    x += UINT64_C(0x9E3779B97F4A7C15);
    x = (x ^ x >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    x = (x ^ x >> 27) * UINT64_C(0x94D049BB133111EB);
    return x ^ x >> 31;
}

static inline uint64_t next_random(uint64_t *state)
{
    return hash((*state)++);
}

/* A search, and what trials of it come to. */
typedef struct problem {
    kt_search search;
    size_t n_values[MAX_AXES], start[MAX_AXES];
    uint64_t seed, n_levels;  /* of the values: few levels, many ties */
    uint64_t one_in_diverges; /* 0: none, 1: all */
    double (*value)(const struct problem *problem, const kt_proposal *proposal);
} problem;

static inline double any_cost(void *context, uint64_t point)
{
    (void)context;
    return (double)(hash(point) % 7);
}

static inline double any_value(const problem *p, const kt_proposal *proposal)
{
    const uint64_t bits = hash(p->seed ^ hash(proposal->point * 1000 + (uint64_t)proposal->epochs));
    if (p->one_in_diverges > 0 && bits % p->one_in_diverges == 0)
        return (double)INFINITY;
    return (double)((bits >> 32) % p->n_levels);
}

/* 0 at index 7, 2, 1, 0, 1, 3 of the 12 x 4 x 2 x 2 x 2 x 5 values, at least 1 elsewhere. */
static inline double bowl(const problem *p, const kt_proposal *proposal)
{
    static const size_t best[] = {7, 2, 1, 0, 1, 3};
    uint64_t rest = proposal->point;
    double sum = 0;
    for (size_t a = p->search.n_axes; a-- > 0; rest /= p->n_values[a]) {
        const double off = (double)(rest % p->n_values[a]) - (double)best[a];
        sum += off * off;
    }
    return sum;
}

static inline double noisy_bowl(const problem *p, const kt_proposal *proposal)
{
    const uint64_t bits = hash(p->seed ^ hash(proposal->point * 1000 + (uint64_t)proposal->epochs));
    return bowl(p, proposal) + 20 * (double)(bits >> 11) * 0x1p-53 / (double)proposal->epochs;
}

static inline void set_axes(problem *p, size_t n_axes, const size_t *n_values)
{
    p->search.n_axes = n_axes;
    p->search.n_values = p->n_values;
    p->search.start = p->start;
    p->search.n_points = 1;
    for (size_t a = 0; a < n_axes; a++) {
        p->n_values[a] = n_values[a];
        p->search.n_points *= n_values[a];
    }
    p->search.cost = any_cost;
}

static inline void set_bowl(problem *p, double (*value)(const problem *, const kt_proposal *))
{
    static const size_t n_values[] = {12, 4, 2, 2, 2, 5};
    *p = (problem){.value = value,
                   .search = {.seed = 1, .max_epochs = 81, .min_epochs = 1, .reduction = 3, .rounds = 10}};
    set_axes(p, 6, n_values);
}

static inline void set_random_problem(problem *p, uint64_t seed)
{
    uint64_t random = seed << 20;
    size_t n_values[4];
    const size_t n_axes = 1 + next_random(&random) % 4;
    for (size_t a = 0; a < n_axes; a++)
        n_values[a] = 1 + next_random(&random) % 4;
    *p = (problem){.value = any_value, .seed = seed};
    set_axes(p, n_axes, n_values);
    for (size_t a = 0; a < n_axes; a++)
        p->start[a] = next_random(&random) % n_values[a];
    p->n_levels = next_random(&random) % 2 ? 3 : 1000000;
    p->one_in_diverges = (uint64_t[]){0, 0, 0, 10, 2, 1}[next_random(&random) % 6];
    p->search.n_draws = next_random(&random) % (p->search.n_points + 2);
    p->search.seed = seed;
    p->search.min_epochs = 1 + (int64_t)(next_random(&random) % 3);
    p->search.max_epochs = 1 + (int64_t)(next_random(&random) % 30);
    p->search.reduction = 2 + (int64_t)(next_random(&random) % 4);
    p->search.rounds = 1 + (int64_t)(next_random(&random) % 4);
}

/* What a sweep did: proposals as they were made. */
typedef struct sweep {
    size_t n;
    bool ended;        /* it has said so */
    uint64_t expected; /* at first */
    kt_proposal made[MAX_MADE];
    double value[MAX_MADE];
    bool told[MAX_MADE], dropped[MAX_MADE]; /* dropped: may not go on */
    kt_proposal best;                       /* of those with the most epochs; epochs -1: all diverged */
    double best_value;
} sweep;

/* What was said of the past holds: nothing dropped comes back, and enough was expected. */
static inline bool keeps_promises(const kt_strategy *strategy, sweep *done)
{
    const kt_proposal *last = &done->made[done->n - 1];
    bool good = kt_strategy_expected(strategy) >= done->n;
    for (size_t i = 0; i + 1 < done->n; i++) {
        const bool now = done->told[i] && !kt_strategy_may_go_on(strategy, &done->made[i]);
        good = good && (now || !done->dropped[i]);
        good = good && (last->point != done->made[i].point || (last->rung > done->made[i].rung && !done->dropped[i]));
        done->dropped[i] = now;
    }
    return good;
}

/* Hands proposals to idle workers until there is nothing for one; how many work then. */
static inline size_t hand_out(kt_strategy *strategy, size_t n_workers, size_t n_out, size_t *out, sweep *done,
                              bool check)
{
    while (n_out < n_workers && done->n < MAX_MADE) {
        const kt_answer answer = kt_strategy_propose(strategy, &done->made[done->n]);
        CU_ASSERT(answer != KT_WAIT || n_out > 0);
        CU_ASSERT(!done->ended || answer == KT_DONE);
        done->ended = answer == KT_DONE;
        if (answer != KT_PROPOSED)
            break;
        done->told[done->n] = done->dropped[done->n] = false;
        out[n_out++] = done->n++;
        if (check)
            CU_ASSERT(keeps_promises(strategy, done));
    }
    CU_ASSERT(done->n < MAX_MADE);
    return n_out;
}

static inline void tell(kt_strategy *strategy, const problem *p, sweep *done, size_t i)
{
    done->value[i] = p->value(p, &done->made[i]);
    done->told[i] = true;
    kt_strategy_tell(strategy, &done->made[i], done->value[i]);
    const int64_t more = done->made[i].epochs - done->best.epochs;
    if (!isinf(done->value[i]) && (more > 0 || (more == 0 && done->value[i] < done->best_value))) {
        done->best = done->made[i];
        done->best_value = done->value[i];
    }
}

/* A whole sweep with workers that finish in random order. check: what is promised on the way, which takes n^2. */
static inline void run(size_t kind, const problem *p, size_t n_workers, uint64_t random, bool check, sweep *done)
{
    kt_strategy *strategy;
    kt_proposal more;
    size_t out[MAX_WORKERS], n_out = 0;
    done->n = 0;
    done->ended = false;
    done->best = (kt_proposal){.epochs = -1};
    KT_CHECK_STATUS(KT_OK, kt_strategy_create(&strategy, kind, &p->search));
    if (strategy == NULL)
        return;
    done->expected = kt_strategy_expected(strategy);
    while ((n_out = hand_out(strategy, n_workers, n_out, out, done, check)) > 0) {
        const size_t i = next_random(&random) % n_out;
        tell(strategy, p, done, out[i]);
        out[i] = out[--n_out];
    }
    CU_ASSERT(kt_strategy_propose(strategy, &more) == KT_DONE);
    CU_ASSERT(kt_strategy_expected(strategy) == done->n);
    for (size_t i = 0; i < done->n; i++)
        CU_ASSERT(!kt_strategy_may_go_on(strategy, &done->made[i]));
    kt_strategy_free(strategy);
}

static inline bool same_proposal(const kt_proposal *a, const kt_proposal *b)
{
    return a->point == b->point && a->epochs == b->epochs && a->rung == b->rung;
}

/* The next proposal of a rung from number *i on; NULL: none. */
static inline const kt_proposal *next_of_rung(const sweep *s, size_t rung, size_t *i)
{
    while (*i < s->n && s->made[*i].rung != rung)
        ++*i;
    return *i < s->n ? &s->made[(*i)++] : NULL;
}

/* The same proposals, in the same order on each rung. */
static inline bool same_way(const sweep *a, const sweep *b)
{
    if (a->n != b->n)
        return false;
    for (size_t rung = 0; rung < MAX_RUNGS; rung++) {
        size_t i = 0, j = 0;
        const kt_proposal *left;
        while ((left = next_of_rung(a, rung, &i)) != NULL) {
            const kt_proposal *right = next_of_rung(b, rung, &j);
            if (right == NULL || !same_proposal(left, right))
                return false;
        }
        if (next_of_rung(b, rung, &j) != NULL)
            return false;
    }
    return true;
}

static inline bool all_different(const sweep *s)
{
    for (size_t i = 0; i < s->n; i++)
        for (size_t j = 0; j < i; j++)
            if (s->made[i].point == s->made[j].point && s->made[i].rung == s->made[j].rung)
                return false;
    return true;
}

#endif
