/* Lines to the terminal, to standard error and to log.txt, folded where a terminal is narrow. */
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "base/timer.h"

/* A folded line goes on below its text, which in most lines begins here ("data   ..."). */
enum { INDENT = 7, DEFAULT_COLUMNS = 80, LEAST_COLUMNS = 20, HEARTBEAT_SECONDS = 30 };

/* ---- the terminal ---- */

/* mpirun gives its ranks a pseudo-terminal whatever its own output is, and one that never hears of the real one's size:
 * what counts is where mpirun, the parent, writes. Opened once; -1: no terminal. */
static int open_terminal(int stream)
{
    char path[64], target[64] = "";
    if (!isatty(stream) && getenv("OMPI_COMM_WORLD_RANK") == NULL)
        return -1;
    if (getenv("OMPI_COMM_WORLD_RANK") == NULL)
        return stream;
    snprintf(path, sizeof path, "/proc/%ld/fd/%d", (long)getppid(), stream);
    ssize_t n = readlink(path, target, sizeof target - 1);
    if (n <= 0 || (strncmp(target, "/dev/pts/", 9) != 0 && strncmp(target, "/dev/tty", 8) != 0))
        return -1;
    return open(target, O_RDONLY | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
}

/* Of standard output or standard error: known once per process. */
static int terminal_of(int stream)
{
    static int opened[STDERR_FILENO + 1] = {-2, -2, -2};
    if (opened[stream] == -2)
        opened[stream] = open_terminal(stream);
    return opened[stream];
}

static size_t columns_of(int stream)
{
    struct winsize size = {0};
    if (terminal_of(stream) < 0)
        return SIZE_MAX;
    if (ioctl(terminal_of(stream), TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
        return DEFAULT_COLUMNS;
    return size.ws_col < LEAST_COLUMNS ? LEAST_COLUMNS : size.ws_col;
}

size_t kt_log_columns(const kt_log *log)
{
    return log->terminal ? columns_of(STDOUT_FILENO) : SIZE_MAX;
}

/* ---- lines ---- */

kt_log kt_log_create(bool speaks)
{
    return (kt_log){
        .speaks = speaks,
        .terminal = speaks && terminal_of(STDOUT_FILENO) >= 0,
        .spoke_seconds = kt_timer_seconds(),
    };
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

size_t kt_log_fold(const char *line, size_t columns)
{
    size_t n = 0, n_columns = 0, blank = 0, first = strspn(line, " ");
    for (; line[n] != '\0'; n++) {
        if (line[n] == ' ' && n >= first)
            blank = n;
        n_columns += ((unsigned char)line[n] & 0xC0) != 0x80; /* the later bytes of a UTF-8 character take no room */
        if (n_columns > columns && blank > 0)
            return blank;
    }
    return n;
}

static void put_folded(FILE *stream, const char *line, size_t columns)
{
    size_t n = kt_log_fold(line, columns);
    fprintf(stream, "%.*s\n", (int)n, line);
    for (line += n + strspn(line + n, " "); *line != '\0'; line += n + strspn(line + n, " ")) {
        n = kt_log_fold(line, columns - INDENT);
        fprintf(stream, "%*s%.*s\n", INDENT, "", (int)n, line);
    }
}

static void put_with_time(FILE *file, const char *line)
{
    char now[32];
    const time_t seconds = time(NULL);
    struct tm local;
    strftime(now, sizeof now, "%Y-%m-%d %H:%M:%S", localtime_r(&seconds, &local));
    fprintf(file, "%s%s%s\n", now, line[0] != '\0' ? " " : "", line);
    fflush(file);
}

static void put_on_screen(kt_log *log, FILE *stream, const char *line)
{
    if (log->quiet)
        return;
    clear_bar(log);
    fflush(stdout);
    put_folded(stream, line, columns_of(stream == stdout ? STDOUT_FILENO : STDERR_FILENO));
    fflush(stream);
    log->spoke_seconds = kt_timer_seconds();
}

static void put_in_file(kt_log *log, const char *line)
{
    if (log->file != NULL)
        put_with_time(log->file, line);
    log->spoke_seconds = kt_timer_seconds();
}

/* stream: NULL for log.txt alone. Several mistakes are several lines. */
static void say(kt_log *log, FILE *stream, const char *prefix, const char *format, va_list args)
{
    char *text, *whole;
    if (vasprintf(&text, format, args) < 0)
        return;
    if (asprintf(&whole, "%s%s", prefix, text) >= 0) {
        for (char *rest = whole, *line; (line = strsep(&rest, "\n")) != NULL;) {
            if (stream != NULL)
                put_on_screen(log, stream, line);
            put_in_file(log, line);
        }
        free(whole);
    }
    free(text);
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

void kt_log_line_of(kt_log *log, const char *whole, const char *fitting)
{
    if (!log->speaks)
        return;
    put_on_screen(log, stdout, fitting);
    put_in_file(log, whole);
}

void kt_log_file_line(kt_log *log, const char *format, ...)
{
    if (!log->speaks || log->file == NULL)
        return;
    va_list args;
    va_start(args, format);
    say(log, NULL, "", format, args);
    va_end(args);
}

void kt_log_text(kt_log *log, const char *text)
{
    kt_log_text_of(log, text, text);
}

static void put_out(kt_log *log, const char *line)
{
    put_on_screen(log, stdout, line);
}

static void for_each_line(kt_log *log, const char *text, void (*put)(kt_log *log, const char *line))
{
    for (size_t n; *text != '\0'; text += n + (text[n] == '\n')) {
        n = strcspn(text, "\n");
        char *line = strndup(text, n);
        if (line != NULL)
            put(log, line);
        free(line);
    }
}

void kt_log_text_of(kt_log *log, const char *whole, const char *fitting)
{
    if (!log->speaks)
        return;
    for_each_line(log, fitting, put_out);
    for_each_line(log, whole, put_in_file);
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

void kt_log_notes(kt_log *log, const kt_notes *notes)
{
    for (size_t i = 0; i < notes->n; i++)
        if (notes->note[i].warns)
            kt_log_warning(log, "%s", notes->note[i].text);
        else
            kt_log_line(log, "note   %s", notes->note[i].text);
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
    char *text;
    if (!log->terminal)
        return;
    va_list args;
    va_start(args, format);
    int n = vasprintf(&text, format, args);
    va_end(args);
    if (n < 0)
        return;
    /* One column stays free: some terminals go to the next line after the last. */
    printf("\r\033[K%.*s", (int)kt_log_columns(log) - 1, text);
    fflush(stdout);
    free(text);
    log->bar = true;
}

bool kt_log_is_due(const kt_log *log)
{
    return log->speaks && kt_timer_seconds() - log->spoke_seconds >= HEARTBEAT_SECONDS;
}

void kt_log_heartbeat(kt_log *log, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say(log, log->terminal ? NULL : stdout, "", format, args);
    va_end(args);
}
