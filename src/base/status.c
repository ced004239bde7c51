/* The table of codes, and the record of the last failure. */
#include "base/status.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* One record per thread: ktrain's own code runs in one, but a program may use several models at a time. */
static _Thread_local kt_error last = {.rank = KT_OWN_RANK};

/* Control characters become '?', whatever the input held; with `lines` all but the newline. */
static void record(kt_status code, bool lines, const char *format, va_list args)
{
    char text[KT_MESSAGE_BYTES]; /* the arguments may point into the record */
    vsnprintf(text, sizeof text, format, args);
    strcpy(last.text, text);
    for (char *c = last.text; *c != '\0'; c++)
        if (((unsigned char)*c < ' ' || *c == 127) && !(lines && *c == '\n'))
            *c = '?';
    last.status = code;
    last.rank = KT_OWN_RANK;
    last.host[0] = '\0';
}

kt_status kt_fail(kt_status code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    record(code, false, format, args);
    va_end(args);
    return code;
}

kt_status kt_fail_lines(kt_status code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    record(code, true, format, args);
    va_end(args);
    return code;
}

/* Before or behind what is recorded. */
static void extend(kt_status code, const char *before, const char *behind)
{
    char text[2 * KT_MESSAGE_BYTES];
    snprintf(text, sizeof text, "%s%s%s", before, last.text, behind);
    snprintf(last.text, sizeof last.text, "%.*s", (int)sizeof last.text - 1, text);
    last.status = code;
}

kt_status kt_fail_context(kt_status code, const char *format, ...)
{
    char context[KT_MESSAGE_BYTES / 2];
    va_list args;
    va_start(args, format);
    const int n = vsnprintf(context, sizeof context - 2, format, args);
    va_end(args);
    strcat(context, ": ");
    extend(code, n < 0 ? "" : context, "");
    return code;
}

kt_status kt_fail_advice(kt_status code, const char *format, ...)
{
    char advice[KT_MESSAGE_BYTES / 2];
    va_list args;
    va_start(args, format);
    const int n = vsnprintf(advice, sizeof advice, format, args);
    va_end(args);
    extend(code, "", n < 0 ? "" : advice);
    return code;
}

const char *kt_error_message(void)
{
    return last.text;
}

const kt_error *kt_error_last(void)
{
    return &last;
}

kt_status kt_fail_as(const kt_error *error)
{
    last = *error;
    return last.status;
}

void kt_error_format(const kt_error *error, char text[KT_ERROR_BYTES])
{
    const int n = (int)strcspn(error->text, "\n");
    if (error->rank == KT_OWN_RANK)
        snprintf(text, KT_ERROR_BYTES, "%s", error->text);
    else
        snprintf(text, KT_ERROR_BYTES, "%.*s [rank %d on %s]%s", n, error->text, error->rank, error->host,
                 error->text + n);
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
    {KT_HUNG, "hung", "hung: a rank did not get on, or its host was lost; the same command goes on"},
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
