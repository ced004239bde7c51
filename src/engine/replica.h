/* Replicas: the ranks of a run in groups that share one copy of the network and split each batch among the groups.
 *
 * The ranks of a host are cut into groups of at most ranks_per_replica neighbours, of sizes that differ by one at most;
 * a group is a replica, and the first rank of each is its leader, which talks to the other leaders. Replica r of R
 * takes shards kt_share(V, r, R) of a batch (shards.h); inside, each rank computes its panels (team.h). Or all ranks
 * are one replica that spans the hosts: then each host has the panels of its ranks, and letters go by MPI. */
#ifndef KTRAIN_REPLICA_H
#define KTRAIN_REPLICA_H

#include "base/options.h"
#include "edge/comm.h"
#include "edge/comm_mail.h"
#include "edge/comm_pool.h"
#include "engine/cost.h"
#include "net/network.h"

typedef struct kt_replica {
    kt_comm *world;   /* borrowed: all ranks of the run */
    kt_comm *ranks;   /* of this replica */
    kt_comm *near;    /* those of them that share memory: the same group, or this host's when the replica spans hosts */
    kt_comm *leaders; /* the replicas' first ranks, in the replicas' order; NULL on all others */
    kt_comm *heads;   /* the first ranks of all groups that share memory; NULL on all others */
    bool spans;       /* several hosts */
    bool first;       /* of those that share memory */
    bool by_root;     /* on the host of the first rank of all */
    size_t number, n_replicas;
    size_t n_hosts;
    size_t n_here; /* replicas of this host */
    kt_team team;  /* works after kt_replica_allocate */
    kt_pool *pool; /* NULL before kt_replica_allocate, as is mail */
    kt_mail *mail;
    uint64_t n_heard;  /* letters for all, when the ranks last heard each other */
    unsigned said;     /* by a single rank: bits */
    size_t host_bytes; /* that all ranks of the first one's host have been given */
    size_t *bounds;    /* [1 + the larger of n_replicas and n_seats]: scratch */
    size_t *no_bytes;  /* [n_seats]: the sizes of empty letters */
} kt_replica;

/* Words for ranks that share one copy of the weights, and what is more than there are. */
enum {
    KT_RANKS_AUTO = KT_WORD(0),
    KT_RANKS_NODE = KT_WORD(1),
    KT_RANKS_ALL = KT_WORD(2),
    KT_RANKS_OF_A_HOST = 1 << 20,
    KT_RANKS_OF_ALL_HOSTS
};

/* ranks_per_replica >= 1; larger than any host: one replica per host; KT_RANKS_OF_ALL_HOSTS: one in all. Collective.
 * *out is zeroed on failure. */
kt_status kt_replica_create(kt_replica *out, kt_comm *world, size_t ranks_per_replica);
void kt_replica_free(kt_replica *replica); /* collective; of a zeroed one a call without effect */

/* Its numbers, with which a rank of the first host would have it, and nothing to call; and how it lies. Local and
 * pure. */
kt_replica kt_replica_sketch(const kt_layout *layout, size_t rank);
kt_layout kt_replica_layout(const kt_replica *replica);

/* With parallel.products = auto: own ones, unless no rank's processor multiplies and adds in one operation. All ranks
 * must take the same, also where processors differ. Collective. */
void kt_replica_agree_on_products(kt_comm *world, kt_network_spec *spec);

/* n_bytes of zeroed memory that the replica's ranks share, and mail for letters of up to letter_bytes; once.
 * rank_bytes: what each rank will need beside it; root_bytes: and rank 0. *replica must not move after: its team points
 * to it. KT_NO_MEMORY. Collective. */
typedef struct kt_replica_room {
    size_t n_bytes, letter_bytes, rank_bytes, root_bytes;
} kt_replica_room;
kt_status kt_replica_allocate(kt_replica *replica, const kt_replica_room *room);

/* What that gives, in bytes: to all that share memory, and to a rank; letters are among the former, or, by MPI, the
 * latter. And what a rank is charged with, which is all that is shared for the first of those who share it. Local and
 * pure. */
typedef struct kt_replica_bytes {
    size_t shared, rank, letters;
} kt_replica_bytes;
kt_replica_bytes kt_replica_measure(const kt_replica *replica, const kt_replica_room *room);
size_t kt_replica_charge(const kt_replica *replica, const kt_replica_bytes *bytes);
void *kt_replica_memory(const kt_replica *replica);

/* The rows of a batch of M, in n_shards shards, that replica `number` computes; perhaps none. Local. */
kt_rows kt_replica_rows(const kt_replica *replica, size_t number, size_t M, size_t n_shards);

/* What the replica's ranks wrote before is seen by all of them after. Collective over the replica. */
void kt_replica_barrier(kt_replica *replica);

/* Words that go round with the letters of a step. */
typedef enum kt_word {
    KT_WORD_STOP,
    KT_WORD_ARRANGE,
    KT_WORD_SAVE,       /* a checkpoint */
    KT_WORD_SNAPSHOT_0, /* a snapshot, and which of the two */
    KT_WORD_SNAPSHOT_1,
    KT_N_WORDS
} kt_word;

/* This rank says a word: all of the replica hear it. Local. */
void kt_replica_say(kt_replica *replica, kt_word word);

/* Forgets a word that all have heard, by all ranks of the replica before their next step. Local. */
void kt_replica_forget(kt_replica *replica, kt_word word);

/* What was said in the replica so far, a bit for each word: the same answer on all of its ranks. Once a step.
 * Collective over the replica. */
unsigned kt_replica_hear(kt_replica *replica);

/* Copies n_bytes of shared memory from replica 0 to the same place in all others. Collective over all ranks; ends with
 * a barrier. */
void kt_replica_spread(kt_replica *replica, void *data, size_t n_bytes);

/* Copies replica 0's parameters, their state of the optimizer and running statistics to the networks of all ranks; as
 * kt_replica_spread. */
void kt_replica_spread_network(kt_replica *replica, kt_network *network);

/* Rank 0's vectors get the panels that other hosts have of its replica. Collective over the replica. */
void kt_replica_gather_network(kt_replica *replica, kt_network *network);

#endif
