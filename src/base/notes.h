/* A few sentences for the user: what is strange, but no failure. Local. */
#ifndef KTRAIN_NOTES_H
#define KTRAIN_NOTES_H

#include <stdbool.h>
#include <stddef.h>

enum { KT_MAX_NOTES = 16, KT_NOTE_BYTES = 512 };

typedef struct kt_note {
    bool warns; /* the results are probably not what the user wants */
    char text[KT_NOTE_BYTES];
} kt_note;

/* A zeroed struct is an empty list. */
typedef struct kt_notes {
    size_t n; /* at most KT_MAX_NOTES: what comes after is left out */
    kt_note note[KT_MAX_NOTES];
} kt_notes;

/* One sentence, in which control characters become '?': what, where (file, row and column from 1), and the key that
 * helps. */
void kt_notes_add(kt_notes *notes, bool warns, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Adds what `more` has. */
void kt_notes_join(kt_notes *notes, const kt_notes *more);

#endif
