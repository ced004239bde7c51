/* What was meant by a name that there is not: the nearest one, when one is near, or what others call a key. */
#include <stdio.h>
#include <string.h>

#include "base/options.h"
#include "base/text.h"

/* The best guess so far. Of equals the first one counts. */
typedef struct guess {
    size_t rank;
    const char *section, *key, *note;
} guess;

enum { OWN, ELSEWHERE, SYNONYM, N_KINDS }; /* in a section of that name; in another; what others call it */

static void consider(guess *best, size_t far, int kind, guess other)
{
    other.rank = far == KT_TEXT_FAR ? KT_TEXT_FAR : far * N_KINDS + (size_t)kind;
    if (other.rank < best->rank)
        *best = other;
}

/* The synonym of this writing; NULL when there is none. */
static const kt_option_synonym *find_synonym(const kt_option_table *table, const char *written)
{
    for (; table != NULL; table = table->also != NULL ? table->also() : NULL)
        for (const kt_option_synonym *s = table->synonyms; s != NULL && s->written != NULL; s++)
            if (kt_text_same(written, s->written))
                return s;
    return NULL;
}

static guess guess_key(const kt_option_table *table, const char *section, const char *key)
{
    guess best = {.rank = KT_TEXT_FAR};
    char written[160];
    for (const kt_option_table *t = table; t != NULL; t = t->also != NULL ? t->also() : NULL)
        for (size_t i = 0; i < t->n; i++) {
            const kt_option *o = &t->options[i];
            consider(&best, kt_text_near(key, o->key),
                     kt_text_near(section, o->section) != KT_TEXT_FAR ? OWN : ELSEWHERE,
                     (guess){.section = o->section, .key = o->key});
        }
    snprintf(written, sizeof written, "%s.%s", section, key);
    const kt_option_synonym *synonym = find_synonym(table, written);
    if (synonym != NULL)
        best.rank = KT_TEXT_FAR; /* meant for this section */
    else
        synonym = find_synonym(table, key);
    if (synonym != NULL)
        consider(&best, 0, SYNONYM, (guess){.section = synonym->section, .key = synonym->meant, .note = synonym->note});
    return best;
}

void kt_options_advise(const kt_option_table *table, const char *section, const char *key, char *text, size_t size)
{
    const guess best = guess_key(table, section, key);
    text[0] = '\0';
    if (best.rank == KT_TEXT_FAR)
        return;
    if (best.key == NULL)
        snprintf(text, size, ": %s", best.note);
    else
        snprintf(text, size, "; did you mean %s.%s?%s%s", best.section, best.key, best.note != NULL ? " " : "",
                 best.note != NULL ? best.note : "");
}

const char *kt_options_near_section(const kt_option_table *table, const char *other, const char *section)
{
    char written[160];
    snprintf(written, sizeof written, "[%s]", section);
    const kt_option_synonym *synonym = find_synonym(table, written);
    const char *nearest = synonym != NULL ? synonym->section : NULL;
    size_t least = other == NULL ? KT_TEXT_FAR : kt_text_near(section, other);
    if (least != KT_TEXT_FAR)
        nearest = other;
    for (size_t i = 0; i < table->n; i++) {
        const size_t far = kt_text_near(section, table->options[i].section);
        if (far < least) {
            least = far;
            nearest = table->options[i].section;
        }
    }
    return nearest;
}

/* Words for true and false that others know. */
static const char *meant_bool(const char *text)
{
    static const char *const words[][2] = {{"true", "true"},   {"yes", "true"}, {"on", "true"},   {"1", "true"},
                                           {"false", "false"}, {"no", "false"}, {"off", "false"}, {"0", "false"}};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (kt_text_same(text, words[i][0]))
            return words[i][1];
    return NULL;
}

const char *kt_options_near_word(const kt_option_table *table, const kt_option *option, const char *text)
{
    char written[160];
    size_t least = KT_TEXT_FAR;
    const char *nearest = option->type == KT_OPTION_BOOL ? meant_bool(text) : NULL;
    for (size_t i = 0; option->choice != NULL && option->choice(i) != NULL; i++) {
        const size_t far = kt_text_near(text, option->choice(i));
        if (far < least) {
            least = far;
            nearest = option->choice(i);
        }
    }
    snprintf(written, sizeof written, "%s=%s", option->key, text);
    const kt_option_synonym *synonym = find_synonym(table, written);
    return synonym != NULL && least > 0 ? synonym->meant : nearest;
}
