/* One function and one row per check of data. */
#include "engine/data_check.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"

/* ---- what the checks look at ---- */

/* Of some samples, column by column. */
typedef struct columns {
    size_t d, n_rows;
    size_t n_broken;     /* values that are no whole numbers */
    float *least, *most; /* [d], owned, as all that follows */
    uint32_t *n_nonzero; /* [d] */
    float *row;          /* [d], scratch */
} columns;

/* What the checks see. */
typedef struct kt_data_facts {
    const kt_data *data;
    const kt_config *config;
    const columns *train;
    kt_looks looks[KT_N_PARTS]; /* name NULL: not looked at, since it was drawn from the training data's file */
    char names[KT_N_PARTS][192];
    const size_t *counts; /* [n_classes], of training samples */
} kt_data_facts;

/* Below 2^23 a float may have a fraction, which is rounded away beside 2^23. Every processor has vectors for this, but
 * not for floorf. */
static bool is_broken(float x)
{
    const float size = fabsf(x), large = 0x1p23f;
    return size < large && (size + large) - large != size;
}

static size_t add_range(size_t d, const float *restrict x, float *restrict least, float *restrict most,
                        uint32_t *restrict n_nonzero)
{
    size_t n_broken = 0;
    for (size_t j = 0; j < d; j++) {
        least[j] = x[j] < least[j] ? x[j] : least[j];
        most[j] = x[j] > most[j] ? x[j] : most[j];
        n_nonzero[j] += x[j] != 0;
        n_broken += is_broken(x[j]);
    }
    return n_broken;
}

static void free_columns(columns *c)
{
    kt_memory_free(c->least);
    kt_memory_free(c->most);
    kt_memory_free(c->n_nonzero);
    kt_memory_free(c->row);
    *c = (columns){0};
}

static kt_status create_columns(size_t d, columns *c)
{
    *c = (columns){.d = d};
    KT_TRY(KT_NEW(c->least, d));
    KT_TRY(KT_NEW(c->most, d));
    KT_TRY(KT_NEW(c->n_nonzero, d));
    return KT_NEW(c->row, d);
}

/* Rows index[n], n > 0. */
static void look_at(const kt_dataset *set, const uint32_t *index, size_t n, columns *c)
{
    kt_dataset_gather(set, index, 1, 1, c->least);
    memcpy(c->most, c->least, c->d * sizeof *c->most);
    c->n_rows = n;
    for (size_t i = 0; i < n; i++) {
        kt_dataset_gather(set, index + i, 1, 1, c->row);
        c->n_broken += add_range(c->d, c->row, c->least, c->most, c->n_nonzero);
    }
}

/* ---- the checks ---- */

static void check_constant(const kt_data_facts *f, kt_notes *notes)
{
    const kt_dataset_statistics *s = &f->looks[KT_TRAIN].statistics;
    if (s->min == s->max)
        kt_notes_add(notes, true, "every feature of every training sample is %g: there is nothing to tell classes by",
                     s->min);
}

/* Inputs do best around 1: bytes that nobody has scaled, or somebody has scaled twice. */
static void check_scale(const kt_data_facts *f, kt_notes *notes)
{
    const kt_looks *looks = &f->looks[KT_TRAIN];
    const double min = looks->statistics.min, max = looks->statistics.max, scale = f->config->data.scale;
    const double largest = fmax(fabs(min), fabs(max)) / scale;
    const bool bytes =
        f->train->n_broken == 0 && min >= 0 && max <= 255 && max > (looks->file_type == KT_U8 ? 32 : 127);
    if (bytes && scale == 1)
        kt_notes_add(notes, true,
                     "%s holds whole numbers from %g to %g, and inputs do best below 10: data.scale = 255 divides them",
                     looks->name, min, max);
    else if (scale > 1 && largest > 0 && largest < 0.01)
        kt_notes_add(notes, true,
                     "%s ranges from %g to %g, and data.scale = %g leaves inputs below %.2g: is it scaled already? "
                     "data.scale = 1 takes it as it is",
                     looks->name, min, max, scale, largest);
}

/* Feature j's column in the file of the training data, from 1. */
static size_t file_column(const kt_data_facts *f, size_t j)
{
    return f->data->set.n_left_out + j + 1;
}

static double range_of(const columns *c, size_t j)
{
    return (double)c->most[j] - (double)c->least[j];
}

/* Of a table: a column's unit drowns the others', or all are very large. What is hardly ever anything but 0 (a corner's
 * pixel) has no range to speak of. */
static void check_ranges(const kt_data_facts *f, kt_notes *notes)
{
    enum { TIMES = 100 };
    const columns *c = f->train;
    const kt_looks *looks = &f->looks[KT_TRAIN];
    const double min = looks->statistics.min, max = looks->statistics.max;
    size_t widest = c->d, narrowest = c->d, n_narrow = 0;
    for (int turn = 0; turn < 2; turn++)
        for (size_t j = 0; j < c->d; j++) {
            if (range_of(c, j) == 0 || (double)c->n_nonzero[j] < 0.01 * (double)c->n_rows)
                continue;
            if (turn == 0 && (widest == c->d || range_of(c, j) > range_of(c, widest)))
                widest = j;
            if (turn == 0 && (narrowest == c->d || range_of(c, j) < range_of(c, narrowest)))
                narrowest = j;
            n_narrow += turn == 1 && TIMES * range_of(c, j) <= range_of(c, widest);
        }
    if (f->data->set.shape[1] == 0 && n_narrow > 0)
        kt_notes_add(notes, true,
                     "%s: column %zu ranges from %g to %g, %zu of %zu columns over less than a hundredth of that "
                     "(column %zu from %g to %g): subtract each column's mean and divide by its standard deviation "
                     "before, or training hardly sees them",
                     looks->name, file_column(f, widest), (double)c->least[widest], (double)c->most[widest], n_narrow,
                     c->d, file_column(f, narrowest), (double)c->least[narrowest], (double)c->most[narrowest]);
    else if (fmax(fabs(min), fabs(max)) > 1000 * f->config->data.scale)
        kt_notes_add(notes, true,
                     "%s ranges from %g to %g, and inputs do best below 10: a larger data.scale divides them, or "
                     "subtract each column's mean and divide by its standard deviation before",
                     looks->name, min, max);
}

/* Whether a column is something that is no feature: told row by row, in the order of the file. */
typedef bool column_rule(const kt_data *data, const float *row, size_t i, size_t column);

/* 0, 1, 2, ..., or 1, 2, 3, ... */
static bool counts_rows(const kt_data *data, const float *row, size_t i, size_t column)
{
    (void)data;
    return row[column] == (float)i || row[column] == (float)(i + 1);
}

static bool is_label(const kt_data *data, const float *row, size_t i, size_t column)
{
    return row[column] == (float)data->set.labels[i];
}

/* The first column for which the rule holds in all rows of the main file; d: none. Columns drop out in the first rows,
 * so few rows are looked at. left[d] and row[d] are scratch. */
static size_t find_column(const kt_data_facts *f, column_rule *holds, uint32_t *left, float *row)
{
    const kt_dataset *set = &f->data->set;
    size_t n_left = set->d, n_main = set->n;
    for (int p = 0; p < KT_N_PARTS; p++)
        n_main -= f->data->own_files[p].n;
    for (size_t j = 0; j < set->d; j++)
        left[j] = (uint32_t)j;
    for (size_t i = 0; i < n_main && n_left > 0; i++) {
        size_t n_kept = 0;
        kt_dataset_gather(set, &(uint32_t){(uint32_t)i}, 1, 1, row);
        for (size_t k = 0; k < n_left; k++)
            if (holds(f->data, row, i, left[k]))
                left[n_kept++] = left[k];
        n_left = n_kept;
    }
    return n_left > 0 ? left[0] : set->d;
}

/* Row numbers tell the classes where a file is sorted by them, and the label itself always does. */
static void check_columns(const kt_data_facts *f, kt_notes *notes)
{
    enum { LEAST_ROWS = 10 }; /* fewer may be chance */
    const kt_dataset *set = &f->data->set;
    uint32_t *left = NULL;
    float *row = NULL;
    if (set->n >= LEAST_ROWS && KT_NEW(left, set->d) == KT_OK && KT_NEW(row, set->d) == KT_OK) {
        const size_t counting = find_column(f, counts_rows, left, row);
        const size_t label = find_column(f, is_label, left, row);
        if (counting < set->d)
            kt_notes_add(notes, true, "%s: column %zu counts the rows, which is no feature%s", f->looks[KT_TRAIN].name,
                         file_column(f, counting),
                         file_column(f, counting) == 1 ? ": data.index_column = true leaves it out of a table"
                                                       : ": leave it out");
        if (label < set->d && label != counting)
            kt_notes_add(notes, true, "%s: column %zu is the label itself: leave it out, or everything looks learned",
                         f->looks[KT_TRAIN].name, file_column(f, label));
    }
    kt_memory_free(left);
    kt_memory_free(row);
}

static void check_classes(const kt_data_facts *f, kt_notes *notes)
{
    enum { FEW = 5 };
    const size_t C = f->data->set.n_classes, *counts = f->counts;
    size_t n_empty = 0, n_few = 0, empty = C, least, most;
    kt_class_extremes(C, counts, &least, &most);
    for (size_t c = 0; c < C; c++) {
        n_empty += counts[c] == 0;
        n_few += counts[c] > 0 && counts[c] < FEW;
        empty = empty == C && counts[c] == 0 ? c : empty;
    }
    if (n_empty == 1 && empty == 0 && f->data->set.class_names == NULL)
        kt_notes_add(notes, false,
                     "labels are 1 to %zu: class 0 has no sample, and the network an output too many; labels less 1 "
                     "would do without",
                     C - 1);
    else if (n_empty > 0)
        kt_notes_add(notes, false,
                     "%zu of %zu classes have no training sample (the first is class %zu): they will "
                     "hardly be predicted",
                     n_empty, C, empty);
    if (n_few > 0)
        kt_notes_add(notes, false, "%zu of %zu classes have fewer than %d training samples (class %zu has %zu)", n_few,
                     C, FEW, least, counts[least]);
    else if (least < C && counts[most] > 10 * counts[least] && f->config->loss.class_weights.word == KT_WEIGHTS_NONE)
        kt_notes_add(notes, false, "classes are unbalanced (train.class_weights = balanced weighs them alike)");
}

static void check_parts(const kt_data_facts *f, kt_notes *notes)
{
    for (int p = KT_VALIDATION; p < KT_N_PARTS; p++)
        if (f->looks[p].name != NULL)
            kt_data_compare(&f->looks[KT_TRAIN], &f->looks[p], f->config->data.scale, notes);
}

/* In the order of the user's interest: the first KT_MAX_NOTES are shown. */
static void (*const checks[])(const kt_data_facts *facts, kt_notes *notes) = {
    check_constant, check_columns, check_scale, check_ranges, check_parts, check_classes,
};

/* ---- the whole ---- */

/* The files' names, the end of long ones. */
static const char *name_part(const kt_data_facts *f, int part, char *text, size_t size)
{
    enum { MOST = 120 };
    const char *files[] = {f->config->data.features, f->config->data.validation_features,
                           f->config->data.test_features};
    const bool own = f->data->own_files[part].n > 0;
    const char *file = files[own ? part : KT_TRAIN];
    const size_t n = strlen(file);
    const char *dots = n > MOST ? "..." : "", *end = file + (n > MOST ? n - MOST : 0);
    if (part == KT_TRAIN)
        snprintf(text, size, "%s%s", dots, end);
    else
        snprintf(text, size, "%s%s (%s)", dots, end, kt_part_names[part]);
    return text;
}

/* The looks of a part; *c holds its columns afterwards. */
static kt_status look_at_part(kt_data_facts *f, int part, columns *c)
{
    const kt_dataset *set = &f->data->set;
    KT_TRY(create_columns(set->d, c));
    look_at(set, f->data->split.index[part], f->data->split.n[part], c);
    f->looks[part].statistics = kt_dataset_describe(set, f->data->split.index[part], f->data->split.n[part]);
    f->looks[part].file_type = f->data->own_files[part].n > 0 ? f->data->own_files[part].file_type : set->file_type;
    f->looks[part].name = name_part(f, part, f->names[part], sizeof f->names[part]);
    return KT_OK;
}

/* Of what was drawn from the same file at random, nothing else is to be expected. */
static bool is_drawn(const kt_data_facts *f, int part)
{
    return f->data->own_files[part].n == 0 && f->config->split.shuffle;
}

static kt_status look(kt_data_facts *f, columns *train, size_t *counts)
{
    const kt_split *split = &f->data->split;
    KT_TRY(look_at_part(f, KT_TRAIN, train));
    f->train = train;
    kt_dataset_class_counts(&f->data->set, split->index[KT_TRAIN], split->n[KT_TRAIN], counts);
    f->counts = counts;
    for (int p = KT_VALIDATION; p < KT_N_PARTS; p++) {
        columns c = {0};
        kt_status status = split->n[p] == 0 || is_drawn(f, p) ? KT_OK : look_at_part(f, p, &c);
        free_columns(&c);
        KT_TRY(status);
    }
    return KT_OK;
}

kt_status kt_data_check(const kt_data *data, const kt_config *config, kt_notes *notes)
{
    kt_data_facts facts = {.data = data, .config = config};
    columns train = {0};
    size_t *counts;
    *notes = data->set.notes;
    if (data->split.n[KT_TRAIN] == 0)
        return KT_OK;
    KT_TRY(KT_NEW(counts, data->set.n_classes));
    kt_status status = look(&facts, &train, counts);
    for (size_t i = 0; i < sizeof checks / sizeof checks[0] && status == KT_OK; i++)
        checks[i](&facts, notes);
    free_columns(&train);
    kt_memory_free(counts);
    return status;
}

void kt_data_report_notes(const kt_data *data, const kt_config *config, kt_log *log)
{
    kt_notes notes;
    if (log->speaks && !log->quiet && kt_data_check(data, config, &notes) == KT_OK)
        kt_log_notes(log, &notes);
}

void kt_data_compare(const kt_looks *trained, const kt_looks *new, double scale, kt_notes *notes)
{
    const kt_dataset_statistics *was = &trained->statistics, *is = &new->statistics;
    /* whole numbers have bounds, while the outermost of some measured values are a matter of chance */
    const double range = was->max - was->min, spare = (trained->file_type < KT_F16 ? 0.01 : 0.25) * range;
    if (is->min < was->min - spare || is->max > was->max + spare || is->max - is->min < 0.1 * range)
        kt_notes_add(notes, true,
                     "%s ranges from %g to %g, %s from %g to %g: is it scaled as they were? (the model divides by %g "
                     "itself)",
                     new->name, is->min, is->max, trained->name, was->min, was->max, scale);
    else if (fabs(is->mean - was->mean) > 0.5 * was->standard_deviation)
        kt_notes_add(notes, true, "%s has mean %g, %s %g (standard deviation %g): does it show the same kind of thing?",
                     new->name, is->mean, trained->name, was->mean, was->standard_deviation);
    if (new->file_type != trained->file_type)
        kt_notes_add(notes, true, "%s holds %s, %s %s", new->name, kt_type_name(new->file_type), trained->name,
                     kt_type_name(trained->file_type));
}
