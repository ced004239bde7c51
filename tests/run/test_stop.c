/* Signals that ask to stop, in processes of their own. */
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "run/stop.h"
#include "test.h"

const char *const kt_test_suite = "stop";

/* How a child ends that listens and then gets these signals (0 ends them): its exit code, 1 when it was asked, or minus
 * the signal that has ended it. */
static int end_of(const int *numbers, int ignored)
{
    int status;
    const pid_t child = fork();
    if (child == 0) {
        if (ignored != 0)
            signal(ignored, SIG_IGN);
        kt_stop_listen();
        for (; *numbers != 0; numbers++)
            raise(*numbers);
        _exit(kt_stop_asked());
    }
    CU_ASSERT(waitpid(child, &status, 0) == child);
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static void each_signal_asks(void)
{
    static const int all[] = {SIGUSR1, SIGUSR2, SIGTERM, SIGINT, SIGHUP};
    CU_ASSERT_EQUAL(end_of((const int[]){0}, 0), 0);
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        CU_ASSERT_EQUAL(end_of((const int[]){all[i], 0}, 0), 1);
}

static void a_second_one_ends(void)
{
    static const int hard[] = {SIGTERM, SIGINT, SIGHUP};
    for (size_t i = 0; i < sizeof hard / sizeof hard[0]; i++)
        CU_ASSERT_EQUAL(end_of((const int[]){hard[i], hard[i], 0}, 0), -hard[i]);
    CU_ASSERT_EQUAL(end_of((const int[]){SIGUSR1, SIGTERM, 0}, 0), 1); /* time is over while it saves */
}

static void batch_systems_may_ask_twice(void)
{
    CU_ASSERT_EQUAL(end_of((const int[]){SIGUSR1, SIGUSR1, SIGUSR2, SIGUSR2, 0}, 0), 1);
}

static void what_was_ignored_stays_so(void)
{
    CU_ASSERT_EQUAL(end_of((const int[]){SIGHUP, SIGHUP, 0}, SIGHUP), 0);
}

const kt_test kt_tests[] = {
    {"each of the signals asks to stop, and ends nothing", each_signal_asks},
    {"a second SIGTERM, SIGINT or SIGHUP ends at once", a_second_one_ends},
    {"SIGUSR1 and SIGUSR2 may come twice", batch_systems_may_ask_twice},
    {"what was ignored at the start (nohup) stays so", what_was_ignored_stays_so},
    {NULL, NULL},
};
