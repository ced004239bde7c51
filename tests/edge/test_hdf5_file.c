/* HDF5 files in memory, against h5py. */
#include "test.h"

#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "edge/hdf5_file.h"

static int python(const char *command, const char *path)
{
    char arguments[4096];
    snprintf(arguments, sizeof arguments, "tests/make_arrays.py %s '%s'", command, path);
    return kt_test_python(arguments);
}

/* A file with one of everything that ktrain writes. */
static kt_hdf5 *new_sample(void)
{
    static const float weights[6] = {0, 1, 2, 3, 4, 5};
    static const uint64_t count = (1ull << 63) + 1;
    char one[] = "one", none[] = "", three[] = "three";
    char *const names[] = {one, none, three};
    kt_hdf5 *file = NULL;
    KT_CHECK_STATUS(KT_OK, kt_hdf5_create(&file));
    KT_CHECK_STATUS(KT_OK, kt_hdf5_write(file, "/a/b/weights", KT_F32, 2, (size_t[]){2, 3}, weights));
    KT_CHECK_STATUS(KT_OK, kt_hdf5_write(file, "/count", KT_U64, 0, NULL, &count));
    KT_CHECK_STATUS(KT_OK, kt_hdf5_write(file, "/empty", KT_F64, 1, (size_t[]){0}, NULL));
    KT_CHECK_STATUS(KT_OK, kt_hdf5_write_text(file, "/a/text", "h\xc3\xa9llo"));
    KT_CHECK_STATUS(KT_OK, kt_hdf5_write_texts(file, "/names", 3, names));
    KT_CHECK_STATUS(KT_OK, kt_hdf5_write_texts(file, "/no_names", 0, NULL));
    return file;
}

static void check_sample(kt_hdf5 *file)
{
    kt_array array;
    KT_CHECK_STATUS(KT_OK, kt_hdf5_read(file, "/a/b/weights", &array));
    CU_ASSERT(array.type == KT_F32 && array.n_dims == 2 && array.dims[0] == 2 && array.dims[1] == 3);
    for (size_t i = 0; i < 6 && array.data != NULL; i++)
        CU_ASSERT(kt_array_get(&array, i) == (double)i);
    kt_array_free(&array);
    uint64_t count = 0;
    KT_CHECK_STATUS(KT_OK, kt_hdf5_read_into(file, "/count", KT_U64, 0, NULL, &count));
    CU_ASSERT(count == (1ull << 63) + 1);
    KT_CHECK_STATUS(KT_OK, kt_hdf5_read(file, "/empty", &array));
    CU_ASSERT(array.n_dims == 1 && array.dims[0] == 0);
    kt_array_free(&array);
    char *text = NULL, **names = NULL;
    size_t n = 0;
    KT_CHECK_STATUS(KT_OK, kt_hdf5_read_text(file, "/a/text", &text));
    CU_ASSERT(text != NULL && strcmp(text, "h\xc3\xa9llo") == 0);
    kt_memory_free(text);
    KT_CHECK_STATUS(KT_OK, kt_hdf5_read_texts(file, "/names", &n, &names));
    CU_ASSERT(n == 3 && strcmp(names[0], "one") == 0 && strcmp(names[1], "") == 0 && strcmp(names[2], "three") == 0);
    for (size_t i = 0; i < n; i++)
        kt_memory_free(names[i]);
    kt_memory_free(names);
    KT_CHECK_STATUS(KT_OK, kt_hdf5_read_texts(file, "/no_names", &n, &names));
    CU_ASSERT(n == 0 && names != NULL);
    kt_memory_free(names);
}

/* All bytes of a new file, which is closed. */
static unsigned char *take_image(kt_hdf5 *file, size_t *n_bytes)
{
    unsigned char *image = NULL;
    const char *path = kt_test_scratch("saved.h5");
    KT_CHECK_STATUS(KT_OK, kt_hdf5_save(file, path));
    kt_hdf5_close(file);
    KT_CHECK_STATUS(KT_OK, kt_file_read(path, &image, n_bytes));
    return image;
}

static kt_status open_image(kt_hdf5 **file, const void *bytes, size_t n_bytes)
{
    const char *path = kt_test_scratch("image.h5");
    KT_CHECK_STATUS(KT_OK, kt_file_replace(path, bytes, n_bytes));
    const int fd = open(path, O_RDONLY);
    const kt_status status = kt_hdf5_open_descriptor(file, fd, "image");
    close(fd);
    return status;
}

static void round_trip(void)
{
    kt_hdf5 *file = new_sample(), *copy = NULL, *other = NULL;
    check_sample(file);
    size_t n_bytes = 0;
    unsigned char *image = take_image(file, &n_bytes), *behind = kt_memory_new(512 + n_bytes, 1);
    memset(behind, 'k', 512);
    memcpy(behind + 512, image, n_bytes);
    KT_CHECK_STATUS(KT_OK, open_image(&copy, image, n_bytes));
    KT_CHECK_STATUS(KT_OK, open_image(&other, behind, 512 + n_bytes));
    check_sample(copy);
    check_sample(other);
    kt_hdf5_close(copy);
    kt_hdf5_close(other);
    const char *path = kt_test_scratch("block.h5");
    KT_CHECK_STATUS(KT_OK, kt_file_replace(path, behind, 512 + n_bytes));
    kt_memory_free(image);
    kt_memory_free(behind);
    KT_CHECK_STATUS(KT_OK, kt_hdf5_open(&file, path));
    check_sample(file);
    kt_hdf5_close(file);
    CU_ASSERT(python("check", path) == 0);
}

static void same_bytes(void)
{
    size_t n_bytes[2];
    unsigned char *image[2];
    for (int i = 0; i < 2; i++)
        image[i] = take_image(new_sample(), &n_bytes[i]);
    CU_ASSERT(n_bytes[0] == n_bytes[1] && memcmp(image[0], image[1], n_bytes[0]) == 0);
    kt_memory_free(image[0]);
    kt_memory_free(image[1]);
}

/* Row r of three, column c of n_columns is 10 r + c. */
static void make_rows(const void *what, const void *data, size_t first, size_t n, void *rows)
{
    const size_t n_columns = *(const size_t *)what;
    for (size_t r = 0; r < n; r++)
        for (size_t c = 0; c < n_columns; c++)
            ((float *)rows)[r * n_columns + c] = *(const float *)data * (float)(first + r) + (float)c;
}

static void rows_that_come_later(void)
{
    static const size_t dims[3][2] = {{3, 5}, {700, 1000}, {0, 5}};
    static const char *const paths[] = {"/a/small", "/large", "/a/none"};
    static const float ten = 10;
    const char *path = kt_test_scratch("later.h5");
    kt_hdf5 *file = new_sample();
    for (int i = 0; i < 3; i++)
        KT_CHECK_STATUS(KT_OK, kt_hdf5_write_later(file, paths[i], KT_F32, 2, dims[i],
                                                   (kt_hdf5_rows){make_rows, &dims[i][1], &ten}));
    KT_CHECK_STATUS(KT_OK, kt_hdf5_save(file, path));
    kt_hdf5_close(file);
    KT_CHECK_STATUS(KT_OK, kt_hdf5_open(&file, path));
    check_sample(file);
    for (int i = 0; i < 3; i++) {
        float *values = kt_memory_new(dims[i][0] * dims[i][1], sizeof(float));
        KT_CHECK_STATUS(KT_OK, kt_hdf5_read_into(file, paths[i], KT_F32, 2, dims[i], values));
        bool good = true;
        for (size_t k = 0; k < dims[i][0] * dims[i][1]; k++)
            good = good && values[k] == (float)(10 * (k / dims[i][1]) + k % dims[i][1]);
        CU_ASSERT(good);
        kt_memory_free(values);
    }
    kt_hdf5_close(file);
}

static void every_type(void)
{
    static const struct {
        const char *name;
        kt_type type;
    } rows[] = {{"b1", KT_BOOL}, {"i1", KT_I8},  {"u1", KT_U8},  {"i2", KT_I16}, {"u2", KT_U16}, {"i4", KT_I32},
                {"u4", KT_U32},  {"i8", KT_I64}, {"u8", KT_U64}, {"f2", KT_F32}, {"f4", KT_F32}, {"f8", KT_F64}};
    const char *path = kt_test_scratch("types.h5");
    CU_ASSERT(python("hdf5", kt_test_scratch(".")) == 0);
    kt_hdf5 *file = NULL;
    KT_CHECK_STATUS(KT_OK, kt_hdf5_open(&file, path));
    for (size_t k = 0; file != NULL && k < 2 * sizeof rows / sizeof rows[0]; k++) {
        char name[16];
        kt_array array;
        snprintf(name, sizeof name, "/%s_%s", k % 2 ? "be" : "le", rows[k / 2].name);
        KT_CHECK_STATUS(KT_OK, kt_hdf5_read(file, name, &array));
        CU_ASSERT(array.type == rows[k / 2].type && array.n_dims == 2 && array.dims[0] == 2 && array.dims[1] == 3);
        for (size_t i = 0; array.data != NULL && i < 6; i++)
            CU_ASSERT(kt_array_get(&array, i) == (array.type == KT_BOOL ? (double)(i > 0) : (double)i));
        kt_array_free(&array);
    }
    kt_hdf5_close(file);
}

static void strange_datasets(void)
{
    static const struct {
        const char *path, *message;
    } rows[] = {
        {"/complex", "compounds"},      {"/void", "has no shape"},     {"/text", "strings"},
        {"/five", "5 dimensions"},      {"/unwritten", "stores only"}, {"/nothing", "no readable dataset"},
        {"/outside", "in other files"}, {"/", "no readable dataset"},
    };
    const char *path = kt_test_scratch("types.h5");
    CU_ASSERT(python("hdf5", kt_test_scratch(".")) == 0);
    kt_hdf5 *file = NULL;
    KT_CHECK_STATUS(KT_OK, kt_hdf5_open(&file, path));
    kt_array array;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        KT_CHECK_STATUS(KT_DATA, kt_hdf5_read(file, rows[i].path, &array));
        CU_ASSERT(array.data == NULL && kt_test_message(rows[i].message) && kt_test_message("types.h5"));
    }
    KT_CHECK_STATUS(KT_OK, kt_hdf5_read(file, "/zipped", &array));
    CU_ASSERT(array.dims[0] == 10000 && kt_array_get(&array, 9999) == 9999);
    kt_array_free(&array);
    char *text = NULL, **texts = NULL;
    size_t n = 0;
    KT_CHECK_STATUS(KT_OK, kt_hdf5_read_text(file, "/text", &text));
    CU_ASSERT(text != NULL && strcmp(text, "caf\xc3\xa9") == 0);
    kt_memory_free(text);
    KT_CHECK_STATUS(KT_OK, kt_hdf5_read_texts(file, "/varying", &n, &texts));
    CU_ASSERT(n == 3 && strcmp(texts[2], "long one") == 0);
    for (size_t i = 0; i < n; i++)
        kt_memory_free(texts[i]);
    kt_memory_free(texts);
    KT_CHECK_STATUS(KT_OK, kt_hdf5_read_texts(file, "/fixed", &n, &texts));
    CU_ASSERT(n == 2 && strcmp(texts[1], "three") == 0);
    for (size_t i = 0; i < n; i++)
        kt_memory_free(texts[i]);
    kt_memory_free(texts);
    KT_CHECK_STATUS(KT_DATA, kt_hdf5_read_text(file, "/zipped", &text));
    CU_ASSERT(kt_hdf5_has(file, "/zipped") && !kt_hdf5_has(file, "/a/b/c") && !kt_hdf5_has(file, "/zippe"));
    kt_hdf5_close(file);
}

static void wrong_shape(void)
{
    kt_hdf5 *file = new_sample();
    float weights[6] = {0};
    KT_CHECK_STATUS(KT_DATA, kt_hdf5_read_into(file, "/a/b/weights", KT_F32, 2, (size_t[]){3, 2}, weights));
    KT_CHECK_MESSAGE("(2, 3)");
    KT_CHECK_MESSAGE("(3, 2)");
    KT_CHECK_STATUS(KT_INTERNAL, kt_hdf5_write(file, "/a/b/weights", KT_F32, 1, (size_t[]){6}, weights));
    double doubles[6] = {0};
    KT_CHECK_STATUS(KT_OK, kt_hdf5_read_into(file, "/a/b/weights", KT_F64, 2, (size_t[]){2, 3}, doubles));
    CU_ASSERT(doubles[5] == 5);
    kt_hdf5_close(file);
}

static void not_hdf5(void)
{
    kt_hdf5 *file = NULL;
    KT_CHECK_STATUS(KT_NO_INPUT, kt_hdf5_open(&file, kt_test_scratch("absent.h5")));
    KT_CHECK_STATUS(KT_OK, kt_file_replace(kt_test_scratch("text.h5"), "no", 2));
    KT_CHECK_STATUS(KT_DATA, kt_hdf5_open(&file, kt_test_scratch("text.h5")));
    KT_CHECK_STATUS(KT_DATA, open_image(&file, "no", 2));
    KT_CHECK_MESSAGE("image: is not");
    KT_CHECK_STATUS(KT_DATA, open_image(&file, "", 0));
    CU_ASSERT(file == NULL);
}

/* Opening ends with a sentence that has both. */
static void refuse_open(const char *path, const char *words, const char *reason)
{
    kt_hdf5 *file = NULL;
    KT_CHECK_STATUS(KT_DATA, kt_hdf5_open(&file, path));
    CU_ASSERT(file == NULL && kt_test_message(words) && kt_test_message(reason));
}

static void unfinished(void)
{
    CU_ASSERT(python("hdf5", kt_test_scratch(".")) == 0);
    const char *path = kt_test_scratch("types.h5");
    kt_hdf5 *file = NULL;
    const int fd = open(path, O_RDWR);
    CU_ASSERT_FATAL(fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0); /* as HDF5 does for a writer */
    refuse_open(path, "being written by another program", "unable to lock file");
    close(fd);
    KT_CHECK_STATUS(KT_OK, kt_hdf5_open(&file, path));
    kt_hdf5_close(file);
    refuse_open(kt_test_scratch("unclosed.h5"), "h5clear -s", "already open for write");
    unsigned char *bytes;
    size_t n_bytes;
    KT_CHECK_STATUS(KT_OK, kt_file_read(path, &bytes, &n_bytes));
    KT_CHECK_STATUS(KT_OK, kt_file_replace(kt_test_scratch("cut.h5"), bytes, 3000));
    kt_memory_free(bytes);
    refuse_open(kt_test_scratch("cut.h5"), "is not whole", "eof = 3000");
}

static void truncated(void)
{
    kt_hdf5 *file;
    size_t n_bytes = 0;
    unsigned char *image = take_image(new_sample(), &n_bytes);
    for (size_t n = 0; n < n_bytes; n += n < 1024 ? 37 : 509)
        KT_CHECK_STATUS(KT_DATA, open_image(&file, image, n));
    kt_memory_free(image);
}

typedef struct seen {
    size_t n, limit;
    char paths[8][32];
    size_t n_dims[8];
} seen;

static bool see(void *context, const char *path, size_t n_dims, const size_t *dims)
{
    seen *s = context;
    (void)dims;
    snprintf(s->paths[s->n], sizeof s->paths[0], "%s", path);
    s->n_dims[s->n++] = n_dims;
    return s->n < s->limit;
}

static void visiting(void)
{
    kt_hdf5 *file = new_sample();
    seen s = {.limit = 8};
    KT_CHECK_STATUS(KT_OK, kt_hdf5_visit(file, see, &s));
    CU_ASSERT(s.n == 6 && strcmp(s.paths[0], "/a/b/weights") == 0 && s.n_dims[0] == 2 &&
              strcmp(s.paths[5], "/no_names") == 0);
    s = (seen){.limit = 2};
    KT_CHECK_STATUS(KT_OK, kt_hdf5_visit(file, see, &s));
    CU_ASSERT(s.n == 2);
    kt_hdf5_close(file);
    CU_ASSERT(strncmp(kt_hdf5_version(), "1.", 2) == 0);
}

const char *const kt_test_suite = "hdf5_file";
const kt_test kt_tests[] = {
    {"what was written is read back, also behind a header of 512 bytes and by h5py", round_trip},
    {"the same content gives the same bytes", same_bytes},
    {"every numeric type in both byte orders is read as it is", every_type},
    {"rows that are made when the file is streamed are read back", rows_that_come_later},
    {"what is not an array of numbers in this file is refused by what it is", strange_datasets},
    {"a shape that differs is refused with both shapes", wrong_shape},
    {"what is not HDF5 is refused", not_hdf5},
    {"a file that is being written, was not closed or is cut is refused with HDF5's reason", unfinished},
    {"a truncated image is refused at any length", truncated},
    {"visiting names every dataset in order until told to stop", visiting},
    {NULL, NULL},
};
