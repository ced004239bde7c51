/* Codes and the error record. */
#include <string.h>

#include "base/status.h"
#include "test.h"

const char *const kt_test_suite = "status";

static void failing_records_code_and_sentence(void)
{
    CU_ASSERT(kt_fail(KT_DATA, "x.npy: byte %d", 12) == KT_DATA);
    CU_ASSERT_STRING_EQUAL(kt_error_message(), "x.npy: byte 12");
}

static void a_message_may_quote_the_one_before(void)
{
    kt_fail(KT_IO, "disk full");
    kt_fail(KT_IO, "a: %s", kt_error_message());
    CU_ASSERT_STRING_EQUAL(kt_error_message(), "a: disk full");
    CU_ASSERT(kt_fail_context(KT_IO, "%s", "b") == KT_IO);
    CU_ASSERT_STRING_EQUAL(kt_error_message(), "b: a: disk full");
    CU_ASSERT(kt_fail_advice(KT_IO, "; make %s", "room") == KT_IO);
    CU_ASSERT_STRING_EQUAL(kt_error_message(), "b: a: disk full; make room");
}

static void a_failure_is_a_record_and_told_with_its_place(void)
{
    char text[KT_ERROR_BYTES];
    kt_fail_lines(KT_IO, "disk full\n  and more");
    CU_ASSERT(kt_error_last()->status == KT_IO && kt_error_last()->rank == KT_OWN_RANK);
    kt_error error = *kt_error_last();
    kt_error_format(&error, text);
    CU_ASSERT_STRING_EQUAL(text, "disk full\n  and more");
    error.rank = 3;
    strcpy(error.host, "node2");
    kt_fail(KT_DATA, "something else");
    CU_ASSERT(kt_fail_as(&error) == KT_IO);
    CU_ASSERT(kt_fail_context(KT_DATA, "a") == KT_DATA);
    CU_ASSERT_STRING_EQUAL(kt_error_message(), "a: disk full\n  and more");
    kt_error_format(kt_error_last(), text);
    CU_ASSERT_STRING_EQUAL(text, "a: disk full [rank 3 on node2]\n  and more");
    kt_fail(KT_DATA, "the next one");
    CU_ASSERT(kt_error_last()->rank == KT_OWN_RANK && kt_error_last()->host[0] == '\0');
}

static void a_long_message_is_cut(void)
{
    char text[3 * KT_MESSAGE_BYTES];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    kt_fail(KT_DATA, "%s", text);
    CU_ASSERT(strlen(kt_error_message()) == KT_MESSAGE_BYTES - 1);
    kt_fail_context(KT_DATA, "%s", text);
    CU_ASSERT(strlen(kt_error_message()) == KT_MESSAGE_BYTES - 1);
}

static void every_code_has_a_name(void)
{
    const kt_status codes[] = {KT_OK,        KT_USAGE, KT_DIVERGED,  KT_DATA, KT_NO_INPUT, KT_INTERNAL,
                               KT_NO_MEMORY, KT_IO,    KT_PREEMPTED, KT_HUNG, KT_CONFIG};
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
        CU_ASSERT(strcmp(kt_status_name(codes[i]), "unknown") != 0);
    CU_ASSERT_STRING_EQUAL(kt_status_name((kt_status)99), "unknown");
    CU_ASSERT(kt_n_status_rows == sizeof codes / sizeof codes[0]);
}

const kt_test kt_tests[] = {
    {"failing records code and sentence", failing_records_code_and_sentence},
    {"a message may quote the one before", a_message_may_quote_the_one_before},
    {"a failure is a record, and is told with its place", a_failure_is_a_record_and_told_with_its_place},
    {"a long message is cut, not overrun", a_long_message_is_cut},
    {"every code has a name", every_code_has_a_name},
    {NULL, NULL},
};
