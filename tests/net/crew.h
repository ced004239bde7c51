/* Ranks emulated by threads: teams of several seats each (team.h), in the memory of one process. */
#ifndef KTRAIN_TEST_CREW_H
#define KTRAIN_TEST_CREW_H

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>

#include "base/memory.h"
#include "net/team.h"

#include "test.h"

enum { MOST_TEAMS = 5, MOST_SEATS = 9 };

typedef struct crew crew;

/* One emulated rank: seat team.seat of team `number`, which has shards first ... end - 1 of the batch. Its mail: two
 * boxes in turn that it writes, and copies of the others' letters, which are NaNs where nothing was for it, and after
 * its next. */
typedef struct seat {
    kt_team team;
    size_t number, first, end;
    crew *crew;
    kt_status status; /* of its work */
    char *box[2], *got;
    unsigned got_round[MOST_SEATS];
    atomic_uint round; /* of its last letter */
    kt_letters letters;
} seat;

typedef kt_status crew_work(const seat *me, void *context);

/* Team t has shards cut[t] ... cut[t + 1] - 1. */
typedef struct crew_shape {
    size_t n_teams, n_seats;
    const size_t *cut;
    size_t letter_bytes; /* most of a letter */
} crew_shape;

struct crew {
    crew_shape shape;
    size_t n_shares; /* calls of gather_all, each by everyone */
    atomic_size_t n_letters, n_too_long;
    crew_work *work;
    void *context;
    void *pool[MOST_TEAMS]; /* where each team's values are */
    pthread_barrier_t everyone, within[MOST_TEAMS];
    seat seats[MOST_TEAMS * MOST_SEATS];
};

/* ---- mail ---- */

static inline seat *crew_seat(const seat *me, size_t from)
{
    return &me->crew->seats[me->number * me->team.n_seats + from];
}

static inline void crew_wait(const seat *me, size_t from)
{
    const unsigned round = atomic_load(&me->round);
    while (atomic_load(&crew_seat(me, from)->round) < round)
        sched_yield();
}

static inline void *crew_outbox(void *context)
{
    seat *me = context;
    for (size_t t = 0; t < me->team.n_seats; t++)
        crew_wait(me, t);
    return memset(me->box[(atomic_load(&me->round) + 1) & 1], 0xff, me->crew->shape.letter_bytes);
}

static inline void crew_send(void *context, const kt_letters *letters)
{
    seat *me = context;
    me->letters = *letters;
    memset(me->got, 0xff, me->team.n_seats * me->crew->shape.letter_bytes);
    atomic_fetch_add(&me->crew->n_letters, 1);
    atomic_fetch_add(&me->round, 1);
}

static inline void crew_copy(const seat *me, const char *box, char *to, size_t begin, size_t end)
{
    if (end > me->crew->shape.letter_bytes)
        atomic_fetch_add(&me->crew->n_too_long, 1);
    else
        memcpy(to + begin, box + begin, end - begin);
}

static inline const void *crew_inbox(void *context, size_t from)
{
    seat *me = context;
    const kt_letters *l = &me->letters;
    const unsigned round = atomic_load(&me->round);
    char *to = me->got + from * me->crew->shape.letter_bytes;
    if (me->got_round[from] == round)
        return to;
    crew_wait(me, from);
    const char *box = crew_seat(me, from)->box[round & 1];
    if (l->size != NULL)
        crew_copy(me, box, to, 0, l->size[from]);
    for (size_t k = 0; l->size == NULL && k < l->parts[from]; k++)
        crew_copy(me, box, to, k * l->part_bytes + l->bound[me->team.seat],
                  k * l->part_bytes + l->bound[me->team.seat + 1]);
    me->got_round[from] = round;
    return to;
}

/* ---- the other calls ---- */

static inline void crew_barrier(void *context)
{
    const seat *me = context;
    pthread_barrier_wait(&me->crew->within[me->number]);
}

/* Each team's first seat fetches the other teams' rows. */
static inline void crew_share(void *context, void *values, size_t n_rows, size_t n_bytes)
{
    const seat *me = context;
    crew *c = me->crew;
    (void)n_rows;
    if (me->team.seat == 0)
        c->pool[me->number] = values;
    if (pthread_barrier_wait(&c->everyone) == PTHREAD_BARRIER_SERIAL_THREAD)
        c->n_shares++;
    for (const seat *s = c->seats; s < c->seats + c->shape.n_teams * me->team.n_seats; s++)
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

/* ---- running it ---- */

static inline void *crew_thread(void *context)
{
    seat *me = context;
    me->status = me->crew->work(me, me->crew->context);
    return NULL;
}

static inline void crew_place(crew *c, seat *me, size_t number, size_t of_team)
{
    const crew_shape *shape = &c->shape;
    me->team = (kt_team){.seat = of_team, .n_seats = shape->n_seats, .context = me};
    me->number = number;
    me->first = shape->cut[number];
    me->end = shape->cut[number + 1];
    me->crew = c;
    for (size_t i = 0; i < 2; i++)
        CU_ASSERT_FATAL((me->box[i] = kt_memory_new(shape->letter_bytes, 1)) != NULL);
    CU_ASSERT_FATAL((me->got = kt_memory_new(shape->n_seats * shape->letter_bytes, 1)) != NULL);
    if (shape->n_seats > 1) {
        me->team.outbox = crew_outbox;
        me->team.send = crew_send;
        me->team.inbox = crew_inbox;
        me->team.barrier = crew_barrier;
    }
    me->team.gather_all = shape->n_teams > 1 ? crew_share : NULL;
}

static inline void crew_start(crew *c)
{
    pthread_barrier_init(&c->everyone, NULL, (unsigned)(c->shape.n_teams * c->shape.n_seats));
    for (size_t t = 0; t < c->shape.n_teams; t++) {
        pthread_barrier_init(&c->within[t], NULL, (unsigned)c->shape.n_seats);
        for (size_t s = 0; s < c->shape.n_seats; s++)
            crew_place(c, &c->seats[t * c->shape.n_seats + s], t, s);
    }
}

static inline void crew_end(crew *c)
{
    for (seat *s = c->seats; s < c->seats + c->shape.n_teams * c->shape.n_seats; s++) {
        KT_CHECK_STATUS(KT_OK, s->status);
        kt_memory_free(s->box[0]);
        kt_memory_free(s->box[1]);
        kt_memory_free(s->got);
    }
    for (size_t t = 0; t < c->shape.n_teams; t++)
        pthread_barrier_destroy(&c->within[t]);
    pthread_barrier_destroy(&c->everyone);
    CU_ASSERT(c->n_too_long == 0);
}

/* Runs work(me, context) on a thread for each seat. It asserts nothing (CUnit is for one thread); all must return
 * KT_OK. Returns how often gather_all was called; *n_letters: and how many letters were sent, by all. */
static inline size_t crew_run(const crew_shape *shape, crew_work *work, void *context, size_t *n_letters)
{
    static crew c;
    pthread_t threads[MOST_TEAMS * MOST_SEATS];
    const size_t n = shape->n_teams * shape->n_seats;
    CU_ASSERT_FATAL(shape->n_teams <= MOST_TEAMS && shape->n_seats <= MOST_SEATS);
    memset(&c, 0, sizeof c);
    c.shape = *shape;
    c.shape.letter_bytes = (shape->letter_bytes + 63) / 64 * 64;
    c.work = work;
    c.context = context;
    crew_start(&c);
    for (size_t i = 0; i < n; i++)
        CU_ASSERT_FATAL(pthread_create(&threads[i], NULL, crew_thread, &c.seats[i]) == 0);
    for (size_t i = 0; i < n; i++)
        pthread_join(threads[i], NULL);
    crew_end(&c);
    if (n_letters != NULL)
        *n_letters = c.n_letters;
    return c.n_shares;
}

#endif
