/* The ranks that work on one copy of a network, as modules without a communicator see them. Local. */
#ifndef KTRAIN_TEAM_H
#define KTRAIN_TEAM_H

#include <stddef.h>

/* Seat `seat` of n_seats owns its share of every layer's units. */
typedef struct kt_team {
    size_t seat, n_seats;
    /* What any seat wrote before is seen by all after it. NULL for a single seat. */
    void (*barrier)(void *context);
    /* values has a row of n_bytes for each of the n_rows shards of a batch. Before the call a team has filled the rows of
     * its own shards; after it every team has all rows. It is a barrier, too. NULL for a single team. */
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
