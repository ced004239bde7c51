/* Who owns what of n, by number and in whole tiles. */
#include "base/share.h"

kt_range kt_share(size_t n, size_t i, size_t n_owners)
{
    const size_t each = n / n_owners, larger = n % n_owners, begin = i * each + kt_smaller(i, larger);
    return (kt_range){begin, begin + each + (i < larger ? 1 : 0)};
}

kt_range kt_share_tiles(size_t n, size_t tile, size_t i, size_t n_owners)
{
    const kt_range tiles = kt_share((n + tile - 1) / tile, i, n_owners);
    return (kt_range){kt_smaller(tiles.begin * tile, n), kt_smaller(tiles.end * tile, n)};
}

kt_range kt_range_from(size_t begin, size_t n, size_t end)
{
    return (kt_range){begin, kt_smaller(begin + n, end)};
}
