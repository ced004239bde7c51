/* The directory of a run: what is taken, what is refused, and where a run goes on. Two programs at once, and whole
 * runs, are tests/e2e/e2e_run_directory.py. */
#include "run/run_directory.h"

#include "base/file.h"
#include "base/intern.h"
#include "base/log.h"
#include "saving/run_view.h"

const char *const kt_test_suite = "run_directory";

static kt_log quiet;

/* A run in the scratch folder, with a checkpoint of each of n steps. */
static void set_up_run(fixture *f, const char *name, int n)
{
    char path[KT_PATH_BYTES];
    set_up(f);
    fill(f);
    quiet = kt_log_create(true);
    quiet.quiet = true; /* but for log.txt */
    quiet.terminal = false;
    f->config.run.dir = kt_intern_text(kt_test_scratch(name));
    if (n < 0)
        return;
    kt_run_directory directory;
    KT_CHECK_STATUS(KT_OK, kt_run_directory_open(&directory, &f->config, &f->data, &quiet));
    for (int step = 1; step <= n; step++) {
        kt_file_path(path, "%s/checkpoints/step-%d.h5", f->config.run.dir, step);
        KT_CHECK_STATUS(KT_OK, kt_checkpoint_write(path, &f->view));
    }
    kt_run_directory_close(&directory);
    kt_log_close_file(&quiet);
}

static const char *in(const fixture *f, const char *name)
{
    char path[KT_PATH_BYTES];
    kt_file_path(path, "%s/%s", f->config.run.dir, name);
    return kt_intern_text(path);
}

static void put(const char *path, const char *text)
{
    KT_CHECK_STATUS(KT_OK, kt_file_replace(path, text, strlen(text)));
}

/* Opens and closes; start[] is where the run goes on ("": at its beginning). */
static kt_status open_run(const fixture *f, char start[KT_PATH_BYTES])
{
    kt_run_directory directory;
    const kt_status status = kt_run_directory_open(&directory, &f->config, &f->data, &quiet);
    kt_file_path(start, "%s", directory.start != NULL ? directory.start_path : "");
    CU_ASSERT((status == KT_OK) == (directory.lock >= 0));
    kt_run_directory_close(&directory);
    kt_log_close_file(&quiet);
    CU_ASSERT(directory.lock == -1 && directory.start == NULL);
    return status;
}

static void check_refused(const fixture *f, kt_status status, const char *words)
{
    char start[KT_PATH_BYTES];
    KT_CHECK_STATUS(status, open_run(f, start));
    CU_ASSERT(kt_test_message(words));
}

static void a_new_directory_is_made_and_begins_at_the_beginning(void)
{
    fixture f;
    char start[KT_PATH_BYTES];
    set_up_run(&f, "new", -1);
    KT_CHECK_STATUS(KT_OK, open_run(&f, start));
    CU_ASSERT(start[0] == '\0');
    CU_ASSERT(kt_file_exists(in(&f, "config.ini")) && kt_file_is_directory(in(&f, "checkpoints")));
    KT_CHECK_STATUS(KT_OK, open_run(&f, start)); /* a start that got no further is as good as none */
    CU_ASSERT(start[0] == '\0');
    tear_down(&f);
}

static void what_is_no_runs_is_refused(void)
{
    fixture f;
    set_up_run(&f, "strangers", -1);
    KT_CHECK_STATUS(KT_OK, kt_file_make_directory(f.config.run.dir));
    put(in(&f, "notes.txt"), "mine");
    check_refused(&f, KT_CONFIG, "is no run's: it holds notes.txt");
    CU_ASSERT(!kt_file_exists(in(&f, "config.ini")) && !kt_file_exists(in(&f, ".lock")));
    f.config.run.dir = kt_intern_text(kt_test_scratch("sweep"));
    KT_CHECK_STATUS(KT_OK, kt_file_make_directory(f.config.run.dir));
    KT_CHECK_STATUS(KT_OK, kt_file_make_directory(in(&f, "trials")));
    check_refused(&f, KT_CONFIG, "holds a sweep");
    tear_down(&f);
}

static void a_run_goes_on_from_its_newest_good_checkpoint(void)
{
    fixture f;
    char start[KT_PATH_BYTES];
    set_up_run(&f, "on", 2);
    KT_CHECK_STATUS(KT_OK, open_run(&f, start));
    CU_ASSERT_STRING_EQUAL(start, in(&f, "checkpoints/step-2.h5"));
    put(in(&f, "checkpoints/step-2.h5"), "damaged");
    KT_CHECK_STATUS(KT_OK, open_run(&f, start));
    CU_ASSERT_STRING_EQUAL(start, in(&f, "checkpoints/step-1.h5"));
    CU_ASSERT(kt_file_exists(in(&f, "checkpoints/step-2.h5.damaged")));
    put(in(&f, "checkpoints/step-1.h5"), "damaged");
    check_refused(&f, KT_DATA, "none of 1 checkpoints is good");
    tear_down(&f);
}

static void a_run_of_other_settings_or_data_is_refused(void)
{
    fixture f;
    set_up_run(&f, "other", 1);
    f.config.run.seed++;
    check_refused(&f, KT_CONFIG, "was made with run.seed = 1, now it is 2");
    f.config.run.seed--;
    f.data.fingerprint++;
    check_refused(&f, KT_DATA, "was made from other data");
    f.data.fingerprint--;
    f.data.split.index[KT_TRAIN][0]++;
    check_refused(&f, KT_DATA, "another split of the data");
    f.config.checkpoint.resume = "never";
    f.config.data.features = in(&f, "history.csv");
    put(f.config.data.features, "1,2");
    check_refused(&f, KT_CONFIG, "cannot be moved aside");
    f.config.checkpoint.resume = "auto";
    check_refused(&f, KT_CONFIG, "is what this run reads, and would write");
    tear_down(&f);
}

static void never_moves_the_earlier_run_aside(void)
{
    fixture f;
    char start[KT_PATH_BYTES], old[KT_PATH_BYTES];
    set_up_run(&f, "never", 1);
    f.config.checkpoint.resume = "never";
    for (int i = 1; i <= 2; i++) {
        KT_CHECK_STATUS(KT_OK, open_run(&f, start));
        kt_file_path(old, "%s.old-%d/config.ini", f.config.run.dir, i);
        CU_ASSERT(start[0] == '\0' && kt_file_exists(old) && kt_file_exists(in(&f, "config.ini")));
    }
    CU_ASSERT(!kt_file_exists(in(&f, "checkpoints/step-1.h5")));
    tear_down(&f);
}

static void a_path_is_where_another_run_begins(void)
{
    fixture f, g;
    char start[KT_PATH_BYTES];
    set_up_run(&f, "from", 1);
    set_up_run(&g, "to", 1);
    g.config.checkpoint.resume = in(&g, "checkpoints/step-1.h5");
    check_refused(&g, KT_CONFIG, "must be another run's");
    g.config.checkpoint.resume = in(&f, "checkpoints/step-2.h5");
    check_refused(&g, KT_NO_INPUT, "there is no such file");
    g.config.checkpoint.resume = in(&f, "model.h5");
    KT_CHECK_STATUS(KT_OK, kt_checkpoint_write_best(g.config.checkpoint.resume, &f.view));
    check_refused(&g, KT_CONFIG, "is a model without the state of its training");
    CU_ASSERT(kt_file_exists(in(&g, "checkpoints/step-1.h5")));
    g.config.checkpoint.resume = in(&f, "checkpoints/step-1.h5");
    for (int i = 0; i < 2; i++) { /* the second start finds a run begun so, without a checkpoint of its own */
        KT_CHECK_STATUS(KT_OK, open_run(&g, start));
        CU_ASSERT_STRING_EQUAL(start, g.config.checkpoint.resume);
        CU_ASSERT(!kt_file_exists(in(&g, "checkpoints/step-1.h5")));
    }
    KT_CHECK_STATUS(KT_OK, kt_checkpoint_write(in(&g, "checkpoints/step-3.h5"), &g.view));
    KT_CHECK_STATUS(KT_OK, open_run(&g, start));
    CU_ASSERT_STRING_EQUAL(start, in(&g, "checkpoints/step-3.h5"));
    tear_down(&f);
    tear_down(&g);
}

static void the_model_of_a_run_is_its_best_or_its_last(void)
{
    fixture f;
    kt_hdf5 *file;
    char path[KT_PATH_BYTES];
    set_up_run(&f, "model", 0);
    const char *dir = f.config.run.dir;
    KT_CHECK_STATUS(KT_NO_INPUT, kt_run_directory_open_model(dir, &quiet, &file, path));
    KT_CHECK_MESSAGE("holds neither best.h5 nor checkpoints");
    const char *const files[] = {in(&f, "checkpoints/step-1.h5"), in(&f, "best.h5")};
    for (int i = 0; i < 2; i++) {
        KT_CHECK_STATUS(KT_OK, kt_checkpoint_write(files[i], &f.view));
        for (int k = 0; k < 2; k++) { /* the directory, and the file itself */
            KT_CHECK_STATUS(KT_OK, kt_run_directory_open_model(k == 0 ? dir : files[i], &quiet, &file, path));
            CU_ASSERT_STRING_EQUAL(path, files[i]);
            kt_hdf5_close(file);
        }
    }
    put(in(&f, "config.ini"), "[train]\nrestore_best = false\n[data]\nfeatures = x\nlabels = y\n");
    KT_CHECK_STATUS(KT_OK, kt_run_directory_open_model(dir, &quiet, &file, path));
    CU_ASSERT_STRING_EQUAL(path, files[0]);
    kt_hdf5_close(file);
    KT_CHECK_STATUS(KT_NO_INPUT, kt_run_directory_open_model(in(&f, "absent"), &quiet, &file, path));
    tear_down(&f);
}

const kt_test kt_tests[] = {
    {"a new directory is made, and begins at the beginning", a_new_directory_is_made_and_begins_at_the_beginning},
    {"what is no run's is refused, and left alone", what_is_no_runs_is_refused},
    {"a run goes on from its newest good checkpoint; damaged ones are set aside",
     a_run_goes_on_from_its_newest_good_checkpoint},
    {"a run of other settings, data or split is refused, and so is one that would write over what it reads",
     a_run_of_other_settings_or_data_is_refused},
    {"never moves the earlier run aside", never_moves_the_earlier_run_aside},
    {"a path is where another run begins, until it has checkpoints of its own", a_path_is_where_another_run_begins},
    {"the model of a run is its best or its last, as it says", the_model_of_a_run_is_its_best_or_its_last},
    {NULL, NULL},
};
