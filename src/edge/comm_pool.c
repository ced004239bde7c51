/* A file in memory that all ranks of a host map, and a barrier in it. */
#include "edge/comm_pool.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "edge/comm_private.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

enum { LINE_BYTES = 64, PAGE_BYTES = 4096, HUGE_BYTES = 2 << 20, SPINS = 3000, COLLAPSE_TRIES = 3 };

/* After the memory. The two words are on lines of their own: those who wait read one while those who come
 * write the other. */
typedef struct control {
    _Alignas(LINE_BYTES) atomic_uint n_waiting;
    _Alignas(LINE_BYTES) atomic_uint round;
} control;

struct kt_pool {
    kt_comm *comm; /* borrowed */
    size_t n_bytes;
    char *memory;
    control *control; /* and below: several ranks only */
    char *room;       /* of our own mappings, with `memory` in it */
    size_t room_bytes;
    unsigned spins;
};

/* ---- the ranks of a host ---- */

kt_status kt_comm_group_host(kt_comm *comm, kt_comm **out)
{
    MPI_Comm mpi;
    MPI_Comm_split_type(comm->mpi, MPI_COMM_TYPE_SHARED, comm->rank, MPI_INFO_NULL, &mpi);
    return kt_comm_agree_on(comm, kt_comm_wrap(mpi, comm, out), out);
}

/* Ranks may be bound to a core each: only together do their sets tell how many there are. */
bool kt_comm_is_crowded(MPI_Comm mpi)
{
    MPI_Comm host;
    cpu_set_t cores;
    int n_ranks;
    MPI_Comm_split_type(mpi, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &host);
    MPI_Comm_size(host, &n_ranks);
    CPU_ZERO(&cores);
    int known = sched_getaffinity(0, sizeof cores, &cores) == 0;
    MPI_Allreduce(MPI_IN_PLACE, &cores, (int)sizeof cores, MPI_BYTE, MPI_BOR, host);
    MPI_Allreduce(MPI_IN_PLACE, &known, 1, MPI_INT, MPI_MIN, host);
    MPI_Comm_free(&host);
    return n_ranks > (known ? CPU_COUNT(&cores) : (int)sysconf(_SC_NPROCESSORS_ONLN));
}

/* ---- is there room? ---- */

/* The largest file that this process may write. */
static kt_status check_limit(const kt_comm *comm, size_t n_bytes)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_FSIZE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY || n_bytes < limit.rlim_cur)
        return KT_OK;
    return kt_fail(KT_NO_MEMORY,
                   "%.0f MB of memory shared by %d ranks of %s are a file, of which no more than %.0f MB are allowed: "
                   "raise ulimit -f, or set parallel.ranks_per_replica = 1",
                   (double)n_bytes / 1e6, comm->size, comm->host, (double)limit.rlim_cur / 1e6);
}

/* A page that does not fit when it is touched kills the process: so we look first. Pages that are promised but not yet
 * there are not counted. */
kt_status kt_pool_check_room(const kt_comm *comm, size_t n_bytes, size_t n_pools, size_t other_bytes)
{
    const double mega = 1e6, all = (double)n_bytes * (double)n_pools + (double)other_bytes;
    const double left = (double)kt_memory_available();
    if (all > left)
        return kt_fail(KT_NO_MEMORY,
                       "%.0f MB of memory for the ranks of %s are more than the %.0f MB that it, or the job's share of "
                       "it, has left",
                       all / mega, comm->host, left / mega);
    return comm->size == 1 ? KT_OK : check_limit(comm, n_bytes);
}

/* ---- memory of several ranks ---- */

/* Rank 0's file, which is in memory and has no name: the others find it among those that rank 0 has open. */
typedef struct shared_file {
    char path[64];
    dev_t device;
    ino_t number;
} shared_file;

static kt_status make_file(const kt_comm *comm, size_t n_bytes, int *fd, shared_file *file)
{
    struct stat there;
    *fd = memfd_create("ktrain", MFD_CLOEXEC);
    if (*fd < 0 || ftruncate(*fd, (off_t)n_bytes) != 0 || fstat(*fd, &there) != 0)
        return kt_fail(KT_NO_MEMORY,
                       "the system cannot give %d ranks of %s %.0f MB of shared memory (%s): "
                       "parallel.ranks_per_replica = 1 does without",
                       comm->size, comm->host, (double)n_bytes / 1e6, strerror(errno));
    snprintf(file->path, sizeof file->path, "/proc/%ld/fd/%d", (long)getpid(), *fd);
    file->device = there.st_dev;
    file->number = there.st_ino;
    return KT_OK;
}

/* In a container of its own a rank may see no such process, or another one. */
static kt_status open_file(const kt_comm *comm, const shared_file *file, int *fd)
{
    struct stat there;
    *fd = open(file->path, O_RDWR | O_CLOEXEC);
    if (*fd >= 0 && fstat(*fd, &there) == 0 && there.st_dev == file->device && there.st_ino == file->number)
        return KT_OK;
    return kt_fail(
        KT_NO_MEMORY,
        "ranks of %s cannot share memory: %s of another rank %s; parallel.ranks_per_replica = 1 does without",
        comm->host, file->path, *fd < 0 ? strerror(errno) : "is something else here");
}

/* Huge pages need an address that is, up to a multiple of their size, the offset in the file: so we choose it, in room
 * of our own. What intercepts a call may lose the choice (UCX did, for mremap), so the answer is compared. */
static kt_status map_file(kt_pool *pool, int fd, size_t file_bytes)
{
    const size_t room_bytes = file_bytes + HUGE_BYTES;
    char *room = mmap(NULL, room_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    char *target = NULL, *mapped = MAP_FAILED;
    if (room != MAP_FAILED) {
        target = room + (-(uintptr_t)room & (HUGE_BYTES - 1));
        mapped = mmap(target, file_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0);
    }
    if (mapped != MAP_FAILED && mapped == target) {
        pool->room = room;
        pool->room_bytes = room_bytes;
        pool->memory = target;
        return KT_OK;
    }
    const kt_status status =
        kt_fail(KT_NO_MEMORY,
                "rank %d of %s cannot map %.0f MB of shared memory (%s): parallel.ranks_per_replica = 1 does without",
                pool->comm->rank, pool->comm->host, (double)file_bytes / 1e6,
                mapped == MAP_FAILED ? strerror(errno) : "the address was not kept");
    if (mapped != MAP_FAILED)
        munmap(mapped, file_bytes);
    if (room != MAP_FAILED)
        munmap(room, room_bytes);
    return status;
}

/* The file: the memory in whole huge pages, and the control block. It lives as long as it is mapped. */
static kt_status share_memory(kt_pool *pool)
{
    kt_comm *comm = pool->comm;
    const size_t memory_bytes = (pool->n_bytes / HUGE_BYTES + 1) * HUGE_BYTES;
    const size_t file_bytes = memory_bytes + sizeof(control);
    shared_file file = {.path = ""};
    int fd = -1;
    kt_status status = comm->rank == 0 ? kt_pool_check_room(comm, file_bytes, 1, 0) : KT_OK;
    if (comm->rank == 0 && status == KT_OK)
        status = make_file(comm, file_bytes, &fd, &file);
    status = kt_comm_agree(comm, status);
    if (status == KT_OK) {
        kt_comm_broadcast(comm, 0, &file, sizeof file);
        if (comm->rank > 0)
            status = open_file(comm, &file, &fd);
        if (status == KT_OK)
            status = map_file(pool, fd, file_bytes);
        status = kt_comm_agree(comm, status); /* and rank 0's file may be closed */
    }
    if (fd >= 0)
        close(fd);
    if (status == KT_OK)
        pool->control = (control *)(void *)(pool->memory + memory_bytes);
    return status;
}

static void unmap(kt_pool *pool)
{
    if (pool->room != NULL)
        munmap(pool->room, pool->room_bytes);
}

kt_status kt_pool_create(kt_comm *comm, size_t n_bytes, kt_pool **out)
{
    kt_pool *pool;
    *out = NULL;
    kt_status status = KT_NEW(pool, 1);
    if (status == KT_OK && n_bytes > SIZE_MAX / 4)
        status = kt_fail(KT_NO_MEMORY, "%zu bytes are more than this machine can address", n_bytes);
    status = kt_comm_agree(comm, status);
    if (status == KT_OK) {
        pool->comm = comm;
        pool->n_bytes = n_bytes;
        pool->spins = comm->crowded ? 0 : SPINS;
    }
    if (status == KT_OK && comm->size > 1)
        status = share_memory(pool);
    else if (status == KT_OK)
        status = kt_pool_check_room(comm, n_bytes, 1, 0);
    if (status == KT_OK && comm->size == 1 && (pool->memory = kt_memory_new_huge(n_bytes)) == NULL)
        status = KT_NO_MEMORY;
    if (status == KT_OK)
        *out = pool;
    else if (pool != NULL) {
        unmap(pool);
        kt_memory_free(pool);
    }
    return status;
}

void kt_pool_free(kt_pool *pool)
{
    if (pool == NULL)
        return;
    if (pool->comm->size == 1)
        kt_memory_free_huge(pool->memory, pool->n_bytes);
    unmap(pool);
    kt_memory_free(pool);
}

void *kt_pool_memory(const kt_pool *pool)
{
    return pool->memory;
}

/* ---- use ---- */

/* The last to come opens the next round, for which the count is 0 again before anyone can know of it. */
void kt_pool_barrier(kt_pool *pool)
{
    control *c = pool->control;
    if (pool->comm->size == 1)
        return;
    unsigned round = atomic_load_explicit(&c->round, memory_order_relaxed);
    unsigned n_before = atomic_fetch_add_explicit(&c->n_waiting, 1, memory_order_acq_rel);
    if (n_before + 1 == (unsigned)pool->comm->size) {
        atomic_store_explicit(&c->n_waiting, 0, memory_order_relaxed);
        atomic_store_explicit(&c->round, round + 1, memory_order_release);
        return;
    }
    for (unsigned i = 0; atomic_load_explicit(&c->round, memory_order_acquire) == round; i++) {
        if (i < pool->spins)
            kt_comm_breathe();
        else
            sched_yield();
        if (i == pool->spins)
            kt_activity_wait("a barrier of a step", KT_NO_RANK);
    }
    kt_activity_go_on();
}

/* Most of the block has been touched: a huge page of it costs little more memory. */
static bool worth_it(char *block)
{
    unsigned char there[HUGE_BYTES / PAGE_BYTES] = {0};
    size_t n_there = 0;
    if (mincore(block, HUGE_BYTES, there) != 0)
        return false;
    for (size_t i = 0; i < sizeof there; i++)
        n_there += there[i] & 1;
    return n_there >= sizeof there / 2;
}

/* The pages are the file's: once one rank has made them huge, the others find them so when they touch them next. Two
 * ranks at once would be in each other's way; and the system gives up when something else holds a page just then. */
void kt_pool_settle(kt_pool *pool)
{
    kt_comm *comm = pool->comm;
    if (comm->size == 1)
        return;
    kt_comm_barrier(comm);
    madvise(pool->memory, pool->n_bytes, MADV_HUGEPAGE);
    for (size_t first = 0, end; comm->rank == 0 && first < pool->n_bytes; first = end + HUGE_BYTES) {
        for (end = first; end < pool->n_bytes && worth_it(pool->memory + end);)
            end += HUGE_BYTES;
        for (int i = 0; end > first && i < COLLAPSE_TRIES; i++)
            if (madvise(pool->memory + first, end - first, MADV_COLLAPSE) == 0 || errno != EAGAIN)
                break;
    }
    kt_comm_barrier_asleep(comm);
}
