/* Stopping at a point that the environment names; ordinary builds have none of it. */
#include "base/test_point.h"

#ifdef KTRAIN_TEST_POINTS

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/timer.h"

enum { NAME_BYTES = 64, ACTION_BYTES = 8 };

/* What the environment says, read once. */
static struct order {
    bool known, here; /* read; for this rank */
    char name[NAME_BYTES], action[ACTION_BYTES];
    long n, n_passed;
} order;

/* As the launcher says it: points lie also before MPI starts, and below what knows it. */
static int own_rank(void)
{
    const char *rank = getenv("OMPI_COMM_WORLD_RANK");
    if (rank == NULL)
        rank = getenv("PMI_RANK");
    return rank != NULL ? atoi(rank) : 0;
}

static void read_order(void)
{
    char name[NAME_BYTES];
    const char *text = getenv("KTRAIN_TEST_POINT");
    order.known = true;
    if (text == NULL || sscanf(text, "%63[^:]:%ld:%7s", name, &order.n, order.action) != 3)
        return;
    char *at = strchr(name, '@');
    order.here = at == NULL || atoi(at + 1) == own_rank();
    if (at != NULL)
        *at = '\0';
    strcpy(order.name, name);
}

static void wait_until_told(void)
{
    char path[PATH_MAX];
    const char *folder = getenv("KTRAIN_TEST_FOLDER");
    snprintf(path, sizeof path, "%s/%s.%ld", folder != NULL ? folder : ".", order.name, (long)getpid());
    const int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    if (fd >= 0)
        close(fd);
    while (fd >= 0 && access(path, F_OK) == 0)
        kt_timer_sleep(2e-3);
}

/* Whether the order is for this point, which is passed. */
static bool is_meant(const char *name)
{
    if (!order.known)
        read_order();
    return order.here && strcmp(name, order.name) == 0 && ++order.n_passed >= order.n;
}

bool kt_test_asks(const char *name)
{
    return is_meant(name) && strcmp(order.action, "always") == 0;
}

void kt_test_point(const char *name)
{
    if (!is_meant(name) || order.n_passed != order.n)
        return;
    if (strcmp(order.action, "kill") == 0)
        kill(getpid(), SIGKILL);
    else
        wait_until_told();
}

#else

typedef int kt_no_test_points; /* a file of C has something in it */

#endif
