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

static void huge_memory_is_zeroed_aligned_and_only_there_where_touched(void)
{
    const size_t sizes[] = {0, 1, 4095, 4096, ((size_t)2 << 20) - 1, ((size_t)2 << 20), ((size_t)5 << 20) + 7};
    for (size_t k = 0; k < sizeof sizes / sizeof sizes[0]; k++) {
        size_t n = sizes[k];
        unsigned char *bytes = kt_memory_new_huge(n);
        CU_ASSERT_PTR_NOT_NULL(bytes);
        CU_ASSERT((uintptr_t)bytes % ((size_t)2 << 20) == 0);
        bool zero = true;
        for (size_t i = 0; i < n; i++)
            zero = zero && bytes[i] == 0;
        CU_ASSERT(zero);
        memset(bytes, 1, n);
        kt_memory_free_huge(bytes, n);
    }
    size_t half = kt_memory_available() / 2; /* more than a test should touch */
    char *bytes = kt_memory_new_huge(half < (size_t)1 << 40 ? half : (size_t)1 << 40);
    CU_ASSERT_PTR_NOT_NULL(bytes);
    kt_memory_free_huge(bytes, half < (size_t)1 << 40 ? half : (size_t)1 << 40);
    kt_memory_free_huge(NULL, 1);
}

static void huge_memory_that_cannot_be_is_refused(void)
{
    CU_ASSERT_PTR_NULL(kt_memory_new_huge(SIZE_MAX));
    CU_ASSERT_PTR_NULL(kt_memory_new_huge((size_t)1 << 60));
    KT_CHECK_MESSAGE("cannot allocate");
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
    {"huge memory is zeroed, aligned, and only there where touched", huge_memory_is_zeroed_aligned_and_only_there_where_touched},
    {"huge memory that cannot be is refused", huge_memory_that_cannot_be_is_refused},
    {"a product that overflows is refused", a_product_that_overflows_is_refused},
    {"a string is copied with its end", a_string_is_copied_with_its_end},
    {NULL, NULL},
};
