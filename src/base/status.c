#include "base/status.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* One record per thread: ktrain's own code runs in one, but a program may use several models at a time. */
static _Thread_local char message[KT_MESSAGE_BYTES];

/* Control characters become '?', whatever the input held; with `lines` all but the newline. */
static void record(bool lines, const char *format, va_list args)
{
    char text[KT_MESSAGE_BYTES]; /* the arguments may point into the record */
    vsnprintf(text, sizeof text, format, args);
    strcpy(message, text);
    for (char *c = message; *c != '\0'; c++)
        if (((unsigned char)*c < ' ' || *c == 127) && !(lines && *c == '\n'))
            *c = '?';
}

kt_status kt_fail(kt_status code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    record(false, format, args);
    va_end(args);
    return code;
}

kt_status kt_fail_lines(kt_status code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    record(true, format, args);
    va_end(args);
    return code;
}

kt_status kt_fail_context(kt_status code, const char *format, ...)
{
    char context[KT_MESSAGE_BYTES / 2];
    char text[2 * KT_MESSAGE_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(context, sizeof context, format, args);
    va_end(args);
    snprintf(text, sizeof text, "%s: %s", context, message);
    snprintf(message, sizeof message, "%.*s", (int)sizeof message - 1, text);
    return code;
}

const char *kt_error_message(void)
{
    return message;
}

const kt_status_row kt_status_rows[] = {
    {KT_OK, "done", "done"},
    {KT_USAGE, "usage", "usage: a wrong command line"},
    {KT_DIVERGED, "diverged", "diverged: the loss is no number any more; the last good checkpoint stays"},
    {KT_DATA, "bad data", "bad data: malformed, truncated or inconsistent"},
    {KT_NO_INPUT, "no input", "missing input: a file that is not there or cannot be read"},
    {KT_INTERNAL, "internal error", "internal error: a fault of ktrain or of a library"},
    {KT_NO_MEMORY, "out of memory", "out of memory"},
    {KT_IO, "input/output", "input/output: reading or writing failed, as on a full disk"},
    {KT_PREEMPTED, "preempted", "stopped on request, with a checkpoint: the same command goes on"},
    {KT_CONFIG, "bad configuration", "bad configuration: a key or value that cannot be used"},
};

const size_t kt_n_status_rows = sizeof kt_status_rows / sizeof kt_status_rows[0];

const char *kt_status_name(kt_status code)
{
    for (size_t i = 0; i < kt_n_status_rows; i++)
        if (kt_status_rows[i].code == code)
            return kt_status_rows[i].name;
    return "unknown";
}
