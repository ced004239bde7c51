/* siblings.h: processes of this host that are stopped. */
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "process/siblings.h"
#include "test.h"

const char *const kt_test_suite = "siblings";

static void who_is_stopped(void)
{
    const pid_t child = fork();
    int status;
    if (child == 0)
        for (;;)
            pause();
    const kt_sibling known[] = {{getpid(), 3}, {child, 7}};
    CU_ASSERT(kt_siblings_stopped() == -1);
    kt_siblings_set(known, 2);
    CU_ASSERT(kt_siblings_stopped() == -1);
    CU_ASSERT(kill(child, SIGSTOP) == 0 && waitpid(child, &status, WUNTRACED) == child && WIFSTOPPED(status));
    CU_ASSERT(kt_siblings_stopped() == 7);
    CU_ASSERT(kill(child, SIGCONT) == 0 && waitpid(child, &status, WCONTINUED) == child);
    CU_ASSERT(kt_siblings_stopped() == -1 && !kt_siblings_died());
    CU_ASSERT(kill(child, SIGKILL) == 0 && waitpid(child, &status, 0) == child);
    CU_ASSERT(kt_siblings_stopped() == -1 && kt_siblings_died());
    kt_siblings_set(NULL, 0);
    CU_ASSERT(!kt_siblings_died());
}

const kt_test kt_tests[] = {
    {"a sibling is stopped until it goes on or has ended; who is unknown is not looked at", who_is_stopped},
    {NULL, NULL},
};
