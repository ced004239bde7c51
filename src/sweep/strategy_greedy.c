/* Greedy: one axis after the other. */
#include <string.h>

#include "base/memory.h"
#include "sweep/strategy_private.h"

typedef struct known_value {
    uint64_t point;
    double value;
} known_value;

/* Between calls either proposals of the present axis are missing or to be told, or it is done. */
typedef struct greedy {
    const kt_search *search;
    uint64_t best; /* the point that the axis is varied around */
    size_t axis;
    int64_t round; /* from 0 */
    bool changed;  /* in this round */
    bool done;
    kt_costly_point *points; /* [n_points] of the axis whose values are not known */
    size_t n_points, n_proposed, n_told;
    known_value *known; /* [n_known], sorted by point: all that was told */
    size_t n_known, known_bytes;
} greedy;

/* Where a point is among the known values, or would be. */
static size_t find_known(const greedy *state, uint64_t point)
{
    size_t begin = 0, end = state->n_known;
    while (begin < end) {
        const size_t middle = begin + (end - begin) / 2;
        if (state->known[middle].point < point)
            begin = middle + 1;
        else
            end = middle;
    }
    return begin;
}

static uint64_t point_of(const greedy *state, size_t value)
{
    return kt_point_with(state->search->n_axes, state->search->n_values, state->best, state->axis, value);
}

/* Puts down what the axis needs that is not known. */
static void begin_axis(greedy *state)
{
    const kt_search *search = state->search;
    state->n_points = state->n_proposed = state->n_told = 0;
    for (size_t v = 0; v < search->n_values[state->axis]; v++) {
        const uint64_t point = point_of(state, v);
        const size_t i = find_known(state, point);
        if (i == state->n_known || state->known[i].point != point)
            state->points[state->n_points++].point = point;
    }
    kt_strategy_sort(search, state->n_points, state->points);
}

/* All values of the axis are known: the best stays, and the next axis is due. */
static void end_axis(greedy *state)
{
    const kt_search *search = state->search;
    uint64_t best = state->best;
    double least = state->known[find_known(state, best)].value;
    for (size_t v = 0; v < search->n_values[state->axis]; v++) {
        const uint64_t point = point_of(state, v);
        const double value = state->known[find_known(state, point)].value;
        if (value < least)
            least = value, best = point;
    }
    state->changed = state->changed || best != state->best;
    state->best = best;
    if (++state->axis < search->n_axes)
        return;
    state->done = !state->changed || ++state->round >= search->rounds;
    state->axis = 0;
    state->changed = false;
}

/* Goes on to the next axis that has something to propose. */
static void go_on(greedy *state)
{
    while (!state->done) {
        begin_axis(state);
        if (state->n_points > 0)
            return;
        end_axis(state);
    }
    state->n_points = state->n_proposed = state->n_told = 0;
}

static void greedy_free(void *memory)
{
    greedy *state = memory;
    if (state != NULL) {
        kt_memory_free(state->points);
        kt_memory_free_huge(state->known, state->known_bytes);
    }
    kt_memory_free(state);
}

/* Proposals of a round at most, without the first point; *longest: of an axis. */
static uint64_t count_round(const kt_search *search, size_t first_axis, size_t *longest)
{
    uint64_t n = 0;
    for (size_t a = first_axis; a < search->n_axes; a++) {
        n += search->n_values[a] - 1;
        if (longest != NULL && search->n_values[a] > *longest)
            *longest = search->n_values[a];
    }
    return n;
}

static kt_status allocate(greedy *state)
{
    const kt_search *search = state->search;
    size_t longest = 1;
    uint64_t most;
    if (__builtin_mul_overflow(count_round(search, 0, &longest), (uint64_t)search->rounds, &most) ||
        most >= search->n_points)
        most = search->n_points - 1;
    KT_TRY(KT_NEW(state->points, longest));
    state->known_bytes = (most + 1) * sizeof *state->known;
    state->known = kt_memory_new_huge(state->known_bytes);
    return state->known != NULL ? KT_OK : KT_NO_MEMORY;
}

static kt_status greedy_create(const kt_search *search, void **out)
{
    greedy *state;
    KT_TRY(KT_NEW(state, 1));
    state->search = search;
    const kt_status status = allocate(state);
    if (status != KT_OK) {
        greedy_free(state);
        return status;
    }
    state->best = kt_point_of(search->n_axes, search->n_values, search->start);
    go_on(state);
    *out = state;
    return KT_OK;
}

static kt_answer greedy_propose(void *memory, kt_proposal *out)
{
    greedy *state = memory;
    if (state->done)
        return KT_DONE;
    if (state->n_proposed == state->n_points)
        return KT_WAIT;
    *out = (kt_proposal){.point = state->points[state->n_proposed++].point};
    return KT_PROPOSED;
}

static void greedy_tell(void *memory, const kt_proposal *proposal, double value)
{
    greedy *state = memory;
    known_value *at = state->known + find_known(state, proposal->point);
    memmove(at + 1, at, (size_t)(state->known + state->n_known - at) * sizeof *at);
    *at = (known_value){.point = proposal->point, .value = value};
    state->n_known++;
    if (++state->n_told < state->n_points)
        return;
    end_axis(state);
    go_on(state);
}

static uint64_t greedy_expected(const void *memory)
{
    const greedy *state = memory;
    const uint64_t n = state->n_known - state->n_told + state->n_points;
    if (state->done)
        return n;
    const uint64_t n_round = n + count_round(state->search, state->axis + 1, NULL);
    return n_round < state->search->n_points ? n_round : state->search->n_points;
}

const kt_strategy_kind kt_strategy_greedy = {
    .name = "greedy",
    .adapts = true,
    .create = greedy_create,
    .propose = greedy_propose,
    .tell = greedy_tell,
    .expected = greedy_expected,
    .free = greedy_free,
};
