/* Looks a few times a second whether something was done, and now and then whether another rank was stopped. */
#include "process/watchdog.h"

#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/timer.h"
#include "process/activity.h"
#include "process/siblings.h"

/* Between two looks less than so many seconds pass, or the process was stopped meanwhile. */
static const double LOOK_SECONDS = 0.25, LONGEST_LOOK_SECONDS = 2, SIBLINGS_SECONDS = 2;

/* Written by the main thread, read by the watchdog. */
static struct orders {
    pthread_mutex_t lock;
    double seconds;
    const char *key; /* that sets it; NULL: none does */
    char place[KT_HOST_BYTES + 32];
} orders = {.lock = PTHREAD_MUTEX_INITIALIZER};

static const char *length(double seconds, char text[32])
{
    const bool minutes = seconds >= 120;
    snprintf(text, 32, "%.3g %s", minutes ? seconds / 60 : seconds, minutes ? "minutes" : "s");
    return text;
}

/* One write, so that lines of several ranks do not mix. */
static void tell(double quiet, const char *at)
{
    char line[1024], since[32], who[48] = "other ranks", knob[64] = "";
    const char *waits = KT_ACTIVITY_GET(waits);
    const int rank = KT_ACTIVITY_GET(waits_for);
    if (rank != KT_NO_RANK)
        snprintf(who, sizeof who, "rank %d of its team", rank);
    if (orders.key != NULL)
        snprintf(knob, sizeof knob, " (%s)", orders.key);
    const int n =
        snprintf(line, sizeof line,
                 "ktrain: %sdoes not get on: %s, and nothing done for %s%s; it %s%s%s%s; start the same "
                 "command again to go on from the last checkpoint\n",
                 orders.place, at, length(quiet, since), knob, waits != NULL ? "waits for " : "waits for nobody",
                 waits != NULL ? who : "", waits != NULL ? " in " : "", waits != NULL ? waits : "");
    if (write(STDERR_FILENO, line, (size_t)n < sizeof line ? (size_t)n : sizeof line - 1) < 0)
        return; /* nobody listens, and there is nothing else to be done */
}

static void tell_of_sibling(int rank, double stopped)
{
    char since[32];
    fprintf(
        stderr,
        "ktrain: %sdoes not get on: rank %d, on the same host, has been stopped for %s (%s); start the same command "
        "again to go on from the last checkpoint\n",
        orders.place, rank, length(stopped, since), orders.key != NULL ? orders.key : "a signal");
}

/* What the thread has seen. */
typedef struct watcher {
    size_t n_done;
    double quiet, stopped, looked; /* seconds without anything done; of a stopped sibling; when it looked for one */
    int sibling;
} watcher;

static void look_at_siblings(watcher *w, double now)
{
    if (now < w->looked + SIBLINGS_SECONDS)
        return;
    const double passed = now - w->looked;
    const int rank = kt_siblings_stopped();
    w->stopped = rank >= 0 && rank == w->sibling ? w->stopped + fmin(passed, LONGEST_LOOK_SECONDS) : 0;
    w->sibling = rank;
    w->looked = now;
}

static void look(watcher *w, double now, double passed)
{
    const size_t n = KT_ACTIVITY_GET(n_done);
    const char *at = KT_ACTIVITY_GET(at);
    w->quiet = n == w->n_done && at != NULL ? w->quiet + fmin(passed, LONGEST_LOOK_SECONDS) : 0;
    w->n_done = n;
    if (kt_siblings_died()) /* whoever started them tells */
        _exit(KT_HUNG);
    look_at_siblings(w, now);
    pthread_mutex_lock(&orders.lock);
    const bool is_quiet = orders.seconds > 0 && w->quiet > orders.seconds;
    const bool is_stopped = orders.seconds > 0 && w->stopped > orders.seconds;
    if (is_quiet)
        tell(w->quiet, at);
    else if (is_stopped)
        tell_of_sibling(w->sibling, w->stopped);
    if (is_quiet || is_stopped)
        _exit(KT_HUNG);
    pthread_mutex_unlock(&orders.lock);
}

static void *watch(void *nothing)
{
    watcher w = {.sibling = -1};
    for (double before = kt_timer_seconds();;) {
        kt_timer_sleep(LOOK_SECONDS);
        const double now = kt_timer_seconds();
        look(&w, now, now - before);
        before = now;
    }
    return nothing;
}

kt_status kt_watchdog_start(double seconds)
{
    pthread_t thread;
    pthread_attr_t attributes;
    sigset_t all, before;
    orders.seconds = seconds;
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are the main thread's */
    const int failed = pthread_create(&thread, &attributes, watch, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return failed ? kt_fail(KT_NO_MEMORY, "no thread for the watchdog: %s", strerror(failed)) : KT_OK;
}

void kt_watchdog_set(double seconds, const char *key, int rank, const char *host)
{
    pthread_mutex_lock(&orders.lock);
    orders.seconds = seconds;
    orders.key = key;
    snprintf(orders.place, sizeof orders.place, "rank %d on %s ", rank, host);
    pthread_mutex_unlock(&orders.lock);
}
