/* Data sets from files, good and bad. */
#include "test.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "input/dataset_private.h"

/* ---- arrays as npy files ---- */

static const char *put(const char *name, kt_type type, size_t n_dims, const size_t *dims, const void *data)
{
    static const char *const descr[KT_N_TYPES] = {
        [KT_BOOL] = "|b1", [KT_I8] = "|i1",  [KT_U8] = "|u1",  [KT_I32] = "<i4",
        [KT_I64] = "<i8",  [KT_U64] = "<u8", [KT_F32] = "<f4", [KT_F64] = "<f8",
    };
    unsigned char bytes[20000] = {0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0, 246, 0};
    char *header = (char *)bytes + 10, shape[128] = "";
    size_t count = kt_type_bytes(type);
    for (size_t i = 0; i < n_dims; i++) {
        size_t used = strlen(shape);
        snprintf(shape + used, sizeof shape - used, "%zu,", dims[i]);
        count *= dims[i];
    }
    int n = snprintf(header, 246, "{'descr': '%s', 'fortran_order': False, 'shape': (%s)}", descr[type], shape);
    memset(header + n, ' ', 246 - (size_t)n);
    CU_ASSERT_FATAL(256 + count <= sizeof bytes);
    if (count > 0)
        memcpy(bytes + 256, data, count);
    const char *path = kt_test_scratch(name);
    KT_CHECK_STATUS(KT_OK, kt_file_replace(path, bytes, 256 + count));
    return path;
}

#define SHAPE(...)                                               \
    sizeof((size_t[]){__VA_ARGS__}) / sizeof(size_t), (size_t[]) \
    {                                                            \
        __VA_ARGS__                                              \
    }

static const char *put_text(const char *name, const char *text)
{
    const char *path = kt_test_scratch(name);
    KT_CHECK_STATUS(KT_OK, kt_file_replace(path, text, strlen(text)));
    return path;
}

static const uint8_t bytes[12] = {0, 1, 2, 3, 250, 255, 6, 7, 8, 9, 0, 11};
static const int32_t plain[3] = {2, 0, 4};

static const char *features(void)
{
    return put("x.npy", KT_U8, SHAPE(3, 4), bytes);
}

static void refuse(const char *x, const char *y, const char *names, const char *words)
{
    kt_dataset set = {.n = 7};
    KT_CHECK_STATUS(KT_DATA, kt_dataset_read(x, y, names, NULL, &set));
    CU_ASSERT(kt_test_message(words) && set.n == 0 && set.features == NULL && set.labels == NULL &&
              set.class_names == NULL);
}

/* ---- features ---- */

static void shapes(void)
{
    static const struct {
        size_t n_dims, dims[4], d, shape[2];
    } rows[] = {
        {2, {3, 4}, 4, {4, 0}}, {3, {3, 2, 2}, 4, {2, 2}}, {4, {3, 4, 1, 1}, 4, {4, 1}}, {2, {12, 1}, 1, {1, 0}}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        kt_dataset set;
        KT_CHECK_STATUS(
            KT_OK, kt_dataset_read(put("x.npy", KT_U8, rows[i].n_dims, rows[i].dims, bytes), NULL, NULL, NULL, &set));
        CU_ASSERT(set.n == rows[i].dims[0] && set.d == rows[i].d &&
                  memcmp(set.shape, rows[i].shape, sizeof set.shape) == 0);
        CU_ASSERT(set.type == KT_U8 && memcmp(set.features, bytes, sizeof bytes) == 0 && set.labels == NULL &&
                  set.n_classes == 0);
        kt_dataset_free(&set);
    }
    refuse(put("x.npy", KT_U8, SHAPE(12), bytes), NULL, NULL, "one sample of 12 features is (1, 12)");
    refuse(put("x.npy", KT_U8, SHAPE(1, 2, 2, 3), bytes), NULL, NULL, "(1, 2, 2, 3)");
    refuse(put("x.npy", KT_U8, SHAPE(0, 4), bytes), NULL, NULL, "no sample");
    refuse(put("x.npy", KT_U8, SHAPE(4, 0), bytes), NULL, NULL, "no feature");
}

static void types(void)
{
    const int64_t wide[4] = {-3, 0, 1ll << 60, 5};
    const double doubles[4] = {-0.1, 3e38, 1e-300, 7};
    const uint8_t bools[4] = {0, 1, 7, 0};
    kt_dataset set;
    KT_CHECK_STATUS(KT_OK, kt_dataset_read(put("x.npy", KT_I64, SHAPE(2, 2), wide), "", "", NULL, &set));
    CU_ASSERT(set.type == KT_F32 && set.file_type == KT_I64);
    for (size_t i = 0; i < 4 && set.features != NULL; i++)
        CU_ASSERT(((float *)set.features)[i] == (float)wide[i]);
    kt_dataset_free(&set);
    KT_CHECK_STATUS(KT_OK, kt_dataset_read(put("x.npy", KT_F64, SHAPE(2, 2), doubles), NULL, NULL, NULL, &set));
    for (size_t i = 0; i < 4 && set.features != NULL; i++)
        CU_ASSERT(((float *)set.features)[i] == (float)doubles[i]);
    kt_dataset_free(&set);
    KT_CHECK_STATUS(KT_OK, kt_dataset_read(put("x.npy", KT_BOOL, SHAPE(2, 2), bools), NULL, NULL, NULL, &set));
    CU_ASSERT(set.type == KT_U8 && set.file_type == KT_BOOL && memcmp(set.features, "\0\1\1\0", 4) == 0);
    kt_dataset_free(&set);
}

static void not_finite(void)
{
    float floats[6] = {0, 1, 2, 3, NAN, 5};
    double doubles[6] = {0, 1, 2, 3, 4, 1e39};
    refuse(put("x.npy", KT_F32, SHAPE(2, 3), floats), NULL, NULL, "row 2, column 2 is nan");
    floats[4] = -INFINITY;
    refuse(put("x.npy", KT_F32, SHAPE(3, 2), floats), NULL, NULL, "row 3, column 1 is -inf");
    refuse(put("x.npy", KT_F64, SHAPE(2, 3), doubles), NULL, NULL, "row 2, column 3 is 1e+39");
    refuse(put_text("x.csv", ",a,b\n0,1,2\n1,nan,3\n"), NULL, NULL, "line 3, column 2 (\"a\") is nan; finite");
    refuse(put_text("x.csv", "1,2\n3,1e39\n"), NULL, NULL, "line 2, column 2 is 1e+39; finite");
    refuse(features(), put_text("y.csv", "class\n0\ninf\n1\n"), NULL, "line 3, column 1 (\"class\") is inf; finite");
}

/* ---- labels ---- */

/* Whatever was left out before it, a column has the number that it has in the file. */
static void numbers_of_columns(void)
{
    kt_dataset set;
    KT_CHECK_STATUS(
        KT_OK, kt_dataset_read(put_text("x.csv", ",a,b\n0,1,1700000000\n1,2,1700000001\n"), NULL, NULL, NULL, &set));
    CU_ASSERT(set.d == 2 && set.n_left_out == 1 && set.notes.n == 3);
    if (set.notes.n == 3)
        CU_ASSERT(strstr(set.notes.note[2].text, "x.csv: column 3 (1 such in all)") != NULL);
    kt_dataset_free(&set);
    refuse(features(), put_text("y.csv", ",a,b\n0,1,0\n1,0,1\n2,0,2\n"), NULL, "row 3, column 3 is 2");
}

static void label_forms(void)
{
    const uint8_t small[3] = {2, 0, 4};
    const int64_t wide[3] = {2, 0, 4};
    const double whole[3] = {2.0, -0.0, 4.0};
    const float hot[15] = {[2] = 1, [5] = 1, [14] = 1};
    const struct {
        kt_type type;
        size_t n_dims, dims[2];
        const void *data;
    } rows[] = {{KT_I32, 1, {3}, plain}, {KT_U8, 1, {3}, small},  {KT_I64, 2, {3, 1}, wide},
                {KT_U64, 1, {3}, wide},  {KT_F64, 1, {3}, whole}, {KT_F32, 2, {3, 5}, hot}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        kt_dataset set;
        KT_CHECK_STATUS(KT_OK, kt_dataset_read(features(),
                                               put("y.npy", rows[i].type, rows[i].n_dims, rows[i].dims, rows[i].data),
                                               NULL, NULL, &set));
        CU_ASSERT(set.n_classes == 5 && set.labels != NULL && memcmp(set.labels, plain, sizeof plain) == 0);
        size_t counts[5] = {9, 9, 9, 9, 9};
        kt_dataset_class_counts(&set, NULL, 0, counts);
        CU_ASSERT(counts[0] == 1 && counts[1] == 0 && counts[2] == 1 && counts[3] == 0 && counts[4] == 1);
        kt_dataset_class_counts(&set, (uint32_t[]){2, 2}, 2, counts);
        CU_ASSERT(counts[0] == 0 && counts[4] == 2);
        kt_dataset_free(&set);
    }
}

static void row_of_labels(void)
{
    kt_dataset set;
    KT_CHECK_STATUS(
        KT_OK, kt_dataset_read(features(), put("y.npy", KT_F64, SHAPE(1, 3), ((double[]){4, 0, 2})), NULL, NULL, &set));
    CU_ASSERT(set.n_classes == 5 && set.labels != NULL && set.labels[0] == 4 && set.labels[2] == 2);
    kt_dataset_free(&set);
    const char *one = put("one.npy", KT_U8, SHAPE(1, 4), bytes);
    KT_CHECK_STATUS(KT_OK, kt_dataset_read(one, put("y.npy", KT_U8, SHAPE(1, 3), "\0\0\1"), NULL, NULL, &set));
    CU_ASSERT(set.n == 1 && set.n_classes == 3 && set.labels != NULL && set.labels[0] == 2); /* one-hot */
    kt_dataset_free(&set);
    refuse(features(), put("y.npy", KT_I32, SHAPE(1, 2), plain), NULL, "2 labels, but");
    refuse(put("t.npy", KT_U8, SHAPE(4, 3), bytes), put("y.npy", KT_I32, SHAPE(1, 3), plain), NULL,
           "shape (4, 3), 4 samples: it looks transposed");
    KT_CHECK_MESSAGE("kdata convert --transpose");
}

/* The warning of features of 3 rows and 2 columns, or "". */
static const char *warning(kt_type type, const void *values)
{
    static char text[KT_NOTE_BYTES];
    kt_dataset set;
    KT_CHECK_STATUS(KT_OK, kt_dataset_read(put("p.npy", type, SHAPE(3, 2), values), NULL, NULL, NULL, &set));
    snprintf(text, sizeof text, "%s", set.notes.n > 0 && set.notes.note[0].warns ? set.notes.note[0].text : "");
    kt_dataset_free(&set);
    return text;
}

static void precision(void)
{
    const int64_t times[] = {1, 1700000000, 2, 1700000003, 3, 1700000006};
    const int64_t large[] = {(1ll << 60) + 1, 0, (1ll << 60) + 2, 0, (1ll << 60) + 3, 0};
    const int64_t even[] = {1 << 25, 5, (1 << 25) + 4, 5, (1 << 25) + 8, 5}; /* float32 has them all */
    const int64_t years[] = {1500000000, -1, 1600000000, 0, 1700000003, 1};
    const int32_t numbers[] = {7, 16777216, 7, 16777217, 7, 16777218};
    const uint64_t constant[] = {4294967295, 0, 4294967295, 0, 4294967295, 0};
    const double close[] = {1 + 1e-9, 0, 1 + 2e-9, 0.1, 1 + 3e-9, 0.2};
    const double usual[] = {101325.3, 0.1, 101300.1, 0.2, 101280.7, 0.3};
    CU_ASSERT(strstr(warning(KT_I64, times), "column 2 (1 such in all) goes from 1700000000 to 1700000006") != NULL);
    CU_ASSERT(strstr(warning(KT_I64, times), "steps of 128 there") != NULL);
    CU_ASSERT(strstr(warning(KT_I64, large), "column 1 ") != NULL);
    CU_ASSERT(strstr(warning(KT_I32, numbers), "column 2 ") != NULL);
    CU_ASSERT(strstr(warning(KT_F64, close), "column 1 ") != NULL);
    CU_ASSERT(strcmp(warning(KT_I64, even), "") == 0 && strcmp(warning(KT_I64, years), "") == 0);
    CU_ASSERT(strcmp(warning(KT_U64, constant), "") == 0 && strcmp(warning(KT_F64, usual), "") == 0);
}

static void bad_labels(void)
{
    refuse(features(), put("y.npy", KT_I32, SHAPE(3), ((int32_t[]){0, -1, 2})), NULL, "row 2 is -1");
    refuse(features(), put("y.npy", KT_F64, SHAPE(3), ((double[]){0, 1, 1.5})), NULL, "row 3 is 1.5");
    refuse(features(), put("y.npy", KT_F64, SHAPE(3), ((double[]){(double)NAN, 1, 1.5})), NULL, "row 1 is nan");
    refuse(features(), put("y.npy", KT_I32, SHAPE(3), ((int32_t[]){0, 65536, 2})), NULL, "0 to 9999");
    refuse(features(), put("y.npy", KT_I32, SHAPE(2), plain), NULL, "2 labels, but");
    refuse(features(), put("y.npy", KT_U8, SHAPE(3, 2, 2), bytes), NULL, "(3, 2, 2)");
    refuse(features(), put("y.npy", KT_U8, SHAPE(3, 2), "\1\0\1\1\0\1"), NULL, "row 2 has 2 ones");
    refuse(features(), put("y.npy", KT_U8, SHAPE(3, 2), "\1\0\0\0\0\1"), NULL, "row 2 has 0 ones");
    refuse(features(), put("y.npy", KT_U8, SHAPE(3, 2), "\1\0\0\1\0\2"), NULL, "row 3, column 2 is 2");
}

static void class_names(void)
{
    char y[4096]; /* kept over more calls than a scratch path is */
    snprintf(y, sizeof y, "%s", put("y.npy", KT_I32, SHAPE(3), plain));
    kt_dataset set;
    const char *map = put_text(
        "map.csv",
        "index,codepoint,char\r\n0,U+3042,\xe3\x81\x82\r\n2,x,\"a,\"\"b\"\r\n1,x,b\r\n4,x,e\r\n3,x,d\r\n5,x,f\r\n");
    KT_CHECK_STATUS(KT_OK, kt_dataset_read(features(), y, map, NULL, &set));
    CU_ASSERT(set.n_classes == 6 && set.class_names != NULL);
    if (set.class_names != NULL)
        CU_ASSERT(strcmp(set.class_names[0], "\xe3\x81\x82") == 0 && strcmp(set.class_names[2], "a,\"b") == 0 &&
                  strcmp(set.class_names[5], "f") == 0);
    kt_dataset_free(&set);
    KT_CHECK_STATUS(KT_NO_INPUT, kt_dataset_read(features(), y, kt_test_scratch("absent.csv"), NULL, &set));
    refuse(features(), y, put_text("map.csv", "version https://git-lfs.github.com/spec/v1\n"), "git lfs pull");
    refuse(features(), y, put_text("map.csv", "i,n\n0,a\n1,b\n2,c\n3,d\n"), "row 3 is 4, but");
    refuse(features(), y, put_text("map.csv", "i,n\n0,a\n2,c\n"), "lacks class 1");
    refuse(features(), y, put_text("map.csv", "i,n\n0,a\n0,c\n"), "line 3: class 0 comes a second time");
    refuse(features(), y, put_text("map.csv", "i,n\n0,a\nx,c\n"), "line 3: \"x\" is not a class index");
    refuse(features(), y, put_text("map.csv", "i,n\n0\n"), "line 2: class 0 has no name");
    refuse(features(), y, put_text("map.csv", "i,n\n0,\xff\xfe\n"), "UTF-8");
    refuse(features(), y, put_text("map.csv", "i,n\n0,\xc0\x80\n"), "UTF-8");
    refuse(features(), y, put_text("map.csv", "i,n\n"), "no class names");
    refuse(features(), y, put_text("map.csv", ""), "no class names");
    refuse(features(), y, put_text("map.csv", "i,n\n99999999999999999999999,a\n"), "not a class index");
}

/* ---- use ---- */

static void gather(void)
{
    float floats[12], out[8] = {0};
    for (size_t i = 0; i < 12; i++)
        floats[i] = (float)bytes[i];
    const char *paths[] = {features(), put("f.npy", KT_F32, SHAPE(3, 4), floats)};
    for (size_t k = 0; k < 2; k++) {
        kt_dataset set;
        KT_CHECK_STATUS(KT_OK, kt_dataset_read(paths[k], NULL, NULL, NULL, &set));
        kt_dataset_gather(&set, (uint32_t[]){2, 1}, 2, 255, out);
        for (size_t j = 0; j < 4; j++)
            CU_ASSERT(out[j] == floats[8 + j] / 255.0f && out[4 + j] == floats[4 + j] / 255.0f);
        kt_dataset_gather(&set, NULL, 0, 255, NULL);
        kt_dataset_statistics s = kt_dataset_describe(&set, NULL, 0);
        CU_ASSERT(s.min == 0 && s.max == 255 && fabs(s.mean - 46) < 1e-12 && fabs(s.zero_fraction - 2.0 / 12) < 1e-15);
        CU_ASSERT(fabs(s.standard_deviation - 92.42023587937871) < 1e-9); /* numpy.std */
        kt_dataset_free(&set);
    }
}

static void fingerprint(void)
{
    uint64_t prints[6] = {0};
    uint8_t changed[12];
    memcpy(changed, bytes, sizeof changed);
    changed[7] ^= 0x80;
    changed[11] ^= 0x80;
    for (size_t k = 0; k < 6; k++) {
        kt_dataset set;
        const char *x = k == 2   ? put("x.npy", KT_U8, SHAPE(3, 2, 2), bytes)
                        : k == 3 ? put("x.npy", KT_U8, SHAPE(3, 4), changed)
                        : k == 4 ? put("x.npy", KT_U8, SHAPE(6, 2), bytes)
                                 : features();
        const char *y = k == 5 ? put("y.npy", KT_I32, SHAPE(3), plain) : NULL;
        KT_CHECK_STATUS(KT_OK, kt_dataset_read(x, y, NULL, NULL, &set));
        prints[k] = kt_dataset_fingerprint(&set);
        kt_dataset_free(&set);
    }
    CU_ASSERT(prints[0] == prints[1] && prints[0] == prints[2]); /* an image is its row of pixels */
    for (size_t k = 3; k < 6; k++)
        for (size_t j = 0; j < k; j++)
            CU_ASSERT(prints[k] != prints[j]);
}

/* Of the same numbers, given as floats and taken as they are. */
static uint64_t print_of_floats(size_t n, size_t d, float *values, const int32_t *labels)
{
    const kt_array array = {.type = KT_F32, .n_dims = 2, .dims = {n, d}, .data = values};
    kt_dataset set;
    KT_CHECK_STATUS(KT_OK, kt_dataset_borrow(&array, labels, 0, "values", &set));
    CU_ASSERT(set.type == KT_F32 && !set.narrowed);
    return kt_dataset_fingerprint(&set);
}

static void narrowed(void)
{
    enum { N = 41, D = 51 }; /* more than two pieces of the fingerprint, and an odd number */
    static const float others[] = {-0.0f, 256, 255.5f, -1, 0x1p-149f, 0x1p40f};
    static float values[N * D];
    static double doubles[N * D];
    kt_dataset set;
    for (size_t i = 0; i < N * D; i++)
        doubles[i] = values[i] = (float)(i * 7 % 256);
    const char *paths[] = {put("f.npy", KT_F32, SHAPE(N, D), values), put("d.npy", KT_F64, SHAPE(N, D), doubles)};
    for (size_t k = 0; k < 2; k++) {
        KT_CHECK_STATUS(KT_OK, kt_dataset_read(paths[k], NULL, NULL, NULL, &set));
        CU_ASSERT(set.type == KT_U8 && set.narrowed && set.file_type == (k == 0 ? KT_F32 : KT_F64));
        CU_ASSERT(kt_dataset_fingerprint(&set) == print_of_floats(N, D, values, NULL));
        for (size_t i = 0; i < N * D; i++)
            CU_ASSERT(((uint8_t *)set.features)[i] == values[i]);
        kt_dataset_free(&set);
    }
    for (size_t k = 0; k < sizeof others / sizeof others[0]; k++) {
        values[N * D - 1] = others[k];
        KT_CHECK_STATUS(KT_OK, kt_dataset_read(put("f.npy", KT_F32, SHAPE(N, D), values), NULL, NULL, NULL, &set));
        CU_ASSERT(set.type == KT_F32 && !set.narrowed && memcmp(set.features, values, sizeof values) == 0);
        CU_ASSERT(kt_dataset_fingerprint(&set) == print_of_floats(N, D, values, NULL));
        kt_dataset_free(&set);
    }
}

static void append_narrowed(void)
{
    float wide[24];
    int32_t labels[6] = {0, 1, 2, 0, 1, 2};
    for (size_t i = 0; i < 24; i++)
        wide[i] = (float)bytes[i % 12];
    const char *y = put("y.npy", KT_I32, SHAPE(3), labels);
    const char *paths[] = {put("f.npy", KT_F32, SHAPE(3, 4), wide), features()};
    for (size_t form = 0; form < 4; form++) { /* bytes after bytes have no floats among them */
        kt_dataset set, extra;
        KT_CHECK_STATUS(KT_OK, kt_dataset_read(paths[form & 1], y, NULL, NULL, &set));
        KT_CHECK_STATUS(KT_OK, kt_dataset_read(paths[form >> 1], y, NULL, NULL, &extra));
        KT_CHECK_STATUS(KT_OK, kt_dataset_append(&set, &extra, "extra"));
        CU_ASSERT(set.type == KT_U8 && set.narrowed == (form != 3));
        CU_ASSERT((kt_dataset_fingerprint(&set) == print_of_floats(6, 4, wide, labels)) == (form != 3));
        kt_dataset_free(&extra);
        kt_dataset_free(&set);
    }
}

static void quotients(void)
{
    enum { LD = 300 };
    static const float scales[] = {1, 255, 3, 0.1f, 127.5f, 1e-38f, 1e-40f, 3e38f, 0x1.fffffep0f, 0x1.000002p7f};
    static const kt_dataset_loops *const rows[KT_N_SIMD] = KT_SIMD_EACH(&kt_dataset_loops);
    uint8_t all[256];
    float out[2 * LD];
    for (size_t i = 0; i < 256; i++)
        all[i] = (uint8_t)i;
    const kt_dataset set = {.n = 1, .d = 256, .type = KT_U8, .features = all};
    for (size_t k = 0; k < sizeof scales / sizeof scales[0]; k++) {
        for (size_t i = 0; i < 2 * LD; i++)
            out[i] = -1;
        kt_dataset_gather_apart(&set, (uint32_t[]){0, 0}, 2, scales[k], out, LD);
        for (size_t i = 0; i < 2 * LD; i++)
            CU_ASSERT(out[i] == (i % LD < 256 ? (float)(i % LD) / scales[k] : -1));
        for (size_t row = 0; row < KT_N_SIMD; row++) {
            if (!kt_simd_rows[row].supported())
                continue;
            rows[row]->bytes(256, all, scales[k], rows[row]->find_reciprocal(scales[k]), out);
            for (size_t i = 0; i < 256; i++)
                CU_ASSERT(out[i] == (float)i / scales[k]);
        }
    }
}

static void append(void)
{
    const float halves[4] = {0.5f, 1.5f, 2.5f, 3.5f};
    const char *y = put("y.npy", KT_I32, SHAPE(3), plain), *one = put("one.npy", KT_I32, SHAPE(1), ((int32_t[]){6}));
    kt_dataset set, extra;
    KT_CHECK_STATUS(KT_OK, kt_dataset_read(features(), y, NULL, NULL, &set));
    KT_CHECK_STATUS(KT_OK, kt_dataset_read(put("f.npy", KT_F32, SHAPE(1, 4), halves), one, NULL, NULL, &extra));
    KT_CHECK_STATUS(KT_OK, kt_dataset_append(&set, &extra, "f.npy"));
    CU_ASSERT(set.n == 4 && set.type == KT_F32 && set.n_classes == 7 && set.labels[3] == 6 && set.labels[2] == 4);
    CU_ASSERT(((float *)set.features)[4] == 250 && ((float *)set.features)[15] == 3.5f);
    kt_dataset_free(&extra);
    KT_CHECK_STATUS(KT_OK, kt_dataset_read(put("f.npy", KT_F32, SHAPE(1, 3), halves), one, NULL, NULL, &extra));
    KT_CHECK_STATUS(KT_DATA, kt_dataset_append(&set, &extra, "f.npy"));
    CU_ASSERT(set.n == 4 && kt_test_message("3 features"));
    kt_dataset_free(&extra);
    KT_CHECK_STATUS(KT_OK, kt_dataset_read(put("f.npy", KT_F32, SHAPE(1, 4), halves), NULL, NULL, NULL, &extra));
    KT_CHECK_STATUS(KT_DATA, kt_dataset_append(&set, &extra, "f.npy"));
    kt_dataset_free(&extra);
    kt_dataset_free(&set);
}

const char *const kt_test_suite = "dataset";
const kt_test kt_tests[] = {
    {"features are (n, d), (n, h, w) or (n, h, w, 1), and nothing else", shapes},
    {"bytes and bools stay bytes, and all other types become float32", types},
    {"features that are all bytes are kept as bytes, and are the same data as before", narrowed},
    {"bytes and features kept as bytes are joined as bytes, and are the same data as floats", append_narrowed},
    {"a byte has the quotient that division gives, with each instruction set and in rows apart", quotients},
    {"NaN, infinity and what no float32 holds are refused with row and column", not_finite},
    {"a row (1, n) of labels is n labels, and features that are transposed are told from too few", row_of_labels},
    {"columns that float32 cannot tell apart are warned of, and no others", precision},
    {"a column has its number in the file, whatever was left out before it", numbers_of_columns},
    {"labels are integers, whole floats or one-hot rows, and classes may be missing", label_forms},
    {"bad labels are refused with their row", bad_labels},
    {"class names say the number of classes and must name them all", class_names},
    {"gathered rows are x / scale, and the statistics are NumPy's", gather},
    {"the fingerprint tells data sets apart", fingerprint},
    {"appending joins samples, types and classes, or changes nothing", append},
    {NULL, NULL},
};
