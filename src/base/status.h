/* Status codes and the error record.
 *
 * A status is also the program's exit code (sysexits.h where it has one). Everything here is local, and the record is
 * each thread's own.
 * A function that fails leaves one sentence in the error record and returns its code; callers pass the
 * code up unchanged with KT_TRY. Nothing below main() exits or aborts. */
#ifndef KTRAIN_STATUS_H
#define KTRAIN_STATUS_H

#include <stddef.h>

/* What each means stands in kt_status_rows, which is what --help lists. */
typedef enum kt_status {
    KT_OK = 0,
    KT_USAGE = 2,
    KT_DIVERGED = 3,
    KT_DATA = 65,
    KT_NO_INPUT = 66,
    KT_INTERNAL = 70,
    KT_NO_MEMORY = 71,
    KT_IO = 74,
    KT_PREEMPTED = 75,
    KT_HUNG = 76,
    KT_CONFIG = 78
} kt_status;

enum {
    KT_MESSAGE_BYTES = 16384, /* three paths as long as they can be, and what is said of them */
    KT_HOST_BYTES = 256,
    KT_ERROR_BYTES = KT_MESSAGE_BYTES + KT_HOST_BYTES + 64,
    KT_OWN_RANK = -1
};

/* What failed. It holds no pointers: ranks send it to each other. */
typedef struct kt_error {
    kt_status status;
    int rank; /* of the world, where several ranks have agreed on this failure; KT_OWN_RANK: told by one only */
    char host[KT_HOST_BYTES];    /* of that rank */
    char text[KT_MESSAGE_BYTES]; /* the sentence, without final newline; more lines may follow */
} kt_error;

/* Replaces the error record by the formatted sentence and returns `code`. The sentence names file, line,
 * key and value where there are any, and says what would be right; it has no final newline. */
kt_status kt_fail(kt_status code, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The same of several lines: newlines stay. Only of what was a sentence of the record before, or comes from ktrain. */
kt_status kt_fail_lines(kt_status code, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Puts "context: " before the recorded sentence, and returns `code` unchanged. */
kt_status kt_fail_context(kt_status code, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Puts words behind the recorded sentence, and returns `code` unchanged. */
kt_status kt_fail_advice(kt_status code, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The recorded sentence; "" when nothing has failed. Valid until the next kt_fail. */
const char *kt_error_message(void);

/* The whole record. To keep it while other things may fail: copy it. */
const kt_error *kt_error_last(void);

/* Replaces the record by `error`, and returns its status. */
kt_status kt_fail_as(const kt_error *error);

/* The sentence for people: "disk full [rank 3 on node2]". */
void kt_error_format(const kt_error *error, char text[KT_ERROR_BYTES]);

typedef struct kt_status_row {
    kt_status code;
    const char *name;    /* a few words: "bad data" */
    const char *meaning; /* of the exit code */
} kt_status_row;

extern const kt_status_row kt_status_rows[]; /* by code */
extern const size_t kt_n_status_rows;

/* A few words for a code ("bad data"). Never NULL. */
const char *kt_status_name(kt_status code);

#define KT_TRY(call)                       \
    do {                                   \
        kt_status kt_try_status_ = (call); \
        if (kt_try_status_ != KT_OK)       \
            return kt_try_status_;         \
    } while (0)

#endif
