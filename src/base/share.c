#include "base/share.h"

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

kt_range kt_share(size_t n, size_t i, size_t n_parts)
{
    const size_t each = n / n_parts, larger = n % n_parts, begin = i * each + smaller(i, larger);
    return (kt_range){begin, begin + each + (i < larger ? 1 : 0)};
}

kt_range kt_share_tiles(size_t n, size_t tile, size_t i, size_t n_parts)
{
    const kt_range tiles = kt_share((n + tile - 1) / tile, i, n_parts);
    return (kt_range){smaller(tiles.begin * tile, n), smaller(tiles.end * tile, n)};
}

kt_range kt_range_from(size_t begin, size_t n, size_t end)
{
    return (kt_range){begin, smaller(begin + n, end)};
}
