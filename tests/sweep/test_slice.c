/* Slices of points. */
#include "sweep/slice.h"
#include "test.h"

const char *const kt_test_suite = "slice";

static void slices_are_counted_from_1_or_from_0(void)
{
    static const struct {
        const char *text, *suffix;
        size_t i;
    } cases[] = {{"1/3", "-1-of-3", 1}, {"3/3", "-3-of-3", 0}, {"0/3", "-3-of-3", 0}, {"1/1", "", 0}};
    char suffix[KT_SLICE_BYTES];
    kt_slice slice;
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        KT_CHECK_STATUS(KT_OK, kt_slice_parse(cases[k].text, &slice));
        CU_ASSERT(slice.i == cases[k].i);
        kt_slice_suffix(slice, suffix);
        CU_ASSERT_STRING_EQUAL(suffix, cases[k].suffix);
    }
}

static void what_is_no_slice_is_refused(void)
{
    static const char *const texts[] = {"4/3", "-1/3", "1", "x", "", "/3", "1/0", "1/3x", "1/1000001"};
    kt_slice slice = {7, 9};
    for (size_t k = 0; k < sizeof texts / sizeof texts[0]; k++)
        KT_CHECK_STATUS(KT_USAGE, kt_slice_parse(texts[k], &slice));
    CU_ASSERT(slice.i == 7 && slice.n == 9);
}

static void every_number_is_in_one_slice(void)
{
    for (size_t n_slices = 1; n_slices < 6; n_slices++)
        for (uint64_t n = 0; n < 20; n++) {
            uint64_t sum = 0;
            for (size_t i = 0; i < n_slices; i++) {
                uint64_t n_in = 0;
                for (uint64_t number = 0; number < n; number++)
                    n_in += kt_slice_has((kt_slice){i, n_slices}, number);
                CU_ASSERT(n_in == kt_slice_count((kt_slice){i, n_slices}, n));
                sum += n_in;
            }
            CU_ASSERT(sum == n);
        }
}

const kt_test kt_tests[] = {
    {"slices are counted from 1 or from 0", slices_are_counted_from_1_or_from_0},
    {"what is no slice is refused", what_is_no_slice_is_refused},
    {"every number is in one slice", every_number_is_in_one_slice},
    {NULL, NULL},
};
