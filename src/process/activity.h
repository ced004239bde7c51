/* What this process is at: for a watchdog (process/watchdog.h), which looks whether it gets on, and can say where it
 * does not. Two stores each, so that steps of microseconds do not feel them. Local; of one thread, the main one. */
#ifndef KTRAIN_ACTIVITY_H
#define KTRAIN_ACTIVITY_H

#include <stdatomic.h>
#include <stddef.h>

enum { KT_NO_RANK = -1 };

/* Written by the main thread, read by others. */
typedef struct kt_activity {
    _Atomic(size_t) n_done;      /* how often something was finished */
    _Atomic(const char *) at;    /* what goes on: a literal, "training"; NULL: nothing that could hang */
    _Atomic(const char *) waits; /* for other ranks, in this: "a broadcast"; NULL: it does not */
    _Atomic(int) waits_for;      /* and for which rank of its group; KT_NO_RANK: all */
} kt_activity;
extern kt_activity kt_activity_here;

#define KT_ACTIVITY_SET(member, value) atomic_store_explicit(&kt_activity_here.member, value, memory_order_relaxed)
#define KT_ACTIVITY_GET(member)        atomic_load_explicit(&kt_activity_here.member, memory_order_relaxed)

/* A piece of it was done: a step, a chunk. */
static inline void kt_activity_done(void)
{
    KT_ACTIVITY_SET(n_done, KT_ACTIVITY_GET(n_done) + 1);
}

/* Something else begins; what went on before is returned, for who comes back to it. */
static inline const char *kt_activity_begin(const char *at)
{
    const char *before = KT_ACTIVITY_GET(at);
    KT_ACTIVITY_SET(at, at);
    kt_activity_done();
    return before;
}

static inline void kt_activity_wait(const char *in, int rank)
{
    KT_ACTIVITY_SET(waits_for, rank);
    KT_ACTIVITY_SET(waits, in);
}

static inline void kt_activity_go_on(void)
{
    KT_ACTIVITY_SET(waits, NULL);
}

#endif
