/* How n things are dealt to n_parts owners: the one rule for samples, rows and slices of vectors. Local and pure. */
#ifndef KTRAIN_SHARE_H
#define KTRAIN_SHARE_H

#include <stddef.h>

/* Part `i` of `n_parts` of n things: *begin inclusive, *end exclusive. Contiguous, in order, sizes differ by one at
 * most (the first n % n_parts parts are the larger), empty when there are fewer things than parts. */
void kt_share(size_t n, size_t i, size_t n_parts, size_t *begin, size_t *end);

/* The same in whole tiles of `tile` things, of which the last may be cut short: bounds between parts are multiples of
 * tile. */
void kt_share_tiles(size_t n, size_t tile, size_t i, size_t n_parts, size_t *begin, size_t *end);

#endif
