#include "ktrain/comm_shared.h"

#include <errno.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "comm_private.h"
#include "ktrain/memory.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

enum { LINE_BYTES = 64, PAGE_BYTES = 4096, HUGE_BYTES = 2 << 20, SPINS = 3000, COLLAPSE_TRIES = 3 };

/* At the start of the window. The two words are on lines of their own: those who wait read one while those who come
 * write the other. */
typedef struct control {
    _Alignas(LINE_BYTES) atomic_uint n_waiting;
    _Alignas(LINE_BYTES) atomic_uint round;
} control;

/* Where the window is in this rank's memory. */
typedef struct place {
    char *window; /* in the mapping below, or where MPI put it */
    char *room;   /* of our own mapping, or NULL */
    size_t room_bytes;
} place;

struct kt_shared {
    kt_comm *comm; /* borrowed */
    size_t n_bytes;
    char *memory;
    MPI_Win window; /* and below: several ranks only */
    place place;
    control *control;
    unsigned spins;
};

/* ---- the ranks of a host ---- */

kt_status kt_comm_split_host(kt_comm *comm, kt_comm **out)
{
    MPI_Comm mpi;
    MPI_Comm_split_type(comm->mpi, MPI_COMM_TYPE_SHARED, comm->rank, MPI_INFO_NULL, &mpi);
    return kt_comm_agree_on(comm, kt_comm_wrap(mpi, comm->crowded, out), out);
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

/* The folder in which Open MPI makes a window's file: mpirun hands its --mca on in the environment. (MPI's own way to
 * ask takes 0.2 s.) NULL: a temporary folder of the job, on a disk. */
static const char *window_folder(void)
{
    const char *chosen = getenv("OMPI_MCA_osc_sm_backing_directory");
    if (chosen != NULL)
        return chosen;
    return access("/dev/shm", W_OK) == 0 ? "/dev/shm" : NULL;
}

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

/* A page that does not fit when it is touched kills the process, and Open MPI 4.1 hangs when its file does not fit (it
 * wants 5 % to spare): so we look first. Pages that are promised but not yet there are not counted. */
kt_status kt_shared_check_room(const kt_comm *comm, size_t n_bytes, size_t n_windows, size_t other_bytes)
{
    const double mega = 1e6;
    struct statvfs fs;
    const char *folder = window_folder();
    const double windows = (double)n_bytes * (double)n_windows, all = windows + (double)other_bytes;
    if (all > (double)kt_memory_available())
        return kt_fail(KT_NO_MEMORY, "%.0f MB of memory for the ranks of %s are more than the %.0f MB that it has left",
                       all / mega, comm->host, (double)kt_memory_available() / mega);
    if (comm->size == 1)
        return KT_OK;
    KT_TRY(check_limit(comm, n_bytes));
    if (folder == NULL)
        return KT_OK;
    bool usable = statvfs(folder, &fs) == 0 && access(folder, W_OK) == 0;
    double room = usable ? (double)fs.f_bavail * (double)fs.f_frsize : 0;
    if (1.06 * windows < room)
        return KT_OK;
    return kt_fail(KT_NO_MEMORY,
                   "%.0f MB of memory shared by %d ranks of %s do not fit in %s, which has %.0f MB left: enlarge it, "
                   "set parallel.ranks_per_replica = 1, or give mpirun --mca osc_sm_backing_directory DIR",
                   windows / mega, comm->size * (int)n_windows, comm->host, folder, room / mega);
}

/* ---- a window ---- */

/* Where `address` is in the file that is mapped there; false when the system does not say. */
static bool file_offset(const void *address, size_t *offset)
{
    char line[PAGE_BYTES];
    uintptr_t begin, end, first, at = (uintptr_t)address;
    bool found = false;
    FILE *file = fopen("/proc/self/maps", "r");
    while (file != NULL && !found && fgets(line, sizeof line, file) != NULL)
        found = sscanf(line, "%lx-%lx %*s %lx", &begin, &end, &first) == 3 && at >= begin && at < end;
    if (file != NULL)
        fclose(file);
    if (found)
        *offset = first + (at - begin);
    return found;
}

/* Huge pages need an address that is, up to a multiple of their size, the offset in the file. MPI maps its file
 * anywhere, so we map it once more where this holds (mremap of no bytes does that); or take it as it is. */
static place find_place(char *window, size_t offset, size_t n_bytes)
{
    place p = {.window = window, .room_bytes = n_bytes + PAGE_BYTES + HUGE_BYTES};
    size_t in_page = (uintptr_t)window % PAGE_BYTES;
    void *room = mmap(NULL, p.room_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (room == MAP_FAILED)
        return p;
    char *target = (char *)room + ((offset - in_page - (uintptr_t)room) & (HUGE_BYTES - 1));
    void *mapped = mremap(window - in_page, 0, n_bytes + in_page, MREMAP_MAYMOVE | MREMAP_FIXED, target);
    if (mapped == MAP_FAILED) {
        munmap(room, p.room_bytes);
        return p;
    }
    p.window = target + in_page;
    p.room = room;
    return p;
}

static kt_status allocate_window(kt_shared *shared, size_t n_bytes, char **address)
{
    kt_comm *comm = shared->comm;
    MPI_Aint window_bytes;
    int unit;
    void *base;
    MPI_Comm_set_errhandler(comm->mpi, MPI_ERRORS_RETURN);
    int code = MPI_Win_allocate_shared(comm->rank == 0 ? (MPI_Aint)n_bytes : 0, 1, MPI_INFO_NULL, comm->mpi, &base,
                                       &shared->window);
    MPI_Comm_set_errhandler(comm->mpi, MPI_ERRORS_ARE_FATAL);
    kt_status status = KT_OK;
    if (code != MPI_SUCCESS)
        status = kt_fail(KT_NO_MEMORY,
                         "MPI cannot give %d ranks of %s %.0f MB of shared memory: parallel.ranks_per_replica = 1 does "
                         "without",
                         comm->size, comm->host, (double)n_bytes / 1e6);
    KT_TRY(kt_comm_agree(comm, status));
    MPI_Win_lock_all(MPI_MODE_NOCHECK, shared->window);
    MPI_Win_shared_query(shared->window, 0, &window_bytes, &unit, &base);
    *address = base;
    return KT_OK;
}

/* The window: some bytes to the next line, the control block, and the memory, at the next huge page of the file and in
 * whole ones. */
static kt_status share_memory(kt_shared *shared)
{
    kt_comm *comm = shared->comm;
    size_t n_bytes = shared->n_bytes + 2 * HUGE_BYTES + PAGE_BYTES, offset = 0;
    char *window;
    KT_TRY(kt_comm_agree(comm, comm->rank == 0 ? kt_shared_check_room(comm, n_bytes, 1, 0) : KT_OK));
    KT_TRY(allocate_window(shared, n_bytes, &window));
    if (file_offset(window, &offset))
        shared->place = find_place(window, offset, n_bytes);
    else
        shared->place.window = window;
    kt_comm_broadcast(comm, 0, &offset, sizeof offset); /* all must agree on it: rank 0 may be alone in knowing it */
    size_t start = -offset & (LINE_BYTES - 1);
    size_t first = start + sizeof(control) + (-(offset + start + sizeof(control)) & (HUGE_BYTES - 1));
    shared->control = (control *)(void *)(shared->place.window + start);
    shared->memory = shared->place.window + first;
    return KT_OK;
}

kt_status kt_shared_create(kt_comm *comm, size_t n_bytes, kt_shared **out)
{
    kt_shared *shared;
    *out = NULL;
    kt_status status = KT_NEW(shared, 1);
    if (status == KT_OK && n_bytes > SIZE_MAX / 4)
        status = kt_fail(KT_NO_MEMORY, "%zu bytes are more than this machine can address", n_bytes);
    status = kt_comm_agree(comm, status);
    if (status == KT_OK) {
        shared->comm = comm;
        shared->n_bytes = n_bytes;
        shared->spins = comm->crowded ? 0 : SPINS;
    }
    if (status == KT_OK && comm->size > 1)
        status = share_memory(shared);
    else if (status == KT_OK)
        status = kt_shared_check_room(comm, n_bytes, 1, 0);
    if (status == KT_OK && comm->size == 1 && (shared->memory = kt_memory_new_huge(n_bytes)) == NULL)
        status = KT_NO_MEMORY;
    if (status == KT_OK)
        *out = shared;
    else
        kt_memory_free(shared);
    return status;
}

void kt_shared_free(kt_shared *shared)
{
    if (shared == NULL)
        return;
    if (shared->comm->size == 1) {
        kt_memory_free_huge(shared->memory, shared->n_bytes);
    } else {
        if (shared->place.room != NULL)
            munmap(shared->place.room, shared->place.room_bytes);
        MPI_Win_unlock_all(shared->window);
        MPI_Win_free(&shared->window);
    }
    kt_memory_free(shared);
}

void *kt_shared_memory(const kt_shared *shared)
{
    return shared->memory;
}

/* ---- use ---- */

static void breathe(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* The last to come opens the next round, for which the count is 0 again before anyone can know of it. */
void kt_shared_barrier(kt_shared *shared)
{
    control *c = shared->control;
    if (shared->comm->size == 1)
        return;
    unsigned round = atomic_load_explicit(&c->round, memory_order_relaxed);
    unsigned n_before = atomic_fetch_add_explicit(&c->n_waiting, 1, memory_order_acq_rel);
    if (n_before + 1 == (unsigned)shared->comm->size) {
        atomic_store_explicit(&c->n_waiting, 0, memory_order_relaxed);
        atomic_store_explicit(&c->round, round + 1, memory_order_release);
        return;
    }
    for (unsigned i = 0; atomic_load_explicit(&c->round, memory_order_acquire) == round; i++) {
        if (i < shared->spins)
            breathe();
        else
            sched_yield();
    }
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
void kt_shared_settle(kt_shared *shared)
{
    kt_comm *comm = shared->comm;
    if (comm->size == 1)
        return;
    kt_comm_barrier(comm);
    madvise(shared->memory, shared->n_bytes, MADV_HUGEPAGE);
    for (size_t first = 0, end; comm->rank == 0 && first < shared->n_bytes; first = end + HUGE_BYTES) {
        for (end = first; end < shared->n_bytes && worth_it(shared->memory + end);)
            end += HUGE_BYTES;
        for (int i = 0; end > first && i < COLLAPSE_TRIES; i++)
            if (madvise(shared->memory + first, end - first, MADV_COLLAPSE) == 0 || errno != EAGAIN)
                break;
    }
    kt_comm_barrier_asleep(comm);
}
