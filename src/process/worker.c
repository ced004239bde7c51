/* A thread that waits for work under a lock. */
#include "process/worker.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include "base/memory.h"

struct kt_worker {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    kt_status (*work)(void *context); /* NULL: nothing to do */
    void *context;
    bool ends;
    atomic_bool busy;
    bool has_work; /* the main thread's, as is the rest once it is not busy */
    kt_status status;
    kt_error error;
    double core_seconds;
};

static double core_seconds(void)
{
    struct timespec used;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    return (double)used.tv_sec + 1e-9 * (double)used.tv_nsec;
}

/* mpirun binds a rank to its core, where this thread would stand in its way: the system cuts the wish down to what the
 * process may use at all. */
static void use_all_cores(void)
{
    cpu_set_t all;
    memset(&all, 0xff, sizeof all);
    sched_setaffinity(0, sizeof all, &all);
}

static void do_it(kt_worker *w)
{
    const double before = core_seconds();
    w->status = w->work(w->context);
    w->error = *kt_error_last();
    w->core_seconds = core_seconds() - before;
}

static void *serve(void *worker)
{
    kt_worker *w = worker;
    use_all_cores();
    pthread_mutex_lock(&w->lock);
    while (!w->ends) {
        if (w->work == NULL) {
            pthread_cond_wait(&w->changed, &w->lock);
            continue;
        }
        pthread_mutex_unlock(&w->lock);
        do_it(w);
        pthread_mutex_lock(&w->lock);
        w->work = NULL;
        atomic_store(&w->busy, false);
        pthread_cond_broadcast(&w->changed);
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

kt_status kt_worker_create(kt_worker **out)
{
    sigset_t all, before;
    kt_worker *w;
    *out = NULL;
    KT_TRY(KT_NEW(w, 1));
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->changed, NULL);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const int failed = pthread_create(&w->thread, NULL, serve, w);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed) {
        kt_memory_free(w);
        return kt_fail(KT_NO_MEMORY, "no thread for saving beside the training: %s", strerror(failed));
    }
    *out = w;
    return KT_OK;
}

void kt_worker_begin(kt_worker *w, kt_status (*work)(void *context), void *context)
{
    pthread_mutex_lock(&w->lock);
    w->has_work = true;
    w->work = work;
    w->context = context;
    atomic_store(&w->busy, true);
    pthread_cond_broadcast(&w->changed);
    pthread_mutex_unlock(&w->lock);
}

bool kt_worker_has_work(const kt_worker *w)
{
    return w->has_work;
}

bool kt_worker_is_busy(const kt_worker *w)
{
    return atomic_load(&w->busy);
}

static void wait_until_idle(kt_worker *w)
{
    pthread_mutex_lock(&w->lock);
    while (w->work != NULL)
        pthread_cond_wait(&w->changed, &w->lock);
    pthread_mutex_unlock(&w->lock);
}

kt_status kt_worker_finish(kt_worker *w, double *seconds)
{
    if (!w->has_work)
        return KT_OK;
    wait_until_idle(w);
    w->has_work = false;
    if (seconds != NULL)
        *seconds = w->core_seconds;
    return w->status == KT_OK ? KT_OK : kt_fail_as(&w->error);
}

void kt_worker_free(kt_worker *w)
{
    if (w == NULL)
        return;
    wait_until_idle(w);
    pthread_mutex_lock(&w->lock);
    w->ends = true;
    pthread_cond_broadcast(&w->changed);
    pthread_mutex_unlock(&w->lock);
    pthread_join(w->thread, NULL);
    pthread_cond_destroy(&w->changed);
    pthread_mutex_destroy(&w->lock);
    kt_memory_free(w);
}
