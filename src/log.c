#include "ktrain/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A bar that wraps cannot be taken back. mpirun does not tell its ranks the width of the terminal: take the narrowest
 * usual one. */
enum { BAR_COLUMNS = 79 };

/* mpirun gives its ranks a pseudo-terminal whatever its own output is: then what counts is where mpirun, the parent,
 * writes. */
static bool output_is_terminal(void)
{
    char path[64], target[64] = "";
    if (!isatty(STDOUT_FILENO) || getenv("OMPI_COMM_WORLD_RANK") == NULL)
        return isatty(STDOUT_FILENO);
    snprintf(path, sizeof path, "/proc/%ld/fd/1", (long)getppid());
    ssize_t n = readlink(path, target, sizeof target - 1);
    return n > 0 && (strncmp(target, "/dev/pts/", 9) == 0 || strncmp(target, "/dev/tty", 8) == 0);
}

kt_log kt_log_create(bool speaks)
{
    return (kt_log){.speaks = speaks, .terminal = speaks && output_is_terminal()};
}

kt_status kt_log_open_file(kt_log *log, const char *path)
{
    if (!log->speaks)
        return KT_OK;
    kt_log_close_file(log);
    log->file = fopen(path, "a");
    return log->file != NULL ? KT_OK : kt_fail(KT_IO, "%s: cannot be written: %s", path, strerror(errno));
}

void kt_log_close_file(kt_log *log)
{
    if (log->file != NULL)
        fclose(log->file);
    log->file = NULL;
}

/* Takes the bar away so that a line can stand in its place. */
static void clear_bar(kt_log *log)
{
    if (log->bar)
        fputs("\r\033[K", stdout);
    log->bar = false;
}

static void say(kt_log *log, FILE *stream, const char *prefix, const char *format, va_list args)
{
    FILE *const streams[] = {log->quiet ? NULL : stream, log->file};
    clear_bar(log);
    fflush(stdout);
    for (size_t i = 0; i < 2; i++) {
        if (streams[i] == NULL)
            continue;
        va_list again;
        va_copy(again, args);
        fputs(prefix, streams[i]);
        vfprintf(streams[i], format, again);
        fputc('\n', streams[i]);
        fflush(streams[i]);
        va_end(again);
    }
}

void kt_log_line(kt_log *log, const char *format, ...)
{
    if (!log->speaks)
        return;
    va_list args;
    va_start(args, format);
    say(log, stdout, "", format, args);
    va_end(args);
}

void kt_log_text(kt_log *log, const char *text)
{
    if (!log->speaks)
        return;
    clear_bar(log);
    if (!log->quiet) {
        fputs(text, stdout);
        fflush(stdout);
    }
    if (log->file != NULL) {
        fputs(text, log->file);
        fflush(log->file);
    }
}

void kt_log_warning(kt_log *log, const char *format, ...)
{
    if (!log->speaks)
        return;
    va_list args;
    va_start(args, format);
    say(log, stderr, "ktrain: warning: ", format, args);
    va_end(args);
}

static void say_plain(kt_log *log, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say(log, stderr, "ktrain: ", format, args);
    va_end(args);
}

void kt_log_error(kt_log *log, const char *message)
{
    say_plain(log, "%s", message);
}

void kt_log_bar(kt_log *log, const char *format, ...)
{
    if (!log->terminal)
        return;
    char text[BAR_COLUMNS + 1];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    printf("\r\033[K%s", text);
    fflush(stdout);
    log->bar = true;
}
