/* Ranks emulated by threads: teams of several parts each (team.h), in the memory of one process. */
#ifndef KTRAIN_TEST_CREW_H
#define KTRAIN_TEST_CREW_H

#include <pthread.h>
#include <string.h>

#include "net/team.h"

#include "test.h"

enum { MOST_TEAMS = 5, MOST_PARTS = 5 };

typedef struct crew crew;

/* One emulated rank: part team.seat of team `number`, which has shards first ... end - 1 of the batch. */
typedef struct seat {
    kt_team team;
    size_t number, first, end;
    crew *crew;
    kt_status status; /* of its work */
} seat;

struct crew {
    size_t n_teams, n_shares; /* calls of share, each by everyone */
    kt_status (*work)(const seat *me, void *context);
    void *context;
    void *pool[MOST_TEAMS]; /* where each team's values are */
    pthread_barrier_t everyone, within[MOST_TEAMS];
    seat seats[MOST_TEAMS * MOST_PARTS];
};

static inline void crew_barrier(void *context)
{
    const seat *me = context;
    pthread_barrier_wait(&me->crew->within[me->number]);
}

/* Each team's first part fetches the other teams' rows. */
static inline void crew_share(void *context, void *values, size_t n_rows, size_t n_bytes)
{
    const seat *me = context;
    crew *c = me->crew;
    (void)n_rows;
    if (me->team.seat == 0)
        c->pool[me->number] = values;
    if (pthread_barrier_wait(&c->everyone) == PTHREAD_BARRIER_SERIAL_THREAD)
        c->n_shares++;
    for (const seat *s = c->seats; s < c->seats + c->n_teams * me->team.n_seats; s++)
        if (me->team.seat == 0 && s->team.seat == 0 && s->number != me->number)
            memcpy((char *)values + s->first * n_bytes, (char *)c->pool[s->number] + s->first * n_bytes,
                   (s->end - s->first) * n_bytes);
    pthread_barrier_wait(&c->everyone);
}

/* Waits for all ranks of all teams. */
static inline void crew_everyone(const seat *me)
{
    pthread_barrier_wait(&me->crew->everyone);
}

static inline void *crew_thread(void *context)
{
    seat *me = context;
    me->status = me->crew->work(me, me->crew->context);
    return NULL;
}

static inline void crew_join(crew *c, const pthread_t *threads, size_t n)
{
    for (size_t i = 0; i < n; i++)
        pthread_join(threads[i], NULL);
    for (size_t t = 0; t < c->n_teams; t++)
        pthread_barrier_destroy(&c->within[t]);
    pthread_barrier_destroy(&c->everyone);
}

/* Runs work(me, context) on n_teams x n_parts threads; team t has shards cut[t] ... cut[t + 1] - 1. It
 * asserts nothing (CUnit is for one thread); all must return KT_OK. Returns how often share was called. */
static inline size_t crew_run(size_t n_teams, size_t n_parts, const size_t *cut,
                              kt_status (*work)(const seat *me, void *context), void *context)
{
    crew c = {.n_teams = n_teams, .work = work, .context = context};
    pthread_t threads[MOST_TEAMS * MOST_PARTS];
    const size_t n = n_teams * n_parts;
    CU_ASSERT_FATAL(n_teams <= MOST_TEAMS && n_parts <= MOST_PARTS);
    pthread_barrier_init(&c.everyone, NULL, (unsigned)n);
    for (size_t t = 0; t < n_teams; t++)
        pthread_barrier_init(&c.within[t], NULL, (unsigned)n_parts);
    for (size_t i = 0; i < n; i++) {
        const size_t t = i / n_parts;
        c.seats[i] = (seat){{.seat = i % n_parts, .n_seats = n_parts}, t, cut[t], cut[t + 1], &c, KT_OK};
        c.seats[i].team.barrier = n_parts > 1 ? crew_barrier : NULL;
        c.seats[i].team.gather_all = n_teams > 1 ? crew_share : NULL;
        c.seats[i].team.context = &c.seats[i];
    }
    for (size_t i = 0; i < n; i++)
        CU_ASSERT_FATAL(pthread_create(&threads[i], NULL, crew_thread, &c.seats[i]) == 0);
    crew_join(&c, threads, n);
    for (size_t i = 0; i < n; i++)
        KT_CHECK_STATUS(KT_OK, c.seats[i].status);
    return c.n_shares;
}

#endif
