/* The table of strategies, and the two that need no answers: grid and random. */
#include "sweep/strategy.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/random.h"
#include "sweep/strategy_private.h"

/* Draws are an order, of layer 1: the orders of layer 0 are those of training samples. */
enum { DRAWS_LAYER = 1 };

/* Points between neighbours on an axis. */
static uint64_t stride_of(size_t n_axes, const size_t *n_values, size_t axis)
{
    uint64_t stride = 1;
    for (size_t a = axis + 1; a < n_axes; a++)
        stride *= n_values[a];
    return stride;
}

size_t kt_point_index(size_t n_axes, const size_t *n_values, uint64_t point, size_t axis)
{
    return (size_t)(point / stride_of(n_axes, n_values, axis) % n_values[axis]);
}

uint64_t kt_point_of(size_t n_axes, const size_t *n_values, const size_t *indices)
{
    uint64_t point = 0;
    for (size_t a = 0; a < n_axes; a++)
        point = point * n_values[a] + indices[a];
    return point;
}

uint64_t kt_point_with(size_t n_axes, const size_t *n_values, uint64_t point, size_t axis, size_t index)
{
    const uint64_t stride = stride_of(n_axes, n_values, axis);
    return point - kt_point_index(n_axes, n_values, point, axis) * stride + index * stride;
}

static int longest_first(const void *left, const void *right)
{
    const kt_costly_point *a = left, *b = right;
    if (a->cost != b->cost)
        return a->cost < b->cost ? 1 : -1;
    return (a->point > b->point) - (a->point < b->point);
}

void kt_strategy_sort(const kt_search *search, size_t n, kt_costly_point *points)
{
    for (size_t i = 0; i < n; i++)
        points[i].cost = search->cost(search->context, points[i].point);
    qsort(points, n, sizeof *points, longest_first);
}

kt_status kt_strategy_check_size(uint64_t n_points, size_t bytes_each)
{
    if (n_points <= kt_memory_available() / bytes_each)
        return KT_OK;
    return kt_fail(KT_NO_MEMORY,
                   "the memory of this machine does not hold %" PRIu64 " points to try: must be fewer values on the "
                   "axes, or fewer points drawn",
                   n_points);
}

/* What a shuffle has moved: the point now at a position, where it is not the position itself. Open addressing in a
 * table that is at most half full. */
typedef struct moved_point {
    uint64_t position_plus_1; /* 0: free */
    uint64_t point;
} moved_point;

/* The entry of a position, or the free one where it would be. The table's size is a power of two. */
static moved_point *find_moved(moved_point *table, size_t size, uint64_t position)
{
    static const uint64_t GOLDEN_RATIO = UINT64_C(0x9E3779B97F4A7C15);
    size_t i = (size_t)((position + 1) * GOLDEN_RATIO >> 32) & (size - 1);
    while (table[i].position_plus_1 != 0 && table[i].position_plus_1 != position + 1)
        i = (i + 1) & (size - 1);
    return &table[i];
}

/* Uniform in [0, n), n <= 2^53: a value's probability is off by less than 2^-64. */
static uint64_t draw_below(uint64_t seed, uint64_t number, uint64_t n)
{
    const kt_random_place place = {.seed = seed,
                                   .purpose = KT_RANDOM_ORDER,
                                   .layer = DRAWS_LAYER,
                                   .epoch = (uint32_t)(number >> 32),
                                   .sample = (uint32_t)number};
    uint32_t words[2];
    kt_random_bits(&place, 0, 2, words);
    __extension__ typedef unsigned __int128 wide;
    return (uint64_t)((wide)((uint64_t)words[1] << 32 | words[0]) * n >> 64);
}

/* The first n steps of a Fisher-Yates shuffle of all points, of which only what has moved is kept. */
kt_status kt_strategy_draw(const kt_search *search, size_t *n, uint64_t **points)
{
    const bool all = search->n_draws == 0 || search->n_draws > search->n_points;
    const uint64_t n_draws = all ? search->n_points : search->n_draws;
    moved_point *moved;
    size_t size = 2;
    KT_TRY(kt_strategy_check_size(n_draws, search->bytes_each + sizeof **points + 4 * sizeof *moved));
    while (size < 2 * n_draws)
        size *= 2;
    KT_TRY(KT_NEW(moved, size));
    if (KT_NEW(*points, n_draws) != KT_OK) {
        kt_memory_free(moved);
        return KT_NO_MEMORY;
    }
    for (uint64_t i = 0; i < n_draws; i++) {
        const uint64_t other = i + draw_below(search->seed, i, search->n_points - i);
        const moved_point *here = find_moved(moved, size, i);
        const uint64_t point_here = here->position_plus_1 != 0 ? here->point : i;
        moved_point *there = find_moved(moved, size, other);
        (*points)[i] = there->position_plus_1 != 0 ? there->point : other;
        *there = (moved_point){.position_plus_1 = other + 1, .point = point_here};
    }
    kt_memory_free(moved);
    *n = (size_t)n_draws;
    return KT_OK;
}

/* Grid and random: a list of points that is known from the start. */
typedef struct point_list {
    size_t n, n_proposed;
    kt_costly_point *points; /* [n] */
} point_list;

static void list_free(void *state)
{
    point_list *list = state;
    if (list != NULL)
        kt_memory_free(list->points);
    kt_memory_free(list);
}

/* points[n], or the first n points of the space when NULL. */
static kt_status list_create(const kt_search *search, size_t n, const uint64_t *points, void **state)
{
    point_list *list;
    KT_TRY(KT_NEW(list, 1));
    if (KT_NEW(list->points, n) != KT_OK) {
        list_free(list);
        return KT_NO_MEMORY;
    }
    list->n = n;
    for (size_t i = 0; i < n; i++)
        list->points[i].point = points != NULL ? points[i] : i;
    kt_strategy_sort(search, n, list->points);
    *state = list;
    return KT_OK;
}

static kt_status grid_create(const kt_search *search, void **state)
{
    KT_TRY(kt_strategy_check_size(search->n_points, search->bytes_each + sizeof(kt_costly_point)));
    return list_create(search, (size_t)search->n_points, NULL, state);
}

static kt_status random_create(const kt_search *search, void **state)
{
    size_t n;
    uint64_t *points;
    KT_TRY(kt_strategy_draw(search, &n, &points));
    const kt_status status = list_create(search, n, points, state);
    kt_memory_free(points);
    return status;
}

static kt_answer list_propose(void *state, kt_proposal *out)
{
    point_list *list = state;
    if (list->n_proposed == list->n)
        return KT_DONE;
    *out = (kt_proposal){.point = list->points[list->n_proposed++].point};
    return KT_PROPOSED;
}

static void list_tell(void *state, const kt_proposal *proposal, double value)
{
    (void)state, (void)proposal, (void)value;
}

static uint64_t list_expected(const void *state)
{
    return ((const point_list *)state)->n;
}

const kt_strategy_kind kt_strategy_grid = {
    .name = "grid",
    .create = grid_create,
    .propose = list_propose,
    .tell = list_tell,
    .expected = list_expected,
    .free = list_free,
};

const kt_strategy_kind kt_strategy_list = {
    .name = "list",
    .names = true,
    .create = grid_create,
    .propose = list_propose,
    .tell = list_tell,
    .expected = list_expected,
    .free = list_free,
};

const kt_strategy_kind kt_strategy_random = {
    .name = "random",
    .draws = true,
    .create = random_create,
    .propose = list_propose,
    .tell = list_tell,
    .expected = list_expected,
    .free = list_free,
};

#define ROW(name, help) &kt_strategy_##name,

const kt_strategy_kind *const kt_strategies[] = {KT_STRATEGIES(ROW)};
const size_t kt_n_strategies = sizeof kt_strategies / sizeof kt_strategies[0];

struct kt_strategy {
    const kt_strategy_kind *kind;
    kt_search search;
    void *state;
};

kt_status kt_strategy_create(kt_strategy **out, size_t kind, const kt_search *search)
{
    kt_strategy *strategy;
    *out = NULL;
    KT_TRY(KT_NEW(strategy, 1));
    *strategy = (kt_strategy){.kind = kt_strategies[kind], .search = *search};
    const kt_status status = strategy->kind->create(&strategy->search, &strategy->state);
    if (status != KT_OK)
        kt_memory_free(strategy);
    else
        *out = strategy;
    return status;
}

void kt_strategy_free(kt_strategy *strategy)
{
    if (strategy != NULL)
        strategy->kind->free(strategy->state);
    kt_memory_free(strategy);
}

kt_answer kt_strategy_propose(kt_strategy *strategy, kt_proposal *out)
{
    return strategy->kind->propose(strategy->state, out);
}

void kt_strategy_tell(kt_strategy *strategy, const kt_proposal *proposal, double value)
{
    strategy->kind->tell(strategy->state, proposal, isnan(value) ? (double)INFINITY : value);
}

uint64_t kt_strategy_expected(const kt_strategy *strategy)
{
    return strategy->kind->expected(strategy->state);
}

bool kt_strategy_may_go_on(const kt_strategy *strategy, const kt_proposal *told)
{
    return strategy->kind->may_go_on != NULL && strategy->kind->may_go_on(strategy->state, told);
}
