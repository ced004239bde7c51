#include "base/share.h"
#include "test.h"

const char *const kt_test_suite = "share";

static void shares_cover_everything_once_in_order(void)
{
    bool covered = true, even = true;
    for (size_t n = 0; n < 60; n++)
        for (size_t parts = 1; parts < 12; parts++) {
            size_t next = 0;
            for (size_t i = 0; i < parts; i++) {
                size_t begin, end;
                kt_share(n, i, parts, &begin, &end);
                covered = covered && begin == next && end >= begin;
                even = even && end - begin >= n / parts && end - begin <= n / parts + 1;
                next = end;
            }
            covered = covered && next == n;
        }
    CU_ASSERT(covered);
    CU_ASSERT(even);
}

const kt_test kt_tests[] = {
    {"shares cover everything once, in order, and differ by one at most", shares_cover_everything_once_in_order},
    {NULL, NULL},
};
