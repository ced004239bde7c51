/* Journals that are not as kt_journal_append has left them. */
#include <zlib.h>

#include "sweep/journal_lines.h"

const char *const kt_test_suite = "journal_damage";

static void a_cut_file_keeps_its_whole_lines(void)
{
    char bytes[MOST_BYTES];
    size_t start[4];
    const char *path = kt_test_scratch("cut");
    three_lines(path, bytes, start);
    for (size_t n = 0; n <= start[3]; n++) {
        size_t whole = 0;
        while (whole < 3 && n >= start[whole + 1] - 1) /* a line may lack its newline */
            whole++;
        size_t torn = n > start[whole];
        put(path, "w", bytes, n);
        CU_ASSERT(holds(path, whole, torn, torn ? whole + 1 : 0));
        bool edge = n < start[2] + 2 || n + 2 >= start[3];
        if (n < start[2] || (!edge && n % 16 != 0))
            continue; /* the same again, and an fsync may be slow */
        append_one(path, 4);
        CU_ASSERT(holds(path, whole + 1, torn, torn ? whole + 1 : 0));
        for (size_t i = 0; i < whole; i++)
            CU_ASSERT(found.outcomes[i].key == i + 1);
        CU_ASSERT(found.outcomes[whole].key == 4);
    }
}

/* In the middle line of three: every bit, and every byte made a NUL or a newline. */
static void no_damaged_byte_goes_unnoticed(void)
{
    char bytes[MOST_BYTES];
    size_t start[4];
    const char *path = kt_test_scratch("flip");
    three_lines(path, bytes, start);
    for (size_t i = start[1]; i < start[2]; i++)
        for (int change = 0; change < 10; change++) {
            char old = bytes[i];
            bytes[i] = (char)(change < 8 ? old ^ 1 << change : change == 8 ? '\0' : '\n');
            if (bytes[i] != old) {
                put(path, "w", bytes, start[3]);
                bool joined = i + 1 == start[2]; /* with the third line */
                bool ends = bytes[i] == '\n';
                bool two = ends && i > start[1] && i + 2 < start[2]; /* else one of the two is empty */
                CU_ASSERT(holds(path, joined ? 1 : 2, two ? 2 : 1, ends && i == start[1] ? 3 : 2));
                CU_ASSERT(found.outcomes[0].key == 1 && (joined || found.outcomes[1].key == 3));
            }
            bytes[i] = old;
        }
}

/* A line with the right crc for `body`, which lacks its brace. */
static void put_line(const char *path, const char *body)
{
    char line[4096];
    int n = snprintf(line, sizeof line, "%s, \"crc\": \"%08lx\"}\n", body,
                     crc32(0, (const Bytef *)body, (uInt)strlen(body)));
    put(path, "w", line, (size_t)n);
}

static void a_line_must_say_what_it_should(void)
{
    static const char good[] =
        "{\"key\": \"0000000000000001\", \"config\": {\"train.epochs\": \"7\"}, \"status\": \"failed\", \"code\": 65, "
        "\"stop_reason\": \"running\", \"validation_cross_entropy\": 2.5, \"validation_accuracy\": null, "
        "\"test_cross_entropy\": 1.5, \"test_accuracy\": 0.5, \"train_cross_entropy\": 2e-3, \"train_accuracy\": 0.5, "
        "\"epochs\": 1, \"best_epoch\": 2, \"seconds\": 1.5, \"ranks\": 3, \"error\": \"x\"";
    static const char *const changes[][2] = {
        {"{\"key\"", "\"key\""},
        {"{\"key\"", "[{\"key\""},
        {"\"key\"", "\"kex\""},
        {"0001\"", "001\""},
        {"0001\"", "00001\""},
        {"0001\"", "000A\""},
        {"\"0000000000000001\"", "1"},
        {"\"config\"", "\"confiG\""},
        {"{\"train.epochs\": \"7\"}", "[]"},
        {"{\"train.epochs\": \"7\"}", "null"},
        {"train.epochs", "train.epoch"},
        {"train.epochs", "epochs"},
        {"train.epochs", ".epochs"},
        {"\"7\"", "\"0\""},
        {"\"7\"", "7"},
        {"\"7\"", "\"7\\u0000\""},
        {"failed", "done"},
        {"failed", "diverged"},
        {"failed", ""},
        {"65", "0"},
        {"65", "65.0"},
        {"65", "4294967361"},
        {"65", "99999999999999999999"},
        {"running", "walking"},
        {"\"running\"", "0"},
        {"2.5", "\"2.5\""},
        {"2.5", "NaN"},
        {"2.5", "1e999"},
        {"2.5", "true"},
        {"null", "false"},
        {"\"seconds\": 1.5, ", ""},
        {"\"epochs\": 1", "\"epochs\": 1.0"},
        {"\"epochs\": 1", "\"epochs\": null"},
        {"\"ranks\": 3, ", ""},
        {"\"x\"", "null"},
        {"\"x\"", "\"\xff\""},
        {"\"x\"", "\"x\", \"key\": \"0000000000000002\""},
        {"\"x\"", "\"x\"}, {\"a\": 1"},
    };
    const char *path = kt_test_scratch("wrong");
    put_line(path, good);
    CU_ASSERT(holds(path, 1, 0, 0) && found.outcomes[0].status == KT_DATA && found.configs[0].train.epochs == 7);
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        char body[2048];
        const char *at = strstr(good, changes[i][0]);
        snprintf(body, sizeof body, "%.*s%s%s", (int)(at - good), good, changes[i][1], at + strlen(changes[i][0]));
        put_line(path, body);
        CU_ASSERT(holds(path, 0, 1, 1));
    }
    char body[4096];
    snprintf(body, sizeof body, "%.*s%0*d\"", (int)(strlen(good) - 2), good, KT_OUTCOME_ERROR_BYTES, 1);
    put_line(path, body);
    CU_ASSERT(holds(path, 0, 1, 1));
}

static void garbage_has_no_lines(void)
{
    static char bytes[3 << 20], lines[MOST_BYTES];
    const char *path = kt_test_scratch("garbage");
    size_t start[4], n_newlines = 0;
    uint64_t state = 1;
    CU_ASSERT(holds(kt_test_scratch("absent"), 0, 0, 0));
    put(path, "w", "", 0);
    CU_ASSERT(holds(path, 0, 0, 0));
    put(path, "w", "\n\n\n", 3);
    CU_ASSERT(holds(path, 0, 0, 0));
    put(path, "w", "\n \n\r\n\0\n{}\n", 10);
    CU_ASSERT(holds(path, 0, 4, 2));
    for (size_t i = 0; i < 100000; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        bytes[i] = (char)(state >> 56);
        n_newlines += bytes[i] == '\n' && i > 0 && bytes[i - 1] != '\n';
    }
    bytes[99999] = 'x';
    put(path, "w", bytes, 100000);
    CU_ASSERT(read_back(path) == KT_OK && found.n == 0 && found.n_damaged >= n_newlines);
    three_lines(path, lines, start);
    memset(bytes, ' ', sizeof bytes);
    put(path, "a", bytes, sizeof bytes);
    put(path, "a", "\n", 1);
    append_one(path, 4);
    CU_ASSERT(holds(path, 4, 1, 4) && found.outcomes[3].key == 4);
    /* A good line after so many spaces is not one, even with its own crc at its end. */
    put(path, "w", bytes, sizeof bytes);
    put(path, "a", lines, start[3]);
    CU_ASSERT(holds(path, 2, 1, 1) && found.outcomes[0].key == 2);
}

const kt_test kt_tests[] = {
    {"a cut file keeps its whole lines, and the next line stands alone", a_cut_file_keeps_its_whole_lines},
    {"no damaged byte goes unnoticed, and none spoils other lines", no_damaged_byte_goes_unnoticed},
    {"a line must say what it should, also with the right crc", a_line_must_say_what_it_should},
    {"garbage has no lines, and an endless line is none", garbage_has_no_lines},
    {NULL, NULL},
};
