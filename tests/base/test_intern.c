/* Values that stay. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/intern.h"
#include "test.h"

const char *const kt_test_suite = "intern";

static void equal_bytes_have_one_address(void)
{
    char text[] = "runs/m1";
    const char *kept = kt_intern_text(text);
    const double numbers[] = {0.7, 0.15};
    CU_ASSERT(kept != text && kept == kt_intern_text("runs/m1") && kept != kt_intern_text("runs/m2"));
    text[0] = 'x';
    CU_ASSERT_STRING_EQUAL(kept, "runs/m1");
    CU_ASSERT(kt_intern(numbers, sizeof numbers) == kt_intern(numbers, sizeof numbers));
    CU_ASSERT(kt_intern(numbers, sizeof numbers) != kt_intern(numbers, sizeof *numbers));
    CU_ASSERT((uintptr_t)kt_intern(numbers, sizeof numbers) % 16 == 0);
    CU_ASSERT(kt_intern("", 0) != NULL && strcmp(kt_intern_text(""), "") == 0);
}

static void many_values_stay_where_they_are(void)
{
    enum { N = 3000 };
    static const char *kept[N];
    char text[16];
    for (int i = 0; i < N; i++) {
        snprintf(text, sizeof text, "%d", i);
        kept[i] = kt_intern_text(text);
    }
    bool same = true;
    for (int i = 0; i < N; i++) {
        snprintf(text, sizeof text, "%d", i);
        same = same && kt_intern_text(text) == kept[i] && strcmp(kept[i], text) == 0;
    }
    CU_ASSERT(same);
}

const kt_test kt_tests[] = {
    {"equal bytes have one address, whatever becomes of the original", equal_bytes_have_one_address},
    {"many values stay where they are", many_values_stay_where_they_are},
    {NULL, NULL},
};
