/* Groups of ranks over MPI: agreement on failures, sums, broadcasts, waiting without spinning. */
#include "edge/comm_private.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/timer.h"

kt_status kt_comm_wrap(MPI_Comm mpi, const kt_comm *parent, kt_comm **out)
{
    int size, length, failed;
    MPI_Comm_size(mpi, &size);
    kt_comm *comm = kt_memory_new(1, sizeof *comm);
    int *counts = kt_memory_new(2 * (size_t)size, sizeof *counts);
    *out = NULL;
    failed = comm == NULL || counts == NULL;
    KT_WAIT("a sum over all ranks", MPI_Allreduce(MPI_IN_PLACE, &failed, 1, MPI_INT, MPI_MAX, mpi));
    if (failed) {
        kt_memory_free(comm);
        kt_memory_free(counts);
        MPI_Comm_free(&mpi);
        return kt_fail(KT_NO_MEMORY, "no memory for a group of %d ranks", size);
    }
    *comm = (kt_comm){.mpi = mpi, .size = size, .counts = counts, .starts = counts + size};
    MPI_Comm_rank(mpi, &comm->rank);
    comm->world_rank = parent != NULL ? parent->world_rank : comm->rank;
    comm->crowded = parent != NULL ? parent->crowded : kt_comm_is_crowded(mpi);
    MPI_Get_processor_name(comm->host, &length);
    *out = comm;
    return KT_OK;
}

kt_status kt_comm_world_start(int *argc, char ***argv, kt_comm **world)
{
    int provided;
    *world = NULL;
    if (MPI_Init_thread(argc, argv, MPI_THREAD_FUNNELED, &provided) != MPI_SUCCESS)
        return kt_fail(KT_INTERNAL, "MPI cannot be started");
    MPI_Comm mpi;
    MPI_Comm_dup(MPI_COMM_WORLD, &mpi);
    return kt_comm_wrap(mpi, NULL, world);
}

kt_status kt_comm_join(const void *mpi, kt_comm **out)
{
    MPI_Comm theirs = *(const MPI_Comm *)mpi;
    int started, ended, is_inter = 0;
    MPI_Comm own;
    *out = NULL;
    MPI_Initialized(&started);
    MPI_Finalized(&ended);
    if (!started || ended)
        return kt_fail(KT_USAGE, "MPI is not running: must be between MPI_Init and MPI_Finalize");
    if (theirs != MPI_COMM_NULL)
        MPI_Comm_test_inter(theirs, &is_inter);
    if (theirs == MPI_COMM_NULL || is_inter)
        return kt_fail(KT_USAGE, "the communicator is %s: must be a group of ranks",
                       is_inter ? "one between two groups" : "MPI_COMM_NULL");
    MPI_Comm_dup(theirs, &own);
    MPI_Comm_set_errhandler(own, MPI_ERRORS_ARE_FATAL);
    return kt_comm_wrap(own, NULL, out);
}

void kt_comm_world_stop(kt_comm *world)
{
    kt_comm_free(world);
    MPI_Finalize();
}

kt_status kt_comm_group(kt_comm *comm, int color, kt_comm **out)
{
    MPI_Comm mpi;
    MPI_Comm_split(comm->mpi, color, comm->rank, &mpi);
    return kt_comm_agree_on(comm, kt_comm_wrap(mpi, comm, out), out);
}

kt_status kt_comm_agree_on(kt_comm *comm, kt_status local, kt_comm **group)
{
    const kt_status status = kt_comm_agree(comm, local);
    if (status != KT_OK) {
        kt_comm_free(*group);
        *group = NULL;
    }
    return status;
}

void kt_comm_free(kt_comm *comm)
{
    if (comm == NULL)
        return;
    MPI_Comm_free(&comm->mpi);
    kt_memory_free(comm->counts);
    kt_memory_free(comm);
}

int kt_comm_rank(const kt_comm *comm)
{
    return comm->rank;
}

int kt_comm_size(const kt_comm *comm)
{
    return comm->size;
}

const char *kt_comm_host(const kt_comm *comm)
{
    return comm->host;
}

const char *kt_comm_version(void)
{
    static char text[MPI_MAX_LIBRARY_VERSION_STRING];
    int length;
    MPI_Get_library_version(text, &length);
    text[strcspn(text, ",\n")] = '\0'; /* "Open MPI v4.1.4, package: ...", "MPICH Version:\t4.0.2\nMPICH Release ..." */
    for (char *c = strchr(text, '\t'); c != NULL; c = strchr(text, '\t'))
        *c = ' ';
    return text;
}

kt_status kt_comm_agree(kt_comm *comm, kt_status local)
{
    int mine = local == KT_OK ? comm->size : comm->rank;
    int lowest;
    KT_WAIT("a sum over all ranks", MPI_Allreduce(&mine, &lowest, 1, MPI_INT, MPI_MIN, comm->mpi));
    if (lowest == comm->size)
        return KT_OK;
    kt_error error = *kt_error_last();
    error.status = local;
    if (error.rank == KT_OWN_RANK && comm->size > 1) { /* else an inner agreement has named the rank */
        error.rank = comm->world_rank;
        snprintf(error.host, sizeof error.host, "%.*s", KT_HOST_BYTES - 1, comm->host);
    }
    kt_comm_broadcast(comm, lowest, &error, sizeof error);
    return kt_fail_as(&error);
}

void kt_comm_barrier(kt_comm *comm)
{
    KT_WAIT("a barrier", MPI_Barrier(comm->mpi));
}

/* Until it is done, with a look at it so often. It is no hang, however long it takes. */
static void wait_asleep(MPI_Request request, double pause)
{
    int done = 0;
    const char *before = kt_activity_begin(NULL);
    for (MPI_Test(&request, &done, MPI_STATUS_IGNORE); !done; MPI_Test(&request, &done, MPI_STATUS_IGNORE))
        kt_timer_sleep(pause);
    kt_activity_begin(before);
}

void kt_comm_barrier_asleep(kt_comm *comm)
{
    MPI_Request request;
    MPI_Ibarrier(comm->mpi, &request);
    wait_asleep(request, 1e-3);
}

void kt_comm_broadcast(kt_comm *comm, int root, void *data, size_t n_bytes)
{
    char *bytes = data;
    for (size_t done = 0; done < n_bytes; done += PIECE_BYTES) {
        size_t n = n_bytes - done < PIECE_BYTES ? n_bytes - done : PIECE_BYTES;
        KT_WAIT("a broadcast", MPI_Bcast(bytes + done, (int)n, MPI_BYTE, root, comm->mpi));
    }
}

void kt_comm_gather(kt_comm *comm, const void *data, size_t n_bytes, void *all)
{
    KT_WAIT("a gathering", MPI_Gather(data, (int)n_bytes, MPI_BYTE, all, (int)n_bytes, MPI_BYTE, 0, comm->mpi));
}

void kt_comm_send(kt_comm *comm, int to, const void *data, size_t n_bytes)
{
    MPI_Request request;
    MPI_Isend(data, (int)n_bytes, MPI_BYTE, to, TAG_MAIL, comm->mpi, &request);
    wait_asleep(request, 1e-4);
}

bool kt_comm_poll(kt_comm *comm, int *from)
{
    int there;
    MPI_Status status;
    MPI_Iprobe(MPI_ANY_SOURCE, TAG_MAIL, comm->mpi, &there, &status);
    if (there)
        *from = status.MPI_SOURCE;
    return there;
}

void kt_comm_receive(kt_comm *comm, int from, void *data, size_t n_bytes)
{
    MPI_Request request;
    MPI_Irecv(data, (int)n_bytes, MPI_BYTE, from, TAG_MAIL, comm->mpi, &request);
    wait_asleep(request, 1e-4);
}

/* From each rank to the next, who adds its own, and from the last to all: MPI_Allreduce may choose another order for
 * another size or network. */
void kt_comm_sum_f64(kt_comm *comm, double *values, size_t n)
{
    enum { AT_ONCE = 512 };
    double before[AT_ONCE];
    const int rank = comm->rank, last = comm->size - 1;
    for (size_t first = 0; first < n && last > 0; first += AT_ONCE) {
        double *sums = values + first;
        const size_t count = n - first < AT_ONCE ? n - first : AT_ONCE;
        if (rank > 0)
            KT_WAIT_FOR("a sum from rank to rank", rank - 1,
                        MPI_Recv(before, (int)count, MPI_DOUBLE, rank - 1, TAG_SUMS, comm->mpi, MPI_STATUS_IGNORE));
        for (size_t i = 0; rank > 0 && i < count; i++)
            sums[i] = before[i] + sums[i];
        if (rank < last)
            MPI_Send(sums, (int)count, MPI_DOUBLE, rank + 1, TAG_SUMS, comm->mpi);
    }
    kt_comm_broadcast(comm, last, values, n * sizeof *values);
}

void kt_comm_sum_i64(kt_comm *comm, int64_t *values, size_t n)
{
    enum { AT_ONCE = PIECE_BYTES / sizeof *values };
    for (size_t first = 0; first < n && comm->size > 1; first += AT_ONCE) {
        size_t count = n - first < AT_ONCE ? n - first : AT_ONCE;
        KT_WAIT("a sum over all ranks",
                MPI_Allreduce(MPI_IN_PLACE, values + first, (int)count, MPI_INT64_T, MPI_SUM, comm->mpi));
    }
}
