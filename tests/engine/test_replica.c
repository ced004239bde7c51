/* Ranks in groups that share one copy of a network. All ranks of this test are on one host. */
#include <stdio.h>
#include <string.h>

#include "base/share.h"
#include "engine/replica.h"
#include "test.h"

const char *const kt_test_suite = "replica";

enum { MOST_RANKS = 16, MOST_PER_REPLICA = 6, LETTER_BYTES = 4096 };

static size_t world_rank(void)
{
    return (size_t)kt_comm_rank(kt_test_world);
}

static size_t world_size(void)
{
    return (size_t)kt_comm_size(kt_test_world);
}

/* Each test is a loop over these: 1, 2, ... ranks a replica, and more than there are. */
static kt_replica replica;

static void create(size_t ranks_per_replica, size_t n_bytes)
{
    KT_CHECK_STATUS(KT_OK, kt_replica_create(&replica, kt_test_world, ranks_per_replica));
    KT_CHECK_STATUS(
        KT_OK, kt_replica_allocate(&replica, &(kt_replica_room){.n_bytes = n_bytes, .letter_bytes = LETTER_BYTES}));
}

/* ---- who is where ---- */

typedef struct place {
    size_t number, part, n_parts, n_replicas, n_hosts, leads;
} place;

/* On rank 0, of all ranks. */
static bool is_as_described(const place *all, size_t ranks_per_replica)
{
    const size_t n = world_size(), n_replicas = (n + ranks_per_replica - 1) / ranks_per_replica;
    size_t rank = 0;
    for (size_t r = 0; r < n_replicas; r++) {
        const kt_range own = kt_share(n, r, n_replicas); /* neighbours, larger groups first */
        const size_t n_own = own.end - own.begin;
        if (n_own > ranks_per_replica || n_own == 0)
            return false;
        for (; rank < own.end; rank++) {
            const place wanted = {r, rank - own.begin, n_own, n_replicas, 1, rank == own.begin};
            if (memcmp(&all[rank], &wanted, sizeof wanted) != 0)
                return false;
        }
    }
    return rank == n;
}

static void groups_are_neighbours_of_like_sizes(void)
{
    for (size_t k = 1; k <= MOST_PER_REPLICA; k++) {
        place all[MOST_RANKS];
        KT_CHECK_STATUS(KT_OK, kt_replica_create(&replica, kt_test_world, k));
        const kt_team *team = &replica.team;
        const place here = {replica.number,     team->seat,      team->n_seats,
                            replica.n_replicas, replica.n_hosts, replica.leaders != NULL};
        kt_comm_gather(kt_test_world, &here, sizeof here, all);
        KT_CHECK(world_rank() > 0 || is_as_described(all, k));
        const kt_layout layout = kt_cost_layout(world_size(), 1, k);
        const kt_replica sketch = kt_replica_sketch(&layout, world_rank());
        KT_CHECK(sketch.number == replica.number && sketch.n_replicas == replica.n_replicas);
        KT_CHECK(sketch.team.seat == team->seat && sketch.team.n_seats == team->n_seats);
        KT_CHECK(sketch.n_hosts == replica.n_hosts && sketch.n_here == replica.n_here);
        KT_CHECK(sketch.first == replica.first && sketch.spans == replica.spans && sketch.by_root == replica.by_root);
        KT_CHECK(replica.world == kt_test_world && replica.pool == NULL);
        KT_CHECK((size_t)kt_comm_rank(replica.ranks) == team->seat &&
                 (size_t)kt_comm_size(replica.ranks) == team->n_seats);
        KT_CHECK(replica.leaders == NULL || ((size_t)kt_comm_rank(replica.leaders) == replica.number &&
                                             (size_t)kt_comm_size(replica.leaders) == replica.n_replicas));
        kt_replica_free(&replica);
        KT_CHECK(replica.ranks == NULL && replica.leaders == NULL);
    }
    kt_replica_free(&replica);
}

static void five_ranks_in_pairs_are_three_replicas(void)
{
    static const size_t number[5] = {0, 0, 1, 1, 2}, part[5] = {0, 1, 0, 1, 0};
    if (world_size() != 5)
        return;
    KT_CHECK_STATUS(KT_OK, kt_replica_create(&replica, kt_test_world, 2));
    KT_CHECK(replica.number == number[world_rank()] && replica.team.seat == part[world_rank()]);
    kt_replica_free(&replica);
}

static void shards_are_split_among_replicas(void)
{
    for (size_t k = 1; k <= MOST_PER_REPLICA; k++)
        for (size_t V = 1; V <= 8; V *= 8) {
            const size_t M = 19;
            size_t next_shard = 0, next_row = 0;
            KT_CHECK_STATUS(KT_OK, kt_replica_create(&replica, kt_test_world, k));
            for (size_t r = 0; r < replica.n_replicas; r++) {
                const kt_rows rows = kt_replica_rows(&replica, r, M, V);
                const kt_range range = kt_rows_range(&rows);
                KT_CHECK(rows.M == M && rows.shards == V && rows.first == next_shard);
                KT_CHECK(range.begin == next_row);
                next_shard = rows.end;
                next_row = range.end;
            }
            KT_CHECK(next_shard == V && next_row == M);
            kt_replica_free(&replica);
        }
}

/* ---- memory ---- */

static void each_replica_has_memory_of_its_own(void)
{
    enum { N = 10007 };
    for (size_t k = 1; k <= MOST_PER_REPLICA; k++) {
        bool zero = true, own = true;
        create(k, N * sizeof(size_t));
        size_t *x = kt_replica_memory(&replica);
        const kt_range share = kt_share(N, replica.team.seat, replica.team.n_seats);
        for (size_t i = 0; i < N; i++)
            zero = zero && x[i] == 0;
        kt_replica_barrier(&replica);
        for (size_t i = share.begin; i < share.end; i++)
            x[i] = i + replica.number;
        kt_comm_barrier(kt_test_world);
        for (size_t i = 0; i < N; i++)
            own = own && x[i] == i + replica.number;
        KT_CHECK(zero && own);
        kt_replica_free(&replica);
    }
}

static void impossible_memory_is_refused(void)
{
    for (size_t k = 1; k <= 2; k++) {
        KT_CHECK_STATUS(KT_OK, kt_replica_create(&replica, kt_test_world, k));
        KT_CHECK_STATUS(KT_NO_MEMORY, kt_replica_allocate(&replica, &(kt_replica_room){.n_bytes = (size_t)1 << 60}));
        KT_CHECK(replica.pool == NULL);
        kt_replica_free(&replica);
    }
}

/* ---- the team's calls ---- */

static void a_barrier_of_the_team_orders_memory(void)
{
    enum { ROUNDS = 500, APART = 16 };
    for (size_t k = 1; k <= MOST_PER_REPLICA; k++) {
        create(k, 2 * MOST_RANKS * APART * sizeof(size_t));
        const kt_team *team = &replica.team;
        size_t *words = kt_replica_memory(&replica), n_wrong = 0;
        for (size_t round = 1; round <= ROUNDS; round++) {
            size_t *now = words + (round % 2) * MOST_RANKS * APART;
            now[team->seat * APART] = round + team->seat;
            kt_team_barrier(team);
            for (size_t part = 0; part < team->n_seats; part++)
                n_wrong += now[part * APART] != round + part;
        }
        KT_CHECK(n_wrong == 0);
        KT_CHECK((team->barrier == NULL) == (team->n_seats == 1));
        KT_CHECK((team->gather_all == NULL) == (replica.n_replicas == 1));
        kt_replica_free(&replica);
    }
}

/* Each part of a team fills some columns of its replica's rows, as batch norm does; rows may be fewer than replicas. */
static void a_team_shares_its_rows(void)
{
    enum { WIDTH = 13, MOST = 64 };
    for (size_t k = 1; k <= MOST_PER_REPLICA; k++)
        for (size_t n = 1; n <= MOST; n *= 2) {
            create(k, MOST * WIDTH * sizeof(double));
            double *x = kt_replica_memory(&replica);
            size_t n_wrong = 0;
            const kt_range rows = kt_share(n, replica.number, replica.n_replicas);
            const kt_range own = kt_share(WIDTH, replica.team.seat, replica.team.n_seats);
            for (size_t r = rows.begin; r < rows.end; r++)
                for (size_t j = own.begin; j < own.end; j++)
                    x[r * WIDTH + j] = (double)(100 * r + j + 1);
            kt_team_gather_all(&replica.team, x, n, WIDTH * sizeof *x);
            for (size_t i = 0; i < MOST * WIDTH; i++)
                n_wrong += x[i] != (i < n * WIDTH ? (double)(100 * (i / WIDTH) + i % WIDTH + 1) : 0);
            KT_CHECK(n_wrong == 0);
            kt_replica_free(&replica);
        }
}

/* What seat `from` says in a round. */
static unsigned char said(size_t from, size_t round, size_t i)
{
    return (unsigned char)(from * 31 + round * 7 + i * 3);
}

/* Letters of other lengths from each seat; in odd rounds of seat + 1 parts, of which a seat reads only its bytes. */
static size_t count_wrong_letters(const kt_team *team, size_t round)
{
    enum { PART = 24 };
    size_t size[MOST_RANKS], parts[MOST_RANKS], bound[MOST_RANKS + 1] = {0}, n_wrong = 0;
    const bool whole = round % 2 == 0;
    for (size_t t = 0; t < team->n_seats; t++) {
        size[t] = whole ? t * 100 : (t + 1) * PART;
        parts[t] = t + 1;
        bound[t + 1] = (t + 1) * PART / team->n_seats;
    }
    unsigned char *out = team->outbox(team->context);
    for (size_t i = 0; i < size[team->seat]; i++)
        out[i] = said(team->seat, round, i);
    team->send(team->context, &(kt_letters){whole ? size : NULL, PART, parts, bound});
    for (size_t t = 0; t < team->n_seats; t++) {
        const unsigned char *in = team->inbox(team->context, t);
        for (size_t i = 0; i < size[t]; i++)
            if (whole || (i % PART >= bound[team->seat] && i % PART < bound[team->seat + 1]))
                n_wrong += in[i] != said(t, round, i);
    }
    return n_wrong;
}

static void letters_reach_every_seat(void)
{
    enum { ROUNDS = 200 };
    for (size_t k = 1; k <= MOST_PER_REPLICA; k++) {
        size_t n_wrong = 0;
        create(k, 1);
        KT_CHECK((replica.mail == NULL) == (replica.team.n_seats == 1));
        for (size_t round = 0; replica.mail != NULL && round < ROUNDS; round++)
            n_wrong += count_wrong_letters(&replica.team, round);
        KT_CHECK(n_wrong == 0);
        kt_replica_free(&replica);
    }
}

/* In steps with and without letters for all, the last seat of replica 0 says a word, which is forgotten later; another
 * one is not. */
static void words_are_heard_in_the_same_step(void)
{
    enum { STEPS = 9, WHEN = 5, FORGOTTEN = 7, STOP = 1 << KT_WORD_STOP, ARRANGE = 1 << KT_WORD_ARRANGE };
    for (size_t k = 1; k <= MOST_PER_REPLICA; k++) {
        size_t n_wrong = 0;
        create(k, 1);
        const kt_team *team = &replica.team;
        for (size_t step = 0; step < STEPS; step++) {
            if (step == WHEN && replica.number == 0 && team->seat + 1 == team->n_seats) {
                kt_replica_say(&replica, KT_WORD_STOP);
                kt_replica_say(&replica, KT_WORD_ARRANGE);
            }
            if (replica.mail != NULL && step % 3 == 0)
                n_wrong += count_wrong_letters(team, 0);
            if (step == FORGOTTEN) {
                kt_replica_barrier(&replica); /* all have heard it */
                kt_replica_forget(&replica, KT_WORD_ARRANGE);
            }
            const unsigned wanted = replica.number > 0 || step < WHEN ? 0 : step < FORGOTTEN ? STOP | ARRANGE : STOP;
            n_wrong += kt_replica_hear(&replica) != wanted;
        }
        KT_CHECK(n_wrong == 0);
        kt_replica_free(&replica);
    }
}

static void a_team_alone_needs_nothing(void)
{
    double x[2] = {1, 2};
    kt_team_barrier(&kt_team_alone);
    kt_team_gather_all(&kt_team_alone, x, 2, sizeof x[0]);
    KT_CHECK(x[0] == 1 && x[1] == 2);
}

/* ---- between replicas ---- */

static void replica_0_spreads_what_its_leader_has(void)
{
    enum { N = 5003 };
    for (size_t k = 1; k <= MOST_PER_REPLICA; k++) {
        size_t n_wrong = 0;
        create(k, N);
        unsigned char *x = kt_replica_memory(&replica);
        if (replica.leaders != NULL)
            for (size_t i = 0; i < N; i++)
                x[i] = (unsigned char)(i * 31 + replica.number);
        kt_replica_spread(&replica, x, N - 3);
        for (size_t i = 0; i < N; i++)
            n_wrong += x[i] != (unsigned char)(i * 31 + (i < N - 3 ? 0 : replica.number));
        KT_CHECK(n_wrong == 0);
        kt_replica_free(&replica);
    }
}

const kt_test kt_tests[] = {
    {"groups are neighbours, of sizes that differ by one at most", groups_are_neighbours_of_like_sizes},
    {"five ranks in pairs are three replicas", five_ranks_in_pairs_are_three_replicas},
    {"the shards of a batch are split among the replicas, each exactly once", shards_are_split_among_replicas},
    {"each replica has zeroed memory of its own, seen by all its ranks", each_replica_has_memory_of_its_own},
    {"impossible memory is refused on all ranks", impossible_memory_is_refused},
    {"a barrier of the team orders its memory", a_barrier_of_the_team_orders_memory},
    {"a team shares the rows it has filled with all teams", a_team_shares_its_rows},
    {"a team alone needs neither barrier nor share", a_team_alone_needs_nothing},
    {"every seat reads the letters of all, whole or its own bytes of each part", letters_reach_every_seat},
    {"what a rank says is heard by all of its replica in the same step", words_are_heard_in_the_same_step},
    {"the first replica's bytes spread to all, and no more of them than asked", replica_0_spreads_what_its_leader_has},
    {NULL, NULL},
};
