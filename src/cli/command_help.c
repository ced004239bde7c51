/* What the program can do: the commands, one of them, and what is said to an unknown one. */
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "cli/command.h"
#include "ktrain/version.h"

const kt_command *kt_command_find(const char *name)
{
    for (size_t i = 0; i < kt_n_commands; i++)
        if (strcmp(kt_commands[i].name, name) == 0)
            return &kt_commands[i];
    return NULL;
}

kt_status kt_command_unknown(const char *word)
{
    kt_text_buffer names = {0};
    const char *nearest = NULL;
    size_t least = KT_TEXT_FAR;
    for (size_t i = 0; i < kt_n_commands; i++) {
        const size_t far = kt_text_near(word, kt_commands[i].name);
        kt_text_append(&names, "%s%s", i > 0 ? ", " : "", kt_commands[i].name);
        if (far < least) {
            least = far;
            nearest = kt_commands[i].name;
        }
    }
    char *list;
    KT_TRY(kt_text_take(&names, &list));
    kt_fail(KT_USAGE, "%s is neither a command (%s) nor a file that ends in .ini%s%s%s (ktrain --help says more)", word,
            list, nearest != NULL ? "; did you mean " : "", nearest != NULL ? nearest : "", nearest != NULL ? "?" : "");
    kt_memory_free(list);
    return KT_USAGE;
}

static void describe_all(kt_text_buffer *text)
{
    kt_text_append(text,
                   "ktrain %s: distributed data-parallel training of fully connected classifiers\n\n"
                   "usage: [mpirun -np N] ktrain CONFIG.ini [section.key=value ...]\n"
                   "       [mpirun -np N] ktrain COMMAND ...\n\n",
                   KT_VERSION);
    for (size_t i = 0; i < kt_n_commands; i++)
        kt_text_append(text, "  %-9s %s\n", kt_commands[i].name, kt_commands[i].summary);
    kt_text_append(text, "\n  --help     this text; ktrain COMMAND --help says more\n"
                         "  --version  the version\n\nexit codes:\n");
    for (size_t i = 0; i < kt_n_status_rows; i++)
        kt_text_append(text, "  %2d  %s\n", (int)kt_status_rows[i].code, kt_status_rows[i].meaning);
}

static void describe(kt_text_buffer *text, const kt_command *command)
{
    kt_text_append(text, "usage: [mpirun -np N] ktrain %s%s%s\n\n%s.\n", command->name,
                   command->arguments[0] != '\0' ? " " : "", command->arguments, command->summary);
    if (command->help[0] != '\0')
        kt_text_append(text, "\n%s", command->help);
}

kt_status kt_command_help(kt_comm *world, int argc, char **argv, kt_log *log)
{
    const kt_command *command = argc > 1 ? kt_command_find(argv[1]) : NULL;
    kt_text_buffer buffer = {0};
    char *text;
    (void)world;
    if (argc > 1 && command == NULL)
        return kt_command_unknown(argv[1]);
    if (command != NULL)
        describe(&buffer, command);
    else
        describe_all(&buffer);
    KT_TRY(kt_text_take(&buffer, &text));
    kt_log_text(log, text);
    kt_memory_free(text);
    return KT_OK;
}
