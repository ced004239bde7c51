/* What a run learns from, on any number of ranks: small CSV files written here. */
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "base/file.h"
#include "base/intern.h"
#include "base/memory.h"
#include "base/text.h"
#include "broadcasts.h"
#include "engine/data.h"
#include "test.h"

const char *const kt_test_suite = "data";

static char directory[KT_PATH_BYTES];

static const char *inside(const char *name)
{
    char path[KT_PATH_BYTES];
    kt_file_path(path, "%s/%s", directory, name);
    return kt_intern_text(path);
}

/* n samples of two features, sample i of class classes[i % n_classes]; rank 0 writes. */
static void write_files(const char *name, size_t n, size_t n_classes, const int *classes)
{
    kt_text_buffer x = {0}, y = {0};
    char path[KT_PATH_BYTES], *text;
    for (size_t i = 0; i < n; i++) {
        kt_text_append(&x, "%zu,%g\n", i, 0.5 * (double)i);
        kt_text_append(&y, "%d\n", classes[i % n_classes]);
    }
    kt_text_buffer *const buffers[] = {&x, &y};
    for (size_t k = 0; k < 2; k++) {
        size_t n_bytes = buffers[k]->n;
        KT_CHECK_STATUS(KT_OK, kt_text_take(buffers[k], &text));
        kt_file_path(path, "%s/%s_%c.csv", directory, name, k == 0 ? 'x' : 'y');
        KT_CHECK_STATUS(KT_OK, kt_file_replace(path, text, n_bytes));
        kt_memory_free(text);
    }
}

static const char ini[] = "[data]\nfeatures = main_x.csv\nlabels = main_y.csv\nsplit = 0.5, 0.25, 0.25\n";

/* The files beside each other in the scratch folder; paths by a config edited in place. */
static kt_status load(bool with_test_files, kt_data *data)
{
    static const int two[] = {0, 1};
    static const int three[] = {0, 1, 2};
    kt_config config;
    snprintf(directory, sizeof directory, "%s", kt_test_scratch(""));
    if (kt_comm_rank(kt_test_world) == 0) {
        write_files("main", 40, 2, two);
        write_files("test", 6, 2, two);
        write_files("more", 6, 3, three);
    }
    kt_config_parse("x.ini", ini, strlen(ini), 0, NULL, &config);
    config.data.features = inside("main_x.csv");
    config.data.labels = inside("main_y.csv");
    if (with_test_files) {
        config.data.test_features = inside("test_x.csv");
        config.data.test_labels = inside("test_y.csv");
    }
    return kt_data_load(kt_test_world, &config, data);
}

static void every_rank_has_the_same_samples_and_parts(void)
{
    kt_data data;
    KT_CHECK(load(false, &data) == KT_OK);
    KT_CHECK(data.set.n == 40 && data.set.d == 2 && data.set.n_classes == 2);
    KT_CHECK(data.split.n[KT_TRAIN] == 20 && data.split.n[KT_VALIDATION] == 10 && data.split.n[KT_TEST] == 10);
    KT_CHECK(kt_dataset_fingerprint(&data.set) == data.fingerprint);
    int64_t sum = 0;
    for (size_t i = 0; i < 20; i++)
        sum += (int64_t)(i + 1) * data.split.index[KT_TRAIN][i];
    int64_t total = sum;
    kt_comm_sum_i64(kt_test_world, &total, 1);
    KT_CHECK(total == sum * kt_comm_size(kt_test_world));
    kt_data_free(&data);
}

/* The labels' file has whole numbers only. */
static void every_rank_keeps_whole_numbers_as_bytes(void)
{
    kt_data data;
    kt_config config;
    KT_CHECK(load(false, &data) == KT_OK);
    kt_data_free(&data);
    kt_config_parse("x.ini", ini, strlen(ini), 0, NULL, &config);
    config.data.features = config.data.labels = inside("main_y.csv");
    KT_CHECK_STATUS(KT_OK, kt_data_load(kt_test_world, &config, &data));
    KT_CHECK(data.set.d == 1 && data.set.type == KT_U8 && data.set.narrowed && data.set.file_type != KT_U8);
    for (size_t i = 0; i < 40; i++)
        KT_CHECK(((const uint8_t *)data.set.features)[i] == i % 2);
    KT_CHECK(kt_dataset_fingerprint(&data.set) == data.fingerprint);
    kt_data_free(&data);
}

/* One copy: what rank 0 puts there, the others have. All ranks of a test are on one host. */
static void the_ranks_of_a_host_share_the_samples(void)
{
    kt_data data;
    bool several = kt_comm_size(kt_test_world) > 1;
    KT_CHECK(load(false, &data) == KT_OK);
    KT_CHECK(data.set.borrowed == several && (data.pool != NULL) == several);
    kt_comm_barrier(kt_test_world);
    if (kt_comm_rank(kt_test_world) == 0) {
        *(float *)data.set.features = -77;
        data.set.labels[39] = 55;
    }
    kt_comm_barrier(kt_test_world);
    KT_CHECK(*(const float *)data.set.features == -77 && data.set.labels[39] == 55);
    kt_data_free(&data);
}

static void without_room_for_that_each_rank_has_a_copy(void)
{
    kt_data data;
    struct rlimit limit;
    getrlimit(RLIMIT_FSIZE, &limit);
    setrlimit(RLIMIT_FSIZE, &(struct rlimit){1 << 20, limit.rlim_max}); /* shared memory is a larger file */
    kt_status status = load(false, &data);
    setrlimit(RLIMIT_FSIZE, &limit);
    KT_CHECK(status == KT_OK);
    KT_CHECK(data.pool == NULL && !data.set.borrowed);
    KT_CHECK(kt_dataset_fingerprint(&data.set) == data.fingerprint);
    kt_data_free(&data);
}

static void files_of_their_own_replace_a_part(void)
{
    kt_data data;
    KT_CHECK(load(true, &data) == KT_OK);
    KT_CHECK(data.set.n == 46 && data.split.n[KT_TEST] == 6 && data.split.index[KT_TEST][0] == 40);
    KT_CHECK(data.split.n[KT_TRAIN] + data.split.n[KT_VALIDATION] == 40);
    KT_CHECK(((const float *)data.set.features)[2 * 41] == 1);
    kt_data_free(&data);
}

static void a_class_that_is_only_tested_is_refused_on_every_rank(void)
{
    kt_data data;
    kt_config config;
    KT_CHECK(load(false, &data) == KT_OK);
    kt_data_free(&data);
    kt_config_parse("x.ini", ini, strlen(ini), 0, NULL, &config);
    config.data.features = inside("main_x.csv");
    config.data.labels = inside("main_y.csv");
    config.data.test_features = inside("more_x.csv");
    config.data.test_labels = inside("more_y.csv");
    KT_CHECK(kt_data_load(kt_test_world, &config, &data) == KT_DATA);
    KT_CHECK(strstr(kt_error_message(), "class 2 has 2 test samples but none to train on") != NULL);
    KT_CHECK(data.set.features == NULL && data.split.index[0] == NULL);
}

static void an_unlabelled_file_is_all_test(void)
{
    kt_data data;
    char path[KT_PATH_BYTES];
    KT_CHECK(load(false, &data) == KT_OK);
    kt_data_free(&data);
    kt_file_path(path, "%s/test_x.csv", directory);
    KT_CHECK(kt_data_load_file(kt_test_world, path, NULL, NULL, &data) == KT_OK);
    KT_CHECK(data.set.n == 6 && data.set.labels == NULL && data.split.n[KT_TEST] == 6 && data.split.n[KT_TRAIN] == 0);
    kt_data_free(&data);
}

/* Loaded with this seed, and seen so from data that were loaded with another: the same parts. */
static void check_view(bool with_test_files, const kt_data *data, int64_t seed, const char *fractions)
{
    kt_data view;
    kt_config config;
    char text[256];
    int n = snprintf(text, sizeof text,
                     "[data]\nfeatures = main_x.csv\nlabels = main_y.csv\nsplit = %s\nsplit_seed = %lld\n%s", fractions,
                     (long long)seed, with_test_files ? "test_features = test_x.csv\ntest_labels = test_y.csv\n" : "");
    KT_CHECK_STATUS(KT_OK, kt_config_parse("x.ini", text, (size_t)n, 0, NULL, &config));
    KT_CHECK_STATUS(KT_OK, kt_data_view(data, &config, &view));
    KT_CHECK(view.set.features == data->set.features && view.fingerprint == data->fingerprint);
    double parts[KT_N_PARTS];
    kt_split expected;
    for (int p = 0; p < KT_N_PARTS; p++)
        parts[p] = config.split.fractions.values[p];
    if (with_test_files) {
        parts[KT_TRAIN] /= 1 - parts[KT_TEST];
        parts[KT_VALIDATION] /= 1 - parts[KT_TEST];
        parts[KT_TEST] = 0;
    }
    const kt_split_spec spec = {{.n = KT_N_PARTS, .values = parts}, seed, true, true};
    KT_CHECK_STATUS(KT_OK, kt_split_create(&expected, 40, data->set.labels, 2, &spec));
    for (int p = 0; p < (with_test_files ? KT_TEST : KT_N_PARTS); p++)
        KT_CHECK(view.split.n[p] == expected.n[p] &&
                 memcmp(view.split.index[p], expected.index[p], expected.n[p] * sizeof *expected.index[p]) == 0);
    KT_CHECK(!with_test_files || (view.split.n[KT_TEST] == 6 && view.split.index[KT_TEST][0] == 40));
    kt_split_free(&expected);
    kt_data_free(&view);
}

static void loaded_data_can_be_seen_with_any_split(void)
{
    kt_data data, view;
    kt_config config;
    for (int with_test_files = 0; with_test_files < 2; with_test_files++) {
        KT_CHECK(load(with_test_files, &data) == KT_OK);
        for (int64_t seed = 1; seed < 5; seed++) {
            check_view(with_test_files, &data, seed, "0.5, 0.25, 0.25");
            check_view(with_test_files, &data, seed, "0.6, 0.2, 0.2");
        }
        kt_config_parse("x.ini", ini, strlen(ini), 0, NULL, &config);
        config.data.scale = 1e-30;
        KT_CHECK(kt_data_view(&data, &config, &view) == KT_CONFIG && view.set.features == NULL);
        KT_CHECK(data.set.n >= 40 && data.split.n[KT_TRAIN] > 0); /* what was viewed is still there */
        kt_data_free(&data);
    }
}

static void every_rank_knows_the_names_of_classes(void)
{
    kt_data data;
    kt_config config;
    char path[KT_PATH_BYTES];
    KT_CHECK(load(false, &data) == KT_OK);
    kt_data_free(&data);
    kt_file_path(path, "%s/names.csv", directory);
    if (kt_comm_rank(kt_test_world) == 0)
        KT_CHECK_STATUS(KT_OK, kt_file_replace(path, "index,name\n0,left\n1,right hand\n", 31));
    kt_config_parse("x.ini", ini, strlen(ini), 0, NULL, &config);
    config.data.features = inside("main_x.csv");
    config.data.labels = inside("main_y.csv");
    config.data.class_names = inside("names.csv");
    KT_CHECK(kt_data_load(kt_test_world, &config, &data) == KT_OK);
    KT_CHECK(data.set.class_names != NULL && strcmp(data.set.class_names[0], "left") == 0 &&
             strcmp(data.set.class_names[1], "right hand") == 0);
    kt_data_free(&data);
}

const kt_test kt_tests[] = {
    {"every rank has the same samples and parts", every_rank_has_the_same_samples_and_parts},
    {"every rank keeps whole numbers as bytes", every_rank_keeps_whole_numbers_as_bytes},
    {"the ranks of a host share the samples", the_ranks_of_a_host_share_the_samples},
    {"without room for that each rank has a copy", without_room_for_that_each_rank_has_a_copy},
    {"files of their own replace a part", files_of_their_own_replace_a_part},
    {"a class that is only tested is refused on every rank", a_class_that_is_only_tested_is_refused_on_every_rank},
    {"an unlabelled file is all test", an_unlabelled_file_is_all_test},
    {"loaded data can be seen with any split", loaded_data_can_be_seen_with_any_split},
    {"every rank knows the names of classes", every_rank_knows_the_names_of_classes},
    {"no broadcast has sent an address", no_broadcast_has_sent_an_address},
    {NULL, NULL},
};
