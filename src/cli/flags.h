/* The options behind a command's name, a row of a table each. Local. */
#ifndef KTRAIN_FLAGS_H
#define KTRAIN_FLAGS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

typedef struct kt_flag {
    const char *name;   /* "header", for --header */
    bool *given;        /* set to true; NULL: the option has a value, */
    const char **value; /* which is put here */
    char letter;        /* 'o' for -o; 0: none */
} kt_flag;

enum { KT_MAX_FLAGS = 8 };

/* Takes the options out of argv[argc], which begins with the command's name: *first is where the other words begin, and
 * they go to the end in their order. KT_USAGE for what is none of flags[n], n <= KT_MAX_FLAGS, or lacks its value. */
kt_status kt_flags_take(int argc, char **argv, size_t n, const kt_flag *flags, int *first);

/* The value of a flag that counts something, in *out; text NULL: the flag was not given, and *out stays. KT_USAGE. */
kt_status kt_flags_count(const char *command, const char *name, const char *text, size_t *out);

#endif
