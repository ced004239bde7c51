/* A string that grows. Local. Failures are remembered and come out at the end, so that a caller can append without
 * checking each time. */
#ifndef KTRAIN_TEXT_H
#define KTRAIN_TEXT_H

#include <stddef.h>

#include "ktrain/status.h"

typedef struct kt_text_buffer {
    char *bytes; /* owned; NUL-terminated once something was appended */
    size_t n, capacity;
    kt_status status;
} kt_text_buffer;

/* A zeroed struct is an empty buffer. */
void kt_text_append(kt_text_buffer *buffer, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Empties the text, but keeps its room (and a failure). */
void kt_text_clear(kt_text_buffer *buffer);

/* Hands the text over (owned by the caller, kt_memory_free; never NULL on success) and empties the buffer. On failure
 * frees it. */
kt_status kt_text_take(kt_text_buffer *buffer, char **text);

/* The shortest decimal of at least six digits that reads back as the same double, in text[size] ("0.1", "1e-08"); returns
 * its length. 32 bytes are enough. */
int kt_text_real(double value, char *text, size_t size);

/* Edit distance (Levenshtein) between two short words; used to suggest the nearest name. */
size_t kt_text_distance(const char *a, const char *b);

#endif
