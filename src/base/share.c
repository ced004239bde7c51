#include "base/share.h"

void kt_share(size_t n, size_t i, size_t n_parts, size_t *begin, size_t *end)
{
    size_t each = n / n_parts;
    size_t larger = n % n_parts;
    *begin = i * each + (i < larger ? i : larger);
    *end = *begin + each + (i < larger ? 1 : 0);
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

void kt_share_tiles(size_t n, size_t tile, size_t i, size_t n_parts, size_t *begin, size_t *end)
{
    kt_share((n + tile - 1) / tile, i, n_parts, begin, end);
    *begin = smaller(*begin * tile, n);
    *end = smaller(*end * tile, n);
}
