/* ktrain: trains fully connected classifiers on any number of ranks. */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/hash.h"
#include "cli/command.h"
#include "edge/hdf5_file.h"
#include "process/activity.h"
#include "process/stop.h"
#include "process/watchdog.h"
#include "run/limits.h"
#include "saving/provenance.h"

/* "ktrain job.ini" is "ktrain train job.ini": anything that could be a file. */
static bool looks_like_config(const char *word)
{
    size_t n = strlen(word);
    return (n > 4 && strcmp(word + n - 4, ".ini") == 0) || strchr(word, '/') != NULL;
}

static bool asks_for_help(const char *word)
{
    return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

/* The command that is to be run, NULL for none. */
static const kt_command *meant_by(const char *word)
{
    const kt_command *named = kt_command_find(word);
    return named == NULL && word[0] != '-' && looks_like_config(word) ? &kt_command_train : named;
}

/* Ranks of other programs or arguments (mpirun -np 1 ktrain a.ini : -np 1 ktrain b.ini) would wait for each other. */
static kt_status check_same(kt_comm *world, int argc, char **argv)
{
    uint64_t own = kt_hash_bytes(KT_HASH_START, kt_provenance_version(), strlen(kt_provenance_version()));
    for (int i = 1; i < argc; i++)
        own = kt_hash_bytes(own, argv[i], strlen(argv[i]) + 1);
    uint64_t first = own;
    kt_comm_broadcast(world, 0, &first, sizeof first);
    return kt_comm_agree(world, own == first ? KT_OK
                                             : kt_fail(KT_USAGE, "this rank has other arguments than rank 0, or is of "
                                                                 "another version of ktrain: must be the same"));
}

/* *command is what was run, NULL for nothing. */
static kt_status run_command(kt_comm *world, int argc, char **argv, kt_log *log, const kt_command **command)
{
    *command = NULL;
    KT_TRY(check_same(world, argc, argv));
    if (argc < 2) {
        KT_TRY(kt_command_explain(NULL, log));
        return kt_fail(KT_USAGE, "nothing to do: say ktrain CONFIG.ini, or ktrain COMMAND (ktrain --help lists them)");
    }
    const char *word = argv[1];
    const kt_command *meant = meant_by(word);
    if (asks_for_help(word))
        return kt_command_explain(NULL, log);
    if (strcmp(word, "--version") == 0) {
        kt_log_line(log, "ktrain %s", kt_provenance_version());
        return KT_OK;
    }
    if (meant == NULL)
        return kt_command_unknown(word);
    if (kt_command_find(word) != NULL) { /* else argv[0] stands for its name */
        argc--;
        argv++;
    }
    for (int i = 1; i < argc; i++)
        if (asks_for_help(argv[i]))
            return kt_command_explain(meant, log);
    *command = meant;
    return meant->run(world, argc, argv, log);
}

/* A reader that has seen enough (ktrain options | head) is no failure. */
static bool reader_left(void)
{
    struct pollfd out = {.fd = STDOUT_FILENO, .events = POLLOUT};
    return poll(&out, 1, 0) == 1 && (out.revents & (POLLERR | POLLHUP)) != 0;
}

/* What was printed must have arrived, but for a command whose files and exit code tell. */
static kt_status check_output(kt_comm *world, const kt_command *command)
{
    const bool needed = command == NULL || !command->leaves_files;
    const bool lost = kt_comm_rank(world) == 0 && (fflush(stdout) != 0 || ferror(stdout)) && !reader_left();
    return kt_comm_agree(world, lost && needed ? kt_fail(KT_IO, "standard output cannot be written") : KT_OK);
}

/* A command that failed on all ranks has its sentence on each; what failed on some only, all must hear of. */
static kt_status agree_at_the_end(kt_comm *world, kt_status status)
{
    int64_t n_failed = status != KT_OK;
    kt_comm_sum_i64(world, &n_failed, 1);
    return n_failed == kt_comm_size(world) ? status : kt_comm_agree(world, status);
}

/* A run does not end because of its output. What is closed (ktrain job.ini >&-) is opened as something that cannot be
 * written: else the next file that is opened would take its number, and get what is printed. */
static void protect_output(void)
{
    signal(SIGPIPE, SIG_IGN); /* a reader that leaves is then a failed write */
    signal(SIGXFSZ, SIG_IGN); /* and so is a file size limit, like a full disk */
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) < 0)
            return;
}

/* On rank 0, whose log speaks. */
static void tell_error(kt_log *log)
{
    char text[KT_ERROR_BYTES];
    kt_error_format(kt_error_last(), text);
    if (log->speaks)
        kt_log_error(log, text);
}

/* Hosts that cannot reach each other wait for each other, and this is the first time that they try. */
static const double START_SECONDS = 120;

static kt_status start(int *argc, char ***argv, kt_comm **world)
{
    const kt_command *meant = *argc > 1 ? meant_by((*argv)[1]) : NULL;
    if (meant != NULL && meant->saves)
        kt_stop_listen();
    KT_TRY(kt_watchdog_start(START_SECONDS));
    kt_activity_begin("starting MPI");
    KT_TRY(kt_comm_world_start(argc, argv, world));
    kt_activity_begin(NULL);
    return KT_OK;
}

static bool comes_to_its_end;

/* Some libraries end the process by themselves: HDF5 does when it has no memory for an entry of a table. */
static void tell_of_early_end(void)
{
    if (comes_to_its_end)
        return;
    fprintf(stderr, "ktrain: a library that it uses has ended it, as HDF5 does when there is no memory\n");
    _exit(KT_INTERNAL);
}

int main(int argc, char **argv)
{
    kt_comm *world;
    const kt_command *command;
    protect_output();
    kt_hdf5_is_ours();
    kt_status status = start(&argc, &argv, &world);
    if (status != KT_OK) {
        fprintf(stderr, "ktrain: %s\n", kt_error_message());
        return (int)status;
    }
    atexit(tell_of_early_end);
    kt_log log = kt_log_create(kt_comm_rank(world) == 0);
    status = run_command(world, argc, argv, &log, &command);
    kt_limits_stop();
    status = agree_at_the_end(world, status);
    if (status == KT_OK)
        status = check_output(world, command);
    if (status != KT_OK)
        tell_error(&log);
    kt_log_close_file(&log);
    kt_comm_world_stop(world);
    comes_to_its_end = true;
    return (int)status;
}
