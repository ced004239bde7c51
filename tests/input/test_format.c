/* File formats, against files that NumPy and h5py wrote. */
#include "test.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "input/csv.h"
#include "input/format.h"

enum { NAME_BYTES = 64, LINE_BYTES = 1 << 17 };

/* The folder with make_arrays.py's files, written once. */
static const char *sample(const char *name)
{
    static bool written;
    if (!written) {
        char arguments[4096];
        snprintf(arguments, sizeof arguments, "tests/make_arrays.py formats '%s'", kt_test_scratch("."));
        CU_ASSERT(kt_test_python(arguments) == 0);
        written = true;
    }
    return kt_test_scratch(name);
}

static bool same_value(const kt_array *array, size_t i, const char *text)
{
    if (array->type == KT_I64)
        return ((const int64_t *)array->data)[i] == strtoll(text, NULL, 10);
    if (array->type == KT_U64)
        return ((const uint64_t *)array->data)[i] == strtoull(text, NULL, 10);
    double expected = strtod(text, NULL), found = kt_array_get(array, i);
    return isnan(expected) ? isnan(found) : found == expected && signbit(found) == signbit(expected);
}

/* One line of expected.txt: NAME TYPE N_DIMS DIM... VALUE... */
static bool agrees(char *line, const char **name)
{
    char *save;
    *name = strtok_r(line, " \n", &save);
    const char *type = strtok_r(NULL, " \n", &save);
    size_t n_dims = strtoull(strtok_r(NULL, " \n", &save), NULL, 10);
    bool is_hdf5 = strstr(*name, ".h5") != NULL || strstr(*name, ".hdf5") != NULL || strstr(*name, ".mat") != NULL ||
                   strstr(*name, ".dat") != NULL;
    kt_array array;
    if (!kt_test_status(KT_OK, kt_format_read(sample(*name), &array), *name))
        return false;
    bool same = array.n_dims == n_dims && (is_hdf5 || strcmp(kt_type_name(array.type), type) == 0);
    for (size_t i = 0; i < n_dims; i++)
        same = strtoull(strtok_r(NULL, " \n", &save), NULL, 10) == array.dims[i] && same;
    for (size_t i = 0; same && i < kt_array_count(&array); i++) {
        const char *text = strtok_r(NULL, " \n", &save);
        same = text != NULL && same_value(&array, i, text);
        if (!same)
            fprintf(stderr, "\n    %s: element %zu is %.17g, not %s\n", *name, i, kt_array_get(&array, i),
                    text != NULL ? text : "there");
    }
    kt_array_free(&array);
    return same;
}

static void every_array(void)
{
    FILE *file = fopen(sample("expected.txt"), "r");
    char *line = malloc(LINE_BYTES);
    size_t n = 0;
    CU_ASSERT_FATAL(file != NULL && line != NULL);
    for (; fgets(line, LINE_BYTES, file) != NULL; n++) {
        const char *name;
        CU_ASSERT(agrees(line, &name));
    }
    CU_ASSERT(n > 300);
    free(line);
    fclose(file);
}

static void not_numbers(void)
{
    FILE *file = fopen(sample("refused.txt"), "r");
    char line[256];
    CU_ASSERT_FATAL(file != NULL);
    while (fgets(line, sizeof line, file) != NULL) {
        kt_array array;
        char *words = strchr(line, ' ');
        *words++ = '\0';
        words[strcspn(words, "\n")] = '\0';
        KT_CHECK_STATUS(KT_DATA, kt_format_read(sample(line), &array));
        line[strcspn(line, ":")] = '\0';
        CU_ASSERT(kt_test_message(words) && kt_test_message(line) && array.data == NULL);
    }
    fclose(file);
}

static const char *put(const char *name, const void *bytes, size_t n_bytes)
{
    const char *path = kt_test_scratch(name);
    remove(path); /* cutting a file to 0 and writing it anew makes some file systems wait for the disk */
    FILE *file = fopen(path, "wb");
    CU_ASSERT_FATAL(file != NULL);
    CU_ASSERT(fwrite(bytes, 1, n_bytes, file) == n_bytes);
    fclose(file);
    return path;
}

static const char *put_text(const char *name, const char *text)
{
    return put(name, text, strlen(text));
}

static void refuse(kt_status status, const char *path, const char *words)
{
    kt_array array = {.n_dims = 9};
    KT_CHECK_STATUS(status, kt_format_read(path, &array));
    CU_ASSERT(kt_test_message(words) && array.data == NULL && array.n_dims == 0);
}

/* An npy of version 1 with this header text and n zero bytes of data. */
static const char *put_npy(const char *header, size_t n)
{
    unsigned char bytes[512] = {0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0};
    size_t n_header = strlen(header);
    bytes[8] = (unsigned char)(n_header & 255);
    bytes[9] = (unsigned char)(n_header >> 8);
    memcpy(bytes + 10, header, n_header);
    return put("lie.npy", bytes, 10 + n_header + n);
}

static void npy_lies(void)
{
    static const struct {
        const char *header, *words;
    } rows[] = {
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (5000, 784), }",
         "(5000, 784) float32, 15680074 bytes in all, but there are 90"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }", "(3,) float32"},
        {"{'descr': '<f8', 'fortran_order': True, 'shape': (4294967296, 4294967296), }", "impossible shape"},
        {"{'descr': '<f8', 'fortran_order': True, 'shape': (1152921504606846976, 2), }", "impossible shape"},
        {"{'descr': '<f8', 'fortran_order': True, 'shape': (99999999999999999999999,), }", "more than 64 bits"},
        {"{'descr': '<f8', 'fortran_order': True, 'shape': (-1,), }", "a dimension was expected"},
        {"{'descr': '<f8', 'fortran_order': 1, 'shape': (1,), }", "True or False"},
        {"{'descr': '<f8', 'descr': '<f8', 'shape': (1,), }", "one each of"},
        {"{'descr': '<f8', 'shape': (1,), }", "a quoted string was expected"},
        {"{'descr': '<f8', 'fortran_order': False, 'shape': (1,), 'more': 1}", "} was expected"},
        {"{'descr': '', 'fortran_order': False, 'shape': (1,)}", "unknown npy type"},
        {"{'descr': '<f12', 'fortran_order': False, 'shape': (1,)}", "unknown npy type \"f12\""},
        {"{'descr': '<f8', 'fortran_order': False, 'shape': (1 1)}", "a comma"},
        {"{'descr': '<f8', 'fortran_order': False, 'shape': (1,", "a dimension was expected"},
        {"{'descr': '<f8", "a short quoted string"},
        {"{", "a quoted string"},
        {"", "{ was expected"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        refuse(KT_DATA, put_npy(rows[i].header, 16), rows[i].words);
    refuse(KT_DATA, put("v9.npy", "\x93NUMPY\x09\x00\x10\x00{}", 12), "version 9.0");
    refuse(KT_DATA, put("v2.npy", "\x93NUMPY\x02\x00\xff\xff\xff\xff{}", 14), "header of 4294967295 bytes");
}

static void idx_lies(void)
{
    refuse(KT_DATA, put("lie.idx", "\0\0\x08\x03\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 16),
           "impossible shape");
    refuse(KT_DATA, put("lie.idx", "\0\0\x08\x01\xff\xff\xff\xff", 8),
           "(4294967295,) uint8, 4294967303 bytes in all, but there are 8");
    refuse(KT_DATA, put("lie.idx", "\0\0\x08\x05\0\0\0\1", 8), "5 dimensions");
    refuse(KT_DATA, put("lie.idx", "\0\0\x0a\x01\0\0\0\1!", 9), "no IDX data");
    refuse(KT_DATA, put("long.idx", "\0\0\x08\x01\0\0\0\1ab", 10), "there are 10");
}

static void csv_errors(void)
{
    refuse(KT_DATA, put_text("a.csv", "a,b\n1,2\n3,x\n"), "line 3, column 2 (\"b\"): \"x\" is not a number");
    refuse(KT_DATA, put_text("a.csv", "1,2\r\n3,\r\n"), "line 2, column 2 is empty: every cell needs a number");
    refuse(KT_DATA, put_text("a.csv", "1,2\n3\n"), "line 2 has 1 column, where");
    refuse(KT_DATA, put_text("a.csv", "1\n2,3\n"), "line 2 has 2 columns");
    refuse(KT_DATA, put_text("a.csv", "1\n\n3\n"), "line 2 is empty");
    refuse(KT_DATA, put_text("a.csv", "a,b\n"), "no line of numbers");
    refuse(KT_DATA, put_text("a.csv", "1\n0x10\n"), "0x10");
    refuse(KT_DATA, put_text("a.csv", "1\n1e\n"), "line 2, column 1");
    refuse(KT_DATA, put_text("a.csv", "1\n1 2\n"), "line 2, column 1");
    refuse(KT_DATA, put_text("a.csv", "1;2\n3,5;4\n"), "\"3,5\" is not a number: numbers with a decimal point");
    refuse(KT_DATA, put_text("a.csv", "year,2019,2020\n1,2,3\n"),
           "line 1, column 1: \"year\" is not a number: numbers are needed, or data.header = true");
    refuse(KT_DATA, put_text("a.csv", "\"a,b\",c\n1,2\n\"3,2\n"),
           "line 3, column 1: the quote that begins here is never closed");
    refuse(KT_DATA, put_text("a.csv", "a,b\"c\n1,2\n"), "line 1, column 2: a quote within a cell");
    refuse(KT_DATA, put_text("a.csv", "\"a\"b,c\n1,2\n"), "line 1, column 1: text follows the closing quote");
    refuse(KT_DATA, put_text("a.csv", "\"a\nb\",c\n1,x\n"), "line 3, column 2 (\"c\")");
    refuse(KT_DATA,
           put("a.csv",
               "1\n2\0"
               "3\n",
               6),
           "line 2, column 1");
    refuse(KT_DATA, put_text("a.csv", "\n1\n"), "line 1 is empty");
    refuse(KT_DATA, put_text("a.csv", "1\n\r2\n\r3\n"), "line 2, column 1: \"?2\" is not a number");
    refuse(KT_DATA, put_text("a.csv", "1\n\"\n2\"\n"), "line 2, column 1: \"?2\" is not a number");
}

/* The values of a table, read by these rules; NULL ends the notes that must be given. */
static void reads(const char *text, const kt_table_rules *rules, const char *expected, const char *const *notes)
{
    kt_array array;
    kt_notes told = {0};
    char values[256] = "";
    KT_CHECK_STATUS(KT_OK, kt_format_read_by(put_text("t.csv", text), false, rules, &told, &array));
    for (size_t i = 0; i < kt_array_count(&array); i++)
        snprintf(values + strlen(values), sizeof values - strlen(values), "%g%c", kt_array_get(&array, i),
                 (i + 1) % array.dims[1] == 0 ? ';' : ' ');
    CU_ASSERT_STRING_EQUAL(values, expected);
    size_t n = 0;
    for (; notes[n] != NULL; n++)
        CU_ASSERT(n < told.n && strstr(told.note[n].text, notes[n]) != NULL);
    CU_ASSERT_EQUAL(told.n, n);
    for (size_t i = 0; i < told.n && told.n != n; i++)
        printf("\n    note: %s", told.note[i].text);
    kt_array_free(&array);
}

#define NOTES(...)        \
    (const char *const[]) \
    {                     \
        __VA_ARGS__, NULL \
    }

static void headings(void)
{
    const kt_table_rules no = {.header = KT_DECIDE_FALSE}, yes = {.header = KT_DECIDE_TRUE};
    reads("0,1,2\n5,6,7\n", NULL, "5 6 7;", NOTES("heading \"0, 1, 2\" taken as names"));
    reads("0,1,2\n5,6,7\n", &no, "0 1 2;5 6 7;", (const char *const[]){NULL});
    reads("0,1,3\n5,6,7\n", NULL, "0 1 3;5 6 7;", NOTES("no heading, first line \"0, 1, 3\" taken as a row"));
    reads("0,1,3\n5,6,7\n", &yes, "5 6 7;", (const char *const[]){NULL});
    reads("a,b,c,d,e\n1,2,3,4,5\n", NULL, "1 2 3 4 5;", NOTES("heading \"a, b, ..., e\" taken as names"));
    reads("a\tb\n1\t2\n", NULL, "1 2;", NOTES("heading"));
    reads("1,2\n3,4\n  \n\n", NULL, "1 2;3 4;", NOTES("no heading"));
    refuse(KT_DATA, put_text("a.csv", "1\t2\n\t\n"), "line 2, column 1 is empty: every cell needs a number");
    for (size_t i = 0; i < 3; i++) /* names that files of other programs begin with, too */
        reads((const char *const[]){"PAR1,b\n1,2\n", "FEA1,b\n1,2\n", "ARROW1,b\n1,2\n"}[i], NULL, "1 2;",
              NOTES("heading"));
    reads("1;2\n3;4\n", NULL, "1 2;3 4;", NOTES("no heading"));
    reads("\"a \"\"b\"\", c\",d\r\n\"1.5\" ,2\r\n\r\n", NULL, "1.5 2;", NOTES("heading \"a \"b\", c, d\""));
    reads("\"a\n\033[2Jb\",c\n1,2\n", NULL, "1 2;", NOTES("heading \"a??[2Jb, c\""));
    refuse(KT_DATA, put_text("a.csv", "0,1\n"), "no line of numbers below its line of names");
}

static void names_called_0(void)
{
    reads("0\n3\n4\n", &(kt_table_rules){.n_rows = 2}, "3;4;", NOTES("heading \"0\" taken as names"));
    reads("0\n3\n4\n", &(kt_table_rules){.n_rows = 3}, "0;3;4;", NOTES("no heading"));
    reads("0\n3\n4", NULL, "0;3;4;", NOTES("no heading"));
}

/* What the writer writes the reader reads. */
static void cells_come_back(void)
{
    static const char *const cells[] = {"plain",    "",    "a,b", "say \"x\"",   "two\nlines",
                                        " blanks ", "a;b", "\"",  "\xe3\x81\x82"};
    enum { N = sizeof cells / sizeof cells[0] };
    kt_text_buffer buffer = {0};
    char *text, *cell;
    bool ends = false;
    for (size_t i = 0; i < N; i++) {
        kt_csv_append(&buffer, cells[i]);
        kt_text_append(&buffer, "%s", i + 1 < N ? "," : "\r\n");
    }
    const size_t n_bytes = buffer.n;
    KT_CHECK_STATUS(KT_OK, kt_text_take(&buffer, &text));
    kt_csv csv = kt_csv_start("cells", text, n_bytes);
    for (size_t i = 0; i < N; i++) {
        KT_CHECK_STATUS(KT_OK, kt_csv_cell(&csv, &cell, NULL, &ends));
        CU_ASSERT_STRING_EQUAL(cell, cells[i]);
    }
    CU_ASSERT(ends && kt_csv_at_end(&csv));
    kt_memory_free(text);
}

static void row_numbers(void)
{
    const kt_table_rules keep = {.index_column = KT_DECIDE_FALSE}, drop = {.index_column = KT_DECIDE_TRUE};
    reads(",a,b\n0,5,6\n1,7,8\n", NULL, "5 6;7 8;",
          NOTES("heading", "column 1 (no name) holds row numbers and is left out"));
    reads(",0,1\n0,5,6\n1,7,8\n", NULL, "5 6;7 8;", NOTES("heading", "left out"));
    reads("Unnamed: 0,a\n17,5\n3,7\n", NULL, "5;7;", NOTES("heading", "column 1 (\"Unnamed: 0\")"));
    reads(",a\n0.5,5\n1,7\n", NULL, "0.5 5;1 7;", NOTES("heading"));
    reads(",a\n0,5\n", &keep, "0 5;", NOTES("heading"));
    reads("id,a\n0,5\n", NULL, "0 5;", NOTES("heading"));
    reads("id,a\n0,5\n", &drop, "5;", NOTES("heading"));
}

static void names(void)
{
    kt_array array;
    refuse(KT_NO_INPUT, kt_test_scratch("absent.npy"), "absent.npy: No such file");
    refuse(KT_NO_INPUT, kt_test_scratch("absent.npz:x"), "absent.npz: No such file");
    refuse(KT_NO_INPUT, kt_test_scratch("."), "not a regular file");
    CU_ASSERT(symlink(".git/annex/objects/x/x.npy", kt_test_scratch("link.npy")) == 0);
    refuse(KT_NO_INPUT, kt_test_scratch("link.npy"), "annex/objects/x/x.npy, which is not there: `git annex get");
    refuse(KT_DATA, put_text("empty.npy", ""), "is empty");
    refuse(KT_DATA, put_text("what.bin", "what"), "in no format known");
    refuse(KT_DATA, sample("a0.npy:x"), "no members");
    refuse(KT_DATA, sample("stored.npz:z"), "no array \"z\"; it has X, y");
    refuse(KT_DATA, sample("stored.npz:"), "after the colon");
    refuse(KT_DATA, sample("two.h5:none"), "it has deep/er/labels, features");
    refuse(KT_DATA, put_text("x.npy", "1,2,3,4,5\n"), "does not begin as an npy");
    KT_CHECK_STATUS(KT_OK, kt_format_read(put_text("a:b.csv", "1,2\n"), &array));
    kt_array_free(&array);
    KT_CHECK_STATUS(KT_OK, kt_format_read(sample("far.h5"), &array)); /* a link to more than its own file could hold */
    CU_ASSERT(array.dims[0] == 1200 && array.dims[1] == 1000);
    kt_array_free(&array);
    KT_CHECK_STATUS(KT_OK, kt_format_read_by(sample("stored.npz"), true, NULL, NULL, &array));
    CU_ASSERT(array.type == KT_I64 && array.n_dims == 1);
    kt_array_free(&array);
}

/* Files to damage: small ones of each format. HDF5's library cannot promise to survive any damage, so it is not among
 * them. */
static const char *const victims[] = {"a40.npy",       "a129.npy",  "stored.npz", "deflated.npz",
                                      "f4-idx3-ubyte", "u1.idx.gz", "real.csv",   "crlf.csv"};
enum { N_VICTIMS = sizeof victims / sizeof victims[0] };

static const char *damaged_name(const char *victim)
{
    static char name[NAME_BYTES];
    const char *dot = strchr(victim, '.');
    snprintf(name, sizeof name, "damaged%s", dot != NULL ? dot : "");
    return name;
}

static void truncated(void)
{
    for (size_t v = 0; v < N_VICTIMS; v++) {
        unsigned char *bytes;
        size_t n_bytes;
        bool is_text = strstr(victims[v], ".csv") != NULL;
        KT_CHECK_STATUS(KT_OK, kt_file_read(sample(victims[v]), &bytes, &n_bytes));
        for (size_t n = 0; n < n_bytes; n += n_bytes < 600 ? 1 : 3) {
            kt_array array;
            kt_status status = kt_format_read(put(damaged_name(victims[v]), bytes, n), &array);
            CU_ASSERT(status == KT_DATA || (is_text && status == KT_OK));
            kt_array_free(&array);
        }
        kt_memory_free(bytes);
    }
    unsigned char *bytes;
    size_t n_bytes;
    KT_CHECK_STATUS(KT_OK, kt_file_read(sample("u1-idx3-ubyte"), &bytes, &n_bytes));
    refuse(KT_DATA, put("short.idx", bytes, n_bytes - 1), "46 bytes in all, but there are 45: it is truncated");
    kt_memory_free(bytes);
}

static uint32_t next_random(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

/* Changes one to four bytes, or copies a piece of the file over another. */
static void damage(unsigned char *bytes, size_t n_bytes, uint32_t *state)
{
    uint32_t n = 1 + next_random(state) % 4;
    for (uint32_t i = 0; i < n; i++)
        bytes[next_random(state) % n_bytes] = (unsigned char)next_random(state);
    if (next_random(state) % 8 == 0) {
        size_t length = 1 + next_random(state) % (n_bytes / 2);
        memmove(bytes + next_random(state) % (n_bytes - length), bytes + next_random(state) % (n_bytes - length),
                length);
    }
}

static void mutated(void)
{
    uint32_t state = 1;
    for (size_t v = 0; v < N_VICTIMS; v++) {
        unsigned char *bytes, *copy;
        size_t n_bytes, n_refused = 0;
        KT_CHECK_STATUS(KT_OK, kt_file_read(sample(victims[v]), &bytes, &n_bytes));
        CU_ASSERT_FATAL(KT_NEW(copy, n_bytes) == KT_OK);
        for (size_t i = 0; i < 1500; i++) {
            memcpy(copy, bytes, n_bytes);
            damage(copy, n_bytes, &state);
            kt_array array;
            kt_status status = kt_format_read(put(damaged_name(victims[v]), copy, n_bytes), &array);
            if (status != KT_OK && status != KT_DATA)
                fprintf(stderr, "\n    %s, mutation %zu: %s\n", victims[v], i, kt_error_message());
            CU_ASSERT(status == KT_OK || status == KT_DATA);
            CU_ASSERT(status == KT_OK || (array.data == NULL && kt_error_message()[0] != '\0'));
            n_refused += status != KT_OK;
            kt_array_free(&array);
        }
        CU_ASSERT(n_refused > 0);
        kt_memory_free(copy);
        kt_memory_free(bytes);
    }
}

static void npz_bomb(void)
{
    unsigned char *bytes;
    size_t n_bytes;
    KT_CHECK_STATUS(KT_OK, kt_file_read(sample("deflated.npz"), &bytes, &n_bytes));
    /* The central directory's first entry: its uncompressed size is at 24. */
    for (size_t i = 0; i + 46 < n_bytes; i++)
        if (memcmp(bytes + i, "PK\1\2", 4) == 0) {
            memcpy(bytes + i + 24, "\0\0\0\x70", 4);
            break;
        }
    refuse(KT_DATA, put("bomb.npz", bytes, n_bytes), "cannot hold");
    kt_memory_free(bytes);
}

/* What no format is: each says so, naming the file, and leaves nothing. */
static void no_array(void)
{
    static const char *const texts[] = {"", "\1\2\3\4\5\6\7", "nonsense\nand more\n", "ROWS\n\n"};
    for (size_t f = 0; f < kt_n_formats; f++)
        for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
            const kt_format *format = kt_formats[f].format;
            const char *path = put_text("no_array", texts[i]), *const usual[] = {NULL};
            kt_array array = {.n_dims = 9};
            const kt_table_rules rules = {0};
            const kt_status status = format->read_table != NULL ? format->read_table(path, NULL, &rules, NULL, &array)
                                                                : format->read(path, NULL, usual, &array);
            CU_ASSERT(status == KT_DATA && kt_test_message(path));
            CU_ASSERT(array.data == NULL && array.n_dims == 0);
            CU_ASSERT(format->help[0] != '\0' && kt_formats[f].extensions[0] == '.');
        }
}

const char *const kt_test_suite = "format";
const kt_test kt_tests[] = {
    {"every type, byte order, shape and order of every format is read as NumPy wrote it", every_array},
    {"what holds no real numbers is refused by what it holds", not_numbers},
    {"an npy header that lies or is malformed is refused", npy_lies},
    {"an IDX header that lies is refused", idx_lies},
    {"a CSV error is told by line and column", csv_errors},
    {"cells come back as they were written, whatever they hold", cells_come_back},
    {"a table's first line is names or a row, which is told, or as the key says", headings},
    {"a single column named 0 is told from a row by the rows there should be", names_called_0},
    {"pandas' row numbers are left out, which is told, or as the key says", row_numbers},
    {"files, members and formats are found by name, or the sentence says why not", names},
    {"a truncated file is refused at any length, with the bytes expected and found", truncated},
    {"an archive that claims more than it can hold is refused", npz_bomb},
    {"every format refuses what it is not", no_array},
    {"thousands of damaged files are read or refused, and never crash", mutated},
    {NULL, NULL},
};
