/* Spaces of sweeps as INI files have them. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "sweep/space.h"
#include "sweep/strategy.h"
#include "test.h"

const char *const kt_test_suite = "space";

#define JOB "[data]\nfeatures = x.npy\nlabels = y.npy\n" /* 3 lines */

static kt_space space; /* filled and freed by each test */

static kt_status parse_with(const char *text, size_t n, char *const *overrides)
{
    return kt_space_parse("g.ini", text, strlen(text), n, overrides, &space);
}

static kt_status parse(const char *text)
{
    return parse_with(text, 0, NULL);
}

static void check_words(const char *words)
{
    if (strstr(kt_error_message(), words) == NULL)
        printf("\n  wanted \"%s\", got \"%s\"\n", words, kt_error_message());
    CU_ASSERT(strstr(kt_error_message(), words) != NULL);
}

/* The values of axis i, joined by " | ". */
static void check_axis(size_t i, const char *key, const char *values)
{
    char text[2000] = "";
    CU_ASSERT(i < space.n_axes);
    if (i >= space.n_axes)
        return;
    for (size_t v = 0, n = 0; v < space.axes[i].n; v++)
        n += (size_t)snprintf(text + n, sizeof text - n, "%s%s", v > 0 ? " | " : "", space.axes[i].values[v].name);
    CU_ASSERT_STRING_EQUAL(space.axes[i].option->key, key);
    if (strcmp(text, values) != 0)
        printf("\n  %s: wanted \"%s\", got \"%s\"\n", key, values, text);
    CU_ASSERT_STRING_EQUAL(text, values);
}

static const char good[] = /* the mutations begin with it, too */
    JOB "[optimizer]\nlearning_rate = 0.01\n"
        "[sweep]\nstrategy = random ; of four\nseeds = 3\npoints = 5\n"
        "optimizer.learning_rate = 1e-3, 0.010, .1\n"
        "model.hidden = [32], [64,32] , []\n"
        "train.batch_size = full | 16\n"
        "data.split = 0.7, 0.15, 0.15 | 0.8, 0.1, 0.1\n"
        "data.class_names = a, b.csv | c=d.csv\n"
        "train.class_weights = balanced\n"
        "model.batch_norm = true, false\n"
        "[model]\nactivation = tanh\n";

static void axes_are_lists_of_values_of_any_key(void)
{
    KT_CHECK_STATUS(KT_OK, parse(good));
    CU_ASSERT(space.n_axes == 7 && space.n_points == 3 * 3 * 2 * 2 * 2 * 1 * 2);
    check_axis(0, "learning_rate", "0.001 | 0.01 | 0.1");
    check_axis(1, "hidden", "[32] | [64, 32] | []");
    check_axis(2, "batch_size", "full | 16");
    check_axis(3, "split", "0.7, 0.15, 0.15 | 0.8, 0.1, 0.1");
    check_axis(4, "class_names", "a, b.csv | c=d.csv");
    check_axis(5, "class_weights", "balanced");
    check_axis(6, "batch_norm", "true | false");
    CU_ASSERT_STRING_EQUAL(kt_strategies[space.settings.strategy]->name, "random");
    CU_ASSERT(space.settings.seeds == 3 && space.settings.points == 5 && space.settings.reduction == 4);
    CU_ASSERT(space.base.schedule.initial == 0.01 && space.base.model.hidden.values[0] == 128);
    kt_space_free(&space);
    CU_ASSERT(space.axes == NULL && space.n_axes == 0);
}

static void the_start_is_the_jobs_own_value(void)
{
    KT_CHECK_STATUS(KT_OK, parse(good));
    const size_t start[] = {1, 0, 1, 0, 0, 0, 1}; /* 0.01; [128] is not listed; 16; 0.70...; none listed; false */
    for (size_t i = 0; i < space.n_axes; i++)
        CU_ASSERT(space.start[i] == start[i]);
    kt_space_free(&space);
}

static void a_point_is_an_index_on_each_axis(void)
{
    KT_CHECK_STATUS(KT_OK, parse(JOB "[sweep]\nmodel.dropout = 0, 0.1\nmodel.hidden = [8] | [9] | [10]\n"));
    CU_ASSERT(space.n_points == 6);
    for (uint64_t point = 0; point < 6; point++) {
        const size_t index[2] = {kt_space_index(&space, point, 0), kt_space_index(&space, point, 1)};
        char text[100], wanted[100];
        kt_config c;
        CU_ASSERT(index[0] == point / 3 && index[1] == point % 3);
        KT_CHECK_STATUS(KT_OK, kt_space_config(&space, point, 0, 0, &c));
        CU_ASSERT(c.model.dropout == (index[0] == 0 ? 0 : 0.1));
        CU_ASSERT(c.model.hidden.n == 1 && c.model.hidden.values[0] == 8 + (int64_t)index[1]);
        CU_ASSERT(c.train.epochs == 200 && c.run.seed == 1);
        kt_space_describe(&space, point, text, sizeof text);
        snprintf(wanted, sizeof wanted, "model.dropout = %s, model.hidden = [%d]", index[0] == 0 ? "0" : "0.1",
                 8 + (int)index[1]);
        CU_ASSERT_STRING_EQUAL(text, wanted);
        kt_space_describe(&space, point, text, 10);
        CU_ASSERT_STRING_EQUAL(text, "model.dro");
    }
    kt_space_free(&space);
}

static void repetitions_count_up_the_seeds_that_vary(void)
{
    static const struct {
        const char *vary;
        int64_t training, split;
    } cases[] = {{"training", 7, 5}, {"split", 5, 7}, {"both", 7, 7}};
    for (size_t i = 0; i < 3; i++) {
        char text[400];
        kt_config c;
        snprintf(text, sizeof text,
                 JOB "split_seed = 5\n[run]\nseed = 5\n[sweep]\nseeds = 3\nseeds_vary = %s\n"
                     "train.epochs = 10, 20\n",
                 cases[i].vary);
        KT_CHECK_STATUS(KT_OK, parse(text));
        KT_CHECK_STATUS(KT_OK, kt_space_config(&space, 1, 2, 0, &c));
        CU_ASSERT(c.run.seed == cases[i].training && c.split.seed == cases[i].split && c.train.epochs == 20);
        KT_CHECK_STATUS(KT_OK, kt_space_config(&space, 1, 2, 4, &c));
        CU_ASSERT(c.train.epochs == 4);
        kt_space_free(&space);
    }
}

static void the_reports_table_has_1920_points(void)
{
    KT_CHECK_STATUS(KT_OK, parse(JOB "[sweep]\n"
                                     "model.hidden = [32] | [64] | [128] | [256] |\n"
                                     "    [64, 32] | [128, 64] | [256,\n    128] | [64, 64]\n"
                                     "; a comment\n"
                                     "    | [128, 128] | [128, 64, 32] | [256, 128, 64] | [64, 64, 64]\n"
                                     "optimizer.learning_rate = 0.001, 0.01, 0.05, 0.1\n"
                                     "optimizer.schedule = linear, exponential\noptimizer.l2 = 0, 0.01\n"
                                     "model.dropout = 0, 0.1\ntrain.batch_size = 16, 32, 64, 128, 256\n"));
    CU_ASSERT(space.n_axes == 6 && space.axes[0].n == 12 && space.n_points == 1920);
    check_axis(0, "hidden",
               "[32] | [64] | [128] | [256] | [64, 32] | [128, 64] | [256, 128] | [64, 64] | [128, 128] | "
               "[128, 64, 32] | [256, 128, 64] | [64, 64, 64]");
    CU_ASSERT(space.start[0] == 2 && space.start[1] == 0 && space.start[5] == 0);
    kt_space_free(&space);
}

static void what_is_wrong_is_refused_with_its_line(void)
{
    static const struct {
        const char *sweep, *words; /* what follows the job, from line 4 on */
    } bad[] = {
        {"", "g.ini: nothing to search: [sweep] must have an axis"},
        {"[sweep]\nseeds = 2\n", "g.ini: nothing to search"},
        {"[sweep]\noptimizer.lerning_rate = 1\n",
         "g.ini:5: there is no key optimizer.lerning_rate; did you mean optimizer.learning_rate?"},
        {"[sweep]\noptimiser.l2 = 1\n", "g.ini:5: there is no section [optimiser]; did you mean optimizer.l2?"},
        {"[sweep]\nstrateggy = grid\n", "g.ini:5: there is no key sweep.strateggy; did you mean sweep.strategy?"},
        {"[sweep]\nlearning_rate = 0.1\n",
         "g.ini:5: there is no key sweep.learning_rate; did you mean optimizer.learning_rate?"},
        {"[sweep]\nstrategy = best\n",
         "g.ini:5: sweep.strategy = best: must be one of grid | random | greedy | halving"},
        {"[sweep]\nseeds = 0\n", "g.ini:5: sweep.seeds = 0: must be a whole number from 1 to 1000"},
        {"[sweep]\nreduction = 1\n", "g.ini:5: sweep.reduction = 1"},
        {"[sweep]\nseeds = 2\nseeds = 2\n", "g.ini:6: sweep.seeds is set twice, first at g.ini:5"},
        {"[swep]\n", "g.ini:4: there is no section [swep]; did you mean [sweep]?"},
        {"[sweep]\nmodel.hidden =\n",
         "g.ini:5: model.hidden has an empty value: must be values separated by '|' or ','"},
        {"[sweep]\n\nmodel.hidden = [32] | | [64]\n", "g.ini:6: model.hidden has an empty value"},
        {"[sweep]\nmodel.hidden = [32] |\n", "g.ini:5: model.hidden has an empty value"},
        {"[sweep]\nmodel.dropout = 0, 0.1,\n", "g.ini:5: model.dropout has an empty value"},
        {"[sweep]\ndata.split = | 0.7, 0.15, 0.15\n",
         "g.ini:5: data.split has an empty value: must be values separated by '|'"},
        {"[sweep]\nmodel.dropout = 0, 1\n", "g.ini:5: model.dropout = 1: must be a number from 0 below 1"},
        {"[sweep]\nmodel.hidden = 32, 64\n", "g.ini:5: model.hidden = 32: must be a list of whole numbers"},
        {"[sweep]\nmodel.hidden = [32, [64]\n", "g.ini:5: model.hidden = [32, [64]"},
        {"[sweep]\nmodel.activation = relu, rely\n", "g.ini:5: model.activation = rely: must be one of relu"},
        {"[sweep]\nmodel.dropout = 0.1, 0.2, 1e-1\n", "g.ini:5: model.dropout has the value 0.1 twice"},
        {"[sweep]\nmodel.dropout = 0, -0\n", "g.ini:5: model.dropout has the value 0 twice"},
        {"[sweep]\nmodel.hidden = [8,9] | [8, 9]\n", "g.ini:5: model.hidden has the value [8, 9] twice"},
        {"[sweep]\nmodel.dropout = 0\nmodel.dropout = 0.1\n", "g.ini:6: model.dropout is set twice, first at g.ini:5"},
        {"[sweep]\nrun.dir = a | b\n",
         "g.ini:5: run.dir cannot be swept: must be a key that changes what a trial computes"},
        {"[sweep]\ncheckpoint.keep = 1, 2\n", "g.ini:5: checkpoint.keep cannot be swept"},
        {"[sweep]\nrun.log_steps = 1, 2\n", "g.ini:5: run.log_steps cannot be swept"},
        {"[sweep]\nrun.seed = 1, 2\nseeds = 3\n",
         "g.ini:5: run.seed cannot be swept while sweep.seeds = 3 counts it up: must be seeds = 1 or seeds_vary = "
         "split"},
        {"[sweep]\ndata.split_seed = 1, 2\nseeds = 3\nseeds_vary = both\n", "g.ini:5: data.split_seed cannot be swept"},
        {"[run]\nseed = 999999999999999\n[sweep]\nseeds = 3\nmodel.dropout = 0\n",
         "g.ini:7: sweep.seeds = 3 counts run.seed"},
        {"[sweep]\nstrategy = halving\ntrain.epochs = 5, 6\n",
         "g.ini:6: train.epochs cannot be swept with strategy = halving"},
        {"[sweep]\nstrategy = halving\nmin_epochs = 201\nmodel.dropout = 0\n",
         "g.ini:6: sweep.min_epochs = 201 is above train.epochs = 200"},
        {"[train]\nepochs = 2\n[sweep]\nstrategy = halving\nmodel.dropout = 0\n",
         "g.ini: sweep.min_epochs = 3 is above train.epochs = 2"},
        {"[sweep]\npoints = 9\nmodel.dropout = 0\n",
         "g.ini:5: sweep.points = 9 with strategy = grid, which draws none: must be strategy = random or halving"},
        {"[sweep]\nstrategy = greedy\npoints = 9\nmodel.dropout = 0\n",
         "g.ini:6: sweep.points = 9 with strategy = greedy"},
        {"[sweep]\nparallel.shards = 8, 9\nmodel.dropout = 0, 0.1\n",
         "g.ini: the point parallel.shards = 9, model.dropout = 0: parallel.shards = 9: must be a power of two"},
        {"[sweep]\ndata.split = 0.5, 0.5\n", "g.ini: the point data.split = 0.5, 0.5: data.split has 2 fractions"},
        {"[sweep]\noptimizer.learning_rate = 0.1, 0.3\noptimizer.final_learning_rate = 0.01, 0.2\n",
         "g.ini: the point optimizer.learning_rate = 0.1, optimizer.final_learning_rate = 0.2: "},
        {"[sweep]\nmodel.dropout = 0.1\n  run.x = 3\n", "g.ini:6: the line is indented"},
        {"[sweep]\nsweep.seeds = 3\n", "g.ini:5: there is no section [sweep]"},
        {"[sweep]\n.seed = 3\n", "g.ini:5: seed stands before any [section]"},
        {"[sweep] x\n", "g.ini:4: text after a section's ']'"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char text[1000];
        snprintf(text, sizeof text, JOB "%s", bad[i].sweep);
        memset(&space, 1, sizeof space);
        KT_CHECK_STATUS(KT_CONFIG, parse(text));
        check_words(bad[i].words);
        CU_ASSERT(space.axes == NULL && space.n_axes == 0 && space.n_points == 0);
    }
}

static void the_seeds_may_be_swept_where_they_do_not_count_up(void)
{
    KT_CHECK_STATUS(KT_OK, parse(JOB "[sweep]\nrun.seed = 1, 2\n"));
    kt_space_free(&space);
    KT_CHECK_STATUS(KT_OK, parse(JOB "[sweep]\nrun.seed = 1, 2\nseeds = 3\nseeds_vary = split\n"));
    kt_space_free(&space);
    KT_CHECK_STATUS(KT_OK, parse(JOB "[sweep]\ndata.split_seed = 1, 2\nseeds = 3\n"));
    kt_space_free(&space);
}

/* n_axes axes of 8 values that are valid together: 8^17 < 2^53 <= 8^18. */
static void write_axes(size_t n_axes, char *text, size_t size)
{
    static const char *const keys[] = {
        "model.dropout",
        "model.init_scale",
        "model.batch_norm_momentum",
        "model.batch_norm_epsilon",
        "optimizer.beta1",
        "optimizer.beta2",
        "optimizer.momentum",
        "optimizer.epsilon",
        "optimizer.l2",
        "optimizer.gamma",
        "optimizer.final_learning_rate",
        "train.label_smoothing",
        "train.clip_norm",
        "train.min_delta",
        "data.scale",
        "optimizer.learning_rate",
    };
    size_t n = (size_t)snprintf(text, size, JOB "[sweep]\n");
    for (size_t i = 0; i < n_axes && i < 16; i++)
        n += (size_t)snprintf(text + n, size - n, "%s = .1, .11, .12, .13, .14, .15, .16, .17\n", keys[i]);
    if (n_axes > 16)
        n += (size_t)snprintf(text + n, size - n, "model.hidden = [1], [2], [3], [4], [5], [6], [7], [8]\n");
    if (n_axes > 17)
        snprintf(text + n, size - n, "train.patience = 1, 2, 3, 4, 5, 6, 7, 8\n");
}

static void very_many_points_are_checked_axis_by_axis(void)
{
    char text[3000];
    write_axes(10, text, sizeof text); /* without the rates, which depend on each other */
    KT_CHECK_STATUS(KT_OK, parse(text));
    CU_ASSERT(space.n_points == UINT64_C(1) << 30);
    kt_config c;
    KT_CHECK_STATUS(KT_OK, kt_space_config(&space, space.n_points - 1, 0, 0, &c));
    CU_ASSERT(c.model.dropout == 0.17);
    for (size_t a = 0; a < 10; a++)
        CU_ASSERT(kt_space_index(&space, space.n_points - 1, a) == 7);
    kt_space_free(&space);
    snprintf(text + strlen(text), sizeof text - strlen(text), "parallel.shards = 4, 12\n");
    KT_CHECK_STATUS(KT_CONFIG, parse(text));
    check_words("parallel.shards = 12: must be a power of two");
}

static void points_are_fewer_than_2_to_the_53(void)
{
    char text[3000];
    write_axes(18, text, sizeof text);
    KT_CHECK_STATUS(KT_CONFIG, parse(text));
    check_words("g.ini: the axes have 2^53 points or more together");
}

static void the_command_line_sets_the_job_the_sweep_and_axes(void)
{
    char *all[] = {"sweep.optimizer.learning_rate=0.2,0.3",
                   "sweep.seeds=2",
                   "sweep.model.dropout=0.5",
                   "sweep.points=auto",
                   "optimizer.gamma=0.5",
                   "sweep.optimizer.learning_rate=0.4 | 0.5|0.6",
                   "sweep.seeds=4"};
    KT_CHECK_STATUS(KT_OK, parse_with(good, 7, all));
    CU_ASSERT(space.n_axes == 8 && space.settings.seeds == 4 && space.settings.points == KT_AUTO);
    check_axis(0, "learning_rate", "0.4 | 0.5 | 0.6"); /* in its place in the file */
    check_axis(7, "dropout", "0.5");
    CU_ASSERT(space.base.schedule.gamma == 0.5 && space.base.schedule.initial == 0.01 && space.start[0] == 0);
    kt_space_free(&space);
    char *only[] = {"sweep.train.batch_size=16,32"};
    KT_CHECK_STATUS(KT_OK, parse_with(JOB, 1, only));
    check_axis(0, "batch_size", "16 | 32");
    kt_space_free(&space);
}

static void a_wrong_command_line_is_refused(void)
{
    static const struct {
        kt_status status;
        const char *argument, *words;
    } bad[] = {
        {KT_USAGE, "optimizer.learning_rate=0.01",
         "optimizer.learning_rate is swept: say sweep.optimizer.learning_rate=0.01 to narrow it"},
        {KT_USAGE, "sweep.seeds", "sweep.seeds: not of the form sweep.key=value"},
        {KT_USAGE, "sweep.=3", "not of the form sweep.key=value"},
        {KT_USAGE, "seeds=3", "seeds=3: not of the form section.key=value"},
        {KT_CONFIG, "sweep.seeds=x", "command line: sweep.seeds = x: must be a whole number"},
        {KT_CONFIG, "sweep.sedes=2", "command line: there is no key sweep.sedes; did you mean sweep.seeds?"},
        {KT_CONFIG, "sweep.model.dropout=0,2", "command line: model.dropout = 2"},
        {KT_CONFIG, "sweep.model.dropout=", "command line: model.dropout has an empty value"},
        {KT_CONFIG, "sweep.model.drop=0", "command line: there is no key model.drop; did you mean model.dropout?"},
        {KT_CONFIG, "sweep.run.dir=a", "command line: run.dir cannot be swept"},
        {KT_CONFIG, "sweep.run.seed=1,2", "command line: run.seed cannot be swept"},
        {KT_CONFIG, "train.epochs=0", "command line: train.epochs = 0"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char *argument = (char *)bad[i].argument;
        KT_CHECK_STATUS(bad[i].status, parse_with(good, 1, &argument));
        check_words(bad[i].words);
        CU_ASSERT(space.axes == NULL);
    }
}

static void check_equal(const kt_space *a, const kt_space *b)
{
    CU_ASSERT(memcmp(&a->base, &b->base, sizeof a->base) == 0);
    CU_ASSERT(memcmp(&a->settings, &b->settings, sizeof a->settings) == 0);
    CU_ASSERT(a->n_axes == b->n_axes && a->n_points == b->n_points);
    for (size_t i = 0; i < a->n_axes && i < b->n_axes; i++) {
        CU_ASSERT(a->axes[i].option == b->axes[i].option && a->start[i] == b->start[i]);
        CU_ASSERT(a->axes[i].n == b->axes[i].n);
        for (size_t v = 0; v < a->axes[i].n && v < b->axes[i].n; v++)
            CU_ASSERT_STRING_EQUAL(a->axes[i].values[v].name, b->axes[i].values[v].name);
    }
}

static void check_reads_back(void)
{
    char *text;
    kt_space again;
    KT_CHECK_STATUS(KT_OK, kt_space_write(&space, &text));
    KT_CHECK_STATUS(KT_OK, kt_space_parse("again.ini", text, strlen(text), 0, NULL, &again));
    check_equal(&space, &again);
    kt_memory_free(text);
    kt_space_free(&again);
}

static void what_is_written_reads_back_the_same(void)
{
    KT_CHECK_STATUS(KT_OK, parse(good));
    check_reads_back();
    kt_space_free(&space);
}

static void long_lists_read_back_the_same(void)
{
    char hidden[4000] = "sweep.model.hidden=[", rates[8000] = "sweep.optimizer.l2=", files[2000];
    size_t n = strlen(hidden);
    for (int i = 0; i < 64; i++)
        n += (size_t)snprintf(hidden + n, sizeof hidden - n, "%s%d", i > 0 ? ", " : "", 1000 + i);
    snprintf(hidden + n, sizeof hidden - n, "] | [7] | [8, 9]");
    n = strlen(rates);
    for (int i = 0; i < 300; i++)
        n += (size_t)snprintf(rates + n, sizeof rates - n, "%s%.17g", i > 0 ? "," : "", 1 / (i + 3.0));
    n = (size_t)snprintf(files, sizeof files, "sweep.data.class_names=");
    for (int i = 0; i < 3; i++) /* as long as texts can be; commas, '=' and '[' are parts of them */
        n += (size_t)snprintf(files + n, sizeof files - n, "%s%d[=,a, b%0150d", i > 0 ? " | " : "", i, 0);
    snprintf(files + n, sizeof files - n, "|[x|=y");
    char *all[] = {hidden, rates, files};
    KT_CHECK_STATUS(KT_OK, parse_with(JOB "[sweep]\nmodel.dropout = 0\n", 3, all));
    CU_ASSERT(space.n_points == 3 * 300 * 5);
    check_reads_back();
    kt_space_free(&space);
}

static void a_list_too_long_to_write_is_refused(void)
{
    static char argument[40000];
    char *overrides[] = {argument};
    size_t n = (size_t)snprintf(argument, sizeof argument, "sweep.train.patience=");
    for (int i = 0; i < 5000; i++)
        n += (size_t)snprintf(argument + n, sizeof argument - n, "%s%d", i > 0 ? "," : "", i + 10000);
    KT_CHECK_STATUS(KT_CONFIG, parse_with(JOB, 1, overrides));
    check_words("the values of train.patience take more than 32768 bytes");
}

static void a_job_belongs_to_a_space_or_not(void)
{
    kt_config c;
    KT_CHECK_STATUS(KT_OK, parse(JOB "[sweep]\nseeds = 2\nmodel.dropout = 0, 0.1\n"));
    KT_CHECK_STATUS(KT_OK, kt_space_config(&space, 1, 1, 0, &c));
    CU_ASSERT(kt_space_has(&space, &c));
    c.run.dir = "elsewhere";
    c.checkpoint.keep = 9;
    c.model.dropout = 0.3; /* an axis, though not listed */
    CU_ASSERT(kt_space_has(&space, &c));
    c.split.seed = 2;
    CU_ASSERT(!kt_space_has(&space, &c));
    c.split.seed = 1;
    c.train.epochs = 7;
    CU_ASSERT(!kt_space_has(&space, &c));
    kt_space_free(&space);
    KT_CHECK_STATUS(KT_OK, parse(JOB "[sweep]\nstrategy = halving\nmodel.dropout = 0, 0.1\n"));
    c.run.seed = 1;
    CU_ASSERT(kt_space_has(&space, &c));
    c.run.seed = 2;
    CU_ASSERT(!kt_space_has(&space, &c));
    kt_space_free(&space);
}

/* A byte changed, a piece dropped, or a piece doubled. */
static size_t mutate(char *text, size_t n, size_t size)
{
    static const char bytes[] = "[]|,=.;#: \n\t-0915aez\"'\x01\xff";
    size_t at = (size_t)rand() % n, length = 1 + (size_t)rand() % 12;
    if (length > n - at)
        length = n - at;
    switch (rand() % 3) {
    case 0:
        text[at] = bytes[(size_t)rand() % (sizeof bytes)]; /* the NUL too */
        return n;
    case 1:
        memmove(text + at, text + at + length, n - at - length);
        return n - length;
    default:
        if (n + length > size)
            return n;
        memmove(text + at + length, text + at, n - at);
        return n + length;
    }
}

static void garbage_never_crashes(void)
{
    int n_read = 0;
    srand(7);
    for (int i = 0; i < 3000; i++) {
        char text[2000];
        size_t n = sizeof good - 1;
        memcpy(text, good, n);
        for (int k = 1 + rand() % 4; k > 0 && n > 0; k--)
            n = mutate(text, n, sizeof text);
        kt_status status = kt_space_parse("g.ini", text, n, 0, NULL, &space);
        CU_ASSERT(status == KT_OK || status == KT_CONFIG);
        if (status != KT_OK) {
            CU_ASSERT(strncmp(kt_error_message(), "g.ini", 5) == 0 && space.axes == NULL);
            continue;
        }
        if (n_read++ % 8 == 0)
            check_reads_back();
        kt_space_free(&space);
    }
    CU_ASSERT(n_read > 100 && n_read < 2900);
}

static void every_rank_reads_the_same_space(void)
{
    char path[KT_PATH_BYTES];
    char *overrides[] = {"sweep.seeds=7", "run.dir=runs/here"};
    kt_file_path(path, "%s", kt_test_scratch("g.ini"));
    if (kt_comm_rank(kt_test_world) == 0)
        KT_CHECK_STATUS(KT_OK, kt_file_replace(path, good, strlen(good)));
    KT_CHECK(kt_space_read(kt_test_world, path, 2, overrides, &space) == KT_OK);
    KT_CHECK(space.n_axes == 7 && space.settings.seeds == 7 && strcmp(space.base.run.dir, "runs/here") == 0);
    kt_space_free(&space);
    KT_CHECK(kt_space_read(kt_test_world, "/nowhere/g.ini", 0, NULL, &space) == KT_NO_INPUT);
    KT_CHECK(space.axes == NULL && strstr(kt_error_message(), "/nowhere/g.ini") != NULL);
}

const kt_test kt_tests[] = {
    {"axes are lists of values of any key", axes_are_lists_of_values_of_any_key},
    {"the start is the job's own value", the_start_is_the_jobs_own_value},
    {"a point is an index on each axis", a_point_is_an_index_on_each_axis},
    {"repetitions count up the seeds that vary", repetitions_count_up_the_seeds_that_vary},
    {"the report's table, over several lines, has 1920 points", the_reports_table_has_1920_points},
    {"what is wrong is refused with its line", what_is_wrong_is_refused_with_its_line},
    {"the seeds may be swept where they do not count up", the_seeds_may_be_swept_where_they_do_not_count_up},
    {"very many points are checked axis by axis", very_many_points_are_checked_axis_by_axis},
    {"points are fewer than 2^53", points_are_fewer_than_2_to_the_53},
    {"the command line sets the job, the sweep and axes", the_command_line_sets_the_job_the_sweep_and_axes},
    {"a wrong command line is refused", a_wrong_command_line_is_refused},
    {"what is written reads back the same", what_is_written_reads_back_the_same},
    {"long lists read back the same", long_lists_read_back_the_same},
    {"a list too long to write is refused", a_list_too_long_to_write_is_refused},
    {"a job belongs to a space or not", a_job_belongs_to_a_space_or_not},
    {"garbage never crashes", garbage_never_crashes},
    {"every rank reads the same space", every_rank_reads_the_same_space},
    {NULL, NULL},
};
