/* A string that grows. Local. Failures are remembered and come out at the end, so that a caller can append without
 * checking each time. */
#ifndef KTRAIN_TEXT_H
#define KTRAIN_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

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

/* The shortest decimal of at least six digits that reads back as the same double, in text[size] ("0.1", "1e-08");
 * returns its length. 32 bytes are enough. */
int kt_text_real(double value, char *text, size_t size);

/* "12.3 s", "3:07" or "1:02:45" in text[size]. */
void kt_text_duration(double seconds, char *text, size_t size);

/* Ten cells of which those of what is done are full: "===       ". */
enum { KT_TEXT_BAR_BYTES = 11 };
void kt_text_bar(size_t n_done, size_t n, char text[KT_TEXT_BAR_BYTES]);

/* Bytes of the character, in UTF-8, that text[n] begins with, n > 0; 0: it begins with none. */
size_t kt_text_character(const char *text, size_t n);

/* Edit distance between two short words: letters put in, left out, replaced, or changed with their neighbour. */
size_t kt_text_distance(const char *a, const char *b);

/* Whether only case, '_' and '-' differ. */
bool kt_text_same(const char *written, const char *name);

#define KT_TEXT_FAR SIZE_MAX

/* How far a written word is from the name that it may mean: 0 when only case, '_' and '-' differ, else their distance.
 * KT_TEXT_FAR when that is more than a third of the letters and neither begins with the other. */
size_t kt_text_near(const char *written, const char *name);

#endif
