/* Memory that the ranks of one host share, and a barrier for it. Part of comm. */
#ifndef KTRAIN_COMM_POOL_H
#define KTRAIN_COMM_POOL_H

#include "edge/comm.h"

typedef struct kt_pool kt_pool;

/* The ranks of comm that are on one host form a new group each, in the old order. The caller frees *out (kt_comm_free).
 * Collective. */
kt_status kt_comm_group_host(kt_comm *comm, kt_comm **out);

/* n_bytes of memory that all ranks of comm (one host's) see, zeroed, aligned to 2 MiB; pages come into being where they
 * are first touched. It is a file in memory of our own: no MPI is asked for it, and /dev/shm may be small. One rank
 * alone gets memory of its own, in huge pages where the system has them. comm is borrowed for its lifetime.
 * KT_NO_MEMORY on all ranks, with a sentence that says how much was asked for and what would help: also when the host
 * has less than that left now (memory that was promised before and not yet touched is not counted). *out is NULL on
 * failure. Collective. */
kt_status kt_pool_create(kt_comm *comm, size_t n_bytes, kt_pool **out);
/* KT_NO_MEMORY, with a sentence, when this host has no room for n_pools of n_bytes for the ranks of comm and others
 * like it, besides other_bytes of their own: pages are granted where there are none, and a rank that touches one is
 * killed. Local. */
kt_status kt_pool_check_room(const kt_comm *comm, size_t n_bytes, size_t n_pools, size_t other_bytes);

void kt_pool_free(kt_pool *pool); /* NULL is allowed. Local. */

void *kt_pool_memory(const kt_pool *pool); /* Local. The same memory at another address on each rank. */

/* Everything written by any rank before is seen by all after. Much faster than a barrier of MPI while the ranks have a
 * core each, and it leaves the core to others while it waits long. Collective over the group. */
void kt_pool_barrier(kt_pool *pool);

/* After the owners have touched their parts: asks the system for huge pages where most of one has been touched. The
 * other ranks find them at their next touch. Changes no value. Some 0.1 to 1 s for 400 MB. Collective. */
void kt_pool_settle(kt_pool *pool);

#endif
