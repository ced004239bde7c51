/* Numbers and lines of a sweep's report. */
#include "sweep/sweep_report.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "sweep/sweep_report_private.h"

enum { N_BEST = 10, MOST_IN_ORDER = 60 };

/* ---- what the tables and the files have in common ---- */

const kt_outcome_number kt_sweep_columns[KT_SWEEP_N_COLUMNS] = {
    KT_OUTCOME_VALIDATION_LOSS, KT_OUTCOME_VALIDATION_ACCURACY,
    KT_OUTCOME_TEST_ACCURACY,   KT_OUTCOME_TEST_LOSS,
    KT_OUTCOME_EPOCHS,          KT_OUTCOME_SECONDS,
};

kt_mean kt_sweep_mean_of(const kt_trials *trials, const kt_point_result *from, const kt_point_result *to,
                         kt_outcome_number number)
{
    double values[KT_MAX_SEEDS];
    const size_t n = (size_t)trials->space->settings.seeds;
    for (size_t r = 0; r < n; r++)
        values[r] = kt_outcome_value(&trials->all[to->first + r].outcome, number) -
                    (from != NULL ? kt_outcome_value(&trials->all[from->first + r].outcome, number) : 0);
    return kt_mean_of(n, values);
}

size_t kt_sweep_n_without(const kt_trials *trials, const kt_point_result *result, bool diverged)
{
    size_t n = 0;
    for (int64_t r = 0; r < trials->space->settings.seeds; r++) {
        const int status = trials->all[result->first + (size_t)r].outcome.status;
        n += status != KT_OK && (status == KT_DIVERGED) == diverged;
    }
    return n;
}

/* ---- the best points ---- */

static bool by_accuracy(const kt_trials *trials)
{
    return trials->space->settings.objective == KT_OBJECTIVE_ACCURACY;
}

static const char *objective_words(const kt_trials *trials)
{
    return by_accuracy(trials) ? "validation accuracy" : "validation loss";
}

enum { N_NEEDED = 3 }; /* columns that are shown in any case */

/* "section.key" without its section. */
static const char *key_of(const char *name)
{
    const char *dot = strchr(name, '.');
    return dot != NULL ? dot + 1 : name;
}

/* The key, with its section when another axis has the same key; a long one in two rows. */
static void set_axis_head(const kt_sweep_table *t, size_t column, const kt_space *space, size_t axis)
{
    enum { SHORT = 8 };
    char name[KT_AXIS_NAME_BYTES];
    bool shared = false;
    const char *whole = space->axes[axis].name, *key = key_of(whole);
    for (size_t a = 0; a < space->n_axes; a++)
        shared |= a != axis && strcmp(key_of(space->axes[a].name), key) == 0;
    snprintf(name, sizeof name, "%s", shared ? whole : key);
    const size_t n = strlen(name);
    size_t cut = 0, width = n;
    for (size_t i = 1; n > SHORT && i < n; i++)
        if (strchr("_.", name[i - 1]) != NULL && (i > n - i ? i : n - i) < width) {
            cut = i;
            width = i > n - i ? i : n - i;
        }
    kt_sweep_set_cell(t, 0, column, "%.*s", (int)cut, name);
    kt_sweep_set_cell(t, 1, column, "%s", name + cut);
}

/* Columns of the axes that have a choice, from the second on; returns the next column. */
static size_t set_axes(const kt_sweep_table *t, const kt_space *space, const kt_point_result *results)
{
    size_t column = 1;
    for (size_t a = 0; a < space->n_axes; a++) {
        if (space->axes[a].n == 1)
            continue;
        set_axis_head(t, column, space, a);
        for (size_t i = 0; i + KT_SWEEP_N_HEADS < t->n_rows; i++)
            kt_sweep_set_cell(t, KT_SWEEP_N_HEADS + i, column, "%s", kt_space_value(space, results[i].point, a)->name);
        column++;
    }
    return column;
}

/* Whether the strategy is for comparing named points. */
static bool compares(const kt_trials *trials)
{
    return kt_strategies[trials->space->settings.strategy]->names;
}

static void set_numbers(const kt_sweep_table *t, size_t row, size_t column, const kt_trials *trials,
                        const kt_point_result *result)
{
    char mean[32], error[32];
    const kt_outcome_number objective =
        by_accuracy(trials) ? KT_OUTCOME_VALIDATION_ACCURACY : KT_OUTCOME_VALIDATION_LOSS;
    for (size_t c = 0; c < KT_SWEEP_N_SCORES; c++) {
        const kt_mean m = kt_sweep_mean_of(trials, NULL, result, kt_sweep_columns[c]);
        const bool with_error = (compares(trials) || kt_sweep_columns[c] == objective) && isfinite(m.error);
        kt_sweep_format_score(m.mean, mean, sizeof mean);
        kt_sweep_format_score(m.error, error, sizeof error);
        kt_sweep_set_cell(t, row, column + c, with_error ? "%s +- %s" : "%s", mean, error);
    }
    const bool several = trials->space->settings.seeds > 1;
    for (size_t c = KT_SWEEP_N_SCORES; c < KT_SWEEP_N_COLUMNS; c++)
        kt_sweep_set_cell(t, row, column + c, "%.*f", several || kt_sweep_columns[c] != KT_OUTCOME_EPOCHS ? 1 : 0,
                          kt_sweep_mean_of(trials, NULL, result, kt_sweep_columns[c]).mean);
}

/* A row for each result; `best` (NULL: none) gets a mark. */
static kt_status print_points(const kt_trials *trials, const kt_point_result *results, size_t n_shown,
                              const kt_point_result *best, kt_log *log)
{
    const kt_space *space = trials->space;
    kt_sweep_table t;
    size_t n_axes = 0;
    for (size_t a = 0; a < space->n_axes; a++)
        n_axes += space->axes[a].n > 1;
    KT_TRY(kt_sweep_create_table(&t, KT_SWEEP_N_HEADS + n_shown, 1 + n_axes + KT_SWEEP_N_COLUMNS));
    const size_t column = set_axes(&t, space, results);
    kt_sweep_set_heads(&t, column);
    for (size_t i = 0; i < n_shown; i++) {
        kt_sweep_set_cell(&t, KT_SWEEP_N_HEADS + i, 0, "%s%zu",
                          &results[i] == best ? "* "
                          : best != NULL      ? "  "
                                              : "",
                          i + 1);
        set_numbers(&t, KT_SWEEP_N_HEADS + i, column, trials, &results[i]);
    }
    const kt_status status = kt_sweep_print_table(&t, column + N_NEEDED, log);
    kt_memory_free(t.cells);
    return status;
}

static void print_heading(const kt_trials *trials, bool in_order, size_t n_shown, size_t n, kt_log *log)
{
    const int64_t seeds = trials->space->settings.seeds;
    char over[64] = "";
    if (seeds > 1)
        snprintf(over, sizeof over, ", mean +- standard error over %" PRId64 " seeds", seeds);
    kt_log_line(log, "%s", "");
    if (in_order)
        kt_log_line(log, "the %zu point%s in order (* is the best by %s)%s", n, n == 1 ? "" : "s",
                    objective_words(trials), over);
    else
        kt_log_line(log, "the best %zu of %zu point%s, by %s%s", n_shown, n, n == 1 ? "" : "s", objective_words(trials),
                    over);
}

kt_status kt_sweep_report_best(const kt_trials *trials, kt_log *log)
{
    kt_point_result *results;
    size_t n, n_shown = 0;
    KT_TRY(kt_trials_points(trials, false, &n, &results));
    const bool any = n > 0 && isfinite(results[0].mean), in_order = compares(trials) && n <= MOST_IN_ORDER;
    const uint64_t best = any ? results[0].point : 0;
    while (n_shown < n && n_shown < N_BEST && isfinite(results[n_shown].mean))
        n_shown++;
    kt_status status = KT_OK;
    if (any)
        print_heading(trials, in_order, n_shown, n, log);
    if (any && !in_order)
        status = print_points(trials, results, n_shown, NULL, log);
    kt_memory_free(results);
    if (!any || !in_order || status != KT_OK)
        return status;
    KT_TRY(kt_trials_points(trials, true, &n, &results));
    const kt_point_result *marked = results;
    while (marked->point != best)
        marked++;
    status = print_points(trials, results, n, marked, log);
    kt_memory_free(results);
    return status;
}

/* ---- the effect of each axis ---- */

typedef struct effect {
    size_t n, n_good, n_diverged, n_failed; /* points */
    double sum, best;                       /* of the objective, lower is better; best is INFINITY before the first */
} effect;

static void add_point(effect *e, const kt_trials *trials, const kt_point_result *result)
{
    e->n++;
    e->n_diverged += kt_sweep_n_without(trials, result, true) > 0;
    e->n_failed += kt_sweep_n_without(trials, result, false) > 0;
    if (!isfinite(result->mean))
        return;
    e->n_good++;
    e->sum += result->mean;
    e->best = fmin(e->best, result->mean);
}

static kt_status print_effects(const kt_axis *axis, const effect *effects, double sign, kt_log *log)
{
    static const char *const heads[] = {"points", "mean", "best", "diverged", "failed"};
    enum { N = sizeof heads / sizeof heads[0] };
    kt_sweep_table t;
    size_t best = 0;
    char mean[32], least[32];
    KT_TRY(kt_sweep_create_table(&t, 1 + axis->n, 1 + N));
    kt_sweep_set_cell(&t, 0, 0, "%s", axis->name);
    for (size_t c = 0; c < N; c++)
        kt_sweep_set_cell(&t, 0, 1 + c, "%s", heads[c]);
    for (size_t v = 0; v < axis->n; v++)
        best = effects[v].best < effects[best].best ? v : best;
    for (size_t v = 0; v < axis->n; v++) {
        const effect *e = &effects[v];
        kt_sweep_format_score(sign * e->sum / (double)e->n_good, mean, sizeof mean);
        kt_sweep_format_score(sign * e->best, least, sizeof least);
        kt_sweep_set_cell(&t, 1 + v, 0, "%c %s", v == best && e->n_good > 0 ? '*' : ' ', axis->values[v].name);
        kt_sweep_set_cell(&t, 1 + v, 1, "%zu", e->n);
        kt_sweep_set_cell(&t, 1 + v, 2, "%s", mean);
        kt_sweep_set_cell(&t, 1 + v, 3, "%s", least);
        kt_sweep_set_cell(&t, 1 + v, 4, "%zu", e->n_diverged);
        kt_sweep_set_cell(&t, 1 + v, 5, "%zu", e->n_failed);
    }
    const kt_status status = kt_sweep_print_table(&t, 1 + N, log);
    kt_memory_free(t.cells);
    return status;
}

static kt_status report_axis(const kt_trials *trials, const kt_point_result *results, size_t n, size_t a, kt_log *log)
{
    const kt_axis *axis = &trials->space->axes[a];
    effect *effects;
    KT_TRY(KT_NEW(effects, axis->n));
    for (size_t v = 0; v < axis->n; v++)
        effects[v].best = INFINITY;
    for (size_t i = 0; i < n; i++)
        add_point(&effects[kt_space_index(trials->space, results[i].point, a)], trials, &results[i]);
    const kt_status status = print_effects(axis, effects, by_accuracy(trials) ? -1 : 1, log);
    kt_memory_free(effects);
    return status;
}

kt_status kt_sweep_report_axes(const kt_trials *trials, kt_log *log)
{
    kt_point_result *results;
    size_t n;
    kt_status status = KT_OK;
    KT_TRY(kt_trials_points(trials, true, &n, &results));
    const bool changes = compares(trials) && trials->space->n_axes == 1; /* one change after the other, no effects */
    if (changes)
        status = kt_sweep_report_changes(trials, results, n, log);
    if (n > 0 && !changes) {
        kt_log_line(log, "%s", "");
        kt_log_line(log, "%s by the values of each axis (* has the best)", objective_words(trials));
    }
    for (size_t a = 0; n > 0 && !changes && a < trials->space->n_axes && status == KT_OK; a++)
        if (trials->space->axes[a].n > 1)
            status = report_axis(trials, results, n, a, log);
    kt_memory_free(results);
    return status;
}

/* ---- progress ---- */

/* What follows the numbers of trials: "  best 1.4123  64/min  ETA 25:10", each part when it is known. */
static void format_prospects(const kt_sweep_progress *p, char *text, size_t size)
{
    char best[32], left[32];
    int n = 0;
    const double rate = p->seconds > 0 ? 60 * (double)p->n_trained / p->seconds : 0;
    text[0] = '\0';
    kt_sweep_format_score(p->best, best, sizeof best);
    if (isfinite(p->best))
        n += snprintf(text + n, size - (size_t)n, "  best %s", best);
    if (rate > 0)
        n += snprintf(text + n, size - (size_t)n, rate < 10 ? "  %.1f/min" : "  %.0f/min", rate);
    kt_text_duration(p->seconds_left, left, sizeof left);
    if (isfinite(p->seconds_left))
        snprintf(text + n, size - (size_t)n, "  ETA %s", left);
}

void kt_sweep_format_bar(const kt_sweep_progress *p, size_t columns, char *text, size_t size)
{
    char bar[KT_TEXT_BAR_BYTES], prospects[128];
    kt_text_bar(p->n_done, p->n_expected, bar);
    format_prospects(p, prospects, sizeof prospects);
    snprintf(text, size, "sweep %zu/%zu [%s] %zu running%s", p->n_done, p->n_expected, bar, p->n_running, prospects);
    if (strlen(text) > columns)
        snprintf(text, size, "sweep %zu/%zu  %zu running%s", p->n_done, p->n_expected, p->n_running, prospects);
    if (strlen(text) > columns)
        snprintf(text, size, "sweep %zu/%zu%s", p->n_done, p->n_expected, prospects);
}

void kt_sweep_report_bar(kt_log *log, const kt_sweep_progress *p)
{
    char text[256];
    kt_sweep_format_bar(p, kt_log_columns(log) - 1, text, sizeof text); /* the bar keeps clear of the last column */
    kt_log_bar(log, "%s", text);
}

void kt_sweep_report_line(kt_log *log, const kt_sweep_progress *p)
{
    char prospects[128];
    format_prospects(p, prospects, sizeof prospects);
    kt_log_line(log, "sweep %zu/%zu  %zu running%s", p->n_done, p->n_expected, p->n_running, prospects);
}
