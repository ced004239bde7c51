/* What the files of comm share: comm.c (groups, agreement, sums), comm_slices.c (vectors cut in slices),
 * comm_pool.c (memory of a host) and comm_mail.c (letters). */
#ifndef KTRAIN_COMM_PRIVATE_H
#define KTRAIN_COMM_PRIVATE_H

#include <mpi.h>

#include "edge/comm.h"
#include "process/activity.h"

struct kt_comm {
    MPI_Comm mpi;
    int rank, size;
    int world_rank; /* what failures are told by, in whatever group they are agreed on */
    bool crowded;   /* the ranks of this host, all groups' together, outnumber the cores they may use */
    char host[MPI_MAX_PROCESSOR_NAME];
    int *counts, *starts; /* [size] each: scratch for the vector collectives */
};

/* MPI counts are ints: long messages go in pieces. (A test is built with small ones.) */
#ifndef KT_PIECE_BYTES
#define KT_PIECE_BYTES (1 << 30)
#endif
enum { PIECE_BYTES = KT_PIECE_BYTES };

/* Each kind of message between two ranks has a tag of its own. */
enum { TAG_MAIL, TAG_SUMS };

/* A group on its own MPI communicator, which is taken over, of ranks of `parent`; NULL: it is the world. Collective
 * over mpi. */
kt_status kt_comm_wrap(MPI_Comm mpi, const kt_comm *parent, kt_comm **out);

/* kt_comm_agree on how making new groups went; on failure nobody keeps one. Collective over comm. */
kt_status kt_comm_agree_on(kt_comm *comm, kt_status local, kt_comm **group);

/* A call that waits for other ranks, and what a watchdog says of it. */
#define KT_WAIT_FOR(in, rank, call)     \
    do {                                \
        kt_activity_wait((in), (rank)); \
        call;                           \
        kt_activity_go_on();            \
    } while (0)
#define KT_WAIT(in, call) KT_WAIT_FOR(in, KT_NO_RANK, call)

/* A moment of waiting for another core. */
static inline void kt_comm_breathe(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* For kt_comm.crowded. Collective over mpi, which holds all ranks. */
bool kt_comm_is_crowded(MPI_Comm mpi);

#endif
