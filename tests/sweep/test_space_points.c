/* Points by number and by their values. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "sweep/space.h"
#include "sweep/strategy.h"
#include "test.h"

const char *const kt_test_suite = "space_points";

#define JOB "[data]\nfeatures = x.npy\nlabels = y.npy\n" /* 3 lines */

static kt_space space; /* filled and freed by each test */

static kt_status parse_with(const char *text, size_t n, char *const *overrides)
{
    return kt_space_parse("g.ini", text, strlen(text), n, overrides, &space);
}

static void check_words(const char *words)
{
    if (strstr(kt_error_message(), words) == NULL)
        printf("\n  wanted \"%s\", got \"%s\"\n", words, kt_error_message());
    CU_ASSERT(strstr(kt_error_message(), words) != NULL);
}

static const char good[] = JOB
    "[sweep]\nstrategy = list\n"
    "point.plain = optimizer.name=sgd\n"
    "point.adam = optimizer.name=adam optimizer.learning_rate = 1e-3 model.hidden=[64,   32]   train.batch_size=full\n"
    "point.more_2.x-y+ = data.split=0.8, 0.1, 0.1 |  data.class_names=a b, c.csv |\n    model.hidden=[]\n";

/* What a named point sets, as "section.key=value;...". */
static void check_point(size_t v, const char *name, const char *settings)
{
    char text[1000] = "";
    const kt_value *value = &space.axes[kt_space_named_axis(&space)].values[v];
    for (size_t i = 0, n = 0; i < value->n; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "%s.%s=%s;", value->settings[i].option->section,
                              value->settings[i].option->key, value->settings[i].text);
    CU_ASSERT_STRING_EQUAL(value->name, name);
    if (strcmp(text, settings) != 0)
        printf("\n  %s: wanted \"%s\", got \"%s\"\n", name, settings, text);
    CU_ASSERT_STRING_EQUAL(text, settings);
}

static void a_point_sets_several_keys_with_blanks_in_their_values(void)
{
    KT_CHECK_STATUS(KT_OK, parse_with(good, 0, NULL));
    CU_ASSERT(space.n_axes == 1 && space.n_points == 3 && space.axes[0].option == NULL && space.start[0] == 0);
    CU_ASSERT_STRING_EQUAL(space.axes[0].name, "point");
    check_point(0, "plain", "optimizer.name=sgd;");
    check_point(1, "adam",
                "optimizer.name=adam;optimizer.learning_rate=0.001;model.hidden=[64, 32];train.batch_size=full;");
    check_point(2, "more_2.x-y+", "data.split=0.8, 0.1, 0.1;data.class_names=a b, c.csv;model.hidden=[];");
    kt_config c;
    char text[40];
    KT_CHECK_STATUS(KT_OK, kt_space_config(&space, 1, 0, 0, &c));
    CU_ASSERT(c.model.hidden.n == 2 && c.model.hidden.values[1] == 32 && c.train.batch_size == KT_BATCH_FULL);
    KT_CHECK_STATUS(KT_OK, kt_space_config(&space, 2, 0, 0, &c)); /* builds on the job */
    CU_ASSERT(c.model.hidden.n == 0 && c.train.batch_size != KT_BATCH_FULL &&
              strcmp(c.data.class_names, "a b, c.csv") == 0);
    kt_space_describe(&space, 1, text, sizeof text);
    CU_ASSERT_STRING_EQUAL(text, "adam");
    kt_space_free(&space);
    CU_ASSERT(space.axes == NULL && space.sizes == NULL);
}

static void points_that_build_on_the_previous_one_add_up(void)
{
    KT_CHECK_STATUS(KT_OK, parse_with(JOB "[sweep]\nbuilds_on = previous\npoint.a = optimizer.name=sgd\n"
                                          "point.b = model.dropout=0.5 train.epochs=7\n"
                                          "point.c = optimizer.name=adam model.dropout=0.25\n",
                                      0, NULL));
    check_point(1, "b", "optimizer.name=sgd;model.dropout=0.5;train.epochs=7;");
    check_point(2, "c", "optimizer.name=adam;model.dropout=0.25;train.epochs=7;");
    kt_space_free(&space);
}

static void named_points_are_an_axis_like_others(void)
{
    KT_CHECK_STATUS(KT_OK, parse_with(JOB "[sweep]\nstrategy = greedy\nmodel.hidden = [8], [9], [10]\n"
                                          "point.a = model.dropout=0.5 train.epochs=7\nrun.seed = 1, 2\n"
                                          "point.b = model.dropout=0.25\n",
                                      0, NULL));
    CU_ASSERT(space.n_axes == 3 && space.n_points == 12 && kt_space_named_axis(&space) == 1);
    for (uint64_t point = 0; point < 12; point++) {
        kt_config c;
        char text[100], wanted[100];
        KT_CHECK_STATUS(KT_OK, kt_space_config(&space, point, 0, 0, &c));
        CU_ASSERT(c.model.hidden.values[0] == 8 + (int64_t)(point / 4) && c.run.seed == 1 + (int64_t)(point % 2));
        CU_ASSERT(c.model.dropout == (point / 2 % 2 == 0 ? 0.5 : 0.25) &&
                  c.train.epochs == (point / 2 % 2 == 0 ? 7 : 200));
        CU_ASSERT(kt_space_has(&space, &c));
        c.optimizer.beta1 = 0.5;
        CU_ASSERT(!kt_space_has(&space, &c));
        kt_space_describe(&space, point, text, sizeof text);
        snprintf(wanted, sizeof wanted, "model.hidden = [%d], %s, run.seed = %d", 8 + (int)(point / 4),
                 point / 2 % 2 == 0 ? "a" : "b", 1 + (int)(point % 2));
        CU_ASSERT_STRING_EQUAL(text, wanted);
    }
    kt_space_free(&space);
}

static void wrong_points_are_refused_with_their_line(void)
{
    static const char *const bad[][2] = {
        {"point.a =\n", "g.ini:5: point.a is empty: must set something"},
        {"point.a = |\n", "g.ini:5: point.a is empty: must set something"},
        {"point.a = adam\n", "g.ini:5: point.a = adam: must be section.key=value, several with blanks between"},
        {"point.a = name=adam\n", "g.ini:5: point.a = name=adam: must be section.key=value"},
        {"point.a = model.dropout=0.5 model.dropout=0.25\n", "g.ini:5: point.a sets model.dropout twice"},
        {"point.a = model.dropot=0.5\n", "g.ini:5: there is no key model.dropot; did you mean model.dropout?"},
        {"point.a = model.dropout=2\n", "g.ini:5: model.dropout = 2: must be"},
        {"point.a = model.dropout=\n", "g.ini:5: model.dropout = : must be"},
        {"point.a = model.dropout= optimizer.name=sgd\n", "g.ini:5: model.dropout = : must be"},
        {"point.a = model.dropout=0.5 0.25\n", "g.ini:5: model.dropout = 0.5 0.25: must be"},
        {"point.a = run.dir=x\n", "g.ini:5: run.dir cannot be swept"},
        {"point.a = model.dropout=0.5\npoint.a = model.dropout=0.25\n",
         "g.ini:6: point.a is set twice, first at g.ini:5"},
        {"point.a = model.dropout=0.5\npoint.b = model.dropout=.50\n",
         "g.ini:6: point.b is the same job as point.a at g.ini:5: must differ"},
        {"builds_on = previous\npoint.a = model.dropout=0.5\npoint.b = model.dropout=0.5\n",
         "g.ini:7: point.b is the same job as point.a at g.ini:6"},
        {"point.a = model.dropout=0.5\nmodel.dropout = 0, 0.1\n",
         "g.ini:5: point.a sets model.dropout, which is an axis, too (g.ini:6): must be one of both"},
        {"point = model.dropout=0.5\n", "g.ini:5: sweep.point has no name: must be point.NAME = "},
        {"point. = model.dropout=0.5\n", "g.ini:5: point.: the name must be of 1 to 32 letters"},
        {"point.a b = model.dropout=0.5\n", "g.ini:5: point.a b: the name must be of 1 to 32 letters"},
        {"point.a234567890123456789012345678901234 = model.dropout=0.5\n", "the name must be of 1 to 32 letters"},
        {"strategy = list\nmodel.dropout = 0\n", "g.ini:5: sweep.strategy = list tries points that have names"},
        {"builds_on = previous\nmodel.dropout = 0\n", "g.ini:5: sweep.builds_on = previous without points"},
        {"seeds = 2\npoint.a = run.seed=3\n", "g.ini:6: run.seed cannot be swept while sweep.seeds = 2 counts it up"},
        {"strategy = halving\npoint.a = train.epochs=3\n",
         "g.ini:6: train.epochs cannot be swept with strategy = halving"},
        {"point.a = model.dropout=0.5\npoint.b = parallel.shards=9\n",
         "g.ini:6: the point b: parallel.shards = 9: must be a power of two"},
        {"", "or points, like point.adam = "},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char text[1000];
        snprintf(text, sizeof text, JOB "[sweep]\n%s", bad[i][0]);
        KT_CHECK_STATUS(KT_CONFIG, parse_with(text, 0, NULL));
        check_words(bad[i][1]);
        CU_ASSERT(space.axes == NULL && space.n_axes == 0);
    }
}

static void the_command_line_sets_points_anew(void)
{
    char *all[] = {"sweep.point.adam=optimizer.name=adam", "sweep.point.new=model.dropout=0.5",
                   "optimizer.name=nesterov"};
    KT_CHECK_STATUS(KT_OK, parse_with(good, 3, all));
    CU_ASSERT(space.n_points == 4);
    check_point(1, "adam", "optimizer.name=adam;");
    check_point(3, "new", "model.dropout=0.5;");
    kt_config c;
    KT_CHECK_STATUS(KT_OK, kt_space_config(&space, 3, 0, 0, &c));
    CU_ASSERT_STRING_EQUAL(kt_optimizers[c.optimizer.kind].name, "nesterov");
    kt_space_free(&space);
    char *useless[] = {"optimizer.name=nesterov"};
    KT_CHECK_STATUS(KT_USAGE, parse_with(JOB "[sweep]\nbuilds_on = previous\npoint.a = optimizer.name=sgd\n"
                                             "point.b = model.dropout=0.5\n",
                                         1, useless));
    check_words("optimizer.name=nesterov would change nothing: every point sets that key itself");
    KT_CHECK_STATUS(KT_CONFIG, parse_with(JOB "[sweep]\npoint.a = model.dropout=2\n", 1, useless));
    CU_ASSERT(strncmp(kt_error_message(), "g.ini:5: ", 9) == 0); /* one mistake, and no consequence of it */
}

static void check_reads_back(void)
{
    char *text, *again;
    kt_space other;
    KT_CHECK_STATUS(KT_OK, kt_space_write(&space, &text));
    KT_CHECK_STATUS(KT_OK, kt_space_parse("again.ini", text, strlen(text), 0, NULL, &other));
    KT_CHECK_STATUS(KT_OK, kt_space_write(&other, &again));
    CU_ASSERT_STRING_EQUAL(text, again);
    CU_ASSERT(other.n_points == space.n_points);
    for (uint64_t point = 0; point < space.n_points; point++) {
        kt_config a, b;
        KT_CHECK_STATUS(KT_OK, kt_space_config(&space, point, 0, 0, &a));
        KT_CHECK_STATUS(KT_OK, kt_space_config(&other, point, 0, 0, &b));
        CU_ASSERT(kt_config_key(&a) == kt_config_key(&b));
    }
    kt_memory_free(text);
    kt_memory_free(again);
    kt_space_free(&other);
}

static void what_is_written_reads_back_the_same(void)
{
    char longest[400];
    char *overrides[] = {"sweep.builds_on=previous", longest};
    KT_CHECK_STATUS(KT_OK, parse_with(good, 0, NULL));
    check_reads_back();
    kt_space_free(&space);
    snprintf(longest, sizeof longest,
             "sweep.point.%032d=data.validation_features=%0155d train.epochs=3 "
             "data.validation_labels=v.npy model.hidden=[1, 2]",
             1, 2);
    KT_CHECK_STATUS(KT_OK, parse_with(good, 2, overrides));
    CU_ASSERT(space.n_points == 4);
    check_reads_back();
    kt_space_free(&space);
}

static void garbage_never_crashes(void)
{
    static const char bytes[] = "[]|,=.;#: \n\t-095aez\"'\x01\xff";
    int n_read = 0;
    srand(11);
    for (int i = 0; i < 3000; i++) {
        char text[sizeof good];
        memcpy(text, good, sizeof good);
        for (int k = 1 + rand() % 3; k > 0; k--)
            text[sizeof JOB + (size_t)rand() % (sizeof good - sizeof JOB - 1)] = bytes[(size_t)rand() % sizeof bytes];
        const kt_status status = kt_space_parse("g.ini", text, sizeof good - 1, 0, NULL, &space);
        CU_ASSERT(status == KT_OK || (status == KT_CONFIG && strncmp(kt_error_message(), "g.ini", 5) == 0));
        if (status == KT_OK && n_read++ % 8 == 0)
            check_reads_back();
        if (status == KT_OK)
            kt_space_free(&space);
    }
    CU_ASSERT(n_read > 100 && n_read < 2900);
}

const kt_test kt_tests[] = {
    {"a point sets several keys, with blanks in their values", a_point_sets_several_keys_with_blanks_in_their_values},
    {"points that build on the previous one add up", points_that_build_on_the_previous_one_add_up},
    {"named points are an axis like others", named_points_are_an_axis_like_others},
    {"wrong points are refused with their line", wrong_points_are_refused_with_their_line},
    {"the command line sets points anew", the_command_line_sets_points_anew},
    {"what is written reads back the same", what_is_written_reads_back_the_same},
    {"garbage never crashes", garbage_never_crashes},
    {NULL, NULL},
};
