/* What is said about data that are strange, and that nothing is said about others. */
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "engine/data_check.h"
#include "test.h"

const char *const kt_test_suite = "data_check";

enum { N = 200, D = 4, C = 3 };

static float x[N * D];
static int32_t y[N];

/* One value of each column: 0.1 to 1, in no order. */
static float value(size_t i, size_t j)
{
    return 0.1f + 0.9f * (float)((i * 37 + j * 11) % N) / (N - 1);
}

static void fill(float factor)
{
    for (size_t i = 0; i < N * D; i++)
        x[i] = factor * value(i / D, i % D);
    for (size_t i = 0; i < N; i++)
        y[i] = (int32_t)(i % C);
}

static void round_all(void)
{
    for (size_t i = 0; i < N * D; i++)
        x[i] = (float)(int)x[i];
}

/* The notes on x and y with these keys. The last n_test samples are the test part, of files of their own. */
static kt_notes check(const char *keys, size_t n_test, kt_type test_type)
{
    kt_config config;
    kt_data data = {.set = {.n = N, .d = D, .type = KT_F32, .features = x, .labels = y, .borrowed = true},
                    .own_files[KT_TEST] = {N - n_test, n_test, test_type}};
    kt_notes notes = {.n = 99};
    char text[512];
    int n = snprintf(text, sizeof text, "[data]\nfeatures = x.npy\nlabels = y.npy\n%s%s", keys,
                     n_test > 0 ? "\n[data]\ntest_features = t.npy\ntest_labels = u.npy\n" : "");
    for (size_t i = 0; i < N; i++)
        data.set.n_classes = (size_t)y[i] >= data.set.n_classes ? (size_t)y[i] + 1 : data.set.n_classes;
    data.set.file_type = KT_F32;
    data.set.shape[0] = D;
    KT_CHECK_STATUS(KT_OK, kt_config_parse("x.ini", text, (size_t)n, 0, NULL, &config));
    const size_t parts[KT_N_PARTS] = {N - n_test - 50, 50, n_test};
    KT_CHECK_STATUS(KT_OK, kt_split_allocate(&data.split, parts));
    for (size_t i = 0, p = 0, k = 0; i < N; i++, k++) {
        while (k == parts[p])
            p++, k = 0;
        data.split.index[p][k] = (uint32_t)i;
    }
    KT_CHECK_STATUS(KT_OK, kt_data_check(&data, &config, &notes));
    kt_split_free(&data.split);
    return notes;
}

/* Exactly one, with all these words. */
static void one(const kt_notes *notes, bool warns, const char *a, const char *b, const char *c)
{
    CU_ASSERT(notes->n == 1 && notes->note[0].warns == warns);
    const char *text = notes->note[0].text;
    const bool all = strstr(text, a) != NULL && strstr(text, b) != NULL && strstr(text, c) != NULL;
    CU_ASSERT(all);
    if (notes->n != 1 || !all)
        printf("\n    %zu notes: %s", notes->n, text);
}

static void nothing(void)
{
    fill(1);
    CU_ASSERT(check("", 0, KT_F32).n == 0);
    CU_ASSERT(check("", 60, KT_F32).n == 0);
    CU_ASSERT(check("shuffle = false", 60, KT_F32).n == 0);
    fill(255);
    round_all();
    CU_ASSERT(check("scale = 255", 60, KT_F32).n == 0);
}

static void scales(void)
{
    fill(255);
    round_all();
    kt_notes notes = check("", 0, KT_F32);
    one(&notes, true, "x.npy holds whole numbers from 25 to 255", "below 10", "data.scale = 255");
    fill(1);
    notes = check("scale = 255", 0, KT_F32);
    one(&notes, true, "x.npy ranges from 0.1 to 1", "below 0.0039", "data.scale = 1 ");
    fill(1e6f);
    notes = check("", 0, KT_F32);
    one(&notes, true, "to 1e+06", "larger data.scale", "standard deviation");
    for (size_t i = 0; i < N * D; i++)
        x[i] = 7;
    notes = check("", 0, KT_F32);
    one(&notes, true, "every feature", "is 7", "nothing to tell classes by");
}

static void ranges(void)
{
    fill(1);
    for (size_t i = 0; i < N; i++)
        x[i * D + 2] *= 111;
    kt_notes notes = check("", 0, KT_F32);
    one(&notes, true, "x.npy: column 3 ranges from 12.104 to 111, 3 of 4 columns", "(column 1 from 0.1 to 1)",
        "standard deviation");
    for (size_t i = 0; i < N; i++)
        x[i * D + 2] *= 100; /* one sentence says it */
    notes = check("", 0, KT_F32);
    one(&notes, true, "column 3 ranges from 1210.4 to 11100", "3 of 4 columns", "standard deviation");
    for (size_t i = 0; i < N; i++)
        x[i * D + 2] *= 0.008f; /* 80 times */
    CU_ASSERT(check("", 0, KT_F32).n == 0);
    fill(1);
    for (size_t i = 0; i < N; i++)
        x[i * D + 1] = i == 3 ? 0.001f : 0; /* an image's corner */
    CU_ASSERT(check("", 0, KT_F32).n == 0);
}

static void parts(void)
{
    fill(255);
    round_all();
    for (size_t i = (N - 60) * D; i < N * D; i++)
        x[i] /= 255;
    kt_notes notes = check("scale = 255", 60, KT_F32);
    one(&notes, true, "t.npy (test) ranges from ", "x.npy from 25 to 255", "is it scaled as they were?");
    fill(1);
    for (size_t i = (N - 60) * D; i < N * D; i++)
        x[i] = 0.6f + 0.4f * x[i];
    notes = check("", 60, KT_F32);
    one(&notes, true, "t.npy (test) has mean 0.82", "x.npy 0.5", "the same kind of thing?");
    fill(1);
    notes = check("", 60, KT_U8);
    one(&notes, true, "t.npy (test) holds uint8", "x.npy float32", "");
    for (size_t i = 150 * D; i < N * D; i++)
        x[i] += 3; /* the validation part, and nothing is drawn */
    notes = check("shuffle = false", 0, KT_F32);
    one(&notes, true, "x.npy (validation) ranges from 3.1 to 3.99", "x.npy from 0.1 to 1", "");
    CU_ASSERT(check("", 0, KT_F32).n == 0); /* drawn at random they would be alike */
}

static void classes(void)
{
    fill(1);
    for (size_t i = 0; i < N; i++)
        y[i]++;
    kt_notes notes = check("", 0, KT_F32);
    one(&notes, false, "labels are 1 to 3", "class 0 has no sample", "labels less 1");
    for (size_t i = 0; i < N; i++)
        y[i] = y[i] == 3 ? 100 : y[i];
    notes = check("", 0, KT_F32);
    one(&notes, false, "98 of 101 classes have no training sample", "the first is class 0", "");
    for (size_t i = 0; i < N; i++)
        y[i] = i % 3 == 0 || i == 7 ? 1 : i == 8 || i == 10 ? 2 : 0;
    notes = check("", 0, KT_F32);
    one(&notes, false, "1 of 3 classes have fewer than 5 training samples", "class 2 has 2", "");
    for (size_t i = 0; i < N; i++)
        y[i] = i % 20 == 0 ? 1 : i % 2 == 0 ? 0 : 2;
    CU_ASSERT(check("", 0, KT_F32).n == 0);
    for (size_t i = 0; i < N; i++)
        y[i] = i % 20 == 0 ? 1 : 0;
    notes = check("", 0, KT_F32);
    one(&notes, false, "unbalanced", "train.class_weights = balanced", "");
    CU_ASSERT(check("[train]\nclass_weights = balanced", 0, KT_F32).n == 0);
}

static void files(void)
{
    kt_notes all = {0}, more = {0};
    kt_notes_add(&more, true, "%d", 1);
    for (size_t i = 0; i < 3 * KT_MAX_NOTES; i++)
        kt_notes_join(&all, &more);
    kt_notes_add(&all, false, "too many");
    CU_ASSERT(all.n == KT_MAX_NOTES && all.note[KT_MAX_NOTES - 1].warns);
    char *path = kt_memory_new(2 * KT_NOTE_BYTES, 1);
    CU_ASSERT_FATAL(path != NULL);
    memset(path, 'a', 2 * KT_NOTE_BYTES - 1);
    kt_notes_add(&more, true, "%s", path);
    CU_ASSERT(more.n == 2 && strlen(more.note[1].text) == KT_NOTE_BYTES - 1);
    kt_memory_free(path);
}

const kt_test kt_tests[] = {
    {"ordinary data bring no note", nothing},
    {"inputs that are far too large or too small, or all the same, are told with the key that helps", scales},
    {"columns whose ranges differ a hundredfold are named, but not those that are nearly always 0", ranges},
    {"parts from other files, or not drawn at random, that do not look like the training samples are named", parts},
    {"classes without samples, with few, and much larger ones are told", classes},
    {"a list of notes has a largest length", files},
    {NULL, NULL},
};
