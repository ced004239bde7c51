#include <stdint.h>
#include <string.h>

#include "ktrain/memory.h"
#include "test.h"

const char *const kt_test_suite = "memory";

static void memory_is_zeroed_and_aligned(void)
{
    for (size_t n = 0; n < 300; n += 7) {
        unsigned char *bytes = kt_memory_new(n, 1);
        CU_ASSERT_PTR_NOT_NULL(bytes);
        CU_ASSERT((uintptr_t)bytes % 64 == 0);
        bool zero = true;
        for (size_t i = 0; i < n; i++)
            zero = zero && bytes[i] == 0;
        CU_ASSERT(zero);
        kt_memory_free(bytes);
    }
}

static void a_product_that_overflows_is_refused(void)
{
    CU_ASSERT_PTR_NULL(kt_memory_new(SIZE_MAX / 2, 4));
    KT_CHECK_MESSAGE("more than this machine can address");
    double *x;
    CU_ASSERT(KT_NEW(x, SIZE_MAX / 8) == KT_NO_MEMORY);
}

static void a_string_is_copied_with_its_end(void)
{
    char *copy = kt_memory_string("loss");
    CU_ASSERT_STRING_EQUAL(copy, "loss");
    kt_memory_free(copy);
    kt_memory_free(NULL);
}

const kt_test kt_tests[] = {
    {"memory is zeroed and aligned to 64 bytes", memory_is_zeroed_and_aligned},
    {"a product that overflows is refused", a_product_that_overflows_is_refused},
    {"a string is copied with its end", a_string_is_copied_with_its_end},
    {NULL, NULL},
};
