/* Which samples are in which step of an epoch; whose rows of a step they are is in engine/rank_rows.h. Local and pure.
 *
 * An epoch's order is a permutation of the training samples, drawn from (seed, epoch); with one step an epoch it is
 * their own. Step s takes positions s * batch_size ... of it; the last batch may be smaller, but where a batch must
 * have a few samples (batch normalization has nothing to normalize one by), a last one with fewer joins the batch
 * before. */
#ifndef KTRAIN_BATCHES_H
#define KTRAIN_BATCHES_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

typedef struct kt_batch_sizes {
    size_t each;    /* samples of every batch but the last, at most n */
    size_t largest; /* of any: each, or more when the last has been joined */
    size_t steps;   /* batches per epoch */
} kt_batch_sizes;

/* How n > 0 samples are cut. batch_size 0 means all n, as does one above n. A last batch of fewer than `fewest` samples
 * is joined to the one before. */
kt_batch_sizes kt_batches_sizes(size_t n, size_t batch_size, size_t fewest);

/* " (the last of 17: batch norm takes no batch of 1)" in text[size] when the last was joined; else "". */
void kt_batches_describe_last(const kt_batch_sizes *sizes, char *text, size_t size);

typedef struct kt_batches {
    size_t n;
    kt_batch_sizes sizes;
    uint64_t seed;
    const uint32_t *samples; /* borrowed: the training part of the split, n */
    uint32_t *order;         /* owned: this epoch's samples, n */
} kt_batches;

kt_status kt_batches_create(kt_batches *out, const uint32_t *samples, size_t n, size_t batch_size, size_t fewest,
                            uint64_t seed);
void kt_batches_free(kt_batches *batches);

/* Draws the order of `epoch` (from 0). An epoch of one step needs none: its samples stay as they are. */
void kt_batches_start_epoch(kt_batches *batches, uint32_t epoch);

/* The real samples of step `step` (< steps). Returns their number; *out points into the order. */
size_t kt_batches_step(const kt_batches *batches, size_t step, const uint32_t **out);

#endif
