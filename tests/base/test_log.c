/* Lines, where they go, and how they are folded. What a terminal shows is tests/e2e/e2e_terminal.py. */
#include <string.h>

#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "test.h"

const char *const kt_test_suite = "log";

static void a_line_is_folded_at_the_last_blank_that_fits(void)
{
    CU_ASSERT_EQUAL(kt_log_fold("one two three", 13), 13);
    CU_ASSERT_EQUAL(kt_log_fold("one two three", 12), 7);
    CU_ASSERT_EQUAL(kt_log_fold("one two three", 7), 7);
    CU_ASSERT_EQUAL(kt_log_fold("one two three", 6), 3);
    CU_ASSERT_EQUAL(kt_log_fold("", 5), 0);
}

static void a_word_that_is_wider_stays_whole(void)
{
    CU_ASSERT_EQUAL(kt_log_fold("/a/long/path and more", 5), 12);
    CU_ASSERT_EQUAL(kt_log_fold("       /a/long/path", 10), 19); /* blanks in front are no place to fold */
}

static void characters_of_several_bytes_take_one_column(void)
{
    CU_ASSERT_EQUAL(kt_log_fold("\xe3\x81\x82\xe3\x81\x84 \xe3\x81\x86", 4), 10);
    CU_ASSERT_EQUAL(kt_log_fold("\xe3\x81\x82\xe3\x81\x84 \xe3\x81\x86", 3), 6);
}

/* What log.txt holds after `write`, each line without its time, which must be there. */
static void check_file(const char *name, void (*write)(kt_log *), const char *expected)
{
    const char *path = kt_test_scratch(name);
    unsigned char *bytes;
    char text[512] = "";
    size_t n;
    kt_log log = kt_log_create(true);
    log.quiet = true;
    KT_CHECK_STATUS(KT_OK, kt_log_open_file(&log, path));
    write(&log);
    kt_log_close_file(&log);
    KT_CHECK_STATUS(KT_OK, kt_file_read(path, &bytes, &n));
    for (char *line = strtok((char *)bytes, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        enum { STAMP = sizeof "2026-11-25 12:07:45" };
        CU_ASSERT(strlen(line) > STAMP && line[4] == '-' && line[7] == '-' && line[13] == ':' && line[16] == ':');
        strncat(text, line + STAMP, sizeof text - strlen(text) - 2);
        strcat(text, "\n");
    }
    CU_ASSERT_STRING_EQUAL(text, expected);
    kt_memory_free(bytes);
}

static void write_lines(kt_log *log)
{
    kt_log_line(log, "a line of %d", 1);
    kt_log_text(log, "two lines\nof a text\n");
    kt_log_file_line(log, "for the file");
    kt_log_line_of(log, "the whole form", "short");
    kt_log_error(log, "2 mistakes:\n  one\n  another");
    kt_log_line(log, "the %s", "last");
}

static void the_file_has_each_line_whole_with_its_time(void)
{
    check_file("log.txt", write_lines,
               "a line of 1\ntwo lines\nof a text\nfor the file\nthe whole form\n"
               "ktrain: 2 mistakes:\n  one\n  another\nthe last\n");
}

static void say_when_due(kt_log *log)
{
    CU_ASSERT(!kt_log_is_due(log));
    log->spoke_seconds -= 31;
    CU_ASSERT(kt_log_is_due(log));
    kt_log_heartbeat(log, "still here");
    CU_ASSERT(!kt_log_is_due(log));
}

static void silence_of_half_a_minute_is_to_be_broken(void)
{
    check_file("heartbeat.txt", say_when_due, "still here\n");
}

static void where_there_is_no_terminal_any_line_fits(void)
{
    kt_log log = kt_log_create(true);
    log.terminal = false;
    CU_ASSERT(kt_log_columns(&log) > 1000000);
}

const kt_test kt_tests[] = {
    {"a line is folded at the last blank that fits", a_line_is_folded_at_the_last_blank_that_fits},
    {"a word that is wider stays whole", a_word_that_is_wider_stays_whole},
    {"characters of several bytes take one column", characters_of_several_bytes_take_one_column},
    {"the file has each line whole, with its time", the_file_has_each_line_whole_with_its_time},
    {"a silence of half a minute is to be broken", silence_of_half_a_minute_is_to_be_broken},
    {"where there is no terminal any line fits", where_there_is_no_terminal_any_line_fits},
    {NULL, NULL},
};
