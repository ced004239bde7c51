#include "ktrain/share.h"

void kt_share(size_t n, size_t i, size_t n_parts, size_t *begin, size_t *end)
{
    size_t each = n / n_parts;
    size_t larger = n % n_parts;
    *begin = i * each + (i < larger ? i : larger);
    *end = *begin + each + (i < larger ? 1 : 0);
}
