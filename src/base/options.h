/* Typed keys: a table row is a key's type, default, bounds and help; with it the key is parsed, checked, printed and
 * documented. Everything here is local. Values live in a plain struct of the caller, at each row's offset. Texts and
 * lists in it point to interned memory (intern.h): the struct is copied like any other, and owns nothing. */
#ifndef KTRAIN_OPTIONS_H
#define KTRAIN_OPTIONS_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/mistakes.h"
#include "base/status.h"
#include "base/text.h"

typedef enum kt_option_type {
    KT_OPTION_BOOL,   /* bool */
    KT_OPTION_INT,    /* int64_t; a word of `choice` instead of a number is KT_WORD(its index) */
    KT_OPTION_REAL,   /* double */
    KT_OPTION_TEXT,   /* const char *: never NULL once defaults are set; as long as a path may be */
    KT_OPTION_CHOICE, /* int: index of the word in `choice` */
    KT_OPTION_INTS,   /* kt_int_list, written [128, 64] */
    KT_OPTION_REALS   /* kt_real_list, written 0.7, 0.3; or a word of `choice` */
} kt_option_type;

enum { KT_TEXT_BYTES = PATH_MAX, KT_MAX_INTS = 64, KT_MAX_REALS = 10000 };
enum { KT_LINE_BYTES = 1 << 20 }; /* of the longest line of an INI, and of the longest value over several lines */

typedef struct kt_int_list {
    size_t n;
    const int64_t *values; /* [n] */
} kt_int_list;

typedef struct kt_real_list {
    int word; /* -1: the values count; else the index of the word given instead (n = 0) */
    size_t n;
    const double *values; /* [n] */
} kt_real_list;

/* The value of an int64_t key for which word number i was given. */
#define KT_WORD(i) (-1 - (int64_t)(i))

/* The word of a number that is decided later. */
enum { KT_AUTO = KT_WORD(0) };
const char *kt_auto_word(size_t i);

/* Of what auto decides, true and false do not. */
typedef enum kt_decision { KT_DECIDE_AUTO, KT_DECIDE_TRUE, KT_DECIDE_FALSE } kt_decision;
const char *kt_decision_word(size_t i);

/* "auto", "true" or "false". KT_USAGE; `what` begins the sentence. */
kt_status kt_decision_parse(const char *what, const char *text, int *out);

enum {
    KT_OPTION_ABOVE = 1,   /* the value must be > min, not only >= */
    KT_OPTION_BELOW = 2,   /* the value must be < max, not only <= */
    KT_OPTION_DEFINES = 4, /* part of what a run is: may not change when it is resumed */
    KT_OPTION_PLACE = 8    /* where a run writes and how often: no part of what it computes */
};

typedef struct kt_option {
    const char *section, *key;
    kt_option_type type;
    size_t offset;
    const char *default_text;
    double min, max;                 /* of numbers and of list elements */
    const char *(*choice)(size_t i); /* words, NULL after the last; NULL for none */
    unsigned flags;
    const char *help;
} kt_option;

/* What others write for a key ("lr"; in one section only: "run.name"), a section ("[network]") or a word
 * ("init=xavier"). Case, '_' and '-' do not matter. */
typedef struct kt_option_synonym {
    const char *written;
    const char *section, *meant; /* the key, section or word that is meant; NULL: none, as the note says */
    const char *note;            /* what to know besides; NULL: nothing */
} kt_option_synonym;

/* A section and a sentence on it. */
typedef struct kt_option_heading {
    const char *section, *help;
} kt_option_heading;

typedef struct kt_option_table {
    const kt_option *options;
    size_t n;
    const kt_option_heading *headings; /* of the sections in their order; the last one's section is NULL */
    const kt_option_synonym *synonyms; /* the last one's `written` is NULL; NULL: none */
    const kt_option
        *gone; /* texts: keys of earlier versions, read for what was written then, and of no effect; `help` says why */
    size_t n_gone;
    const struct kt_option_table *(*also)(void); /* whose keys an unknown one may mean, too; NULL: none's */
} kt_option_table;

/* A module's keys: a table beside its struct, with offsets in that. */
typedef struct kt_option_rows {
    const kt_option *rows;
    size_t n;
} kt_option_rows;
#define KT_OPTION_ROWS(table)                   \
    {                                           \
        table, sizeof(table) / sizeof(table)[0] \
    }

/* They as a part of a larger struct, which holds the module's at `offset`. */
typedef struct kt_option_group {
    const kt_option_rows *rows;
    size_t offset;
} kt_option_group;

/* A key that stands behind another of its section, and not where its part does. */
typedef struct kt_option_place {
    const char *section, *key, *behind;
} kt_option_place;

/* Joins parts to out[room]: section by section, and in each part by part but for `places` (the last one's section is
 * NULL). Returns the number of keys. */
size_t kt_options_join(const kt_option_group *parts, size_t n_parts, const kt_option_heading *headings,
                       const kt_option_place *places, size_t room, kt_option *out);

/* NULL when there is no such key. */
const kt_option *kt_options_find(const kt_option_table *table, const char *section, const char *key);

/* Every value by its default. */
kt_status kt_options_defaults(const kt_option_table *table, void *values);

/* Sets one value. `where` ("m3.ini:12") begins the message. KT_CONFIG, values unchanged: unknown key (with the
 * nearest), malformed or out-of-bounds value. */
kt_status kt_options_set(const kt_option_table *table, void *values, const char *where, const char *section,
                         const char *key, const char *text);

/* A section that is not the table's: set() takes its keys, and what is a duplicate is up to it. With key and text NULL
 * it is told that the section begins. `where` is "file:line". */
typedef struct kt_option_section {
    const char *name;
    kt_status (*set)(void *context, const char *where, const char *key, const char *text);
    void *context;
} kt_option_section;

/* What was probably meant by an unknown key, to be put behind "there is no key a.b": "; did you mean a.c?", ": a
 * sentence", or "" when nothing is near. */
void kt_options_advise(const kt_option_table *table, const char *section, const char *key, char *text, size_t size);

/* The section that was probably meant by an unknown one, of the table's and (unless NULL) `other`; NULL when none is
 * near. */
const char *kt_options_near_section(const kt_option_table *table, const char *other, const char *section);

/* The word that was probably meant by a value that the option does not take; NULL when none is near. */
const char *kt_options_near_word(const kt_option_table *table, const kt_option *option, const char *text);

typedef struct kt_ini {
    const char *name; /* of the file, in messages */
    const char *text; /* [n_bytes] */
    size_t n_bytes;
} kt_ini;

/* Reads an INI text. `other` may be NULL. Everything that is wrong goes to `mistakes`, each with its line: unknown
 * section or key, duplicate, bad value, garbage, a line too long. What is right is set all the same; KT_MISTAKES_MOST
 * mistakes end it.
 *
 * The language: [section], key = value (or key : value), values continued on indented lines, `;` and `#` at the
 * beginning of a line and `;` behind white space begin comments; a byte order mark and CRLF are fine. */
void kt_options_read_ini(const kt_option_table *table, void *values, const kt_option_section *other, const kt_ini *ini,
                         kt_mistakes *mistakes);

/* Sets from "section.key=value", as on a command line. */
kt_status kt_options_override(const kt_option_table *table, void *values, const char *argument);

/* What a value of the option must be, in text[size]: "a whole number from 1 to 8", "a number above 0", "one of a |
 * b". */
void kt_options_describe(const kt_option *option, char *text, size_t size);

/* Appends the value as the INI would have it; real numbers so that they read back the same. */
void kt_options_format(const kt_option *option, const void *values, kt_text_buffer *text);

/* All values as an INI text; owned by the caller (kt_memory_free). */
kt_status kt_options_write_ini(const kt_option_table *table, const void *values, char **text);

/* The keys with their types, defaults and help, of one section (also said as section.key) or (NULL) of all; plain text
 * or Markdown. KT_USAGE for an unknown section. *text is owned by the caller (kt_memory_free). */
kt_status kt_options_document(const kt_option_table *table, const char *section, bool markdown, char **text);

#endif
