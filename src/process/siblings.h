/* The other ranks of a job on this host, as processes. One that is stopped (SIGSTOP, a debugger's halt is none) keeps
 * all others waiting or asleep; its own watchdog stands still with it, and those of ranks that sleep have nothing to
 * look for. One that has died does, too, until whoever started the ranks ends the others. Local. */
#ifndef KTRAIN_SIBLINGS_H
#define KTRAIN_SIBLINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct kt_sibling {
    int64_t pid;
    int rank;
} kt_sibling;

enum { KT_MOST_SIBLINGS = 512 };

/* From now on these are the others on this host; of more than KT_MOST_SIBLINGS the first. None are, before the last
 * meeting of all: then each ends when it likes. */
void kt_siblings_set(const kt_sibling *siblings, size_t n);

/* The rank of the first that is stopped; -1: none is. */
int kt_siblings_stopped(void);

/* Whether one has died. */
bool kt_siblings_died(void);

#endif
