/* Strings that grow. */
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "test.h"

const char *const kt_test_suite = "text";

static void appending_grows_the_text(void)
{
    kt_text_buffer buffer = {0};
    for (int i = 0; i < 1000; i++)
        kt_text_append(&buffer, "%04d,", i);
    char *text;
    KT_CHECK_STATUS(KT_OK, kt_text_take(&buffer, &text));
    CU_ASSERT(strlen(text) == 5000);
    CU_ASSERT(strncmp(text + 4995, "0999,", 5) == 0);
    CU_ASSERT(buffer.n == 0);
    kt_memory_free(text);
}

static void taking_nothing_gives_an_empty_text(void)
{
    kt_text_buffer buffer = {0};
    char *text;
    KT_CHECK_STATUS(KT_OK, kt_text_take(&buffer, &text));
    CU_ASSERT_STRING_EQUAL(text, "");
    kt_memory_free(text);
}

static void a_number_is_the_shortest_that_reads_back(void)
{
    static const struct {
        double value;
        const char *text;
    } cases[] = {{0.1, "0.1"},         {0.1 + 0.2, "0.30000000000000004"}, {1e-8, "1e-08"}, {0, "0"}, {-2.5, "-2.5"},
                 {1234567, "1234567"}, {1.4321234567, "1.4321234567"}};
    char text[32];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const int n = kt_text_real(cases[i].value, text, sizeof text);
        CU_ASSERT_STRING_EQUAL(text, cases[i].text);
        CU_ASSERT(n == (int)strlen(text));
    }
}

static void the_distance_counts_edits(void)
{
    CU_ASSERT(kt_text_distance("batch_size", "batch_size") == 0);
    CU_ASSERT(kt_text_distance("batchsize", "batch_size") == 1);
    CU_ASSERT(kt_text_distance("kitten", "sitting") == 3);
    CU_ASSERT(kt_text_distance("", "abc") == 3);
    CU_ASSERT(kt_text_distance("trian", "train") == 1);
    CU_ASSERT(kt_text_near("Batch-Size", "batch_size") == 0);
    CU_ASSERT(kt_text_near("strategie", "strategy") == 2);
    CU_ASSERT(kt_text_near("lr", "l2") == KT_TEXT_FAR);
    CU_ASSERT(kt_text_near("drop", "dropout") == 3);
    CU_ASSERT(kt_text_near("dr", "dropout") == KT_TEXT_FAR);
    CU_ASSERT(kt_text_near("", "") == 0 && kt_text_near("", "l2") == KT_TEXT_FAR);
    char longer[500];
    memset(longer, 'a', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    CU_ASSERT(kt_text_distance(longer, "b") > 0);
}

static void durations_and_bars_are_short(void)
{
    static const struct {
        double seconds;
        const char *text;
    } cases[] = {{0, "0.0 s"}, {59.94, "59.9 s"}, {187, "3:07"}, {3765, "1:02:45"}, {1e9, "0:00"}};
    char text[32], bar[KT_TEXT_BAR_BYTES];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        kt_text_duration(cases[i].seconds, text, sizeof text);
        CU_ASSERT_STRING_EQUAL(text, cases[i].text);
    }
    kt_text_bar(0, 7, bar);
    CU_ASSERT_STRING_EQUAL(bar, "          ");
    kt_text_bar(5, 7, bar);
    CU_ASSERT_STRING_EQUAL(bar, "=======   ");
    kt_text_bar(8, 7, bar);
    CU_ASSERT_STRING_EQUAL(bar, "==========");
}

static void characters_are_those_of_utf_8(void)
{
    static const struct {
        const char *text;
        size_t n;
    } cases[] = {
        {"a", 1},
        {"\xc3\xa9", 2},
        {"\xe3\x81\x82x", 3},
        {"\xf0\x9f\x98\x80", 4}, /* good */
        {"\x80", 0},
        {"\xc3", 0},
        {"\xc3x", 0},
        {"\xff", 0}, /* none, or cut */
        {"\xc0\xaf", 0},
        {"\xed\xa0\x80", 0},
        {"\xf4\x90\x80\x80", 0}, /* too long, half, too large */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        CU_ASSERT(kt_text_character(cases[i].text, strlen(cases[i].text)) == cases[i].n);
}

const kt_test kt_tests[] = {
    {"appending grows the text", appending_grows_the_text},
    {"taking nothing gives an empty text", taking_nothing_gives_an_empty_text},
    {"a number is the shortest text that reads back the same", a_number_is_the_shortest_that_reads_back},
    {"the distance counts edits, also of long words", the_distance_counts_edits},
    {"durations and bars are short", durations_and_bars_are_short},
    {"characters are those of UTF-8: not cut, not longer than need be", characters_are_those_of_utf_8},
    {NULL, NULL},
};
