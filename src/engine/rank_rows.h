/* Which rows of a batch are whose: a replica computes some shards of it (shards.h), and each of its ranks gathers and scores
 * some of those. In the products every rank of a replica computes all of the replica's rows, for its own units (kt_dense_own).
 */
#ifndef KTRAIN_RANK_ROWS_H
#define KTRAIN_RANK_ROWS_H

#include "engine/replica.h"

/* The rows of a batch of M, in n_shards shards, that replica `number` computes; perhaps none. Local. */
kt_rows kt_rank_rows_of_replica(const kt_replica *replica, size_t number, size_t M, size_t n_shards);

/* The shards of `rows`, its replica's, that this rank gathers and scores; perhaps none. Local. */
kt_range kt_rank_rows_own_shards(const kt_replica *replica, const kt_rows *rows);

/* values[M x width] are rows of a batch, cut as `rows` is, and each replica has filled those of its own shards. Starts to
 * send each replica's to all others; done when the transfer is (comm.h). Collective over the leaders. */
void kt_rank_rows_start_gather_all(kt_replica *replica, const kt_rows *rows, size_t width, float *values,
                                   kt_transfer **out);

#endif
