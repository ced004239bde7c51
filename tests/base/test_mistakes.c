/* Several failures told together. */

#include "base/mistakes.h"
#include "test.h"

const char *const kt_test_suite = "mistakes";

static void none_is_no_failure(void)
{
    kt_mistakes mistakes = {0};
    kt_mistakes_add(&mistakes, KT_OK);
    CU_ASSERT(kt_mistakes_tell(&mistakes, "x.ini") == KT_OK);
}

static void one_is_told_as_it_is(void)
{
    kt_mistakes mistakes = {0};
    kt_mistakes_add(&mistakes, kt_fail(KT_USAGE, "x.ini:3: a%cb", '\n'));
    CU_ASSERT(kt_mistakes_tell(&mistakes, "x.ini") == KT_USAGE);
    CU_ASSERT_STRING_EQUAL(kt_error_message(), "x.ini:3: a?b");
}

static void several_are_told_in_lines(void)
{
    kt_mistakes mistakes = {0};
    kt_mistakes_add(&mistakes, kt_fail(KT_CONFIG, "x.ini:3: a"));
    kt_mistakes_add(&mistakes, kt_fail(KT_USAGE, "x.ini:4: b"));
    CU_ASSERT(kt_mistakes_tell(&mistakes, "x.ini") == KT_CONFIG);
    CU_ASSERT_STRING_EQUAL(kt_error_message(), "x.ini: 2 mistakes:\n  x.ini:3: a\n  x.ini:4: b");
    CU_ASSERT(mistakes.n == 0);
}

static void of_very_many_the_rest_is_counted(void)
{
    kt_mistakes mistakes = {0};
    for (int i = 0; i < KT_MISTAKES_TOLD + 5; i++)
        kt_mistakes_add(&mistakes, kt_fail(KT_CONFIG, "number %d.", i));
    CU_ASSERT(kt_mistakes_tell(&mistakes, "x.ini") == KT_CONFIG);
    KT_CHECK_MESSAGE("x.ini: 25 mistakes:\n  number 0.\n");
    KT_CHECK_MESSAGE("number 19.\n  and 5 more");
}

const kt_test kt_tests[] = {
    {"none is no failure", none_is_no_failure},
    {"one is told as it is", one_is_told_as_it_is},
    {"several are told in lines of their own", several_are_told_in_lines},
    {"of very many the rest is counted", of_very_many_the_rest_is_counted},
    {NULL, NULL},
};
