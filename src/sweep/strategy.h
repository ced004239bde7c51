/* How a sweep chooses what to try next: one row of a table each. Local and pure, for rank 0.
 *
 * A strategy proposes points of a space and is told the value that each came to. What it proposes depends only on
 * these values, never on when or in which order they came: so a sweep tries the same on any number of ranks, and a
 * sweep that is started again takes the same way with the values it finds on record. (The proposals of halving's
 * different rungs mix as the answers come; the order within a rung is always the same.)
 *
 *   grid     every point.
 *   list     every point, for spaces of named points: told in their order.
 *   random   n_draws different points; draw number i depends on seed, n_points and i only: more draws add to fewer.
 *   greedy   one axis at a time in their order, all its values with the others at the best so far; then the next; again
 *            from the first until a whole round changes nothing. No point is tried twice. A tie keeps what it has.
 *   halving  asynchronous successive halving (Li et al.: "A system for massively parallel hyperparameter tuning",
 *            2018): the draws of random in their order are tried for min_epochs. Whenever one is among the best
 *            1 / reduction of the first m of its rung, for any m, it goes on to the next rung, with `reduction` times
 *            the epochs, until max_epochs. An m counts once its first m are all told. A rung that ends with fewer than
 *            `reduction` sends its best. */
#ifndef KTRAIN_STRATEGY_H
#define KTRAIN_STRATEGY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/* What is searched. A point's number has an index for each axis as its digits; the last axis changes fastest. */
typedef struct kt_search {
    size_t n_axes;
    const size_t *n_values; /* [n_axes], each >= 1; borrowed */
    const size_t *start;    /* [n_axes]: where greedy begins; borrowed */
    uint64_t n_points;      /* the product of n_values: < 2^53 */
    uint64_t n_draws;       /* of random and halving; 0, or more than there are: all points */
    uint64_t seed;          /* of their draws */
    int64_t max_epochs;     /* of halving's last rung */
    int64_t min_epochs;     /* >= 1, of its first; >= max_epochs: there is one rung */
    int64_t reduction;      /* of halving, >= 2: one in so many goes on, with so many times the epochs */
    int64_t rounds;         /* of greedy, at most; >= 1 */
    /* Expected seconds of a point, no NaN: of those of grid, random or an axis of greedy, which can all be tried at the
     * same time, the longest come first, of equal ones the lower number. */
    double (*cost)(void *context, uint64_t point);
    void *context;
    size_t bytes_each; /* that the caller keeps of each proposal: all must fit in memory */
} kt_search;

/* The index of a point on an axis. */
size_t kt_point_index(size_t n_axes, const size_t *n_values, uint64_t point, size_t axis);

/* The point that has these indices. */
uint64_t kt_point_of(size_t n_axes, const size_t *n_values, const size_t *indices);

/* The point that differs from this one in having another index on an axis. */
uint64_t kt_point_with(size_t n_axes, const size_t *n_values, uint64_t point, size_t axis, size_t index);

typedef struct kt_proposal {
    uint64_t point;
    int64_t epochs; /* at most, in all: a promoted trial goes on from where it was; 0, of all but halving: as the point
                     * says */
    size_t rung;    /* of halving; else 0 */
} kt_proposal;

typedef enum kt_answer {
    KT_PROPOSED, /* here is one */
    KT_WAIT,     /* not before the value of something proposed is told */
    KT_DONE      /* nothing more, ever */
} kt_answer;

typedef struct kt_strategy kt_strategy;

/* A strategy each, and what it does in the help of sweep.strategy. */
#define KT_STRATEGIES(X)                                              \
    X(grid, "tries every point")                                      \
    X(random, "draws some")                                           \
    X(greedy, "goes from point to point, changing one key at a time") \
    X(halving, "gives many points few epochs and the best ones more") \
    X(list, "tries points that have names (point.NAME) and compares them in their order")

typedef struct kt_strategy_kind {
    const char *name;
    bool draws;  /* takes n_draws points rather than all */
    bool adapts; /* what comes next depends on what came before: cannot be cut in slices */
    bool names;  /* needs named points, and is reported in their order */
    kt_status (*create)(const kt_search *search, void **state); /* the search lives as long as the state */
    kt_answer (*propose)(void *state, kt_proposal *out);
    void (*tell)(void *state, const kt_proposal *proposal, double value);
    uint64_t (*expected)(const void *state);                       /* proposals in all, as far as can be told now */
    bool (*may_go_on)(const void *state, const kt_proposal *told); /* NULL: no trial ever does */
    void (*free)(void *state);
} kt_strategy_kind;

extern const kt_strategy_kind *const kt_strategies[]; /* [kt_n_strategies] */
extern const size_t kt_n_strategies;

/* kind is a row of kt_strategies. search is copied; its arrays and context are borrowed for the lifetime. KT_NO_MEMORY:
 * the sentence says when there are too many points. *out is NULL on failure. */
kt_status kt_strategy_create(kt_strategy **out, size_t kind, const kt_search *search);
void kt_strategy_free(kt_strategy *strategy);

/* The next proposal, in *out when KT_PROPOSED. Each is made once. */
kt_answer kt_strategy_propose(kt_strategy *strategy, kt_proposal *out);

/* What came of a proposal, each told once: lower is better, INFINITY for one that diverged or failed (no NaN). */
void kt_strategy_tell(kt_strategy *strategy, const kt_proposal *proposal, double value);

/* How many proposals there will be in all, as far as can be told now: never fewer than were made, and exact when
 * nothing is left. Greedy counts no further than its present round, halving one in `reduction` of what it does not
 * know. */
uint64_t kt_strategy_expected(const kt_strategy *strategy);

/* Whether the checkpoint of a proposal that was told is still needed: it may be promoted, or was, and the promoted
 * trial runs. When that is told, too, the answer for both is whether the promoted trial may go on. Once false, it stays
 * so. */
bool kt_strategy_may_go_on(const kt_strategy *strategy, const kt_proposal *told);

#endif
