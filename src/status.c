#include "ktrain/status.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* One record per process: ranks are processes, and ktrain's own code runs in one thread. */
static char message[KT_MESSAGE_BYTES];

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

const char *kt_status_name(kt_status code)
{
    static const struct {
        kt_status code;
        const char *name;
    } names[] = {
        {KT_OK, "done"},           {KT_USAGE, "usage"},        {KT_DIVERGED, "diverged"},
        {KT_DATA, "bad data"},     {KT_NO_INPUT, "no input"},  {KT_INTERNAL, "internal error"},
        {KT_NO_MEMORY, "out of memory"}, {KT_IO, "input/output"}, {KT_PREEMPTED, "preempted"},
        {KT_CONFIG, "bad configuration"},
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (names[i].code == code)
            return names[i].name;
    return "unknown";
}
