/* Vectors in slices: gathered, scattered and sent in pieces that MPI can count. */
#include <string.h>

#include "edge/comm_private.h"

enum { REQUESTS_AT_ONCE = 32 };

/* What has been posted and not waited for. Ranks post in the same order of (distance, sum), so whoever waits for the
 * earliest is waiting for what all others have posted: it does not matter where each rank stops to wait. */
typedef struct pending {
    int n;
    MPI_Request requests[REQUESTS_AT_ONCE];
} pending;

static void wait_for(pending *p)
{
    KT_WAIT("an exchange of slices", MPI_Waitall(p->n, p->requests, MPI_STATUSES_IGNORE));
    p->n = 0;
}

static MPI_Request *next(pending *p)
{
    if (p->n == REQUESTS_AT_ONCE)
        wait_for(p);
    return &p->requests[p->n++];
}

static int slice_width(const size_t *bounds, int r)
{
    return (int)(bounds[r + 1] - bounds[r]);
}

/* Fills counts and starts with every rank's slice. */
static void slices(kt_comm *comm, const size_t *bounds)
{
    for (int r = 0; r < comm->size; r++) {
        comm->counts[r] = slice_width(bounds, r);
        comm->starts[r] = (int)bounds[r];
    }
}

static size_t sums_before(const size_t *n_sums, int rank)
{
    size_t n = 0;
    for (int r = 0; r < rank; r++)
        n += n_sums[r];
    return n;
}

void kt_comm_exchange_sums(kt_comm *comm, const size_t *bounds, const size_t *n_sums, const float *sums, size_t stride,
                           float *received)
{
    const int rank = comm->rank, size = comm->size, own = slice_width(bounds, rank);
    float *place = received + sums_before(n_sums, rank) * (size_t)own;
    pending p = {0};
    for (size_t i = 0; i < n_sums[rank] && own > 0; i++, place += own)
        memcpy(place, sums + i * stride + bounds[rank], (size_t)own * sizeof *place);
    for (int k = 1; k < size; k++) {
        int from = (rank - k + size) % size, to = (rank + k) % size, theirs = slice_width(bounds, to);
        place = received + sums_before(n_sums, from) * (size_t)own;
        for (size_t i = 0; i < n_sums[from] || i < n_sums[rank]; i++) {
            if (i < n_sums[from] && own > 0)
                MPI_Irecv(place + i * (size_t)own, own, MPI_FLOAT, from, TAG_SUMS, comm->mpi, next(&p));
            if (i < n_sums[rank] && theirs > 0)
                MPI_Isend(sums + i * stride + bounds[to], theirs, MPI_FLOAT, to, TAG_SUMS, comm->mpi, next(&p));
        }
    }
    wait_for(&p);
}

void kt_comm_reduce_slices(kt_comm *comm, const size_t *bounds, const float *vector, float *slice)
{
    slices(comm, bounds);
    KT_WAIT("a sum of slices", MPI_Reduce_scatter(vector, slice, comm->counts, MPI_FLOAT, MPI_SUM, comm->mpi));
}

static void gather_all(kt_comm *comm, const size_t *bounds, void *data, MPI_Datatype type)
{
    if (comm->size == 1)
        return;
    slices(comm, bounds);
    KT_WAIT("a gathering of slices",
            MPI_Allgatherv(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, data, comm->counts, comm->starts, type, comm->mpi));
}

void kt_comm_gather_all_slices(kt_comm *comm, const size_t *bounds, float *vector)
{
    gather_all(comm, bounds, vector, MPI_FLOAT);
}

void kt_comm_gather_all_bytes(kt_comm *comm, const size_t *bounds, void *data)
{
    char *bytes = data;
    if (bounds[comm->size] <= PIECE_BYTES)
        gather_all(comm, bounds, data, MPI_BYTE);
    else
        for (int r = 0; r < comm->size; r++)
            kt_comm_broadcast(comm, r, bytes + bounds[r], bounds[r + 1] - bounds[r]);
}

void kt_comm_gather_slices(kt_comm *comm, const size_t *bounds, float *vector)
{
    bool root = comm->rank == 0;
    slices(comm, bounds);
    KT_WAIT("a gathering of slices",
            MPI_Gatherv(root ? MPI_IN_PLACE : vector + bounds[comm->rank], comm->counts[comm->rank], MPI_FLOAT, vector,
                        comm->counts, comm->starts, MPI_FLOAT, 0, comm->mpi));
}

void kt_comm_gather_rows(kt_comm *comm, size_t n_rows, size_t width, const float *rows, float *all)
{
    int own = (int)(n_rows * width);
    KT_WAIT("a gathering", MPI_Gather(&own, 1, MPI_INT, comm->counts, 1, MPI_INT, 0, comm->mpi));
    int start = 0;
    for (int r = 0; comm->rank == 0 && r < comm->size; r++) {
        comm->starts[r] = start;
        start += comm->counts[r];
    }
    KT_WAIT("a gathering of slices",
            MPI_Gatherv(rows, own, MPI_FLOAT, all, comm->counts, comm->starts, MPI_FLOAT, 0, comm->mpi));
}
