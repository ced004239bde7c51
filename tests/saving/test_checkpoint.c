/* Checkpoints in memory and on disk: everything comes back, damage is found. Local; damage seen by the program is
 * tests/e2e/e2e_checkpoint_damage.py. */
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "saving/checkpoint.h"
#include "saving/checkpoint_file.h"
#include "saving/run_view.h"

const char *const kt_test_suite = "checkpoint";

static bool same(const float *a, const float *b, size_t n)
{
    return memcmp(a, b, n * sizeof *a) == 0;
}

static void check_equal(const fixture *a, const fixture *b)
{
    CU_ASSERT(same(kt_network_parameters(a->network)->vector[0], kt_network_parameters(b->network)->vector[0], a->n));
    CU_ASSERT(same(kt_network_state(a->network)->vector[0], kt_network_state(b->network)->vector[0], a->n_state));
    CU_ASSERT(same(a->view.best.parameters, b->view.best.parameters, a->n));
    CU_ASSERT(same(a->view.best.state, b->view.best.state, a->n_state));
    CU_ASSERT(same(a->view.slots[0], b->view.slots[0], a->n));
    CU_ASSERT(same(a->view.slots[1], b->view.slots[1], a->n));
    CU_ASSERT(memcmp(&a->state, &b->state, sizeof a->state) == 0);
    CU_ASSERT(b->history.n == 3 && b->history.records[2].validation_cross_entropy == 1.0 / 3);
}

static void everything_comes_back(void)
{
    fixture a, b;
    const char *path = kt_test_scratch("all.h5");
    kt_hdf5 *file;
    set_up(&a);
    fill(&a);
    set_up(&b);
    KT_CHECK_STATUS(KT_OK, kt_checkpoint_write(path, &a.view));
    KT_CHECK_STATUS(KT_OK, kt_checkpoint_file_open(path, &file, NULL));
    KT_CHECK_STATUS(KT_OK, kt_checkpoint_read(file, &b.view));
    check_equal(&a, &b);
    kt_split split;
    KT_CHECK_STATUS(KT_OK, kt_checkpoint_read_split(file, &split));
    CU_ASSERT(split.n[KT_TRAIN] == 7 && split.n[KT_TEST] == 1 && split.index[KT_TRAIN][6] == 3);
    kt_split_free(&split);
    kt_checkpoint_head head;
    KT_CHECK_STATUS(KT_OK, kt_checkpoint_read_head(file, path, &head));
    CU_ASSERT(head.data.fingerprint == a.data.fingerprint && head.data.n_in == N_FEATURES &&
              head.data.n_classes == N_CLASSES);
    CU_ASSERT(head.config.data.scale == 3 && head.data.statistics.zero_fraction == 0.75 &&
              head.data.file_type == KT_F64);
    CU_ASSERT(head.n_names == N_CLASSES && strcmp(head.class_names[1], "\xe3\x81\x82") == 0);
    kt_checkpoint_free_head(&head);
    kt_provenance made;
    KT_CHECK_STATUS(KT_OK, kt_checkpoint_read_provenance(file, &made));
    CU_ASSERT(memcmp(&made, &a.provenance, sizeof made) == 0);
    kt_hdf5_close(file);
    tear_down(&a);
    tear_down(&b);
}

static void the_best_weights_of_this_very_epoch_are_stored_once(void)
{
    fixture a, b;
    const char *path = kt_test_scratch("best.h5");
    kt_hdf5 *file;
    set_up(&a);
    fill(&a);
    set_up(&b);
    a.state.stopping.best_epoch = 3;
    a.state.progress.step_in_epoch = 0;
    KT_CHECK_STATUS(KT_OK, kt_checkpoint_write(path, &a.view));
    KT_CHECK_STATUS(KT_OK, kt_checkpoint_file_open(path, &file, NULL));
    CU_ASSERT(!kt_hdf5_has(file, "/best"));
    KT_CHECK_STATUS(KT_OK, kt_checkpoint_read(file, &b.view));
    CU_ASSERT(same(b.view.best.parameters, kt_network_parameters(a.network)->vector[0], a.n));
    kt_hdf5_close(file);
    tear_down(&a);
    tear_down(&b);
}

static void a_model_file_has_weights_but_no_optimizer(void)
{
    fixture a;
    const char *path = kt_test_scratch("model.h5");
    kt_hdf5 *file;
    float weight[N_FEATURES * 5];
    set_up(&a);
    fill(&a);
    KT_CHECK_STATUS(KT_OK, kt_checkpoint_write_best(path, &a.view));
    KT_CHECK_STATUS(KT_OK, kt_checkpoint_file_open(path, &file, NULL));
    CU_ASSERT(!kt_hdf5_has(file, "/optimizer") && !kt_hdf5_has(file, "/best"));
    KT_CHECK_STATUS(KT_OK,
                    kt_hdf5_read_into(file, "/model/dense1/weight", KT_F32, 2, (size_t[]){5, N_FEATURES}, weight));
    for (size_t e = 0; e < N_FEATURES * 5; e++) { /* of the best parameters; as [out, in], in panels in memory */
        CU_ASSERT(weight[e] == 100 + (float)e / 128);
        CU_ASSERT(weight[e] == a.view.best.parameters[e % N_FEATURES * KT_PANEL + e / N_FEATURES]);
    }
    CU_ASSERT(kt_hdf5_has(file, "/model/output/bias"));
    kt_hdf5_close(file);
    tear_down(&a);
}

/* The file with byte `at` flipped, or cut there, must be refused before HDF5 sees it. */
static void check_damage(const unsigned char *bytes, size_t n, size_t at, bool cut)
{
    const char *path = kt_test_scratch("damaged.h5");
    unsigned char *copy = kt_memory_new(n, 1);
    kt_hdf5 *file;
    memcpy(copy, bytes, n);
    copy[at] ^= 0x40;
    KT_CHECK_STATUS(KT_OK, kt_file_replace(path, cut ? bytes : copy, cut ? at : n));
    CU_ASSERT(kt_checkpoint_file_open(path, &file, NULL) == KT_DATA);
    CU_ASSERT_PTR_NULL(file);
    CU_ASSERT(strstr(kt_error_message(), "damaged") != NULL ||
              strstr(kt_error_message(), "not a ktrain checkpoint") != NULL);
    kt_memory_free(copy);
}

static void every_flipped_or_missing_byte_is_found(void)
{
    fixture a;
    const char *path = kt_test_scratch("good.h5");
    unsigned char *bytes;
    size_t n;
    set_up(&a);
    fill(&a);
    KT_CHECK_STATUS(KT_OK, kt_checkpoint_write(path, &a.view));
    KT_CHECK_STATUS(KT_OK, kt_file_read(path, &bytes, &n));
    for (size_t at = 0; at < 600 && at < n; at += at < 520 ? 13 : 1)
        check_damage(bytes, n, at, false);
    for (size_t at = 0; at < n; at += n / 23) {
        check_damage(bytes, n, at, false);
        check_damage(bytes, n, at, true);
    }
    check_damage(bytes, n, n - 1, true);
    kt_memory_free(bytes);
    tear_down(&a);
}

static void the_newest_are_listed_first_and_kept(void)
{
    char(*paths)[KT_PATH_BYTES];
    size_t n;
    char directory[KT_PATH_BYTES], path[KT_PATH_BYTES];
    kt_file_path(directory, "%s", kt_test_scratch("list"));
    KT_CHECK_STATUS(KT_OK, kt_file_make_directory(directory));
    static const char *const names[] = {"step-9.h5", "step-0000000010.h5", "step-2.h5",        "step-x.h5",
                                        "other.h5",  "step-5.h5.tmp.123",  "step-7.h5.damaged"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        kt_file_path(path, "%s/%s", directory, names[i]);
        KT_CHECK_STATUS(KT_OK, kt_file_replace(path, "", 0));
    }
    KT_CHECK_STATUS(KT_OK, kt_checkpoint_file_list(directory, &n, &paths));
    CU_ASSERT(n == 3 && strstr(paths[0], "0010.h5") != NULL && strstr(paths[2], "step-2.h5") != NULL);
    kt_memory_free(paths);
    KT_CHECK_STATUS(KT_OK, kt_checkpoint_file_prune(directory, 2));
    KT_CHECK_STATUS(KT_OK, kt_checkpoint_file_list(directory, &n, &paths));
    CU_ASSERT(n == 2 && strstr(paths[1], "step-9.h5") != NULL);
    kt_memory_free(paths);
    kt_file_path(path, "%s/step-5.h5.tmp.123", directory);
    CU_ASSERT(!kt_file_exists(path));
    kt_file_path(path, "%s/other.h5", directory);
    CU_ASSERT(kt_file_exists(path));
    KT_CHECK_STATUS(KT_OK, kt_checkpoint_file_list(kt_test_scratch("absent"), &n, &paths));
    CU_ASSERT(n == 0);
}

const kt_test kt_tests[] = {
    {"everything comes back from a checkpoint", everything_comes_back},
    {"the best weights of this very epoch are stored once", the_best_weights_of_this_very_epoch_are_stored_once},
    {"a model file has weights but no optimizer state", a_model_file_has_weights_but_no_optimizer},
    {"every flipped or missing byte is found", every_flipped_or_missing_byte_is_found},
    {"the newest are listed first and kept, leftovers removed", the_newest_are_listed_first_and_kept},
    {NULL, NULL},
};
