/* Reports of sweeps whose trials are made by hand: their files as exact texts, their tables, the progress. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "run/report.h"
#include "sweep/sweep_report.h"
#include "test.h"

const char *const kt_test_suite = "sweep_report";

enum { MOST = 64 };

/* A space from an INI text, and trials of it. */
typedef struct fixture {
    kt_space space;
    kt_trial all[MOST];
    size_t n_left[MOST];
    kt_trials trials;
} fixture;

static uint64_t fingerprint(void *context, const kt_config *config)
{
    (void)context;
    (void)config;
    return 7;
}

/* sweep: lines of the [sweep] section. dir: its directory in the scratch folder. */
static void create(fixture *f, const char *dir, const char *sweep)
{
    char text[2048], run_dir[KT_PATH_BYTES];
    char *overrides[] = {run_dir};
    memset(f, 0, sizeof *f);
    snprintf(run_dir, sizeof run_dir, "run.dir=%s", kt_test_scratch(dir));
    snprintf(text, sizeof text,
             "[run]\nseed = 5\n[data]\nfeatures = x.npy\nlabels = y.npy\nsplit_seed = 11\n[train]\nepochs = 9\n"
             "[sweep]\n%s",
             sweep);
    KT_CHECK_STATUS(KT_OK, kt_space_parse("sweep.ini", text, strlen(text), 1, overrides, &f->space));
    KT_CHECK_STATUS(KT_OK, kt_file_make_directory(f->space.base.run.dir));
    f->trials = (kt_trials){.space = &f->space, .all = f->all, .n_left = f->n_left};
    f->trials.source.fingerprint = fingerprint;
}

/* The next repetition of a proposal, done with the status and validation scores. */
static kt_outcome *add(fixture *f, uint64_t point, size_t rung, kt_status status, double loss, double accuracy)
{
    const size_t seeds = (size_t)f->space.settings.seeds, i = f->trials.n++;
    kt_trial *trial = &f->all[i];
    *trial = (kt_trial){
        .proposal = {.point = point, .epochs = rung > 0 ? 9 : 3, .rung = rung},
        .repetition = (int64_t)(i % seeds),
        .state = KT_TRIAL_DONE,
        .outcome = {.key = 0xabc0 + i,
                    .status = (int)status,
                    .reason = KT_STOP_EPOCHS,
                    .epochs = 3,
                    .best_epoch = 2,
                    .seconds = 1.5},
    };
    kt_outcome *outcome = &trial->outcome;
    for (int p = 0; p < KT_N_PARTS; p++)
        outcome->scores[p].cross_entropy = outcome->scores[p].accuracy = NAN;
    outcome->scores[KT_VALIDATION].cross_entropy = loss;
    outcome->scores[KT_VALIDATION].accuracy = accuracy;
    f->n_left[i / seeds] = seeds - 1 - i % seeds;
    f->trials.n_done++;
    f->trials.n_diverged += status == KT_DIVERGED;
    f->trials.n_failed += status != KT_OK && status != KT_DIVERGED;
    return outcome;
}

/* Whether a file of the sweep is exactly this text. */
static bool holds(const fixture *f, const char *file, const char *expected)
{
    char path[KT_PATH_BYTES];
    unsigned char *bytes;
    size_t n;
    if (kt_file_path(path, "%s/%s", f->space.base.run.dir, file) != KT_OK || kt_file_read(path, &bytes, &n) != KT_OK) {
        printf("%s\n", kt_error_message());
        return false;
    }
    const bool same = n == strlen(expected) && memcmp(bytes, expected, n) == 0;
    if (!same)
        printf("%s is\n%s\nand not\n%s\n", path, (char *)bytes, expected);
    kt_memory_free(bytes);
    return same;
}

/* What a log wrote to its file, which is closed, without the time before each line. */
static void take_lines(kt_log *log, char *text, size_t size)
{
    enum { STAMP = sizeof "2026-11-25 12:07:45" - 1 };
    char line[1024];
    size_t n = 0;
    rewind(log->file);
    text[0] = '\0';
    while (fgets(line, sizeof line, log->file) != NULL && n < size)
        n += (size_t)snprintf(text + n, size - n, "%s", line + STAMP + (line[STAMP] == ' '));
    fclose(log->file);
}

/* Whether a report prints exactly this text. */
static bool prints(const fixture *f, kt_status (*report)(const kt_trials *, kt_log *), const char *expected)
{
    char text[8192];
    kt_log log = {.speaks = true, .quiet = true, .file = tmpfile()};
    const kt_status status = report(&f->trials, &log);
    take_lines(&log, text, sizeof text);
    if (strcmp(text, expected) != 0)
        printf("printed is\n%s\nand not\n%s\n", text, expected);
    return status == KT_OK && strcmp(text, expected) == 0;
}

/* ---- trials.csv ---- */

static void trials_are_a_row_each_in_the_order_of_the_points(void)
{
    fixture f;
    create(&f, "rows", "model.hidden = [32] | [64, 32]\noptimizer.learning_rate = 0.1, 0.01\n");
    kt_outcome *outcome = add(&f, 3, 0, KT_OK, 1.4, 0.6);
    outcome->scores[KT_TEST].cross_entropy = 0.1 + 0.2;
    outcome->scores[KT_TEST].accuracy = 2.0 / 3;
    outcome->scores[KT_TRAIN].cross_entropy = 1e-9;
    outcome->scores[KT_TRAIN].accuracy = 1;
    outcome->reason = KT_STOP_PATIENCE;
    outcome = add(&f, 1, 0, KT_DATA, 0, 0); /* whose scores mean nothing */
    snprintf(outcome->error, sizeof outcome->error, "x.npy: \"f8\", which is\nbad");
    outcome->epochs = outcome->best_epoch = 0;
    outcome->seconds = NAN;
    outcome = add(&f, 0, 0, KT_DIVERGED, 12.5, 0.02);
    snprintf(outcome->error, sizeof outcome->error, "the loss is NaN");
    outcome = add(&f, 2, 0, KT_OK, 1, 1);
    f.all[3].state = KT_TRIAL_RUNNING;
    f.n_left[3] = 1;
    KT_CHECK_STATUS(KT_OK, kt_sweep_write_trials(&f.trials, "-0-of-2"));
    KT_CHECK(holds(&f, "trials-0-of-2.csv",
                   "model.hidden,optimizer.learning_rate,validation_cross_entropy,validation_accuracy,"
                   "test_cross_entropy,test_accuracy,epochs,seconds,stop_reason,best_epoch,train_cross_entropy,"
                   "train_accuracy,error,key\n"
                   "[32],0.1,12.5,0.02,,,3,1.5,divergence,2,,,the loss is NaN,000000000000abc2\n"
                   "[32],0.01,,,,,0,,failed,,,,\"x.npy: \"\"f8\"\", which is\nbad\",000000000000abc1\n"
                   "\"[64, 32]\",0.01,1.4,0.6,0.30000000000000004,0.6666666666666666,3,1.5,patience,2,1e-09,1,,"
                   "000000000000abc0\n"));
    char path[KT_PATH_BYTES];
    KT_CHECK_STATUS(KT_OK, kt_file_path(path, "%s/points-0-of-2.csv", f.space.base.run.dir));
    KT_CHECK(!kt_file_exists(path));
    kt_space_free(&f.space);
}

static void of_several_rungs_the_last_counts(void)
{
    fixture f;
    create(&f, "rungs", "model.dropout = 0, 0.5\nseeds = 2\n");
    add(&f, 1, 0, KT_OK, 1.2, 0.5);
    add(&f, 1, 0, KT_OK, 1.1, 0.5);
    add(&f, 0, 0, KT_OK, 1.9, 0.25);
    add(&f, 0, 0, KT_OK, 2.1, 0.5);
    add(&f, 1, 1, KT_OK, 0.9, 0.75)->epochs = 9;
    add(&f, 1, 1, KT_OK, 0.8, 0.75)->epochs = 9;
    f.all[5].state = KT_TRIAL_RUNNING; /* so of this repetition the first rung, still */
    f.n_left[2] = 1;
    KT_CHECK_STATUS(KT_OK, kt_sweep_write_trials(&f.trials, ""));
    KT_CHECK(holds(&f, "trials.csv",
                   "model.dropout,run.seed,validation_cross_entropy,validation_accuracy,test_cross_entropy,"
                   "test_accuracy,epochs,seconds,stop_reason,best_epoch,train_cross_entropy,train_accuracy,error,key\n"
                   "0,5,1.9,0.25,,,3,1.5,epochs,2,,,,000000000000abc2\n"
                   "0,6,2.1,0.5,,,3,1.5,epochs,2,,,,000000000000abc3\n"
                   "0.5,5,0.9,0.75,,,9,1.5,epochs,2,,,,000000000000abc4\n"
                   "0.5,6,1.1,0.5,,,3,1.5,epochs,2,,,,000000000000abc1\n"));
    kt_space_free(&f.space);
}

/* Reads the head of trials.csv up to the first score. */
static bool head_is(const char *dir, const char *sweep, const char *expected)
{
    fixture f;
    char path[KT_PATH_BYTES];
    unsigned char *bytes = NULL;
    size_t n;
    create(&f, dir, sweep);
    bool same = kt_sweep_write_trials(&f.trials, "") == KT_OK &&
                kt_file_path(path, "%s/trials.csv", f.space.base.run.dir) == KT_OK &&
                kt_file_read(path, &bytes, &n) == KT_OK && strncmp((char *)bytes, expected, strlen(expected)) == 0;
    kt_memory_free(bytes);
    kt_space_free(&f.space);
    return same;
}

static void seeds_that_count_up_have_columns(void)
{
    KT_CHECK(head_is("s0", "model.dropout = 0, 0.5\n", "model.dropout,validation_"));
    KT_CHECK(head_is("s1", "model.dropout = 0, 0.5\nseeds = 3\nseeds_vary = split\n",
                     "model.dropout,data.split_seed,validation_"));
    KT_CHECK(head_is("s2", "model.dropout = 0, 0.5\nseeds = 3\nseeds_vary = both\n",
                     "model.dropout,run.seed,data.split_seed,validation_"));
}

/* ---- points.csv ---- */

static void means_and_errors_are_those_computed_by_hand(void)
{
    fixture f;
    create(&f, "points", "model.hidden = [8] | [8, 8]\nseeds = 2\nseeds_vary = both\n");
    for (int p = 0; p < 2; p++) {
        add(&f, (uint64_t)p, 0, KT_OK, 1.25, 0.5)->scores[KT_TEST].accuracy = 0.25;
        kt_outcome *outcome = add(&f, (uint64_t)p, 0, p == 0 ? KT_OK : KT_DIVERGED, 1.75, 0.75);
        outcome->scores[KT_TEST].accuracy = 0.25;
        outcome->epochs = 6;
    }
    KT_CHECK_STATUS(KT_OK, kt_sweep_write_trials(&f.trials, ""));
    /* sd = 0.25 sqrt(2), over sqrt(2) */
    KT_CHECK(holds(&f, "points.csv",
                   "model.hidden,seeds,validation_cross_entropy_mean,validation_cross_entropy_error,"
                   "validation_accuracy_mean,validation_accuracy_error,test_cross_entropy_mean,"
                   "test_cross_entropy_error,test_accuracy_mean,test_accuracy_error,epochs_mean,seconds_sum,"
                   "diverged_or_failed\n"
                   "[8],2,1.5,0.25,0.625,0.125,,,0.25,0,4.5,3,0\n"
                   "\"[8, 8]\",2,,,,,,,,,4.5,3,1\n"));
    kt_space_free(&f.space);
}

static void the_error_of_three_is_of_the_sample(void)
{
    fixture f;
    create(&f, "three", "model.dropout = 0, 0.5\nseeds = 3\n");
    add(&f, 1, 0, KT_OK, 1, 0.5);
    add(&f, 1, 0, KT_OK, 2, 0.5);
    add(&f, 1, 0, KT_OK, 6, 0.5);
    KT_CHECK_STATUS(KT_OK, kt_sweep_write_trials(&f.trials, ""));
    /* squares 4 + 1 + 9 = 14, sample variance 7, over 3 */
    KT_CHECK(holds(&f, "points.csv",
                   "model.dropout,seeds,validation_cross_entropy_mean,validation_cross_entropy_error,"
                   "validation_accuracy_mean,validation_accuracy_error,test_cross_entropy_mean,"
                   "test_cross_entropy_error,test_accuracy_mean,test_accuracy_error,epochs_mean,seconds_sum,"
                   "diverged_or_failed\n"
                   "0.5,3,3,1.527525232,0.5,0,,,,,3,4.5,0\n"));
    kt_space_free(&f.space);
}

/* ---- best.ini ---- */

static void the_best_job_can_be_run_as_it_is(void)
{
    fixture f;
    kt_config *expected = kt_memory_new(1, sizeof *expected), *read = kt_memory_new(1, sizeof *read);
    char path[KT_PATH_BYTES];
    unsigned char *bytes = NULL;
    size_t n = 0;
    create(&f, "best", "model.hidden = [8] | [16, 8]\nmodel.dropout = 0, 0.1\nseeds = 2\n");
    const kt_status status[] = {KT_OK, KT_DIVERGED, KT_OK, KT_OK};
    const double loss[] = {1.5, 0.1, 1.25, 1.75};
    for (size_t p = 0; p < 4; p++)
        for (int r = 0; r < 2; r++)
            add(&f, p, 0, status[p], loss[p], 0.5);
    KT_CHECK_STATUS(KT_OK, kt_sweep_write_best(&f.trials, ""));
    KT_CHECK_STATUS(KT_OK, kt_file_path(path, "%s/best.ini", f.space.base.run.dir));
    KT_CHECK_STATUS(KT_OK, kt_file_read(path, &bytes, &n));
    KT_CHECK_STATUS(KT_OK, kt_config_parse(path, (const char *)bytes, n, 0, NULL, read));
    KT_CHECK_STATUS(KT_OK, kt_trials_config(&f.trials, &f.all[4], expected));
    KT_CHECK(kt_config_key(read) == kt_config_key(expected));
    KT_CHECK(read->model.hidden.n == 2 && read->model.hidden.values[0] == 16 && read->model.dropout == 0);
    KT_CHECK(read->run.seed == 5 && read->train.epochs == 3);
    KT_CHECK(strcmp(read->run.dir, expected->run.dir) == 0 && strstr(read->run.dir, "/best/trials/") != NULL);
    KT_CHECK(strcmp(read->checkpoint.resume, "auto") == 0);
    const char comment[] = "; The best of the 4 points that ktrain sweep has tried, by validation loss.\n"
                           "; Means over 2 seeds, of which this job has the first:\n"
                           "; validation_cross_entropy 1.25, validation_accuracy 0.5\n\n[run]\n";
    KT_CHECK(bytes != NULL && strncmp((char *)bytes, comment, strlen(comment)) == 0);
    kt_memory_free(bytes);
    kt_memory_free(read);
    kt_memory_free(expected);
    kt_space_free(&f.space);
}

static void without_success_there_is_no_best_job(void)
{
    fixture f;
    char path[KT_PATH_BYTES];
    create(&f, "none", "model.dropout = 0, 0.5\n");
    KT_CHECK_STATUS(KT_OK, kt_sweep_write_best(&f.trials, ""));
    add(&f, 0, 0, KT_DIVERGED, 1, 0.5);
    add(&f, 1, 0, KT_DATA, NAN, NAN);
    KT_CHECK_STATUS(KT_OK, kt_sweep_write_best(&f.trials, ""));
    KT_CHECK_STATUS(KT_OK, kt_file_path(path, "%s/best.ini", f.space.base.run.dir));
    KT_CHECK(!kt_file_exists(path));
    KT_CHECK(prints(&f, kt_sweep_report_best, ""));
    kt_space_free(&f.space);
}

static void a_directory_that_is_not_there_is_said(void)
{
    fixture f;
    create(&f, "gone", "model.dropout = 0, 0.5\n");
    add(&f, 0, 0, KT_OK, 1, 0.5);
    rmdir(f.space.base.run.dir);
    KT_CHECK_STATUS(KT_IO, kt_sweep_write_trials(&f.trials, ""));
    KT_CHECK_STATUS(KT_IO, kt_sweep_write_best(&f.trials, ""));
    KT_CHECK_MESSAGE("best.ini");
    kt_space_free(&f.space);
}

/* ---- tables ---- */

static void the_best_ten_are_a_table(void)
{
    fixture f;
    create(&f, "table",
           "model.hidden = [8] | [128, 64]\nmodel.dropout = 0.1\n"
           "optimizer.learning_rate = 1, 0.1, 0.01, 0.001, 0.0001, 0.00001\n");
    for (size_t p = 0; p < 12; p++) {
        kt_outcome *outcome = add(&f, p, 0, p == 3 ? KT_DIVERGED : KT_OK, 3 - (double)p / 8, 0.5);
        outcome->scores[KT_TEST].accuracy = (double)p / 16;
        outcome->seconds = p == 11 ? 1234.56 : 0.04;
    }
    KT_CHECK(prints(&f, kt_sweep_report_best,
                    "\nthe best 10 of 12 points, by validation loss\n"
                    "               learning_  validation  validation      test  test\n"
                    "       hidden       rate        loss    accuracy  accuracy  loss  epochs  seconds\n"
                    "1   [128, 64]      1e-05      1.6250      0.5000    0.6875     -       3   1234.6\n"
                    "2   [128, 64]     0.0001      1.7500      0.5000    0.6250     -       3      0.0\n"
                    "3   [128, 64]      0.001      1.8750      0.5000    0.5625     -       3      0.0\n"
                    "4   [128, 64]       0.01      2.0000      0.5000    0.5000     -       3      0.0\n"
                    "5   [128, 64]        0.1      2.1250      0.5000    0.4375     -       3      0.0\n"
                    "6   [128, 64]          1      2.2500      0.5000    0.3750     -       3      0.0\n"
                    "7         [8]      1e-05      2.3750      0.5000    0.3125     -       3      0.0\n"
                    "8         [8]     0.0001      2.5000      0.5000    0.2500     -       3      0.0\n"
                    "9         [8]       0.01      2.7500      0.5000    0.1250     -       3      0.0\n"
                    "10        [8]        0.1      2.8750      0.5000    0.0625     -       3      0.0\n"));
    kt_space_free(&f.space);
}

static void accuracy_orders_when_it_is_the_objective(void)
{
    fixture f;
    create(&f, "accuracy", "objective = validation_accuracy\nseeds = 2\nmodel.batch_norm = false, true\n");
    for (size_t p = 0; p < 2; p++)
        for (int r = 0; r < 2; r++)
            add(&f, p, 0, KT_OK, 1 + (double)p, 0.25 + (double)p / 2 + r / 8.0)->epochs = 3 + r;
    KT_CHECK(prints(&f, kt_sweep_report_best,
                    "\nthe best 2 of 2 points, by validation accuracy, mean +- standard error over 2 seeds\n"
                    "   batch_  validation        validation      test  test\n"
                    "     norm        loss          accuracy  accuracy  loss  epochs  seconds\n"
                    "1    true      2.0000  0.8125 +- 0.0625         -     -     3.5      1.5\n"
                    "2   false      1.0000  0.3125 +- 0.0625         -     -     3.5      1.5\n"));
    KT_CHECK(prints(&f, kt_sweep_report_axes,
                    "\nvalidation accuracy by the values of each axis (* has the best)\n"
                    "model.batch_norm  points    mean    best  diverged  failed\n"
                    "  false                1  0.3125  0.3125         0       0\n"
                    "* true                 1  0.8125  0.8125         0       0\n"));
    kt_space_free(&f.space);
}

static void each_axis_is_told_by_its_values(void)
{
    fixture f;
    create(&f, "axes", "model.dropout = 0.5, 0, 0.1\nmodel.hidden = [8]\noptimizer.l2 = 0, 1\n");
    static const double loss[] = {1.5, 2, 1.25, 3, 1, 1};
    static const kt_status status[] = {KT_OK, KT_OK, KT_OK, KT_OK, KT_DIVERGED, KT_DATA};
    for (size_t p = 0; p < 6; p++)
        add(&f, p, 0, status[p], loss[p], 0.5);
    KT_CHECK(prints(&f, kt_sweep_report_axes,
                    "\nvalidation loss by the values of each axis (* has the best)\n"
                    "model.dropout  points    mean    best  diverged  failed\n"
                    "  0.5               2  1.7500  1.5000         0       0\n"
                    "* 0                 2  2.1250  1.2500         0       0\n"
                    "  0.1               2       -       -         1       1\n"
                    "optimizer.l2  points    mean    best  diverged  failed\n"
                    "* 0                3  1.3750  1.2500         1       0\n"
                    "  1                3  2.5000  2.0000         0       1\n"));
    kt_space_free(&f.space);
}

/* Columns at the end give way; the axes and the validation scores stay. */
static void a_wide_table_is_cut_at_its_end(void)
{
    fixture f;
    char text[8192];
    create(&f, "wide",
           "model.hidden = [128, 64, 32, 16, 8, 4, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1] | [4096, 2048, 1024]\n"
           "optimizer.learning_rate = 0.001, 0.01\noptimizer.schedule = linear, exponential\n"
           "model.activation = relu, leaky_relu\nmodel.dropout = 0, 0.1\n");
    add(&f, 0, 0, KT_OK, 1.5, 0.5);
    kt_log log = {.speaks = true, .quiet = true, .file = tmpfile()};
    KT_CHECK_STATUS(KT_OK, kt_sweep_report_best(&f.trials, &log));
    take_lines(&log, text, sizeof text);
    for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        KT_CHECK(strlen(line) <= 120);
        if (line[0] == '1')
            KT_CHECK(strstr(line, "[128, 64, 32, 16, 8, 4, 2, 1, 1, 1, ...") != NULL && strstr(line, "1.5000") != NULL);
    }
    kt_space_free(&f.space);
}

/* ---- progress ---- */

static void progress_is_a_bar_or_a_line(void)
{
    char text[1024];
    const kt_sweep_progress start = {.n_running = 2, .n_expected = 1920, .best = NAN, .seconds_left = NAN};
    const kt_sweep_progress later = {312, 2, 1920, 1.41234, 600, 640, 1510};
    const char *path = kt_test_scratch("output");
    const int out = dup(STDOUT_FILENO);
    fflush(stdout);
    CU_ASSERT(freopen(path, "w", stdout) != NULL);
    kt_log log = {.speaks = true, .terminal = true};
    kt_sweep_report_bar(&log, &start);
    kt_sweep_report_bar(&log, &later);
    kt_sweep_report_line(&log, &start);
    kt_sweep_report_line(&log, &later);
    fflush(stdout);
    dup2(out, STDOUT_FILENO);
    close(out);
    FILE *file = fopen(path, "r");
    text[file == NULL ? 0 : fread(text, 1, sizeof text - 1, file)] = '\0';
    if (file != NULL)
        fclose(file);
    CU_ASSERT_STRING_EQUAL(text, "\r\033[Ksweep 0/1920 [          ] 2 running"
                                 "\r\033[Ksweep 312/1920 [=         ] 2 running  best 1.4123  64/min  ETA 25:10"
                                 "\r\033[Ksweep 0/1920  2 running\n"
                                 "sweep 312/1920  2 running  best 1.4123  64/min  ETA 25:10\n");
}

static void a_narrow_bar_leaves_out_what_is_least(void)
{
    char text[256];
    const kt_sweep_progress p = {312, 2, 1920, 1.41234, 600, 640, 1510};
    static const struct {
        size_t columns;
        const char *text;
    } cases[] = {{67, "sweep 312/1920 [=         ] 2 running  best 1.4123  64/min  ETA 25:10"},
                 {59, "sweep 312/1920  2 running  best 1.4123  64/min  ETA 25:10"},
                 {50, "sweep 312/1920  best 1.4123  64/min  ETA 25:10"}};
    for (size_t i = 0; i < 3; i++) {
        kt_sweep_format_bar(&p, cases[i].columns + 2, text, sizeof text);
        CU_ASSERT_STRING_EQUAL(text, cases[i].text);
    }
}

const kt_test kt_tests[] = {
    {"trials are a row each, in the order of the points, with quotes where CSV wants them",
     trials_are_a_row_each_in_the_order_of_the_points},
    {"of several rungs the last that is done counts", of_several_rungs_the_last_counts},
    {"seeds that count up have columns", seeds_that_count_up_have_columns},
    {"means and errors are those computed by hand", means_and_errors_are_those_computed_by_hand},
    {"the error of three is that of a sample's mean", the_error_of_three_is_of_the_sample},
    {"the best job can be run as it is", the_best_job_can_be_run_as_it_is},
    {"without success there is no best job, and no table of the best", without_success_there_is_no_best_job},
    {"a directory that is not there is said", a_directory_that_is_not_there_is_said},
    {"the best ten are a table", the_best_ten_are_a_table},
    {"accuracy orders when it is the objective", accuracy_orders_when_it_is_the_objective},
    {"each axis is told by its values", each_axis_is_told_by_its_values},
    {"a wide table is cut at its end", a_wide_table_is_cut_at_its_end},
    {"progress is a bar on a terminal and a line elsewhere", progress_is_a_bar_or_a_line},
    {"a narrow bar leaves out what is least", a_narrow_bar_leaves_out_what_is_least},
    {NULL, NULL},
};
