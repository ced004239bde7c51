/* The ranks that work on one copy of a network, as modules without a communicator see them. Local.
 *
 * Seat `seat` of n_seats owns panels of the larger layers, and alone reads and writes them. What the others need of
 * what it computes goes by mail: each seat fills its outbox, all seats send at once, and each reads the others'
 * letters. A letter may be read until the reader sends its next. */
#ifndef KTRAIN_TEAM_H
#define KTRAIN_TEAM_H

#include <stddef.h>

/* How letters are cut; of all seats' letters, known to each seat, in bytes. */
typedef struct kt_letters {
    /* For all seats: seat t's letter is of size[t]. Or, where size is NULL: it is of parts[t] parts of part_bytes each,
     * of which the bytes [bound[u], bound[u + 1]) are for seat u. */
    const size_t *size;
    size_t part_bytes;
    const size_t *parts, *bound;
} kt_letters;

typedef struct kt_team {
    size_t seat, n_seats;
    /* Room for this seat's next letter, 64-byte aligned; what it takes is settled when the team is made. */
    void *(*outbox)(void *context);
    void (*send)(void *context, const kt_letters *letters);
    /* The letter of seat `from`, as it filled its outbox: of other seats perhaps only what is for this one. Waits for
     * it. */
    const void *(*inbox)(void *context, size_t from);
    /* What any seat wrote into memory that all share is seen by all after it. NULL for a single seat. */
    void (*barrier)(void *context);
    /* values has a row of n_bytes for each of the n_rows shards of a batch. Before the call a team has filled the rows
     * of its own shards; after it every team has all rows. It is a barrier, too. NULL for a single team. */
    void (*gather_all)(void *context, void *values, size_t n_rows, size_t n_bytes);
    void *context;
} kt_team;

/* A team of one. */
static const kt_team kt_team_alone = {.n_seats = 1};

static inline void kt_team_barrier(const kt_team *team)
{
    if (team->barrier != NULL)
        team->barrier(team->context);
}

static inline void kt_team_gather_all(const kt_team *team, void *values, size_t n_rows, size_t n_bytes)
{
    if (team->gather_all != NULL)
        team->gather_all(team->context, values, n_rows, n_bytes);
    else
        kt_team_barrier(team);
}

#endif
