/* libktrain as a program sees it that trains, and uses what it trained; and as one does that makes every mistake. */
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "edge/linalg.h"
#include "ktrain/ktrain.h"
#include "test.h"

const char *const kt_test_suite = "library";

enum { N = 90, D = 3, N_CLASSES = 3 };

static float x[N][D];
static int32_t labels[N];
static uint8_t parts[N];
static const ktrain_array samples = {KTRAIN_F32, N, D, x};
static const char *const names[N_CLASSES] = {"ten", "eleven", "twelve"};

static void make_samples(void)
{
    for (int i = 0; i < N; i++) {
        labels[i] = i % N_CLASSES;
        parts[i] = (uint8_t)(i < 60 ? KTRAIN_TRAINING : i < 75 ? KTRAIN_VALIDATION : KTRAIN_TEST);
        for (int f = 0; f < D; f++)
            x[i][f] = (float)(f == labels[i]) + 0.1F * (float)(i * (f + 1) % 11);
    }
}

/* Local: CU_ASSERT, and not KT_CHECK, which all ranks must meet. */
static ktrain_config *make_config(const char *run)
{
    ktrain_config *config;
    CU_ASSERT(ktrain_config_create(&config) == KTRAIN_OK);
    CU_ASSERT(ktrain_config_set(config, "run.dir", kt_test_scratch(run)) == KTRAIN_OK);
    CU_ASSERT(ktrain_config_set(config, "model.hidden", "[8]") == KTRAIN_OK);
    CU_ASSERT(ktrain_config_set(config, "train.epochs", "4") == KTRAIN_OK);
    return config;
}

static ktrain_data *make_data(void)
{
    ktrain_data *data;
    make_samples();
    CU_ASSERT(ktrain_data_create(&data, &samples, labels, 0) == KTRAIN_OK);
    CU_ASSERT(ktrain_data_set_parts(data, N, parts) == KTRAIN_OK);
    CU_ASSERT(ktrain_data_set_class_names(data, N_CLASSES, names) == KTRAIN_OK);
    return data;
}

static bool is_root(void)
{
    return kt_comm_rank(kt_test_world) == 0;
}

/* Only rank 0 has something to train by. */
static ktrain_status train(const char *run, ktrain_result **result)
{
    ktrain_config *config = is_root() ? make_config(run) : NULL;
    ktrain_data *data = is_root() ? make_data() : NULL;
    const ktrain_status status = ktrain_train(MPI_COMM_WORLD, config, data, result);
    ktrain_data_free(data);
    ktrain_config_free(config);
    return status;
}

static ktrain_model *trained(const char *run, ktrain_scores *test)
{
    ktrain_result *result;
    ktrain_model *model;
    KT_CHECK(train(run, &result) == KTRAIN_OK);
    KT_CHECK(ktrain_result_scores(result, KTRAIN_TEST, test) == KTRAIN_OK);
    KT_CHECK(ktrain_model_load(ktrain_result_run(result), &model) == KTRAIN_OK);
    ktrain_result_free(result);
    return model;
}

static void all_ranks_get_the_result_of_rank_0s_arrays(void)
{
    ktrain_result *result;
    ktrain_scores scores;
    KT_CHECK(train("result", &result) == KTRAIN_OK);
    KT_CHECK(ktrain_result_epochs(result) == 4);
    KT_CHECK(ktrain_result_best_epoch(result) >= 1);
    KT_CHECK(strcmp(ktrain_result_reason(result), "epochs") == 0);
    KT_CHECK(ktrain_result_seconds(result) > 0);
    KT_CHECK(strcmp(ktrain_result_run(result), kt_test_scratch("result")) == 0);
    KT_CHECK(ktrain_result_scores(result, KTRAIN_TRAINING, &scores) == KTRAIN_OK && scores.samples == 60);
    KT_CHECK(ktrain_result_scores(result, KTRAIN_VALIDATION, &scores) == KTRAIN_OK && scores.samples == 15);
    KT_CHECK(ktrain_result_scores(result, KTRAIN_TEST, &scores) == KTRAIN_OK && scores.samples == 15);
    KT_CHECK(ktrain_result_scores(result, (ktrain_part)-1, &scores) == KTRAIN_USAGE);
    KT_CHECK(ktrain_result_scores(result, KTRAIN_N_PARTS, &scores) == KTRAIN_USAGE);
    ktrain_result_free(result);
}

static void every_rank_may_train_by_itself(void)
{
    char run[32];
    ktrain_result *together, *alone;
    ktrain_scores a, b;
    snprintf(run, sizeof run, "alone-%d", kt_comm_rank(kt_test_world));
    ktrain_config *config = make_config(run);
    ktrain_data *data = make_data();
    KT_CHECK(ktrain_train(MPI_COMM_SELF, config, data, &alone) == KTRAIN_OK);
    KT_CHECK(train("together", &together) == KTRAIN_OK);
    for (int p = 0; p < KTRAIN_N_PARTS; p++) {
        KT_CHECK(ktrain_result_scores(alone, (ktrain_part)p, &a) == KTRAIN_OK);
        KT_CHECK(ktrain_result_scores(together, (ktrain_part)p, &b) == KTRAIN_OK);
        KT_CHECK(memcmp(&a, &b, sizeof a) == 0);
    }
    ktrain_result_free(alone);
    ktrain_result_free(together);
    ktrain_data_free(data);
    ktrain_config_free(config);
}

static void a_model_says_what_it_is(void)
{
    ktrain_scores test;
    ktrain_model *model = trained("says", &test);
    KT_CHECK(ktrain_model_n_inputs(model) == D);
    KT_CHECK(ktrain_model_n_classes(model) == N_CLASSES);
    KT_CHECK(strcmp(ktrain_model_class_name(model, 2), "twelve") == 0);
    KT_CHECK(ktrain_model_class_name(model, N_CLASSES) == NULL);
    KT_CHECK(ktrain_model_scale(model) == 1);
    KT_CHECK(strcmp(ktrain_model_get(model, "model.hidden"), "[8]") == 0);
    KT_CHECK(ktrain_model_get(model, "model.hiden") == NULL);
    ktrain_model_free(model);
}

static void a_model_scores_as_its_training_did(void)
{
    ktrain_scores test, again;
    ktrain_model *model = trained("scores", &test);
    const ktrain_array tail = {KTRAIN_F32, 15, D, x + 75};
    make_samples();
    KT_CHECK(ktrain_model_evaluate(model, &tail, labels + 75, &again) == KTRAIN_OK);
    KT_CHECK(again.samples == 15 && again.accuracy == test.accuracy && again.cross_entropy == test.cross_entropy);
    KT_CHECK(again.macro_f1 == test.macro_f1 && again.balanced_accuracy == test.balanced_accuracy);
    ktrain_model_free(model);
}

static void labels_are_the_most_probable_classes_in_any_number_of_samples(void)
{
    enum { MANY = 700 };
    static float many[MANY][D], p[MANY][N_CLASSES], one[N_CLASSES];
    static int32_t predicted[MANY];
    ktrain_scores test;
    ktrain_model *model = trained("labels", &test);
    const ktrain_array array = {KTRAIN_F32, MANY, D, many}, last = {KTRAIN_F32, 1, D, many[MANY - 1]};
    bool right = true;
    for (int i = 0; i < MANY; i++)
        for (int f = 0; f < D; f++)
            many[i][f] = (float)((i * (7 + f)) % 23) / 23;
    KT_CHECK(ktrain_model_predict(model, &array, p[0]) == KTRAIN_OK);
    KT_CHECK(ktrain_model_predict_labels(model, &array, predicted) == KTRAIN_OK);
    for (int i = 0; i < MANY; i++)
        for (int c = 0; c < N_CLASSES; c++)
            right &= p[i][predicted[i]] >= p[i][c];
    KT_CHECK(right);
    KT_CHECK(ktrain_model_predict(model, &last, one) == KTRAIN_OK);
    KT_CHECK(memcmp(one, p[MANY - 1], sizeof one) == 0);
    ktrain_model_free(model);
}

typedef struct worker {
    ktrain_model *model;
    float p[N][N_CLASSES];
    bool failed;
} worker;

static void *predict_often(void *context)
{
    worker *w = context;
    for (int i = 0; i < 50; i++)
        w->failed |= ktrain_model_predict(w->model, &samples, w->p[0]) != KTRAIN_OK ||
                     ktrain_model_get(w->model, "no.key") != NULL || strstr(ktrain_message(), "no.key") == NULL;
    return NULL;
}

static void two_threads_use_a_model_each(void)
{
    static worker workers[2];
    ktrain_scores test;
    pthread_t thread;
    for (int i = 0; i < 2; i++)
        workers[i].model = trained("threads", &test);
    make_samples();
    KT_CHECK(pthread_create(&thread, NULL, predict_often, &workers[1]) == 0);
    predict_often(&workers[0]);
    pthread_join(thread, NULL);
    KT_CHECK(!workers[0].failed && !workers[1].failed);
    KT_CHECK(memcmp(workers[0].p, workers[1].p, sizeof workers[0].p) == 0);
    for (int i = 0; i < 2; i++)
        ktrain_model_free(workers[i].model);
}

static void the_program_keeps_its_denormals_and_threads(void)
{
    volatile float tiny = 1e-39F, half = 0.5F;
    const int threads = kt_linalg_threads();
    ktrain_result *result;
    KT_CHECK(tiny * half > 0);
    KT_CHECK(train("denormals", &result) == KTRAIN_OK);
    KT_CHECK(tiny * half > 0);
    KT_CHECK(kt_linalg_threads() == threads);
    ktrain_result_free(result);
}

static void a_training_that_is_asked_to_stop_goes_on_by_the_same_call(void)
{
    ktrain_result *result;
    ktrain_scores stopped, straight;
    if (kt_comm_rank(kt_test_world) == kt_comm_size(kt_test_world) - 1)
        ktrain_stop();
    KT_CHECK(train("stopped", &result) == KTRAIN_PREEMPTED);
    KT_CHECK(result == NULL);
    KT_CHECK(strstr(ktrain_message(), "asked to stop") != NULL);
    KT_CHECK(train("stopped", &result) == KTRAIN_OK);
    KT_CHECK(ktrain_result_scores(result, KTRAIN_TEST, &stopped) == KTRAIN_OK);
    ktrain_result_free(result);
    KT_CHECK(train("straight", &result) == KTRAIN_OK);
    KT_CHECK(ktrain_result_scores(result, KTRAIN_TEST, &straight) == KTRAIN_OK);
    KT_CHECK(memcmp(&stopped, &straight, sizeof stopped) == 0);
    ktrain_result_free(result);
}

static void what_rank_0_gives_wrong_all_ranks_hear(void)
{
    ktrain_config *config = make_config("wrong");
    ktrain_result *result;
    KT_CHECK(ktrain_train(MPI_COMM_WORLD, NULL, NULL, &result) == KTRAIN_USAGE);
    KT_CHECK(result == NULL && strstr(ktrain_message(), "config") != NULL);
    KT_CHECK(ktrain_message_rank() == (kt_comm_size(kt_test_world) > 1 ? 0 : -1));
    KT_CHECK((ktrain_message_host()[0] != '\0') == (kt_comm_size(kt_test_world) > 1));
    KT_CHECK(ktrain_train(MPI_COMM_WORLD, config, NULL, &result) == KTRAIN_CONFIG);
    KT_CHECK(strstr(ktrain_message(), "data.features is not set") != NULL);
    KT_CHECK(ktrain_config_set(config, "data.features", kt_test_scratch("none.npy")) == KTRAIN_OK);
    KT_CHECK(ktrain_config_set(config, "data.labels", kt_test_scratch("none.npy")) == KTRAIN_OK);
    KT_CHECK(ktrain_train(MPI_COMM_WORLD, config, NULL, &result) == KTRAIN_NO_INPUT);
    KT_CHECK(ktrain_config_set(config, "run.dir", "") == KTRAIN_OK);
    KT_CHECK(ktrain_train(MPI_COMM_WORLD, config, NULL, &result) == KTRAIN_CONFIG);
    KT_CHECK(strstr(ktrain_message(), "run.dir is empty") != NULL);
    KT_CHECK(ktrain_train(MPI_COMM_WORLD, config, NULL, NULL) == KTRAIN_USAGE);
    KT_CHECK(ktrain_train(MPI_COMM_NULL, config, NULL, &result) == KTRAIN_USAGE);
    ktrain_config_free(config);
}

static void a_null_is_a_sentence(void)
{
    ktrain_config *config;
    ktrain_scores scores;
    ktrain_data *data = make_data();
    ktrain_model *model;
    float p[1];
    KT_CHECK(ktrain_config_create(NULL) == KTRAIN_USAGE);
    KT_CHECK(ktrain_config_read(NULL, &config) == KTRAIN_USAGE && config == NULL);
    KT_CHECK(ktrain_config_read("x.ini", NULL) == KTRAIN_USAGE);
    KT_CHECK(ktrain_config_set(NULL, "run.dir", "x") == KTRAIN_USAGE);
    KT_CHECK(strcmp(ktrain_message(), "ktrain_config_set: argument 1 of (config, key, value) is NULL: must not be") ==
             0);
    KT_CHECK(ktrain_config_get(NULL, "run.dir") == NULL);
    ktrain_config_free(NULL);
    KT_CHECK(ktrain_data_set_parts(data, N, NULL) == KTRAIN_USAGE);
    KT_CHECK(ktrain_data_set_class_names(data, N_CLASSES, NULL) == KTRAIN_USAGE);
    KT_CHECK(ktrain_data_set_class_names(data, N_CLASSES, (const char *[N_CLASSES]){"a"}) == KTRAIN_USAGE);
    KT_CHECK(ktrain_data_set_parts(NULL, N, parts) == KTRAIN_USAGE);
    ktrain_data_free(data);
    KT_CHECK(ktrain_data_create(&data, NULL, labels, 0) == KTRAIN_USAGE && data == NULL);
    KT_CHECK(ktrain_data_create(&data, &samples, NULL, 0) == KTRAIN_USAGE);
    KT_CHECK(ktrain_data_create(NULL, &samples, labels, 0) == KTRAIN_USAGE);
    KT_CHECK(ktrain_data_n_samples(NULL) + ktrain_data_n_features(NULL) + ktrain_data_n_classes(NULL) == 0);
    ktrain_data_free(NULL);
    KT_CHECK(ktrain_model_load(NULL, &model) == KTRAIN_USAGE && model == NULL);
    KT_CHECK(ktrain_model_load("x", NULL) == KTRAIN_USAGE);
    KT_CHECK(ktrain_model_predict(NULL, &samples, p) == KTRAIN_USAGE);
    KT_CHECK(ktrain_model_predict_labels(NULL, &samples, labels) == KTRAIN_USAGE);
    KT_CHECK(ktrain_model_evaluate(NULL, &samples, labels, &scores) == KTRAIN_USAGE);
    KT_CHECK(ktrain_model_n_inputs(NULL) + ktrain_model_n_classes(NULL) == 0 && ktrain_model_scale(NULL) == 0);
    KT_CHECK(ktrain_model_class_name(NULL, 0) == NULL && ktrain_model_get(NULL, "run.dir") == NULL);
    ktrain_model_free(NULL);
    KT_CHECK(ktrain_result_scores(NULL, KTRAIN_TEST, &scores) == KTRAIN_USAGE);
    KT_CHECK(ktrain_result_epochs(NULL) + ktrain_result_best_epoch(NULL) == 0 && ktrain_result_seconds(NULL) == 0);
    KT_CHECK(ktrain_result_reason(NULL)[0] == '\0' && ktrain_result_run(NULL)[0] == '\0');
    ktrain_result_free(NULL);
}

static void refuse_array(ktrain_status expected, ktrain_array array, const int32_t *y, const char *part)
{
    ktrain_data *data;
    KT_CHECK(ktrain_data_create(&data, &array, y, N_CLASSES) == expected);
    KT_CHECK(data == NULL);
    KT_CHECK(strstr(ktrain_message(), part) != NULL);
}

static void arrays_that_cannot_be_are_refused(void)
{
    static const int32_t negative[N] = {[5] = -1}, large[N] = {[7] = N_CLASSES}, zeros[N], huge[N] = {[7] = INT32_MAX};
    ktrain_data *data;
    make_samples();
    refuse_array(KTRAIN_USAGE, (ktrain_array){(ktrain_type)7, N, D, x}, labels, "type is 7");
    refuse_array(KTRAIN_USAGE, (ktrain_array){KTRAIN_F32, 0, D, x}, labels, "0 samples");
    refuse_array(KTRAIN_USAGE, (ktrain_array){KTRAIN_F32, N, 0, x}, labels, "0 features");
    refuse_array(KTRAIN_USAGE, (ktrain_array){KTRAIN_F32, SIZE_MAX, SIZE_MAX, x}, labels, "samples");
    refuse_array(KTRAIN_USAGE, (ktrain_array){KTRAIN_F32, N, D, NULL}, labels, "NULL");
    refuse_array(KTRAIN_DATA, samples, negative, "row 6 is -1");
    refuse_array(KTRAIN_DATA, samples, large, "row 8 is 3");
    x[4][1] = NAN;
    refuse_array(KTRAIN_DATA, samples, labels, "row 5, column 2");
    make_samples();
    KT_CHECK(ktrain_data_create(&data, &samples, zeros, 0) == KTRAIN_DATA);
    KT_CHECK(ktrain_data_create(&data, &samples, huge, 0) == KTRAIN_DATA && data == NULL);
    KT_CHECK(ktrain_data_create(&data, &samples, labels, SIZE_MAX) == KTRAIN_USAGE);
    data = make_data();
    KT_CHECK(ktrain_data_set_parts(data, N - 1, parts) == KTRAIN_USAGE);
    KT_CHECK(ktrain_data_set_class_names(data, N_CLASSES + 1, names) == KTRAIN_USAGE);
    parts[3] = KTRAIN_N_PARTS;
    KT_CHECK(ktrain_data_set_parts(data, N, parts) == KTRAIN_USAGE);
    ktrain_data_free(data);
}

static void samples_that_do_not_fit_a_model_are_refused(void)
{
    static float p[N][N_CLASSES];
    ktrain_scores test;
    ktrain_model *model = trained("fits", &test);
    KT_CHECK(ktrain_model_predict(model, &(ktrain_array){KTRAIN_F32, N, D - 1, x}, p[0]) == KTRAIN_DATA);
    KT_CHECK(strstr(ktrain_message(), "samples of 2 features: must have 3") != NULL);
    KT_CHECK(ktrain_model_predict(model, &(ktrain_array){KTRAIN_F32, 0, D, x}, p[0]) == KTRAIN_USAGE);
    KT_CHECK(ktrain_model_predict(model, NULL, p[0]) == KTRAIN_USAGE);
    KT_CHECK(ktrain_model_predict(model, &samples, NULL) == KTRAIN_USAGE);
    labels[2] = N_CLASSES;
    KT_CHECK(ktrain_model_evaluate(model, &samples, labels, &test) == KTRAIN_DATA);
    x[0][0] = INFINITY;
    KT_CHECK(ktrain_model_predict(model, &samples, p[0]) == KTRAIN_DATA);
    ktrain_model_free(model);
}

/* The first n bytes of a good model's file, of which one is changed; then loaded. */
static void refuse_model(const char *from, size_t n, size_t changed)
{
    unsigned char *bytes;
    size_t n_bytes;
    ktrain_model *model;
    char path[KT_PATH_BYTES];
    KT_CHECK(kt_file_path(path, "%s.%d", from, kt_comm_rank(kt_test_world)) == KT_OK);
    KT_CHECK_STATUS(KT_OK, kt_file_read(from, &bytes, &n_bytes));
    FILE *file = fopen(path, "wb");
    if (changed < n_bytes)
        bytes[changed] ^= 0x10;
    KT_CHECK(file != NULL && fwrite(bytes, 1, n < n_bytes ? n : n_bytes, file) > 0 && fclose(file) == 0);
    free(bytes);
    KT_CHECK(ktrain_model_load(path, &model) == KTRAIN_DATA);
    KT_CHECK(model == NULL && ktrain_message()[0] != '\0');
}

static void what_is_no_model_is_refused(void)
{
    ktrain_scores test;
    ktrain_model *model = trained("model", &test);
    char path[KT_PATH_BYTES];
    ktrain_model_free(model);
    KT_CHECK(kt_file_path(path, "%s/best.h5", kt_test_scratch("model")) == KT_OK);
    refuse_model(path, 1, SIZE_MAX);
    refuse_model(path, 600, SIZE_MAX);
    refuse_model(path, SIZE_MAX, 9);
    refuse_model(path, SIZE_MAX, 2000);
    KT_CHECK(ktrain_model_load(kt_test_source("README.md"), &model) == KTRAIN_DATA);
    KT_CHECK(ktrain_model_load(kt_test_source("docs"), &model) == KTRAIN_NO_INPUT);
    KT_CHECK(ktrain_model_load(kt_test_scratch("none"), &model) == KTRAIN_NO_INPUT);
    KT_CHECK(ktrain_model_load("", &model) == KTRAIN_NO_INPUT);
    KT_CHECK(model == NULL);
}

static void a_configuration_is_set_and_shown_key_by_key(void)
{
    ktrain_config *config = make_config("keys");
    KT_CHECK(strcmp(ktrain_config_get(config, "model.hidden"), "[8]") == 0);
    KT_CHECK(ktrain_config_set(config, "model.hidden", "[8, x]") == KTRAIN_CONFIG);
    KT_CHECK(strcmp(ktrain_config_get(config, "model.hidden"), "[8]") == 0);
    KT_CHECK(ktrain_config_set(config, "optimizer.lr", "1") == KTRAIN_CONFIG);
    KT_CHECK(strstr(ktrain_message(), "learning_rate") != NULL);
    KT_CHECK(ktrain_config_set(config, "", "") == KTRAIN_CONFIG);
    KT_CHECK(ktrain_config_set(config, "run.seed=1", "2") == KTRAIN_CONFIG);
    KT_CHECK(ktrain_config_set(config, ".seed", "2") == KTRAIN_CONFIG);
    KT_CHECK(ktrain_config_set(config, "run.", "2") == KTRAIN_CONFIG);
    KT_CHECK(ktrain_config_set(config, "run.sed", "2") == KTRAIN_CONFIG);
    KT_CHECK(strncmp(ktrain_message(), "ktrain_config_set: there is no key run.sed", 42) == 0);
    KT_CHECK(ktrain_config_get(config, "run") == NULL && ktrain_config_get(config, "") == NULL);
    ktrain_config_free(config);
    KT_CHECK(ktrain_config_read(kt_test_source("jobs/m3.ini"), &config) == KTRAIN_OK);
    KT_CHECK(strcmp(ktrain_config_get(config, "data.scale"), "255") == 0);
    ktrain_config_free(config);
    KT_CHECK(ktrain_config_read(kt_test_source("README.md"), &config) == KTRAIN_CONFIG && config == NULL);
    KT_CHECK(ktrain_config_read(kt_test_scratch("none.ini"), &config) == KTRAIN_NO_INPUT);
}

static void a_library_says_its_version_and_its_statuses(void)
{
    KT_CHECK(strncmp(ktrain_version(), KTRAIN_VERSION, strlen(KTRAIN_VERSION)) == 0);
    KT_CHECK(ktrain_abi() == KTRAIN_ABI);
    KT_CHECK(strcmp(ktrain_status_name(KTRAIN_DATA), "bad data") == 0);
    KT_CHECK(strcmp(ktrain_status_name((ktrain_status)1), "unknown") == 0);
}

const kt_test kt_tests[] = {
    {"a library says its version, its ABI, and what a status is", a_library_says_its_version_and_its_statuses},
    {"a configuration is set and shown key by key, and refuses what it does not take",
     a_configuration_is_set_and_shown_key_by_key},
    {"all ranks get the result of a training on rank 0's arrays", all_ranks_get_the_result_of_rank_0s_arrays},
    {"every rank may train on a communicator of its own, to the same scores", every_rank_may_train_by_itself},
    {"a model says its inputs, classes, names, scale and keys", a_model_says_what_it_is},
    {"a model scores its test part to the bit as its training did", a_model_scores_as_its_training_did},
    {"predicted labels are the most probable classes, in one call or many",
     labels_are_the_most_probable_classes_in_any_number_of_samples},
    {"two threads use a model each, with messages of their own", two_threads_use_a_model_each},
    {"a program keeps its denormal numbers and its BLAS threads", the_program_keeps_its_denormals_and_threads},
    {"a training that was asked to stop goes on by the same call, to the same scores",
     a_training_that_is_asked_to_stop_goes_on_by_the_same_call},
    {"what rank 0 gives wrong all ranks hear, with its rank and host", what_rank_0_gives_wrong_all_ranks_hear},
    {"NULL is refused by every function", a_null_is_a_sentence},
    {"arrays of impossible size, type, label or value are refused", arrays_that_cannot_be_are_refused},
    {"samples that do not fit a model are refused", samples_that_do_not_fit_a_model_are_refused},
    {"a file that is no model, cut short or changed is refused", what_is_no_model_is_refused},
    {NULL, NULL},
};
