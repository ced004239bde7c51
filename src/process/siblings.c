/* Asks the kernel. */
#include "process/siblings.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

/* Written by the main thread, read by the watchdog. */
static struct siblings {
    pthread_mutex_t lock;
    kt_sibling each[KT_MOST_SIBLINGS];
    size_t n;
} known = {.lock = PTHREAD_MUTEX_INITIALIZER};

void kt_siblings_set(const kt_sibling *siblings, size_t n)
{
    pthread_mutex_lock(&known.lock);
    known.n = n < KT_MOST_SIBLINGS ? n : KT_MOST_SIBLINGS;
    if (known.n > 0)
        memcpy(known.each, siblings, known.n * sizeof *siblings);
    pthread_mutex_unlock(&known.lock);
}

/* proc(5): "PID (name) STATE ..."; names may hold anything, the last ) ends one. */
static bool is_stopped(int64_t pid)
{
    char path[48], text[512];
    snprintf(path, sizeof path, "/proc/%" PRId64 "/stat", pid);
    FILE *file = fopen(path, "re");
    const size_t n = file != NULL ? fread(text, 1, sizeof text - 1, file) : 0;
    if (file != NULL)
        fclose(file);
    text[n] = '\0';
    const char *end = strrchr(text, ')');
    return end != NULL && strncmp(end, ") T", 3) == 0;
}

int kt_siblings_stopped(void)
{
    int rank = -1;
    pthread_mutex_lock(&known.lock);
    for (size_t i = 0; i < known.n && rank < 0; i++)
        if (is_stopped(known.each[i].pid))
            rank = known.each[i].rank;
    pthread_mutex_unlock(&known.lock);
    return rank;
}

bool kt_siblings_died(void)
{
    bool died = false;
    pthread_mutex_lock(&known.lock);
    for (size_t i = 0; i < known.n && !died; i++)
        died = kill((pid_t)known.each[i].pid, 0) != 0 && errno == ESRCH;
    pthread_mutex_unlock(&known.lock);
    return died;
}
