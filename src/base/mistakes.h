/* Several failures told together: all mistakes of a file, not only the first. Local. */
#ifndef KTRAIN_MISTAKES_H
#define KTRAIN_MISTAKES_H

#include "base/text.h"

enum {
    KT_MISTAKES_TOLD = 20, /* of more only their number is told */
    KT_MISTAKES_MOST = 200 /* after so many a reader need not go on: the file is none of its own */
};

/* A zeroed struct is none. */
typedef struct kt_mistakes {
    size_t n;
    kt_status status;    /* of the first */
    kt_text_buffer text; /* the sentences, a line each */
} kt_mistakes;

/* Adds the recorded sentence of a failure; KT_OK adds nothing. */
void kt_mistakes_add(kt_mistakes *mistakes, kt_status status);

/* The first one's status, or KT_OK. The record is the sentence when there is one, else "name: 3 mistakes:" and an
 * indented line for each. Empties the struct. */
kt_status kt_mistakes_tell(kt_mistakes *mistakes, const char *name);

#endif
