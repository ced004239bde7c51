/* The signal handler and its flag. */
#include "run/stop.h"

#include <signal.h>
#include <stddef.h>

static volatile sig_atomic_t asked;

static void take_note(int number)
{
    (void)number;
    asked = 1;
}

void kt_stop_listen(void)
{
    static const struct {
        int number;
        bool once;
    } signals[] = {{SIGUSR1, false}, {SIGUSR2, false}, {SIGTERM, true}, {SIGINT, true}, {SIGHUP, true}};
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) {
        struct sigaction now, then = {.sa_handler = take_note, .sa_flags = SA_RESTART};
        if (signals[i].once)
            then.sa_flags |= (int)SA_RESETHAND;
        if (sigaction(signals[i].number, NULL, &now) == 0 && now.sa_handler != SIG_IGN)
            sigaction(signals[i].number, &then, NULL);
    }
}

void kt_stop_ask(void)
{
    asked = 1;
}

bool kt_stop_asked(void)
{
    return asked != 0;
}

void kt_stop_forget(void)
{
    asked = 0;
}
