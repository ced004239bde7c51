/* A model that is loaded by ranks on different processors, whose kernels and limits are made up here. */
#include <string.h>

#include "base/file.h"
#include "base/intern.h"
#include "base/memory.h"
#include "broadcasts.h"
#include "run/model.h"
#include "run/run.h"
#include "test.h"

const char *const kt_test_suite = "model";

enum { N_ROWS = 8 };

static bool last_has_less, last_fails; /* of the last rank */

static bool is_last(void)
{
    return kt_comm_rank(kt_test_world) == kt_comm_size(kt_test_world) - 1;
}

/* The linker puts these between the library's calls and its functions (--wrap). */
const kt_kernels *__real_kt_kernels_best(void);
const kt_kernels *__wrap_kt_kernels_best(void);
const kt_kernels *__wrap_kt_kernels_best(void)
{
    return last_has_less && is_last() ? kt_kernels_table[KT_N_SIMD - 1] : __real_kt_kernels_best();
}

kt_status __real_kt_network_pool_bytes(const kt_network_spec *spec, size_t max_rows, size_t *n_bytes, size_t *n);
kt_status __wrap_kt_network_pool_bytes(const kt_network_spec *spec, size_t max_rows, size_t *n_bytes, size_t *n);
kt_status __wrap_kt_network_pool_bytes(const kt_network_spec *spec, size_t max_rows, size_t *n_bytes, size_t *n)
{
    return last_fails && is_last() ? kt_fail(KT_CONFIG, "not on this processor")
                                   : __real_kt_network_pool_bytes(spec, max_rows, n_bytes, n);
}

/* A run of one step of a network of 2 inputs and 2 classes, whose model goes to the scratch folder. */
static void make_model(const char *kernels)
{
    static const char ini[] =
        "[data]\nfeatures = x.csv\nlabels = y.csv\n[model]\nhidden = [3]\n[train]\nmax_steps = 1\n";
    const bool root = kt_comm_rank(kt_test_world) == 0;
    kt_text_buffer x = {0}, y = {0};
    kt_config config;
    kt_log log = kt_log_create(false);
    KT_CHECK_STATUS(KT_OK, kt_config_parse("x.ini", ini, strlen(ini), 0, NULL, &config));
    config.data.features = kt_intern_text(kt_test_scratch("x.csv"));
    config.data.labels = kt_intern_text(kt_test_scratch("y.csv"));
    config.run.dir = kt_intern_text(kt_test_scratch(kernels));
    for (int i = 0; i < 40; i++) {
        kt_text_append(&x, "%d,%d\n", i, i * i % 7);
        kt_text_append(&y, "%d\n", i % 2);
    }
    config.model.kernels = 0;
    while (strcmp(kernels, "auto") != 0 && strcmp(kt_simd_rows[config.model.kernels++].name, kernels) != 0) {
    }
    KT_CHECK((root ? kt_file_replace_text(config.data.features, &x) : KT_OK) == KT_OK);
    KT_CHECK((root ? kt_file_replace_text(config.data.labels, &y) : KT_OK) == KT_OK);
    kt_memory_free(x.bytes);
    kt_memory_free(y.bytes);
    KT_CHECK(kt_run_train(kt_test_world, &config, &log, NULL) == KT_OK);
}

static kt_status load(const char *name, kt_model *model)
{
    kt_log log = kt_log_create(false);
    return kt_model_load(kt_test_world, kt_test_scratch(name), N_ROWS, &log, model);
}

static void all_ranks_take_the_kernels_of_the_least(void)
{
    kt_model model;
    make_model("auto");
    last_has_less = true;
    KT_CHECK(load("auto", &model) == KT_OK);
    KT_CHECK(kt_network_kernels(model.network) == kt_kernels_table[KT_N_SIMD - 1]);
    kt_model_free(&model);
    last_has_less = false;
    KT_CHECK(load("auto", &model) == KT_OK);
    KT_CHECK(kt_network_kernels(model.network) == kt_kernels_best());
    kt_model_free(&model);
}

static void the_kernels_of_its_training_do_not_bind_a_model(void)
{
    kt_model model;
    make_model("portable");
    KT_CHECK(load("portable", &model) == KT_OK);
    KT_CHECK(kt_network_kernels(model.network) == kt_kernels_best());
    kt_model_free(&model);
}

static void what_one_rank_cannot_make_is_a_sentence_on_all(void)
{
    kt_model model;
    make_model("auto");
    last_fails = true;
    KT_CHECK(load("auto", &model) == KT_CONFIG);
    last_fails = false;
    KT_CHECK(strstr(kt_error_message(), "auto") != NULL && strstr(kt_error_message(), "not on this processor") != NULL);
    KT_CHECK(model.network == NULL);
}

const kt_test kt_tests[] = {
    {"ranks on different processors take the kernels of the least of them", all_ranks_take_the_kernels_of_the_least},
    {"the kernels that a model was trained with do not bind it", the_kernels_of_its_training_do_not_bind_a_model},
    {"a network that one rank cannot make is the same sentence on all ranks",
     what_one_rank_cannot_make_is_a_sentence_on_all},
    {"no broadcast of training, loading or data has sent an address", no_broadcast_has_sent_an_address},
    {NULL, NULL},
};
