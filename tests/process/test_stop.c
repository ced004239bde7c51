/* Signals that ask to stop, in processes of their own. */
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/timer.h"
#include "process/stop.h"
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

/* A signal that came while MPI started, to a command that has nothing to save. */
static void leaving_makes_up_for_it(void)
{
    int status;
    const pid_t child = fork();
    if (child == 0) {
        kt_stop_listen();
        raise(SIGTERM);
        kt_stop_leave();
        _exit(3);
    }
    CU_ASSERT(waitpid(child, &status, 0) == child && WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
}

static double left_seconds;

static double left(void)
{
    return left_seconds;
}

/* In a process of its own: 1 when a clock with so much time left has asked. */
static int asks(double seconds, double saving_seconds, double lengthened_seconds)
{
    int status;
    const pid_t child = fork();
    if (child == 0) {
        left_seconds = lengthened_seconds;
        kt_stop_at(kt_timer_seconds() + 1e9, "too late", NULL);
        kt_stop_at(kt_timer_seconds() + seconds, "the clock", left);
        kt_stop_at(kt_timer_seconds() + 1e9, "too late", NULL);
        kt_stop_saving_takes(saving_seconds);
        const bool asked = kt_stop_asked();
        _exit(asked + 2 * (asked && strcmp(kt_stop_why(), "the clock") != 0));
    }
    CU_ASSERT(waitpid(child, &status, 0) == child && WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void a_clock_asks_in_time(void)
{
    CU_ASSERT_EQUAL(asks(1000, 0, 0), 0);
    CU_ASSERT_EQUAL(asks(0, 0, 0), 1);
    CU_ASSERT_EQUAL(asks(1000, 600, 0), 1); /* saving once more may take twice as long */
    CU_ASSERT_EQUAL(asks(1000, 400, 0), 0);
    CU_ASSERT_EQUAL(asks(1, 0, 3600), 0); /* the job was lengthened */
    CU_ASSERT_EQUAL(asks(1, 0, 30), 1);
}

const kt_test kt_tests[] = {
    {"each of the signals asks to stop, and ends nothing", each_signal_asks},
    {"a second SIGTERM, SIGINT or SIGHUP ends at once", a_second_one_ends},
    {"SIGUSR1 and SIGUSR2 may come twice", batch_systems_may_ask_twice},
    {"what was ignored at the start (nohup) stays so", what_was_ignored_stays_so},
    {"what has nothing to save ends by a signal that came before", leaving_makes_up_for_it},
    {"the clock asks as long before the end as saving takes, unless the job was lengthened", a_clock_asks_in_time},
    {NULL, NULL},
};
