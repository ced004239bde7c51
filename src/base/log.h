/* What the program says: results on standard output, diagnostics on standard error, both in the run's log.txt, there
 * with the time. Local. On ranks other than 0 a log is silent but for errors.
 *
 * On a terminal a line that is wider than the terminal is folded between words, so that columns stay columns; the
 * width is asked for anew each time, since windows change. */
#ifndef KTRAIN_LOG_H
#define KTRAIN_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/notes.h"
#include "base/status.h"

typedef struct kt_log {
    bool speaks;          /* rank 0 */
    bool quiet;           /* only log.txt hears it: a run among many */
    bool terminal;        /* standard output is one: a bar may be drawn */
    bool bar;             /* a bar stands on the current line */
    FILE *file;           /* log.txt, or NULL; owned */
    double spoke_seconds; /* when the last line was said, by kt_timer_seconds */
} kt_log;

kt_log kt_log_create(bool speaks);

/* From now on everything also goes to the end of the file `path` (instead of another that was open). KT_IO. */
kt_status kt_log_open_file(kt_log *log, const char *path);
void kt_log_close_file(kt_log *log);

/* One line, without its newline. */
void kt_log_line(kt_log *log, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A line that log.txt gets whole, and standard output in a form that fits its width. */
void kt_log_line_of(kt_log *log, const char *whole, const char *fitting);
/* A line for log.txt alone. */
void kt_log_file_line(kt_log *log, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A text of whole lines; and one whose form on standard output fits its width. */
void kt_log_text(kt_log *log, const char *text);
void kt_log_text_of(kt_log *log, const char *whole, const char *fitting);
/* "ktrain: warning: ..." on standard error. */
void kt_log_warning(kt_log *log, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Each as a warning, or as a line "note   ...". */
void kt_log_notes(kt_log *log, const kt_notes *notes);
/* "ktrain: ..." on standard error. */
void kt_log_error(kt_log *log, const char *message);

/* Replaces the bar on a terminal, cut to its width; nothing anywhere else. */
void kt_log_bar(kt_log *log, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Columns of the terminal; SIZE_MAX where there is none, since any line fits then. */
size_t kt_log_columns(const kt_log *log);

/* Whether nothing was said for half a minute, so that whoever waits should hear that work goes on. */
bool kt_log_is_due(const kt_log *log);
/* What is said then: on a terminal the bar tells it, so that only log.txt gets the line. */
void kt_log_heartbeat(kt_log *log, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The bytes of a line to print before it goes on in the next one: all of them when it takes at most `columns`, else up
 * to the last blank that fits; a word that is wider stays whole. Pure. */
size_t kt_log_fold(const char *line, size_t columns);

#endif
