#include "ktrain/sweep_report.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "ktrain/memory.h"
#include "ktrain/report.h"
#include "ktrain/text.h"
#include "sweep_report_private.h"

enum { N_BEST = 10, COLUMNS = 120 };

/* ---- what the tables and the files have in common ---- */

size_t kt_sweep_index(const kt_space *space, uint64_t point, size_t axis)
{
    for (size_t a = space->n_axes - 1; a > axis; a--)
        point /= space->axes[a].n;
    return (size_t)(point % space->axes[axis].n);
}

double kt_sweep_number_of(const kt_outcome *outcome, kt_sweep_number number)
{
    const bool scored = outcome->status == KT_OK || outcome->status == KT_DIVERGED;
    const double numbers[KT_SWEEP_N_NUMBERS] = {
        [KT_SWEEP_VALIDATION_LOSS] = outcome->scores[KT_VALIDATION].cross_entropy,
        [KT_SWEEP_VALIDATION_ACCURACY] = outcome->scores[KT_VALIDATION].accuracy,
        [KT_SWEEP_TEST_LOSS] = outcome->scores[KT_TEST].cross_entropy,
        [KT_SWEEP_TEST_ACCURACY] = outcome->scores[KT_TEST].accuracy,
        [KT_SWEEP_TRAIN_LOSS] = outcome->scores[KT_TRAIN].cross_entropy,
        [KT_SWEEP_TRAIN_ACCURACY] = outcome->scores[KT_TRAIN].accuracy,
        [KT_SWEEP_EPOCHS] = (double)outcome->epochs,
        [KT_SWEEP_SECONDS] = outcome->seconds,
    };
    return number < KT_SWEEP_N_SCORES && !scored ? NAN : numbers[number];
}

kt_sweep_mean kt_sweep_mean_of(const kt_trials *trials, const kt_point_result *result, kt_sweep_number number)
{
    const kt_trial *all = &trials->all[result->first];
    const size_t n = (size_t)trials->space->settings.seeds;
    double sum = 0, squares = 0;
    for (size_t r = 0; r < n; r++)
        sum += kt_sweep_number_of(&all[r].outcome, number);
    const double mean = sum / (double)n;
    for (size_t r = 0; r < n; r++)
        squares += pow(kt_sweep_number_of(&all[r].outcome, number) - mean, 2);
    return (kt_sweep_mean){mean, n > 1 ? sqrt(squares / (double)(n - 1) / (double)n) : NAN};
}

static size_t count_repetitions(const kt_trials *trials, const kt_point_result *result, bool diverged)
{
    size_t n = 0;
    for (int64_t r = 0; r < trials->space->settings.seeds; r++) {
        const int status = trials->all[result->first + (size_t)r].outcome.status;
        n += status != KT_OK && (status == KT_DIVERGED) == diverged;
    }
    return n;
}

size_t kt_sweep_n_diverged(const kt_trials *trials, const kt_point_result *result)
{
    return count_repetitions(trials, result, true);
}

size_t kt_sweep_n_failed(const kt_trials *trials, const kt_point_result *result)
{
    return count_repetitions(trials, result, false);
}

/* ---- a table: columns as wide as they need ---- */

enum { CELL_BYTES = 40 };

typedef struct table {
    size_t n_rows, n_columns;
    char (*cells)[CELL_BYTES]; /* [n_rows x n_columns]; the first column is flush left, the others right */
} table;

static kt_status create_table(table *t, size_t n_rows, size_t n_columns)
{
    *t = (table){n_rows, n_columns, kt_memory_new(n_rows * n_columns, CELL_BYTES)};
    return t->cells != NULL ? KT_OK : KT_NO_MEMORY;
}

static char *cell(const table *t, size_t row, size_t column)
{
    return t->cells[row * t->n_columns + column];
}

/* A text that is too long ends in dots. */
__attribute__((format(printf, 4, 5))) static void set_cell(const table *t, size_t row, size_t column,
                                                           const char *format, ...)
{
    static const char dots[] = "...";
    va_list args;
    va_start(args, format);
    const int n = vsnprintf(cell(t, row, column), CELL_BYTES, format, args);
    va_end(args);
    if (n >= CELL_BYTES)
        memcpy(cell(t, row, column) + CELL_BYTES - sizeof dots, dots, sizeof dots);
}

static size_t width_of(const table *t, size_t column)
{
    size_t widest = 0;
    for (size_t row = 0; row < t->n_rows; row++) {
        const size_t n = strlen(cell(t, row, column));
        widest = n > widest ? n : widest;
    }
    return widest;
}

/* Prints the first n_needed columns, and of the others as many as fit. */
static kt_status print_table(const table *t, size_t n_needed, kt_log *log)
{
    kt_text_buffer buffer = {0};
    char *text;
    size_t n = 0;
    for (size_t width = 0; n < t->n_columns; n++) {
        width += width_of(t, n) + (n > 0 ? 2 : 0);
        if (n >= n_needed && width > COLUMNS)
            break;
    }
    for (size_t row = 0; row < t->n_rows; row++) {
        kt_text_append(&buffer, "%-*s", (int)width_of(t, 0), cell(t, row, 0));
        for (size_t c = 1; c < n; c++)
            kt_text_append(&buffer, "  %*s", (int)width_of(t, c), cell(t, row, c));
        while (buffer.n > 0 && buffer.bytes[buffer.n - 1] == ' ')
            buffer.n--;
        kt_text_append(&buffer, "\n");
    }
    KT_TRY(kt_text_take(&buffer, &text));
    kt_log_text(log, text);
    kt_memory_free(text);
    return KT_OK;
}

/* Four decimals as far as that is readable; "-" when there is no number. */
static void format_score(double value, char *text, size_t size)
{
    if (isfinite(value))
        snprintf(text, size, fabs(value) < 1e4 ? "%.4f" : "%.4g", value);
    else
        snprintf(text, size, "-");
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

/* Heads of two rows; the first three are shown in any case. */
static const struct {
    const char *above, *head;
    kt_sweep_number number;
    int objective; /* which it is; -1: none */
} scores[] = {
    {"validation", "loss", KT_SWEEP_VALIDATION_LOSS, KT_OBJECTIVE_CROSS_ENTROPY},
    {"validation", "accuracy", KT_SWEEP_VALIDATION_ACCURACY, KT_OBJECTIVE_ACCURACY},
    {"test", "accuracy", KT_SWEEP_TEST_ACCURACY, -1},
    {"test", "loss", KT_SWEEP_TEST_LOSS, -1},
};
enum { N_SCORES = sizeof scores / sizeof scores[0], N_NEEDED = 3, N_HEADS = 2 };

/* The key, with its section when another axis has the same key; a long one in two rows. */
static void set_axis_head(const table *t, size_t column, const kt_space *space, size_t axis)
{
    enum { SHORT = 8 };
    char name[2 * CELL_BYTES];
    bool shared = false;
    const kt_option *option = space->axes[axis].option;
    for (size_t a = 0; a < space->n_axes; a++)
        shared |= a != axis && strcmp(space->axes[a].option->key, option->key) == 0;
    snprintf(name, sizeof name, "%s%s%s", shared ? option->section : "", shared ? "." : "", option->key);
    const size_t n = strlen(name);
    size_t cut = 0, width = n;
    for (size_t i = 1; n > SHORT && i < n; i++)
        if (strchr("_.", name[i - 1]) != NULL && (i > n - i ? i : n - i) < width) {
            cut = i;
            width = i > n - i ? i : n - i;
        }
    set_cell(t, 0, column, "%.*s", (int)cut, name);
    set_cell(t, 1, column, "%s", name + cut);
}

/* Columns of the axes that have a choice, from the second on; returns the next column. */
static size_t set_axes(const table *t, const kt_space *space, const kt_point_result *results)
{
    size_t column = 1;
    for (size_t a = 0; a < space->n_axes; a++) {
        if (space->axes[a].n == 1)
            continue;
        set_axis_head(t, column, space, a);
        for (size_t i = 0; i + N_HEADS < t->n_rows; i++)
            set_cell(t, N_HEADS + i, column, "%s", space->axes[a].values[kt_sweep_index(space, results[i].point, a)]);
        column++;
    }
    return column;
}

static void set_scores(const table *t, size_t row, size_t column, const kt_trials *trials,
                       const kt_point_result *result)
{
    char mean[32], error[32];
    for (size_t s = 0; s < N_SCORES; s++) {
        const kt_sweep_mean m = kt_sweep_mean_of(trials, result, scores[s].number);
        const bool with_error = scores[s].objective == trials->space->settings.objective && isfinite(m.error);
        format_score(m.mean, mean, sizeof mean);
        format_score(m.error, error, sizeof error);
        set_cell(t, row, column + s, with_error ? "%s +- %s" : "%s", mean, error);
    }
    const bool several = trials->space->settings.seeds > 1;
    column += N_SCORES;
    set_cell(t, row, column, several ? "%.1f" : "%.0f", kt_sweep_mean_of(trials, result, KT_SWEEP_EPOCHS).mean);
    set_cell(t, row, column + 1, "%.1f", kt_sweep_mean_of(trials, result, KT_SWEEP_SECONDS).mean);
}

static kt_status print_best(const kt_trials *trials, const kt_point_result *results, size_t n_shown, kt_log *log)
{
    const kt_space *space = trials->space;
    table t;
    size_t n_axes = 0;
    for (size_t a = 0; a < space->n_axes; a++)
        n_axes += space->axes[a].n > 1;
    KT_TRY(create_table(&t, N_HEADS + n_shown, 1 + n_axes + N_SCORES + 2));
    const size_t column = set_axes(&t, space, results);
    for (size_t s = 0; s < N_SCORES; s++) {
        set_cell(&t, 0, column + s, "%s", scores[s].above);
        set_cell(&t, 1, column + s, "%s", scores[s].head);
    }
    set_cell(&t, 1, column + N_SCORES, "epochs");
    set_cell(&t, 1, column + N_SCORES + 1, "seconds");
    for (size_t i = 0; i < n_shown; i++) {
        set_cell(&t, N_HEADS + i, 0, "%zu", i + 1);
        set_scores(&t, N_HEADS + i, column, trials, &results[i]);
    }
    const kt_status status = print_table(&t, column + N_NEEDED, log);
    kt_memory_free(t.cells);
    return status;
}

kt_status kt_sweep_report_best(const kt_trials *trials, kt_log *log)
{
    kt_point_result *results;
    size_t n, n_shown = 0;
    const int64_t seeds = trials->space->settings.seeds;
    char over[64] = "";
    KT_TRY(kt_trials_points(trials, false, &n, &results));
    while (n_shown < n && n_shown < N_BEST && isfinite(results[n_shown].mean))
        n_shown++;
    kt_status status = KT_OK;
    kt_log_line(log, "%s", "");
    if (n_shown == 0) {
        kt_log_line(log, "no point succeeded: of %zu trial%s %zu diverged, %zu failed", trials->n_done,
                    trials->n_done == 1 ? "" : "s", trials->n_diverged, trials->n_failed);
    } else {
        if (seeds > 1)
            snprintf(over, sizeof over, ", mean +- standard error over %" PRId64 " seeds", seeds);
        kt_log_line(log, "the best %zu of %zu point%s, by %s%s", n_shown, n, n == 1 ? "" : "s",
                    objective_words(trials), over);
        status = print_best(trials, results, n_shown, log);
    }
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
    e->n_diverged += kt_sweep_n_diverged(trials, result) > 0;
    e->n_failed += kt_sweep_n_failed(trials, result) > 0;
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
    table t;
    size_t best = 0;
    char mean[32], least[32];
    KT_TRY(create_table(&t, 1 + axis->n, 1 + N));
    set_cell(&t, 0, 0, "%s.%s", axis->option->section, axis->option->key);
    for (size_t c = 0; c < N; c++)
        set_cell(&t, 0, 1 + c, "%s", heads[c]);
    for (size_t v = 0; v < axis->n; v++)
        best = effects[v].best < effects[best].best ? v : best;
    for (size_t v = 0; v < axis->n; v++) {
        const effect *e = &effects[v];
        format_score(sign * e->sum / (double)e->n_good, mean, sizeof mean);
        format_score(sign * e->best, least, sizeof least);
        set_cell(&t, 1 + v, 0, "%c %s", v == best && e->n_good > 0 ? '*' : ' ', axis->values[v]);
        set_cell(&t, 1 + v, 1, "%zu", e->n);
        set_cell(&t, 1 + v, 2, "%s", mean);
        set_cell(&t, 1 + v, 3, "%s", least);
        set_cell(&t, 1 + v, 4, "%zu", e->n_diverged);
        set_cell(&t, 1 + v, 5, "%zu", e->n_failed);
    }
    const kt_status status = print_table(&t, 1 + N, log);
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
        add_point(&effects[kt_sweep_index(trials->space, results[i].point, a)], trials, &results[i]);
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
    if (n > 0) {
        kt_log_line(log, "%s", "");
        kt_log_line(log, "%s by the values of each axis (* has the best)", objective_words(trials));
    }
    for (size_t a = 0; n > 0 && a < trials->space->n_axes && status == KT_OK; a++)
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
    format_score(p->best, best, sizeof best);
    if (isfinite(p->best))
        n += snprintf(text + n, size - (size_t)n, "  best %s", best);
    if (rate > 0)
        n += snprintf(text + n, size - (size_t)n, rate < 10 ? "  %.1f/min" : "  %.0f/min", rate);
    kt_report_duration(p->seconds_left, left, sizeof left);
    if (isfinite(p->seconds_left))
        snprintf(text + n, size - (size_t)n, "  ETA %s", left);
}

void kt_sweep_report_bar(kt_log *log, const kt_sweep_progress *p)
{
    enum { WIDTH = 10 };
    char bar[WIDTH + 1] = "", prospects[128];
    const size_t full = p->n_done < p->n_expected ? p->n_done * WIDTH / p->n_expected : WIDTH;
    memset(bar, ' ', WIDTH);
    memset(bar, '=', full);
    format_prospects(p, prospects, sizeof prospects);
    kt_log_bar(log, "sweep %zu/%zu [%s] %zu running%s", p->n_done, p->n_expected, bar, p->n_running, prospects);
}

void kt_sweep_report_line(kt_log *log, const kt_sweep_progress *p)
{
    char prospects[128];
    format_prospects(p, prospects, sizeof prospects);
    kt_log_line(log, "sweep %zu/%zu  %zu running%s", p->n_done, p->n_expected, p->n_running, prospects);
}
