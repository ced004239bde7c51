/* Not a test but the subject of one: tests/harness_failures.sh checks that this is reported as a failure. */
#include "test.h"

static void passes_everywhere(void)
{
    KT_CHECK(kt_comm_size(kt_test_world) > 0);
}

static void fails_on_the_last_rank(void)
{
    CU_ASSERT(kt_comm_rank(kt_test_world) < kt_comm_size(kt_test_world) - 1);
}

static void is_checked_together(void)
{
    KT_CHECK(kt_comm_rank(kt_test_world) != 1);
}

const char *const kt_test_suite = "failing";
const kt_test kt_tests[] = {
    {"passes everywhere", passes_everywhere},
    {"fails on the last rank", fails_on_the_last_rank},
    {"is checked together", is_checked_together},
    {NULL, NULL},
};
