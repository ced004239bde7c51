/* What reading a space and using it both need. */
#ifndef KTRAIN_SPACE_PRIVATE_H
#define KTRAIN_SPACE_PRIVATE_H

#include "sweep/space.h"
#include "sweep/strategy.h"

/* Whether the strategy sets train.epochs itself: trials stop early and may go on. */
static inline bool kt_space_varies_epochs(const kt_space *space)
{
    return kt_strategies[space->settings.strategy]->may_go_on != NULL;
}

void kt_value_free(kt_value *value); /* zeroes it */
void kt_axis_free(kt_axis *axis);    /* zeroes it */

/* Appends a setting to a value whose array has room, or gives it another text when it has this option. KT_NO_MEMORY. */
kt_status kt_value_set(kt_value *value, const kt_option *option, const char *text);

/* The setting of an option; NULL when there is none. */
kt_setting *kt_value_find(const kt_value *value, const kt_option *option);

/* Sets in the config what the value says. */
kt_status kt_value_apply(const kt_value *value, kt_config *config);

/* A value is set here to be written as all are. */
typedef struct kt_space_scratch {
    kt_config config;
    kt_text_buffer text;
} kt_space_scratch;

/* The option's value in a config as it is written, in scratch->text. KT_NO_MEMORY. */
kt_status kt_space_write_value(kt_space_scratch *scratch, const kt_option *option, const kt_config *config);

/* A key that a sweep may set, or (NULL) none at all: kt_options_set has the sentence then. KT_CONFIG for one that is no
 * part of what a trial computes. */
kt_status kt_space_check_option(const char *where, const char *section, const char *key, const kt_option **out);

/* The point that a line "point.NAME = text" makes by itself. KT_CONFIG; *out is zeroed on failure. */
kt_status kt_space_parse_point(const char *where, const char *name, const char *text, kt_space_scratch *scratch,
                               kt_value *out);

/* Lets each point begin with all that the one before it has set. KT_NO_MEMORY. */
kt_status kt_space_build_points(kt_axis *axis);

enum { KT_MOST_NAMED_POINTS = 10000 };

/* A space as it is read. */
typedef struct kt_space_parser {
    const char *name; /* of the file */
    kt_space *space;
    bool on_command_line; /* there, what is set again counts instead */
    /* Where something was set: "grid.ini:12", "command line"; NULL: nowhere. Interned. */
    const char **axis_places;    /* [kt_config_options.n + 1]: of space->axes */
    const char **point_places;   /* [KT_MOST_NAMED_POINTS]; NULL before the first */
    const char **setting_places; /* [kt_sweep_options.n] */
    kt_space_scratch scratch;
} kt_space_parser;

/* The axis of a key; n_axes when there is none. */
size_t kt_space_find_axis(const kt_space *space, const kt_option *option);

/* Whether everything fits together; sets sizes, start and n_points. KT_CONFIG, with the place. */
kt_status kt_space_check(kt_space_parser *parser);

#endif
