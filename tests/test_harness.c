/* The frame itself: what test.h promises to the other tests. harness_failures.sh has the other half. */
#include "test.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static void scratch_is_shared(void)
{
    const char *path = kt_test_scratch("shared");
    if (kt_comm_rank(kt_test_world) == 0) {
        FILE *file = fopen(path, "wb");
        CU_ASSERT(file != NULL);
        if (file != NULL)
            fclose(file);
    }
    kt_comm_barrier(kt_test_world);
    struct stat status;
    KT_CHECK(stat(path, &status) == 0 && status.st_size == 0);
}

static void source_tree_is_found(void)
{
    struct stat status;
    KT_CHECK(stat(kt_test_source("tests/test.h"), &status) == 0);
}

static void paths_live_for_four_calls(void)
{
    const char *first = kt_test_scratch("first");
    kt_test_scratch("second");
    kt_test_scratch("third");
    kt_test_scratch("fourth");
    KT_CHECK(strstr(first, "/first") != NULL);
}

static void statuses_and_messages_are_checked(void)
{
    KT_CHECK_STATUS(KT_DATA, kt_fail(KT_DATA, "row %d is short", 7));
    KT_CHECK_MESSAGE("row 7");
}

const char *const kt_test_suite = "harness";
const kt_test kt_tests[] = {
    {"the scratch folder is shared by the ranks and files in it are new", scratch_is_shared},
    {"the source tree is found", source_tree_is_found},
    {"paths live for four calls", paths_live_for_four_calls},
    {"statuses and messages are checked", statuses_and_messages_are_checked},
    {NULL, NULL},
};
