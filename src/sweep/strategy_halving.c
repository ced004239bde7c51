/* Asynchronous successive halving. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "sweep/strategy_private.h"

enum { MAX_RUNGS = 64 }; /* epochs at least double from one to the next */

typedef struct entry {
    size_t draw;
    double value; /* when told */
    bool told;
} entry;

/* Entries are numbered as they come: those of rung 0 are the draws, those of the others the promotions from below. What
 * is promoted is decided for the first m entries, m = 1, 2, ..., each once all of these are told. So the numbers are a
 * function of the values. */
typedef struct rung {
    int64_t epochs;
    size_t n, n_proposed;
    size_t n_prefix; /* m: the entries before it are told, and decided */
    bool closed;     /* no more will come */
    entry *entries;  /* [n] */
    size_t *ranking; /* [n_prefix]: entries of the prefix, best first, ties by number */
    size_t *numbers; /* [draws]: the entry of a draw, plus 1; 0: it is not here */
} rung;

typedef struct drawn_point {
    uint64_t point;
    size_t draw;
} drawn_point;

typedef struct halving {
    size_t reduction;
    size_t n_draws, n_rungs, n_out;
    uint64_t *draws;       /* [n_draws] */
    drawn_point *by_point; /* [n_draws], sorted by point */
    rung rungs[MAX_RUNGS];
    /* Of all rungs. A rung may get all draws, but hardly ever does: the pages are only touched when it does. */
    entry *entries;
    size_t *ranking, *numbers;
} halving;

static int by_point(const void *left, const void *right)
{
    const drawn_point *a = left, *b = right;
    return (a->point > b->point) - (a->point < b->point);
}

static size_t draw_of(const halving *state, uint64_t point)
{
    const drawn_point key = {.point = point};
    const drawn_point *found = bsearch(&key, state->by_point, state->n_draws, sizeof key, by_point);
    return found->draw;
}

static void add_entry(rung *to, size_t draw)
{
    to->entries[to->n] = (entry){.draw = draw};
    to->numbers[draw] = ++to->n;
}

/* Diverged trials are never promoted, others once. */
static void promote(const rung *from, rung *to, size_t number)
{
    const entry *promoted = &from->entries[number];
    if (promoted->value < (double)INFINITY && to->numbers[promoted->draw] == 0)
        add_entry(to, promoted->draw);
}

/* How many of the prefix come before an entry. */
static size_t place_of(const rung *in, size_t number)
{
    const double value = in->entries[number].value;
    size_t begin = 0, end = in->n_prefix;
    while (begin < end) {
        const size_t middle = begin + (end - begin) / 2;
        const double other = in->entries[in->ranking[middle]].value;
        if (other < value || (other == value && in->ranking[middle] < number))
            begin = middle + 1;
        else
            end = middle;
    }
    return begin;
}

/* Takes the next entry into the prefix. Of the best m / reduction those that were not among the best before are the new
 * one, or the last one when there is one more of them: who was among them is promoted. */
static void extend_prefix(rung *in, rung *next, size_t reduction)
{
    const size_t number = in->n_prefix, place = place_of(in, number);
    memmove(in->ranking + place + 1, in->ranking + place, (in->n_prefix - place) * sizeof *in->ranking);
    in->ranking[place] = number;
    const size_t n_best = ++in->n_prefix / reduction;
    if (next == NULL || n_best == 0)
        return;
    if (place < n_best)
        promote(in, next, number);
    promote(in, next, in->ranking[n_best - 1]);
}

/* Rungs below which all is told get no more; a short one still sends its best. */
static void close_rungs(halving *state)
{
    for (size_t r = 0; r + 1 < state->n_rungs; r++) {
        const rung *in = &state->rungs[r];
        rung *next = &state->rungs[r + 1];
        if (!in->closed || in->n_prefix < in->n)
            return;
        if (in->n > 0 && in->n < state->reduction)
            promote(in, next, in->ranking[0]);
        next->closed = true;
    }
}

static void halving_free(void *memory)
{
    halving *state = memory;
    if (state == NULL)
        return;
    const size_t n = state->n_rungs * state->n_draws;
    kt_memory_free(state->draws);
    kt_memory_free(state->by_point);
    kt_memory_free_huge(state->entries, n * sizeof *state->entries);
    kt_memory_free_huge(state->ranking, n * sizeof *state->ranking);
    kt_memory_free_huge(state->numbers, n * sizeof *state->numbers);
    kt_memory_free(state);
}

static void plan_rungs(halving *state, const kt_search *search)
{
    int64_t epochs = search->min_epochs;
    while (epochs < search->max_epochs && state->n_rungs < MAX_RUNGS - 1) {
        state->rungs[state->n_rungs++].epochs = epochs;
        if (__builtin_mul_overflow(epochs, search->reduction, &epochs))
            epochs = search->max_epochs;
    }
    state->rungs[state->n_rungs++].epochs = search->max_epochs;
    state->rungs[0].closed = true;
}

static kt_status allocate(halving *state)
{
    const size_t n_draws = state->n_draws, n = state->n_rungs * n_draws;
    KT_TRY(KT_NEW(state->by_point, n_draws));
    state->entries = kt_memory_new_huge(n * sizeof *state->entries);
    state->ranking = kt_memory_new_huge(n * sizeof *state->ranking);
    state->numbers = kt_memory_new_huge(n * sizeof *state->numbers);
    if (state->entries == NULL || state->ranking == NULL || state->numbers == NULL)
        return KT_NO_MEMORY;
    for (size_t r = 0; r < state->n_rungs; r++) {
        state->rungs[r].entries = state->entries + r * n_draws;
        state->rungs[r].ranking = state->ranking + r * n_draws;
        state->rungs[r].numbers = state->numbers + r * n_draws;
    }
    return KT_OK;
}

static kt_status set_up(halving *state, const kt_search *search)
{
    plan_rungs(state, search);
    KT_TRY(kt_strategy_draw(search, &state->n_draws, &state->draws));
    KT_TRY(allocate(state));
    for (size_t d = 0; d < state->n_draws; d++) {
        add_entry(&state->rungs[0], d);
        state->by_point[d] = (drawn_point){.point = state->draws[d], .draw = d};
    }
    qsort(state->by_point, state->n_draws, sizeof *state->by_point, by_point);
    return KT_OK;
}

static kt_status halving_create(const kt_search *search, void **out)
{
    halving *state;
    KT_TRY(KT_NEW(state, 1));
    state->reduction = (size_t)search->reduction;
    const kt_status status = set_up(state, search);
    if (status != KT_OK)
        halving_free(state);
    else
        *out = state;
    return status;
}

static kt_answer halving_propose(void *memory, kt_proposal *out)
{
    halving *state = memory;
    for (size_t r = state->n_rungs; r-- > 0;) {
        rung *in = &state->rungs[r];
        if (in->n_proposed == in->n)
            continue;
        const entry *next = &in->entries[in->n_proposed++];
        *out = (kt_proposal){.point = state->draws[next->draw], .epochs = in->epochs, .rung = r};
        state->n_out++;
        return KT_PROPOSED;
    }
    return state->n_out > 0 ? KT_WAIT : KT_DONE;
}

static void halving_tell(void *memory, const kt_proposal *proposal, double value)
{
    halving *state = memory;
    const size_t r = proposal->rung;
    rung *in = &state->rungs[r], *next = r + 1 < state->n_rungs ? in + 1 : NULL;
    entry *told = &in->entries[in->numbers[draw_of(state, proposal->point)] - 1];
    told->value = value;
    told->told = true;
    state->n_out--;
    while (in->n_prefix < in->n && in->entries[in->n_prefix].told)
        extend_prefix(in, next, state->reduction);
    close_rungs(state);
}

/* How many of n go on when all are told and are better or worse by chance. */
static size_t n_going_on(const halving *state, size_t n)
{
    if (n < state->reduction)
        return n > 0;
    return n / state->reduction;
}

static uint64_t halving_expected(const void *memory)
{
    const halving *state = memory;
    uint64_t sum = 0;
    size_t n = state->n_draws;
    for (size_t r = 0; r < state->n_rungs; r++) {
        const rung *in = &state->rungs[r];
        if (in->closed || in->n > n)
            n = in->n;
        sum += n;
        n = n_going_on(state, n);
    }
    return sum;
}

/* A place in the prefix only gets worse, and what counts as among the best at the end is the most that ever does. */
static bool may_be_promoted(const halving *state, const rung *in, size_t number)
{
    if (!(in->entries[number].value < (double)INFINITY))
        return false;
    return !in->closed || place_of(in, number) < n_going_on(state, in->n);
}

static bool halving_may_go_on(const void *memory, const kt_proposal *told)
{
    const halving *state = memory;
    const size_t draw = draw_of(state, told->point);
    for (size_t r = told->rung; r < state->n_rungs; r++) {
        const rung *in = &state->rungs[r];
        const size_t number = in->numbers[draw] - 1;
        if (!in->entries[number].told)
            return true;
        if (r + 1 < state->n_rungs && state->rungs[r + 1].numbers[draw] == 0)
            return may_be_promoted(state, in, number);
    }
    return false;
}

const kt_strategy_kind kt_strategy_halving = {
    .name = "halving",
    .draws = true,
    .adapts = true,
    .create = halving_create,
    .propose = halving_propose,
    .tell = halving_tell,
    .expected = halving_expected,
    .may_go_on = halving_may_go_on,
    .free = halving_free,
};
