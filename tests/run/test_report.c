/* Which epochs get a line. */
#include "run/report.h"
#include "test.h"

const char *const kt_test_suite = "report";

static int shown_up_to(int64_t epochs)
{
    int n = 0;
    for (int64_t epoch = 1; epoch <= epochs; epoch++)
        n += kt_report_shows_epoch(epoch);
    return n;
}

static void the_first_hundred_epochs_are_all_shown(void)
{
    CU_ASSERT_EQUAL(shown_up_to(100), 100);
    CU_ASSERT(!kt_report_shows_epoch(101) && kt_report_shows_epoch(102));
}

static void thousands_of_epochs_are_some_hundred_lines(void)
{
    CU_ASSERT_EQUAL(shown_up_to(200), 150);
    CU_ASSERT_EQUAL(shown_up_to(5000), 370);
    CU_ASSERT(shown_up_to(1000000) < 800);
}

static void what_is_shown_are_round_numbers(void)
{
    CU_ASSERT(kt_report_shows_epoch(205) && !kt_report_shows_epoch(206));
    CU_ASSERT(kt_report_shows_epoch(5000) && !kt_report_shows_epoch(5010) && kt_report_shows_epoch(5100));
}

const kt_test kt_tests[] = {
    {"the first hundred epochs are all shown", the_first_hundred_epochs_are_all_shown},
    {"thousands of epochs are some hundred lines", thousands_of_epochs_are_some_hundred_lines},
    {"what is shown are round numbers", what_is_shown_are_round_numbers},
    {NULL, NULL},
};
