/* Shards of a batch dealt to replicas, and those of a replica to its ranks. */
#include "engine/rank_rows.h"

#include "base/share.h"

kt_rows kt_rank_rows_of_replica(const kt_replica *replica, size_t number, size_t M, size_t n_shards)
{
    const kt_range own = kt_share(n_shards, number, replica->n_replicas);
    return (kt_rows){M, n_shards, own.begin, own.end};
}

kt_range kt_rank_rows_own_shards(const kt_replica *replica, const kt_rows *rows)
{
    const kt_range own = kt_share(rows->end - rows->first, replica->team.seat, replica->team.n_seats);
    return (kt_range){rows->first + own.begin, rows->first + own.end};
}

void kt_rank_rows_start_gather_all(kt_replica *replica, const kt_rows *rows, size_t width, float *values,
                                   kt_transfer **out)
{
    for (size_t r = 0; r < replica->n_replicas; r++) {
        const kt_rows its = kt_rank_rows_of_replica(replica, r, rows->M, rows->shards);
        replica->bounds[r] = kt_rows_begin(&its) * width;
    }
    replica->bounds[replica->n_replicas] = rows->M * width;
    kt_comm_start_gather_all(replica->leaders, replica->bounds, values, out);
}
