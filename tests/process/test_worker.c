/* worker.h: one thing at a time beside the main thread. */
#include <float.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "edge/linalg.h"
#include "process/worker.h"
#include "test.h"

const char *const kt_test_suite = "worker";

typedef struct task {
    atomic_bool may_end;
    pthread_t thread;
    kt_status status;
    volatile float half;
} task;

static kt_status do_task(void *context)
{
    task *t = context;
    while (!atomic_load(&t->may_end))
        sched_yield();
    t->thread = pthread_self();
    t->half = t->half / 2;
    return t->status == KT_OK ? KT_OK : kt_fail(t->status, "the disk is full");
}

static void beside(void)
{
    kt_worker *w;
    double seconds = -1;
    task t = {.status = KT_OK};
    CU_ASSERT_FATAL(kt_worker_create(&w) == KT_OK);
    CU_ASSERT(!kt_worker_has_work(w) && !kt_worker_is_busy(w));
    CU_ASSERT(kt_worker_finish(w, &seconds) == KT_OK);
    kt_worker_begin(w, do_task, &t);
    CU_ASSERT(kt_worker_has_work(w) && kt_worker_is_busy(w));
    atomic_store(&t.may_end, true);
    CU_ASSERT(kt_worker_finish(w, &seconds) == KT_OK);
    CU_ASSERT(!kt_worker_has_work(w) && !kt_worker_is_busy(w));
    CU_ASSERT(seconds >= 0 && !pthread_equal(t.thread, pthread_self()));
    kt_worker_free(w);
}

static void failure(void)
{
    kt_worker *w;
    task t = {.may_end = true, .status = KT_IO}, good = {.may_end = true};
    CU_ASSERT_FATAL(kt_worker_create(&w) == KT_OK);
    kt_worker_begin(w, do_task, &t);
    CU_ASSERT(kt_worker_finish(w, NULL) == KT_IO);
    CU_ASSERT_STRING_EQUAL(kt_error_message(), "the disk is full");
    kt_worker_begin(w, do_task, &good);
    CU_ASSERT(kt_worker_finish(w, NULL) == KT_OK);
    kt_worker_free(w);
}

/* Freed while it is at work, it comes to its end first. */
static void freed_at_work(void)
{
    kt_worker *w;
    task t = {.may_end = true, .half = 1};
    CU_ASSERT_FATAL(kt_worker_create(&w) == KT_OK);
    kt_worker_begin(w, do_task, &t);
    kt_worker_free(w);
    CU_ASSERT(t.half == 0.5f);
    kt_worker_free(NULL);
}

static void denormals(void)
{
    kt_worker *w;
    task t = {.may_end = true, .half = FLT_MIN};
    const kt_linalg_mode before = kt_linalg_enter(0);
    CU_ASSERT_FATAL(kt_worker_create(&w) == KT_OK);
    kt_worker_begin(w, do_task, &t);
    CU_ASSERT(kt_worker_finish(w, NULL) == KT_OK);
    kt_worker_free(w);
    kt_linalg_leave(before);
    CU_ASSERT(t.half == 0);
}

const kt_test kt_tests[] = {
    {"work is done beside the caller, and finished once", beside},
    {"a failure comes to the caller with its sentence, and the next work is not held back by it", failure},
    {"freeing waits for what is under way", freed_at_work},
    {"denormals are flushed where they are in the thread that made it", denormals},
    {NULL, NULL},
};
