/* Short names for the sources that hold a table of keys (options.h). */
#ifndef KTRAIN_OPTIONS_ROWS_H
#define KTRAIN_OPTIONS_ROWS_H

#include <float.h>

#include "base/options.h"

enum { DEF = KT_OPTION_DEFINES, ABOVE = KT_OPTION_ABOVE, BELOW = KT_OPTION_BELOW, PLACE = KT_OPTION_PLACE };

#define NO_MAX DBL_MAX
#define MANY   1e15 /* whole numbers up to here are exact in a double */

/* A function name(i) for the words of a choice: NULL behind the last. KT_WORDS(unit_word, [KT_UNIT_EPOCH] = "epoch",
 * ...) ties them to an enum, KT_WORDS_OF(x_name, kt_n_xs, kt_xs[i].name) to the rows of a table. */
#define KT_WORDS_OF(name, n, word)    \
    static const char *name(size_t i) \
    {                                 \
        return i < (n) ? word : NULL; \
    }
#define KT_WORDS(name, ...)                                 \
    static const char *const name##_list[] = {__VA_ARGS__}; \
    KT_WORDS_OF(name, sizeof name##_list / sizeof name##_list[0], name##_list[i])

#endif
