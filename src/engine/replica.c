/* Cutting ranks into replicas, and what they tell each other. */
#include "engine/replica.h"

#include <string.h>

#include "base/memory.h"
#include "base/share.h"

size_t kt_replica_ranks_wanted(int64_t given, bool thin)
{
    if (given == KT_RANKS_NODE)
        return KT_RANKS_OF_A_HOST;
    if (given == KT_RANKS_AUTO)
        return thin ? KT_RANKS_OF_A_HOST : 1;
    return (size_t)given;
}

static void barrier(void *context)
{
    kt_replica_barrier(context);
}

/* kt_team.gather_all: the leaders exchange, all others wait. */
static void gather_all(void *context, void *values, size_t n_rows, size_t n_bytes)
{
    kt_replica *replica = context;
    kt_replica_barrier(replica);
    if (replica->leaders != NULL) {
        for (size_t r = 0; r < replica->n_replicas; r++)
            replica->bounds[r] = kt_share(n_rows, r, replica->n_replicas).begin * n_bytes;
        replica->bounds[replica->n_replicas] = n_rows * n_bytes;
        kt_comm_gather_all_bytes(replica->leaders, replica->bounds, values);
    }
    kt_replica_barrier(replica);
}

/* The group of a host that its rank number `rank` is in. */
static int group_of(size_t rank, size_t n_ranks, size_t n_groups)
{
    for (size_t group = 0; group < n_groups; group++)
        if (rank < kt_share(n_ranks, group, n_groups).end)
            return (int)group;
    return (int)n_groups;
}

static kt_status split_host(kt_replica *replica, size_t ranks_per_replica)
{
    kt_comm *host;
    KT_TRY(kt_comm_group_host(replica->world, &host));
    const size_t n = (size_t)kt_comm_size(host), rank = (size_t)kt_comm_rank(host);
    const size_t most = ranks_per_replica < n ? ranks_per_replica : n;
    int64_t n_hosts = rank == 0;
    replica->n_here = (n + most - 1) / most;
    const kt_status status = kt_comm_group(host, group_of(rank, n, replica->n_here), &replica->ranks);
    kt_comm_free(host);
    KT_TRY(kt_comm_agree(replica->world, status)); /* hosts may differ */
    kt_comm_sum_i64(replica->world, &n_hosts, 1);
    replica->n_hosts = (size_t)n_hosts;
    return KT_OK;
}

static kt_status join_leaders(kt_replica *replica)
{
    const bool leads = kt_comm_rank(replica->ranks) == 0;
    kt_comm *alike; /* the leaders, or all the others */
    KT_TRY(kt_comm_group(replica->world, leads ? 0 : 1, &alike));
    uint64_t place[2] = {(uint64_t)kt_comm_rank(alike), (uint64_t)kt_comm_size(alike)};
    if (leads)
        replica->leaders = alike;
    else
        kt_comm_free(alike);
    kt_comm_broadcast(replica->ranks, 0, place, sizeof place);
    replica->number = place[0];
    replica->n_replicas = place[1];
    return kt_comm_agree(replica->world, KT_NEW(replica->bounds, replica->n_replicas + 1));
}

kt_status kt_replica_create(kt_replica *out, kt_comm *world, size_t ranks_per_replica)
{
    memset(out, 0, sizeof *out);
    out->world = world;
    kt_status status = split_host(out, ranks_per_replica);
    if (status == KT_OK)
        status = join_leaders(out);
    if (status != KT_OK) {
        kt_replica_free(out);
        return status;
    }
    out->team.seat = (size_t)kt_comm_rank(out->ranks);
    out->team.n_seats = (size_t)kt_comm_size(out->ranks);
    return KT_OK;
}

void kt_replica_free(kt_replica *replica)
{
    kt_pool_free(replica->pool);
    kt_comm_free(replica->leaders);
    kt_comm_free(replica->ranks);
    kt_memory_free(replica->bounds);
    memset(replica, 0, sizeof *replica);
}

kt_status kt_replica_agree_on_kernels(kt_comm *world, kt_network_spec *spec)
{
    int64_t *users;
    kt_status status = kt_comm_agree(world, KT_NEW(users, KT_N_SIMD + 1));
    for (size_t k = 0; k < KT_N_SIMD && status == KT_OK; k++)
        users[k + 1] = spec->kernels == 0 ? kt_kernels_table[k] == kt_kernels_best() : (int)k + 1 == spec->kernels;
    if (status == KT_OK)
        kt_comm_sum_i64(world, users, KT_N_SIMD + 1);
    for (size_t k = 1; k <= KT_N_SIMD && status == KT_OK; k++)
        spec->kernels = users[k] > 0 ? (int)k : spec->kernels;
    kt_memory_free(users);
    return status;
}

/* The team's calls get the replica where it stands now: it must not move after this. */
kt_status kt_replica_allocate(kt_replica *replica, size_t n_bytes, size_t other_bytes)
{
    const size_t own = kt_comm_rank(replica->world) == 0 ? other_bytes : 0;
    KT_TRY(kt_comm_agree(replica->world, kt_pool_check_room(replica->ranks, n_bytes, replica->n_here, own)));
    KT_TRY(kt_comm_agree(replica->world, kt_pool_create(replica->ranks, n_bytes, &replica->pool)));
    replica->team.context = replica;
    replica->team.barrier = replica->team.n_seats > 1 ? barrier : NULL;
    replica->team.gather_all = replica->n_replicas > 1 ? gather_all : NULL;
    return KT_OK;
}

void *kt_replica_memory(const kt_replica *replica)
{
    return kt_pool_memory(replica->pool);
}

void kt_replica_barrier(kt_replica *replica)
{
    if (replica->team.n_seats > 1)
        kt_pool_barrier(replica->pool);
}

void kt_replica_spread(kt_replica *replica, void *data, size_t n_bytes)
{
    kt_replica_barrier(replica);
    if (replica->leaders != NULL)
        kt_comm_broadcast(replica->leaders, 0, data, n_bytes);
    kt_replica_barrier(replica);
}

void kt_replica_spread_network(kt_replica *replica, kt_network *network)
{
    kt_replica_spread(replica, kt_network_parameters(network), kt_network_n_parameters(network) * sizeof(float));
    kt_replica_spread(replica, kt_network_state(network), kt_network_n_state(network) * sizeof(float));
}
