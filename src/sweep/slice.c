/* Parsing i/n, and whose a point is. */
#include "sweep/slice.h"

#include <stdio.h>
#include <stdlib.h>

kt_status kt_slice_parse(const char *text, kt_slice *out)
{
    char *slash, *end;
    const long i = strtol(text, &slash, 10);
    const long n = *slash == '/' ? strtol(slash + 1, &end, 10) : 0;
    if (slash == text || n < 1 || n > 1000000 || *end != '\0' || i < 0 || i > n)
        return kt_fail(KT_USAGE,
                       "sweep: --slice %s: must be i/n, slice i of n, with i from 1 to n (or from 0 to n - 1)", text);
    *out = (kt_slice){(size_t)(i % n), (size_t)n};
    return KT_OK;
}

bool kt_slice_has(kt_slice slice, uint64_t number)
{
    return number % slice.n == slice.i;
}

uint64_t kt_slice_count(kt_slice slice, uint64_t n)
{
    return (n + slice.n - 1 - slice.i) / slice.n;
}

void kt_slice_suffix(kt_slice slice, char text[KT_SLICE_BYTES])
{
    text[0] = '\0';
    if (slice.n > 1)
        snprintf(text, KT_SLICE_BYTES, "-%zu-of-%zu", slice.i == 0 ? slice.n : slice.i, slice.n);
}
