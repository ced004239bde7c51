/* Who owns what of n. */
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
                const kt_range own = kt_share(n, i, parts);
                const size_t n_own = own.end - own.begin;
                covered = covered && own.begin == next && own.end >= own.begin;
                even = even && n_own >= n / parts && n_own <= n / parts + 1;
                next = own.end;
            }
            covered = covered && next == n;
        }
    CU_ASSERT(covered);
    CU_ASSERT(even);
}

static void shares_in_tiles_cover_everything_and_meet_between_tiles(void)
{
    bool covered = true, whole = true;
    for (size_t n = 0; n < 100; n++)
        for (size_t tile = 1; tile < 20; tile += 3)
            for (size_t parts = 1; parts < 8; parts++) {
                size_t next = 0;
                for (size_t i = 0; i < parts; i++) {
                    const kt_range own = kt_share_tiles(n, tile, i, parts);
                    covered = covered && own.begin == next && own.end >= own.begin;
                    whole = whole && (own.end % tile == 0 || own.end == n);
                    next = own.end;
                }
                covered = covered && next == n;
            }
    CU_ASSERT(covered);
    CU_ASSERT(whole);
}

const kt_test kt_tests[] = {
    {"shares cover everything once, in order, and differ by one at most", shares_cover_everything_once_in_order},
    {"shares in whole tiles cover everything once and meet between tiles",
     shares_in_tiles_cover_everything_and_meet_between_tiles},
    {NULL, NULL},
};
