/* The ranks that work on one copy of a network, as pure modules see them: who they are, and two calls. Local. */
#ifndef KTRAIN_TEAM_H
#define KTRAIN_TEAM_H

#include <stddef.h>

/* Part `part` of n_parts owns its share of every layer's units. */
typedef struct kt_team {
    size_t part, n_parts;
    void (*barrier)(void *context); /* what any part wrote before is seen by all after; NULL when n_parts is 1 */
    /* values[n_rows x n_bytes], one row a shard of the batch, of which this team has filled its own: all teams' rows
     * to everyone. A barrier, too. NULL when there is one team. */
    void (*share)(void *context, void *values, size_t n_rows, size_t n_bytes);
    void *context;
} kt_team;

/* A team of one. */
static const kt_team kt_team_alone = {.n_parts = 1};

static inline void kt_team_barrier(const kt_team *team)
{
    if (team->barrier != NULL)
        team->barrier(team->context);
}

static inline void kt_team_share(const kt_team *team, void *values, size_t n_rows, size_t n_bytes)
{
    if (team->share != NULL)
        team->share(team->context, values, n_rows, n_bytes);
    else
        kt_team_barrier(team);
}

#endif
