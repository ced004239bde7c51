/* A group of ranks. The only module that knows MPI.
 *
 * Every function that takes a non-const kt_comm * is collective over it: all its ranks call it, in the same order,
 * with the same counts; but for messages between two ranks. Failures inside MPI itself are fatal for all ranks (MPI's
 * own handler), so communication returns nothing. */
#ifndef KTRAIN_COMM_H
#define KTRAIN_COMM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

typedef struct kt_comm kt_comm;

/* Starts MPI; *world is all ranks. Once per process. */
kt_status kt_comm_world_start(int *argc, char ***argv, kt_comm **world);
/* Ends MPI and frees the world. */
void kt_comm_world_stop(kt_comm *world);

/* The ranks of *mpi, an MPI_Comm of a program that has started MPI itself: on a communicator of its own, so that no
 * message meets the program's. Freed with kt_comm_free. Collective over *mpi. KT_USAGE: MPI is not running, or there is
 * no such group. */
kt_status kt_comm_join(const void *mpi, kt_comm **out);

/* Ranks with the same color form a new group, in the old order. The caller frees *out with kt_comm_free (collective
 * over *out). */
kt_status kt_comm_group(kt_comm *comm, int color, kt_comm **out);
void kt_comm_free(kt_comm *comm);

/* Local. */
int kt_comm_rank(const kt_comm *comm);
int kt_comm_size(const kt_comm *comm);
const char *kt_comm_host(const kt_comm *comm);
const char *kt_comm_version(void); /* of the MPI library, one line; also before kt_comm_world_start */

/* Every rank brings its own status and all leave with the same: KT_OK, or that of the lowest rank that failed, with its
 * error record, which then names that rank and its host. Must stand before the next collective after anything that can
 * fail on one rank only. */
kt_status kt_comm_agree(kt_comm *comm, kt_status local);

void kt_comm_barrier(kt_comm *comm);
/* The same for long waits: ranks that wait sleep, and leave their cores to others. */
void kt_comm_barrier_asleep(kt_comm *comm);

/* data[n_bytes] of rank `root` to all. */
void kt_comm_broadcast(kt_comm *comm, int root, void *data, size_t n_bytes);

/* n_bytes < 2^31: all[size x n_bytes] on rank 0 (NULL elsewhere) = every rank's data[n_bytes]. */
void kt_comm_gather(kt_comm *comm, const void *data, size_t n_bytes, void *all);

/* Messages between two ranks, outside the collectives' order. Local, though a send may wait until it is received; what
 * one rank sends another arrives in order. A poll tells whether a message has come, and from whom. Both wait asleep, so
 * that they leave their core to others; receiving takes a message of exactly n_bytes. */
void kt_comm_send(kt_comm *comm, int to, const void *data, size_t n_bytes);
bool kt_comm_poll(kt_comm *comm, int *from);
void kt_comm_receive(kt_comm *comm, int from, void *data, size_t n_bytes);

/* values[n] = sum over ranks, in place, doubles added in rank order; every rank gets the same. */
void kt_comm_sum_f64(kt_comm *comm, double *values, size_t n);
void kt_comm_sum_i64(kt_comm *comm, int64_t *values, size_t n);

/* Vectors of floats cut in slices: slice r is [bounds[r], bounds[r + 1]); bounds[size + 1] rises from 0 to n < 2^31,
 * the same on all ranks. Slices may be empty. Rows are slices, too: bounds in floats.
 *
 * Rank r brings n_sums[r] vectors (n_sums[size], the same on all ranks; 0 is allowed), the i-th at
 * sums + i * stride. Everyone gets its own slice of all of them, in rank order:
 * received[(sum of n_sums) x (own slice)]. received may not overlap sums. */
void kt_comm_exchange_sums(kt_comm *comm, const size_t *bounds, const size_t *n_sums, const float *sums, size_t stride,
                           float *received);

/* slice[own slice] = the sum over ranks of that part of vector[n], order MPI's. slice may not overlap vector. */
void kt_comm_reduce_slices(kt_comm *comm, const size_t *bounds, const float *vector, float *slice);

/* Every rank's own slice of vector[n] to all, in place. _bytes: of data of any type, bounds in bytes, any number. */
void kt_comm_gather_all_slices(kt_comm *comm, const size_t *bounds, float *vector);
void kt_comm_gather_all_bytes(kt_comm *comm, const size_t *bounds, void *data);

/* Every rank's own slice of its vector[n] to the same place in rank 0's. */
void kt_comm_gather_slices(kt_comm *comm, const size_t *bounds, float *vector);

/* Rows of `width` floats, held in rank order (fewer than 2^31 floats in all): rank 0's all[total rows x width] (NULL
 * elsewhere) from every rank's rows[n_rows x width]. */
void kt_comm_gather_rows(kt_comm *comm, size_t n_rows, size_t width, const float *rows, float *all);

#endif
