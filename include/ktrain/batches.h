/* Which samples are in which step, and which of those are a rank's. Local and pure.
 *
 * An epoch's order is a permutation of the training samples, drawn from (seed, epoch). Step s takes positions
 * s * batch_size ... of it; the last batch may be smaller. A rank takes
 * its kt_share (share.h) of the batch's positions. */
#ifndef KTRAIN_BATCHES_H
#define KTRAIN_BATCHES_H

#include <stddef.h>
#include <stdint.h>

#include "ktrain/status.h"

typedef struct kt_batches {
    size_t n, batch_size; /* batch_size <= n */
    uint64_t seed;
    const uint32_t *samples; /* borrowed: the training part of the split, n */
    uint32_t *order;         /* owned: this epoch's samples, n */
} kt_batches;

/* batch_size 0 means all n. A batch_size above n is cut to n. */
kt_status kt_batches_create(kt_batches *out, const uint32_t *samples, size_t n, size_t batch_size, uint64_t seed);
void kt_batches_free(kt_batches *batches);

size_t kt_batches_steps(const kt_batches *batches); /* per epoch */

/* Draws the order of `epoch` (from 0). */
void kt_batches_start_epoch(kt_batches *batches, uint32_t epoch);

/* The real samples of step `step` (< steps). Returns their number; *out points into the order. */
size_t kt_batches_step(const kt_batches *batches, size_t step, const uint32_t **out);

#endif
