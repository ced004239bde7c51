/* The list of trials and their outcomes, known ones found by their key. */
#include "sweep/trials.h"

#include <inttypes.h>
#include <math.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/intern.h"
#include "base/memory.h"
#include "sweep/journal.h"

enum { BELOW_DIR = sizeof "/trials/0123456789abcdef" }; /* bytes */

static double expected_seconds(void *context, uint64_t point)
{
    kt_trials *t = context;
    if (kt_space_config(t->space, point, 0, 0, t->scratch) != KT_OK)
        return 0; /* refused when it is proposed */
    return t->source.cost(t->source.context, t->scratch);
}

static kt_status describe_search(kt_trials *t)
{
    const kt_space *space = t->space;
    const kt_sweep_settings *s = &space->settings;
    KT_TRY(KT_NEW(t->scratch, 1));
    t->search = (kt_search){
        .n_axes = space->n_axes,
        .n_values = space->sizes,
        .start = space->start,
        .n_points = space->n_points,
        .n_draws = s->points == KT_AUTO ? 0 : (uint64_t)s->points,
        .seed = (uint64_t)s->seed,
        .max_epochs = space->base.train.epochs,
        .min_epochs = s->min_epochs,
        .reduction = s->reduction,
        .rounds = s->rounds,
        .cost = expected_seconds,
        .context = t,
        .bytes_each = (size_t)s->seeds * sizeof *t->all / t->slice.n,
    };
    return KT_OK;
}

kt_status kt_trials_create(kt_trials *out, const kt_space *space, kt_slice slice, kt_trials_source source)
{
    *out = (kt_trials){.space = space, .source = source, .slice = slice};
    if (strlen(space->base.run.dir) + BELOW_DIR > KT_PATH_BYTES)
        return kt_fail(KT_CONFIG, "run.dir = %s is too long for a sweep: must be of fewer than %d bytes",
                       space->base.run.dir, KT_PATH_BYTES - BELOW_DIR);
    kt_status status = describe_search(out);
    if (status == KT_OK)
        status = kt_strategy_create(&out->strategy, (size_t)space->settings.strategy, &out->search);
    if (status != KT_OK)
        kt_trials_free(out);
    return status;
}

void kt_trials_free(kt_trials *t)
{
    kt_strategy_free(t->strategy);
    tdestroy(t->record, kt_memory_free);
    kt_memory_free(t->all);
    kt_memory_free(t->n_left);
    kt_memory_free(t->scratch);
    *t = (kt_trials){0};
}

static bool succeeded(const kt_outcome *outcome)
{
    return outcome->status == KT_OK;
}

/* As it always will: what failed may do better another time. */
static bool has_ended(const kt_outcome *outcome)
{
    return succeeded(outcome) || outcome->status == KT_DIVERGED;
}

static int compare_keys(const void *a, const void *b)
{
    const uint64_t x = ((const kt_outcome *)a)->key, y = ((const kt_outcome *)b)->key;
    return (x > y) - (x < y);
}

/* Whether of two outcomes of a trial the first is kept, though the second came later: what failed counts least. */
static bool is_better(const kt_outcome *first, const kt_outcome *second)
{
    return has_ended(first) && !has_ended(second);
}

kt_status kt_trials_remember(kt_trials *t, const kt_outcome *outcome)
{
    kt_outcome *copy;
    KT_TRY(KT_NEW(copy, 1));
    *copy = *outcome;
    kt_outcome **found = tsearch(copy, &t->record, compare_keys);
    if (found == NULL) {
        kt_memory_free(copy);
        return kt_fail(KT_NO_MEMORY, "no memory for the trials on record");
    }
    if (*found != copy) {
        if (!is_better(*found, copy))
            **found = *copy;
        kt_memory_free(copy);
    }
    return KT_OK;
}

bool kt_trials_knows(const kt_trials *t, uint64_t key)
{
    const kt_outcome wanted = {.key = key};
    return tfind(&wanted, (void *const *)&t->record, compare_keys) != NULL;
}

bool kt_trials_knows_better(const kt_trials *t, const kt_outcome *outcome)
{
    kt_outcome *const *found = tfind(outcome, (void *const *)&t->record, compare_keys);
    return found != NULL && (has_ended(*found) || !has_ended(outcome));
}

static size_t n_seeds(const kt_trials *t)
{
    return (size_t)t->space->settings.seeds;
}

/* Room for so many trials, a multiple of the seeds. */
static kt_status grow(kt_trials *t, size_t capacity)
{
    if (capacity > kt_memory_available() / sizeof *t->all)
        return kt_fail(KT_NO_MEMORY, "the memory of this machine does not hold %zu trials: must be fewer", capacity);
    KT_TRY(kt_memory_resize(&t->all, t->n, capacity, sizeof *t->all));
    KT_TRY(kt_memory_resize(&t->n_left, t->n / n_seeds(t), capacity / n_seeds(t), sizeof *t->n_left));
    t->capacity = capacity;
    return KT_OK;
}

/* Of a promoted trial's epochs the part that the rung below has not trained yet. */
static double part_left(const kt_trials *t, const kt_proposal *proposal)
{
    int64_t done = 0;
    for (size_t i = t->n; proposal->rung > 0 && i > 0 && done == 0; i--) {
        const kt_proposal *p = &t->all[i - 1].proposal;
        done = p->point == proposal->point && p->rung + 1 == proposal->rung ? p->epochs : 0;
    }
    return proposal->epochs > 0 ? (double)(proposal->epochs - done) / (double)proposal->epochs : 1;
}

/* Every repetition of what the strategy has proposed. */
static kt_status add(kt_trials *t, const kt_proposal *proposal)
{
    const size_t seeds = n_seeds(t);
    if (t->n + seeds > t->capacity)
        KT_TRY(grow(t, 2 * t->capacity + 64 * seeds));
    for (size_t r = 0; r < seeds; r++) {
        kt_trial *trial = &t->all[t->n + r];
        *trial = (kt_trial){.proposal = *proposal, .repetition = (int64_t)r};
        KT_TRY(kt_space_config(t->space, proposal->point, trial->repetition, proposal->epochs, t->scratch));
        trial->cost = t->source.cost(t->source.context, t->scratch) * part_left(t, proposal);
        trial->outcome.key = kt_trial_key(t->scratch, t->source.fingerprint(t->source.context, t->scratch));
    }
    t->n_left[t->n / seeds] = seeds;
    t->n += seeds;
    return KT_OK;
}

double kt_trial_value(const kt_space *space, const kt_outcome *outcome)
{
    const double value = space->settings.objective == KT_OBJECTIVE_ACCURACY
                             ? -outcome->scores[KT_VALIDATION].accuracy
                             : outcome->scores[KT_VALIDATION].cross_entropy;
    return succeeded(outcome) && isfinite(value) ? value : INFINITY;
}

kt_mean kt_mean_of(size_t n, const double *values)
{
    double sum = 0, squares = 0;
    for (size_t i = 0; i < n; i++)
        sum += values[i];
    const double mean = sum / (double)n;
    for (size_t i = 0; i < n; i++)
        squares += (values[i] - mean) * (values[i] - mean);
    return (kt_mean){mean, n > 1 && isfinite(mean) ? sqrt(squares / (double)(n - 1) / (double)n) : NAN};
}

/* The objective over the repetitions from trial `first` on. */
static kt_point_result result_of(const kt_trials *t, size_t first)
{
    double values[KT_MAX_SEEDS];
    for (size_t i = 0; i < n_seeds(t); i++)
        values[i] = kt_trial_value(t->space, &t->all[first + i].outcome);
    const kt_mean mean = kt_mean_of(n_seeds(t), values);
    return (kt_point_result){
        .point = t->all[first].proposal.point, .first = first, .mean = mean.mean, .error = mean.error};
}

void kt_trials_finish(kt_trials *t, size_t i, const kt_outcome *outcome)
{
    kt_trial *trial = &t->all[i];
    const size_t seeds = n_seeds(t);
    trial->outcome = *outcome;
    trial->state = KT_TRIAL_DONE;
    t->n_done++;
    t->n_from_journal += trial->from_journal;
    t->n_diverged += outcome->status == KT_DIVERGED;
    t->n_failed += !has_ended(outcome);
    if (--t->n_left[i / seeds] == 0)
        kt_strategy_tell(t->strategy, &trial->proposal, result_of(t, i / seeds * seeds).mean);
}

static const kt_outcome *on_record(const kt_trials *t, const kt_trial *trial)
{
    kt_outcome *const *found = tfind(&trial->outcome, (void *const *)&t->record, compare_keys);
    const bool again = found != NULL && t->retry && !has_ended(*found);
    return found == NULL || again ? NULL : *found;
}

/* The proposal's trials that are left to hand out; those on record are done at once. False: none. */
static bool next_of_proposal(kt_trials *t, size_t *i)
{
    while (t->next < t->n) {
        kt_trial *trial = &t->all[ *i = t->next++];
        const kt_outcome *known = on_record(t, trial);
        if (known == NULL) {
            trial->state = KT_TRIAL_RUNNING;
            return true;
        }
        trial->from_journal = true;
        kt_trials_finish(t, *i, known);
    }
    return false;
}

/* One more proposal of this slice. */
static kt_answer propose(kt_trials *t, kt_status *status)
{
    kt_proposal proposal;
    *status = KT_OK;
    do {
        const kt_answer answer = t->finished ? KT_DONE : kt_strategy_propose(t->strategy, &proposal);
        t->finished = answer == KT_DONE;
        if (answer != KT_PROPOSED)
            return answer;
    } while (!kt_slice_has(t->slice, t->n_proposals++));
    *status = add(t, &proposal);
    return *status == KT_OK ? KT_PROPOSED : KT_DONE;
}

kt_status kt_trials_foresee(kt_trials *t)
{
    kt_status status = KT_OK;
    if (kt_strategies[t->space->settings.strategy]->adapts)
        return KT_OK;
    const size_t n = (size_t)kt_trials_expected(t);
    if (n > t->capacity)
        KT_TRY(grow(t, n));
    while (propose(t, &status) == KT_PROPOSED) {
    }
    return status;
}

kt_answer kt_trials_next(kt_trials *t, size_t *i, kt_status *status)
{
    *status = KT_OK;
    while (!next_of_proposal(t, i)) {
        const kt_answer answer = propose(t, status);
        if (answer != KT_PROPOSED)
            return answer;
    }
    return KT_PROPOSED;
}

kt_status kt_trials_next_all(kt_trials *t, size_t *n, size_t *first)
{
    size_t i, n_taken = 0;
    kt_status status;
    while (kt_trials_next(t, &i, &status) == KT_PROPOSED)
        if (n_taken++ == 0)
            *first = i;
    *n = n_taken;
    return status;
}

kt_status kt_trial_config(const kt_space *space, const kt_trials_source *source, const kt_proposal *proposal,
                          int64_t repetition, kt_config *out)
{
    KT_TRY(kt_space_config(space, proposal->point, repetition, 0, out));
    const uint64_t key = kt_trial_key(out, source->fingerprint(source->context, out));
    KT_TRY(kt_space_config(space, proposal->point, repetition, proposal->epochs, out));
    char path[KT_PATH_BYTES];
    KT_TRY(kt_file_path(path, "%s/trials/%016" PRIx64, space->base.run.dir, key));
    out->run.dir = kt_intern_text(path);
    out->checkpoint.resume = "auto";
    return out->run.dir != NULL ? KT_OK : KT_NO_MEMORY;
}

kt_status kt_trials_config(const kt_trials *t, const kt_trial *trial, kt_config *out)
{
    return kt_trial_config(t->space, &t->source, &trial->proposal, trial->repetition, out);
}

/* Of one point the proposal with the most epochs comes first. */
static int by_point_and_rung(const void *a, const void *b, void *context)
{
    const kt_trials *t = context;
    const kt_proposal *x = &t->all[((const kt_point_result *)a)->first].proposal;
    const kt_proposal *y = &t->all[((const kt_point_result *)b)->first].proposal;
    if (x->point != y->point)
        return (x->point > y->point) - (x->point < y->point);
    return (x->rung < y->rung) - (x->rung > y->rung);
}

static int by_mean(const void *a, const void *b)
{
    const kt_point_result *x = a, *y = b;
    if (x->mean != y->mean)
        return (x->mean > y->mean) - (x->mean < y->mean);
    return (x->point > y->point) - (x->point < y->point);
}

kt_status kt_trials_points(const kt_trials *t, bool by_point, size_t *n, kt_point_result **out)
{
    kt_point_result *results;
    size_t n_done = 0;
    *n = 0;
    KT_TRY(KT_NEW(results, t->n / n_seeds(t)));
    for (size_t p = 0; p < t->n / n_seeds(t); p++)
        if (t->n_left[p] == 0)
            results[n_done++] = result_of(t, p * n_seeds(t));
    qsort_r(results, n_done, sizeof *results, by_point_and_rung, (void *)(uintptr_t)t);
    for (size_t i = 0; i < n_done; i++)
        if (*n == 0 || results[*n - 1].point != results[i].point)
            results[(*n)++] = results[i];
    if (!by_point)
        qsort(results, *n, sizeof *results, by_mean);
    *out = results;
    return KT_OK;
}

bool kt_trials_may_go_on(const kt_trials *t, size_t i)
{
    return kt_strategy_may_go_on(t->strategy, &t->all[i].proposal);
}

uint64_t kt_trials_expected(const kt_trials *t)
{
    return kt_slice_count(t->slice, kt_strategy_expected(t->strategy)) * n_seeds(t);
}
