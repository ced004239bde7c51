/* A group of ranks. The only module that knows MPI.
 *
 * Every function that takes a non-const kt_comm * is collective over it: all its ranks call it, in the same order,
 * with the same counts. Failures inside MPI itself are fatal for all ranks (MPI's own handler), so communication
 * returns nothing. */
#ifndef KTRAIN_COMM_H
#define KTRAIN_COMM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ktrain/status.h"

typedef struct kt_comm kt_comm;

/* Starts MPI; *world is all ranks. Once per process. */
kt_status kt_comm_world_start(int *argc, char ***argv, kt_comm **world);
/* Ends MPI and frees the world. */
void kt_comm_world_stop(kt_comm *world);

/* Ranks with the same color form a new group, in the old order. The caller frees *out with kt_comm_free (collective
 * over *out). */
kt_status kt_comm_split(kt_comm *comm, int color, kt_comm **out);
void kt_comm_free(kt_comm *comm);

/* Local. */
int kt_comm_rank(const kt_comm *comm);
int kt_comm_size(const kt_comm *comm);
const char *kt_comm_host(const kt_comm *comm);
const char *kt_comm_version(void); /* of the MPI library, one line; also before kt_comm_world_start */

/* Every rank brings its own status and all leave with the same: KT_OK, or that of the lowest rank that failed, with
 * its error record extended by rank and host. Must stand before the next collective after anything that can fail on
 * one rank only. */
kt_status kt_comm_agree(kt_comm *comm, kt_status local);

void kt_comm_barrier(kt_comm *comm);
/* The same for long waits: ranks that wait sleep, and leave their cores to others. */
void kt_comm_barrier_asleep(kt_comm *comm);

/* data[n_bytes] of rank `root` to all. */
void kt_comm_broadcast(kt_comm *comm, int root, void *data, size_t n_bytes);

/* all[size x n_bytes] on rank 0 (NULL elsewhere) = every rank's data[n_bytes]. */
void kt_comm_gather(kt_comm *comm, const void *data, size_t n_bytes, void *all);

/* values[n] = sum over ranks, in place, doubles added in rank order; every rank gets the same. */
void kt_comm_sum_f64(kt_comm *comm, double *values, size_t n);
void kt_comm_sum_i64(kt_comm *comm, int64_t *values, size_t n);

/* Vectors of n floats cut in slices: slice r is kt_share(n, r, size). n < 2^31.
 *
 * slice[own slice] = the sum over ranks of that part of vector[n]. With scratch[size x (n / size + 1)] the ranks'
 * parts are added in rank order, so that the result does not depend on MPI's algorithm; with scratch NULL the order is
 * MPI's. vector may not overlap slice. */
void kt_comm_sum_slices(kt_comm *comm, size_t n, const float *vector, float *slice, float *scratch);

/* Every rank's own slice of vector[n] to all, in place. */
void kt_comm_share_slices(kt_comm *comm, size_t n, float *vector);

/* Rank 0's vector[n] (NULL elsewhere) from every rank's slice, and back. */
void kt_comm_gather_slices(kt_comm *comm, size_t n, const float *slice, float *vector);
void kt_comm_scatter_slices(kt_comm *comm, size_t n, const float *vector, float *slice);

/* vector[n] = sum over ranks, in place, order MPI's. */
void kt_comm_sum_f32(kt_comm *comm, size_t n, float *vector);

/* Rows of `width` floats, held in rank order (fewer than 2^31 floats in all): rank 0's all[total rows x width] (NULL
 * elsewhere) from every rank's rows[n_rows x width]. */
void kt_comm_gather_rows(kt_comm *comm, size_t n_rows, size_t width, const float *rows, float *all);

#endif
