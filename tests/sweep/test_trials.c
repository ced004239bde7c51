/* Which trial comes next, and what came of each: over a small space, with values made up here. */
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "sweep/journal.h"
#include "sweep/trials.h"
#include "test.h"

const char *const kt_test_suite = "trials";

static const char head[] = "[run]\ndir = d\n[data]\nfeatures = x.npy\nlabels = y.npy\n[sweep]\n"
                           "model.hidden = [1] | [2] | [3]\noptimizer.l2 = 0, 0.1\n";

typedef struct fixture {
    kt_space space;
    kt_trials trials;
} fixture;

/* Wider is longer. */
static double cost(void *context, const kt_config *config)
{
    (void)context;
    return (double)config->model.hidden.values[0];
}

static uint64_t fingerprint(void *context, const kt_config *config)
{
    (void)context, (void)config;
    return 7;
}

static const kt_trials_source source = {cost, fingerprint, NULL};

static void create(fixture *f, const char *sweep, size_t slice, size_t n_slices)
{
    char text[1024];
    const int n = snprintf(text, sizeof text, "%s%s", head, sweep);
    KT_CHECK_STATUS(KT_OK, kt_space_parse("x.ini", text, (size_t)n, 0, NULL, &f->space));
    KT_CHECK_STATUS(KT_OK, kt_trials_create(&f->trials, &f->space, (kt_slice){slice, n_slices}, source));
}

static void destroy(fixture *f)
{
    kt_trials_free(&f->trials);
    kt_space_free(&f->space);
}

/* The width counts, and the repetition. */
static kt_outcome outcome_of(const fixture *f, size_t i)
{
    const kt_trial *trial = &f->trials.all[i];
    kt_outcome o = {.key = trial->outcome.key, .status = (int)KT_OK};
    o.scores[KT_VALIDATION].cross_entropy = (double)(trial->proposal.point + 1) + 0.5 * (double)trial->repetition;
    o.scores[KT_VALIDATION].accuracy = 1 / (double)(trial->proposal.point + 1);
    return o;
}

static size_t run_all(fixture *f)
{
    size_t i, n = 0;
    kt_status status;
    while (kt_trials_next(&f->trials, &i, &status) == KT_PROPOSED) {
        const kt_outcome o = outcome_of(f, i);
        kt_trials_finish(&f->trials, i, &o);
        n++;
    }
    KT_CHECK_STATUS(KT_OK, status);
    return n;
}

static void the_longest_trial_comes_first_and_each_once(void)
{
    fixture f;
    size_t i;
    kt_status status;
    double before = INFINITY;
    bool seen[6] = {false};
    create(&f, "", 0, 1);
    CU_ASSERT(kt_trials_expected(&f.trials) == 6);
    for (int n = 0; n < 6; n++) {
        CU_ASSERT_FATAL(kt_trials_next(&f.trials, &i, &status) == KT_PROPOSED);
        CU_ASSERT(f.trials.all[i].cost <= before && !seen[f.trials.all[i].proposal.point]);
        before = f.trials.all[i].cost;
        seen[f.trials.all[i].proposal.point] = true;
        CU_ASSERT(f.trials.all[i].state == KT_TRIAL_RUNNING);
    }
    CU_ASSERT(kt_trials_next(&f.trials, &i, &status) == KT_DONE);
    destroy(&f);
}

static void what_is_on_record_is_not_run_again(void)
{
    fixture f;
    create(&f, "", 0, 1);
    KT_CHECK_STATUS(KT_OK, kt_trials_foresee(&f.trials));
    kt_outcome good = outcome_of(&f, 2), failed = outcome_of(&f, 3), other = outcome_of(&f, 4);
    failed.status = (int)KT_NO_MEMORY;
    other.key ^= 1;
    KT_CHECK_STATUS(KT_OK, kt_trials_remember(&f.trials, &failed));
    good.scores[KT_VALIDATION].cross_entropy = 99;
    KT_CHECK_STATUS(KT_OK, kt_trials_remember(&f.trials, &good));
    good = outcome_of(&f, 2);
    KT_CHECK_STATUS(KT_OK, kt_trials_remember(&f.trials, &good));  /* the later of two counts */
    KT_CHECK_STATUS(KT_OK, kt_trials_remember(&f.trials, &other)); /* of another sweep */
    CU_ASSERT(kt_trials_knows(&f.trials, good.key) && !kt_trials_knows(&f.trials, good.key ^ 2));
    CU_ASSERT(run_all(&f) == 4);
    CU_ASSERT(f.trials.n_done == 6 && f.trials.n_from_journal == 2 && f.trials.n_failed == 1);
    CU_ASSERT(f.trials.all[2].from_journal && f.trials.all[2].outcome.scores[KT_VALIDATION].cross_entropy < 99);
    destroy(&f);
}

static void what_failed_is_run_again_when_asked_for(void)
{
    fixture f;
    create(&f, "", 0, 1);
    f.trials.retry = true;
    KT_CHECK_STATUS(KT_OK, kt_trials_foresee(&f.trials));
    kt_outcome failed = outcome_of(&f, 3), diverged = outcome_of(&f, 4);
    failed.status = (int)KT_NO_MEMORY;
    diverged.status = (int)KT_DIVERGED;
    KT_CHECK_STATUS(KT_OK, kt_trials_remember(&f.trials, &failed));
    KT_CHECK_STATUS(KT_OK, kt_trials_remember(&f.trials, &diverged)); /* it would diverge again */
    CU_ASSERT(run_all(&f) == 5);
    CU_ASSERT(f.trials.n_failed == 0 && f.trials.n_diverged == 1);
    destroy(&f);
}

static void success_outweighs_failure_in_any_order(void)
{
    fixture f;
    create(&f, "", 0, 1);
    KT_CHECK_STATUS(KT_OK, kt_trials_foresee(&f.trials));
    kt_outcome good = outcome_of(&f, 1), failed = good;
    failed.status = (int)KT_NO_MEMORY;
    CU_ASSERT(!kt_trials_knows_better(&f.trials, &failed));
    KT_CHECK_STATUS(KT_OK, kt_trials_remember(&f.trials, &failed));
    CU_ASSERT(kt_trials_knows_better(&f.trials, &failed) && !kt_trials_knows_better(&f.trials, &good));
    KT_CHECK_STATUS(KT_OK, kt_trials_remember(&f.trials, &good));
    KT_CHECK_STATUS(KT_OK, kt_trials_remember(&f.trials, &failed));
    CU_ASSERT(kt_trials_knows_better(&f.trials, &failed) && kt_trials_knows_better(&f.trials, &good));
    CU_ASSERT(run_all(&f) == 5 && f.trials.n_failed == 0);
    destroy(&f);
}

static void points_are_ranked_by_mean_over_repetitions(void)
{
    fixture f;
    kt_point_result *points;
    size_t n;
    create(&f, "seeds = 3\n", 0, 1);
    CU_ASSERT(kt_trials_expected(&f.trials) == 18 && run_all(&f) == 18);
    KT_CHECK_STATUS(KT_OK, kt_trials_points(&f.trials, false, &n, &points));
    CU_ASSERT_FATAL(n == 6);
    for (size_t p = 0; p < n; p++) {
        CU_ASSERT(points[p].point == p);
        CU_ASSERT_DOUBLE_EQUAL(points[p].mean, (double)p + 1.5, 1e-12);
        CU_ASSERT_DOUBLE_EQUAL(points[p].error, 0.5 / sqrt(3), 1e-12); /* of x, x + 0.5, x + 1 */
    }
    kt_memory_free(points);
    destroy(&f);
}

static void a_point_with_a_failed_repetition_is_last(void)
{
    fixture f;
    size_t i, n;
    kt_status status;
    kt_point_result *points;
    create(&f, "seeds = 2\nobjective = validation_accuracy\n", 0, 1);
    while (kt_trials_next(&f.trials, &i, &status) == KT_PROPOSED) {
        kt_outcome o = outcome_of(&f, i);
        if (f.trials.all[i].proposal.point == 0 && f.trials.all[i].repetition == 1)
            o.status = (int)KT_DIVERGED;
        kt_trials_finish(&f.trials, i, &o);
    }
    KT_CHECK_STATUS(KT_OK, kt_trials_points(&f.trials, false, &n, &points));
    CU_ASSERT_FATAL(n == 6);
    CU_ASSERT(points[0].point == 1 && points[0].mean == -0.5);
    CU_ASSERT(points[5].point == 0 && isinf(points[5].mean) && isnan(points[5].error));
    kt_memory_free(points);
    destroy(&f);
}

static void slices_are_the_whole_and_do_not_overlap(void)
{
    for (size_t n_slices = 1; n_slices < 9; n_slices++) {
        int times[6] = {0};
        size_t expected = 0;
        for (size_t slice = 0; slice < n_slices; slice++) {
            fixture f;
            create(&f, "seeds = 2\n", slice, n_slices);
            expected += kt_trials_expected(&f.trials);
            run_all(&f);
            for (size_t i = 0; i < f.trials.n; i++)
                times[f.trials.all[i].proposal.point]++;
            destroy(&f);
        }
        CU_ASSERT(expected == 12);
        for (size_t p = 0; p < 6; p++)
            CU_ASSERT(times[p] == 2);
    }
}

static void a_promoted_trial_keeps_its_directory(void)
{
    fixture f;
    static kt_config first, second;
    create(&f, "strategy = halving\nmin_epochs = 3\nreduction = 2\n", 0, 1);
    const kt_proposal low = {.point = 4, .epochs = 3}, high = {.point = 4, .epochs = 200, .rung = 1};
    KT_CHECK_STATUS(KT_OK, kt_trial_config(&f.space, &source, &low, 0, &first));
    KT_CHECK_STATUS(KT_OK, kt_trial_config(&f.space, &source, &high, 0, &second));
    CU_ASSERT_STRING_EQUAL(first.run.dir, second.run.dir);
    CU_ASSERT(strncmp(first.run.dir, "d/trials/", 9) == 0 && strlen(first.run.dir) == 25);
    CU_ASSERT(first.train.epochs == 3 && second.train.epochs == 200);
    CU_ASSERT(kt_trial_key(&first, 7) != kt_trial_key(&second, 7));
    CU_ASSERT(kt_trial_key(&first, 7) != kt_trial_key(&first, 8));
    destroy(&f);
}

const kt_test kt_tests[] = {
    {"the longest trial comes first and each once", the_longest_trial_comes_first_and_each_once},
    {"what is on record is not run again", what_is_on_record_is_not_run_again},
    {"what failed is run again when asked for", what_failed_is_run_again_when_asked_for},
    {"success outweighs failure in any order", success_outweighs_failure_in_any_order},
    {"points are ranked by mean over repetitions", points_are_ranked_by_mean_over_repetitions},
    {"a point with a failed repetition is last", a_point_with_a_failed_repetition_is_last},
    {"slices are the whole and do not overlap", slices_are_the_whole_and_do_not_overlap},
    {"a promoted trial keeps its directory", a_promoted_trial_keeps_its_directory},
    {NULL, NULL},
};
