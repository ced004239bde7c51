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
    const kt_status codes[] = {KT_OK,       KT_USAGE,     KT_DIVERGED, KT_DATA,      KT_NO_INPUT,
                               KT_INTERNAL, KT_NO_MEMORY, KT_IO,       KT_PREEMPTED, KT_CONFIG};
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
        CU_ASSERT(strcmp(kt_status_name(codes[i]), "unknown") != 0);
    CU_ASSERT_STRING_EQUAL(kt_status_name((kt_status)99), "unknown");
    CU_ASSERT(kt_n_status_rows == sizeof codes / sizeof codes[0]);
}

const kt_test kt_tests[] = {
    {"failing records code and sentence", failing_records_code_and_sentence},
    {"a message may quote the one before", a_message_may_quote_the_one_before},
    {"a long message is cut, not overrun", a_long_message_is_cut},
    {"every code has a name", every_code_has_a_name},
    {NULL, NULL},
};
