/* Cutting ranks into replicas, and what they tell each other. */
#include "engine/replica.h"

#include <string.h>

#include "base/memory.h"
#include "base/share.h"

void kt_replica_agree_on_products(kt_comm *world, kt_network_spec *spec)
{
    int64_t n_fuse = kt_simd_fuses();
    kt_comm_sum_i64(world, &n_fuse, 1);
    if (spec->products == KT_PRODUCTS_AUTO)
        spec->products = n_fuse > 0 ? KT_PRODUCTS_OWN : KT_PRODUCTS_OPENBLAS;
}

/* ---- the team's calls ---- */

static void *outbox(void *context)
{
    return kt_mail_outbox(((kt_replica *)context)->mail);
}

static void send_letters(void *context, const kt_letters *letters)
{
    kt_mail *mail = ((kt_replica *)context)->mail;
    if (letters->size != NULL)
        kt_mail_send(mail, letters->size);
    else
        kt_mail_send_parts(mail, letters->part_bytes, letters->parts, letters->bound);
}

static const void *inbox(void *context, size_t from)
{
    return kt_mail_inbox(((kt_replica *)context)->mail, (int)from);
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

/* The ranks of this host, cut in groups; or all ranks, of which those of a host share memory. */
static kt_status split_host(kt_replica *replica, size_t ranks_per_replica)
{
    kt_comm *host;
    KT_TRY(kt_comm_group_host(replica->world, &host));
    const size_t n = (size_t)kt_comm_size(host), rank = (size_t)kt_comm_rank(host);
    const size_t most = kt_smaller(ranks_per_replica, n);
    int64_t n_hosts = rank == 0;
    replica->by_root = kt_comm_rank(replica->world) == 0;
    kt_comm_broadcast(host, 0, &replica->by_root, sizeof replica->by_root);
    kt_comm_sum_i64(replica->world, &n_hosts, 1);
    replica->n_hosts = (size_t)n_hosts;
    replica->spans = ranks_per_replica == KT_RANKS_OF_ALL_HOSTS && n_hosts > 1;
    replica->n_here = (n + most - 1) / most;
    const kt_status status = kt_comm_group(host, group_of(rank, n, replica->n_here), &replica->near);
    kt_comm_free(host);
    KT_TRY(kt_comm_agree(replica->world, status)); /* hosts may differ */
    if (replica->spans)
        return kt_comm_group(replica->world, 0, &replica->ranks);
    replica->ranks = replica->near;
    return KT_OK;
}

/* *out: the first ranks of all groups like `group`, or NULL on all others; and this group's place among them. */
static kt_status join_first(kt_comm *world, kt_comm *group, kt_comm **out, uint64_t place[2])
{
    const bool leads = kt_comm_rank(group) == 0;
    kt_comm *alike; /* the first ranks, or all the others */
    KT_TRY(kt_comm_group(world, leads ? 0 : 1, &alike));
    place[0] = (uint64_t)kt_comm_rank(alike);
    place[1] = (uint64_t)kt_comm_size(alike);
    if (leads)
        *out = alike;
    else
        kt_comm_free(alike);
    kt_comm_broadcast(group, 0, place, 2 * sizeof *place);
    return KT_OK;
}

static kt_status join_leaders(kt_replica *replica)
{
    uint64_t place[2];
    KT_TRY(join_first(replica->world, replica->ranks, &replica->leaders, place));
    replica->number = place[0];
    replica->n_replicas = place[1];
    replica->heads = replica->leaders;
    if (replica->spans)
        KT_TRY(join_first(replica->world, replica->near, &replica->heads, place));
    kt_status status =
        KT_NEW(replica->bounds, kt_larger(replica->n_replicas, (size_t)kt_comm_size(replica->ranks)) + 1);
    if (status == KT_OK)
        status = KT_NEW(replica->no_bytes, (size_t)kt_comm_size(replica->ranks));
    return kt_comm_agree(replica->world, status);
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
    out->first = kt_comm_rank(out->near) == 0;
    return KT_OK;
}

kt_replica kt_replica_sketch(const kt_layout *layout, size_t rank)
{
    const size_t n = kt_share(layout->n_ranks, 0, layout->n_hosts).end;
    kt_replica r = {.n_hosts = layout->n_hosts, .n_replicas = layout->n_replicas, .by_root = true};
    r.spans = layout->n_replicas < layout->n_hosts;
    r.n_here = r.spans ? 1 : (n + layout->ranks_per_replica - 1) / layout->ranks_per_replica;
    r.number = (size_t)group_of(rank, n, r.n_here);
    const kt_range ranks = kt_share(r.spans ? layout->n_ranks : n, r.number, r.n_here);
    r.team = (kt_team){.seat = rank - ranks.begin, .n_seats = ranks.end - ranks.begin};
    r.first = r.team.seat == 0;
    return r;
}

kt_layout kt_replica_layout(const kt_replica *r)
{
    return (kt_layout){r->n_hosts, (size_t)kt_comm_size(r->world), r->team.n_seats, r->n_replicas};
}

void kt_replica_free(kt_replica *replica)
{
    kt_mail_free(replica->mail);
    kt_pool_free(replica->pool);
    if (replica->heads != replica->leaders)
        kt_comm_free(replica->heads);
    kt_comm_free(replica->leaders);
    if (replica->ranks != replica->near)
        kt_comm_free(replica->ranks);
    kt_comm_free(replica->near);
    kt_memory_free(replica->bounds);
    kt_memory_free(replica->no_bytes);
    memset(replica, 0, sizeof *replica);
}

/* Letters begin at a page, so that each lies near who writes it. */
enum { PAGE_BYTES = 4096 };

static size_t in_pages(size_t n_bytes)
{
    return (n_bytes + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
}

kt_replica_bytes kt_replica_measure(const kt_replica *r, const kt_replica_room *room)
{
    const size_t letters = r->team.n_seats > 1 ? kt_mail_bytes(r->team.n_seats, room->letter_bytes) : 0;
    return (kt_replica_bytes){in_pages(room->n_bytes) + (r->spans ? 0 : letters),
                              room->rank_bytes + (r->spans ? letters : 0), letters};
}

size_t kt_replica_charge(const kt_replica *r, const kt_replica_bytes *bytes)
{
    return bytes->rank + (r->first ? bytes->shared : 0);
}

/* The team's calls get the replica where it stands now: it must not move after this. */
kt_status kt_replica_allocate(kt_replica *replica, const kt_replica_room *room)
{
    const size_t n_seats = replica->team.n_seats, n_near = (size_t)kt_comm_size(replica->near);
    const kt_replica_bytes bytes = kt_replica_measure(replica, room);
    const size_t root = kt_comm_rank(replica->world) == 0 ? room->root_bytes : 0;
    int64_t given = replica->by_root ? (int64_t)kt_replica_charge(replica, &bytes) : 0;
    KT_TRY(kt_comm_agree(replica->world,
                         kt_pool_check_room(replica->near, bytes.shared + n_near * bytes.rank, replica->n_here, root)));
    KT_TRY(kt_comm_agree(replica->world, kt_pool_create(replica->near, bytes.shared, &replica->pool)));
    kt_status status = KT_OK;
    char *letters = replica->spans ? NULL : (char *)kt_pool_memory(replica->pool) + in_pages(room->n_bytes);
    if (n_seats > 1)
        status = kt_mail_create(replica->ranks, letters, room->letter_bytes, &replica->mail);
    KT_TRY(kt_comm_agree(replica->world, status));
    replica->team.context = replica;
    replica->team.outbox = outbox;
    replica->team.send = send_letters;
    replica->team.inbox = inbox;
    replica->team.barrier = n_seats > 1 ? barrier : NULL;
    replica->team.gather_all = replica->n_replicas > 1 ? gather_all : NULL;
    kt_comm_sum_i64(replica->world, &given, 1);
    replica->host_bytes = (size_t)given;
    return KT_OK;
}

void *kt_replica_memory(const kt_replica *replica)
{
    return kt_pool_memory(replica->pool);
}

kt_rows kt_replica_rows(const kt_replica *replica, size_t number, size_t M, size_t n_shards)
{
    const kt_range own = kt_share(n_shards, number, replica->n_replicas);
    return (kt_rows){M, n_shards, own.begin, own.end};
}

void kt_replica_barrier(kt_replica *replica)
{
    if (replica->spans)
        kt_comm_barrier(replica->ranks);
    else if (replica->team.n_seats > 1)
        kt_pool_barrier(replica->pool);
}

void kt_replica_spread(kt_replica *replica, void *data, size_t n_bytes)
{
    kt_replica_barrier(replica);
    if (replica->heads != NULL)
        kt_comm_broadcast(replica->heads, 0, data, n_bytes);
    kt_replica_barrier(replica);
}

void kt_replica_spread_network(kt_replica *replica, kt_network *network)
{
    const kt_tensors *all[] = {kt_network_parameters(network), kt_network_state(network)};
    for (size_t i = 0; i < 2; i++)
        for (size_t k = 0; k < all[i]->n_vectors; k++)
            kt_replica_spread(replica, all[i]->vector[k], all[i]->room * sizeof(float));
    kt_network_take_vectors(network);
    kt_replica_barrier(replica);
}

/* Each seat's panels of the tensors of a vector, of which rank 0 gets all. */
static void gather_tensors(kt_replica *replica, kt_network *network, const kt_tensors *all)
{
    size_t n_layers;
    const kt_dense *dense = kt_network_dense(network, &n_layers);
    for (const kt_tensor *t = all->tensor; t < all->tensor + all->n; t++) {
        const kt_dense *d = &dense[t->block];
        const size_t n_seats = replica->team.n_seats;
        for (size_t seat = 0; seat < n_seats; seat++)
            replica->bounds[seat] =
                kt_dense_share(kt_network_spec_of(network), d->n_in, d->n_out, seat, n_seats).begin * t->per_panel;
        replica->bounds[n_seats] = t->room;
        for (size_t k = 0; k < all->n_vectors && !t->whole; k++)
            kt_comm_gather_slices(replica->ranks, replica->bounds, all->vector[k] + t->offset);
    }
}

void kt_replica_gather_network(kt_replica *replica, kt_network *network)
{
    if (!replica->spans)
        return;
    gather_tensors(replica, network, kt_network_parameters(network));
    gather_tensors(replica, network, kt_network_state(network));
}

void kt_replica_say(kt_replica *replica, kt_word word)
{
    replica->said |= 1U << word;
    if (replica->mail != NULL)
        kt_mail_raise(replica->mail, word);
}

void kt_replica_forget(kt_replica *replica, kt_word word)
{
    replica->said &= ~(1U << word);
    if (replica->mail != NULL)
        kt_mail_lower(replica->mail, word);
}

/* Words have come with the letters of the step; in a step without letters empty ones bring them. */
unsigned kt_replica_hear(kt_replica *replica)
{
    if (replica->mail == NULL)
        return replica->said;
    if (kt_mail_count(replica->mail) == replica->n_heard) {
        kt_mail_outbox(replica->mail);
        kt_mail_send(replica->mail, replica->no_bytes);
    }
    replica->n_heard = kt_mail_count(replica->mail);
    return kt_mail_raised(replica->mail);
}
