/* How n things are dealt to n_owners owners: the one rule for samples, rows and slices of vectors. Local and pure. */
#ifndef KTRAIN_SHARE_H
#define KTRAIN_SHARE_H

#include <stddef.h>

static inline size_t kt_smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

static inline size_t kt_larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* begin inclusive, end exclusive. */
typedef struct kt_range {
    size_t begin, end;
} kt_range;

/* What owner i of n_owners has of n things. Contiguous, in order, sizes differ by one at most (the first n % n_owners
 * shares are the larger), empty when there are fewer things than owners. */
static inline kt_range kt_share(size_t n, size_t i, size_t n_owners)
{
    const size_t each = n / n_owners, larger = n % n_owners, begin = i * each + kt_smaller(i, larger);
    return (kt_range){begin, begin + each + (i < larger ? 1 : 0)};
}

/* The same in whole tiles of `tile` things, of which the last may be cut short: bounds between shares are multiples of
 * tile. */
static inline kt_range kt_share_tiles(size_t n, size_t tile, size_t i, size_t n_owners)
{
    const kt_range tiles = kt_share((n + tile - 1) / tile, i, n_owners);
    return (kt_range){kt_smaller(tiles.begin * tile, n), kt_smaller(tiles.end * tile, n)};
}

/* n from begin, or what is left of them up to end. */
static inline kt_range kt_range_from(size_t begin, size_t n, size_t end)
{
    return (kt_range){begin, kt_smaller(begin + n, end)};
}

#endif
