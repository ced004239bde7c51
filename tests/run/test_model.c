/* A model that is loaded by ranks on different processors, whose instructions and limits are made up here. */
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
size_t __real_kt_simd_best(void);
size_t __wrap_kt_simd_best(void);
size_t __wrap_kt_simd_best(void)
{
    return last_has_less && is_last() ? KT_N_SIMD - 1 : __real_kt_simd_best();
}

bool __wrap_kt_simd_fuses(void);
bool __wrap_kt_simd_fuses(void)
{
    return !(last_has_less && is_last());
}

kt_status __real_kt_network_measure(const kt_network_spec *spec, const kt_team *team, kt_network_room *out);
kt_status __wrap_kt_network_measure(const kt_network_spec *spec, const kt_team *team, kt_network_room *out);
kt_status __wrap_kt_network_measure(const kt_network_spec *spec, const kt_team *team, kt_network_room *out)
{
    return last_fails && is_last() ? kt_fail(KT_CONFIG, "not on this processor")
                                   : __real_kt_network_measure(spec, team, out);
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
    for (int row = 0; row < KT_N_SIMD; row++)
        if (strcmp(kt_simd_rows[row].name, kernels) == 0)
            config.model.kernels = row + 1;
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

/* Each rank takes the best instructions of its own processor, and all take the same products. */
static void processors_may_differ(void)
{
    kt_model model;
    make_model("auto");
    for (int less = 0; less < 2; less++) {
        last_has_less = less;
        const bool alone_has_less = less && kt_comm_size(kt_test_world) == 1;
        const size_t best = less && is_last() ? KT_N_SIMD - 1 : __real_kt_simd_best();
        KT_CHECK(load("auto", &model) == KT_OK);
        KT_CHECK(kt_network_simd(model.network) == best);
        KT_CHECK(kt_network_products(model.network) ==
                 (alone_has_less ? &kt_products_openblas : kt_products_table[best]));
        kt_model_free(&model);
    }
    last_has_less = false;
}

static void a_training_on_different_processors_gives_the_same_bits(void)
{
    kt_model one, other;
    if (kt_comm_size(kt_test_world) == 1)
        return;
    make_model("auto");
    KT_CHECK(load("auto", &one) == KT_OK);
    last_has_less = true;
    make_model("mixed");
    KT_CHECK(load("mixed", &other) == KT_OK);
    const kt_tensors *a = kt_network_parameters(one.network), *b = kt_network_parameters(other.network);
    KT_CHECK(a->room == b->room && memcmp(a->vector[0], b->vector[0], a->room * sizeof(float)) == 0);
    last_has_less = false;
    kt_model_free(&one);
    kt_model_free(&other);
}

static void the_kernels_of_its_training_do_not_bind_a_model(void)
{
    kt_model model;
    make_model("portable");
    KT_CHECK(load("portable", &model) == KT_OK);
    KT_CHECK(kt_network_simd(model.network) == kt_simd_best());
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
    {"ranks on different processors take the best instructions of each, and the same products", processors_may_differ},
    {"a training on different processors gives the same bits", a_training_on_different_processors_gives_the_same_bits},
    {"the kernels that a model was trained with do not bind it", the_kernels_of_its_training_do_not_bind_a_model},
    {"a network that one rank cannot make is the same sentence on all ranks",
     what_one_rank_cannot_make_is_a_sentence_on_all},
    {"no broadcast of training, loading or data has sent an address", no_broadcast_has_sent_an_address},
    {NULL, NULL},
};
