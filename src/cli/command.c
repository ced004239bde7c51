/* How a command is found; command.h has the list. */
#include "cli/command.h"

#include <string.h>

#include "base/memory.h"
#include "base/text.h"

#define ROW(name) &kt_command_##name,

const kt_command *const kt_commands[] = {KT_COMMANDS(ROW)};
const size_t kt_n_commands = sizeof kt_commands / sizeof kt_commands[0];

const kt_command *kt_command_find(const char *name)
{
    for (size_t i = 0; i < kt_n_commands; i++)
        if (strcmp(kt_commands[i]->name, name) == 0)
            return kt_commands[i];
    return NULL;
}

kt_status kt_command_unknown(const char *word)
{
    kt_text_buffer names = {0};
    const char *nearest = NULL;
    size_t least = KT_TEXT_FAR;
    for (size_t i = 0; i < kt_n_commands; i++) {
        const size_t far = kt_text_near(word, kt_commands[i]->name);
        kt_text_append(&names, "%s%s", i > 0 ? ", " : "", kt_commands[i]->name);
        if (far < least) {
            least = far;
            nearest = kt_commands[i]->name;
        }
    }
    char *list;
    KT_TRY(kt_text_take(&names, &list));
    kt_fail(KT_USAGE, "%s is neither a command (%s) nor a file that ends in .ini%s%s%s (ktrain --help says more)", word,
            list, nearest != NULL ? "; did you mean " : "", nearest != NULL ? nearest : "", nearest != NULL ? "?" : "");
    kt_memory_free(list);
    return KT_USAGE;
}
