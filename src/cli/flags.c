/* Parsing the options of a command by their table. */
#include "cli/flags.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>

kt_status kt_flags_take(int argc, char **argv, size_t n, const kt_flag *flags, int *first)
{
    struct option options[KT_MAX_FLAGS + 1] = {0};
    char letters[2 * KT_MAX_FLAGS + 1] = "";
    int letter;
    for (size_t i = 0, n_letters = 0; i < n; i++) {
        const int takes = flags[i].given != NULL ? no_argument : required_argument;
        options[i] = (struct option){flags[i].name, takes, NULL, flags[i].letter != 0 ? flags[i].letter : (int)i + 1};
        if (flags[i].letter != 0) {
            letters[n_letters++] = flags[i].letter;
            if (takes == required_argument)
                letters[n_letters++] = ':';
        }
    }
    opterr = 0;
    while ((letter = getopt_long(argc, argv, letters, options, NULL)) != -1) {
        size_t i = 0;
        while (i < n && options[i].val != letter)
            i++;
        if (i == n)
            return kt_fail(KT_USAGE, "%s: %s is not an option, or lacks its value (%s %s --help shows them)", argv[0],
                           argv[optind - 1], program_invocation_short_name, argv[0]);
        if (flags[i].given != NULL)
            *flags[i].given = true;
        else
            *flags[i].value = optarg;
    }
    *first = optind;
    return KT_OK;
}

kt_status kt_flags_count(const char *command, const char *name, const char *text, size_t *out)
{
    enum { MOST = 1000000 };
    char *end;
    if (text == NULL)
        return KT_OK;
    const long n = strtol(text, &end, 10);
    if (end == text || *end != '\0' || n < 1 || n > MOST)
        return kt_fail(KT_USAGE, "%s: --%s %s: must be a whole number from 1 to %d", command, name, text, MOST);
    *out = (size_t)n;
    return KT_OK;
}
