/* What the program says: results on standard output, diagnostics on standard error, both in the run's log.txt. Local.
 * On ranks other than 0 a log is silent but for errors. */
#ifndef KTRAIN_LOG_H
#define KTRAIN_LOG_H

#include <stdbool.h>
#include <stdio.h>

#include "ktrain/status.h"

typedef struct kt_log {
    bool speaks;    /* rank 0 */
    bool quiet;     /* only log.txt hears it: a run among many */
    bool terminal;  /* standard output is one: a bar may be drawn */
    bool bar;       /* a bar stands on the current line */
    FILE *file;     /* log.txt, or NULL; owned */
} kt_log;

kt_log kt_log_create(bool speaks);

/* From now on everything also goes to the end of the file `path` (instead of another that was open). KT_IO. */
kt_status kt_log_open_file(kt_log *log, const char *path);
void kt_log_close_file(kt_log *log);

/* One line, without its newline. */
void kt_log_line(kt_log *log, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A text of whole lines, as it is. */
void kt_log_text(kt_log *log, const char *text);
/* "ktrain: warning: ..." on standard error. */
void kt_log_warning(kt_log *log, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* "ktrain: ..." on standard error. */
void kt_log_error(kt_log *log, const char *message);

/* Replaces the bar on a terminal, cut to 79 columns; nothing anywhere else. */
void kt_log_bar(kt_log *log, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
