/* help: what the program can do, and what one of its commands does. */
#include "base/memory.h"
#include "base/text.h"
#include "build.h"
#include "cli/command.h"

static void describe_all(kt_text_buffer *text)
{
    kt_text_append(text,
                   "ktrain %s: distributed data-parallel training of fully connected classifiers\n\n"
                   "usage: [mpirun -np N] ktrain CONFIG.ini [section.key=value ...]\n"
                   "       [mpirun -np N] ktrain COMMAND ...\n\n",
                   KT_VERSION);
    for (size_t i = 0; i < kt_n_commands; i++)
        kt_text_append(text, "  %-9s %s\n", kt_commands[i]->name, kt_commands[i]->summary);
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

kt_status kt_command_explain(const kt_command *command, kt_log *log)
{
    kt_text_buffer buffer = {0};
    char *text;
    if (command != NULL)
        describe(&buffer, command);
    else
        describe_all(&buffer);
    KT_TRY(kt_text_take(&buffer, &text));
    kt_log_text(log, text);
    kt_memory_free(text);
    return KT_OK;
}

static kt_status run(kt_comm *world, int argc, char **argv, kt_log *log)
{
    const kt_command *command = argc > 1 ? kt_command_find(argv[1]) : NULL;
    (void)world;
    return argc > 1 && command == NULL ? kt_command_unknown(argv[1]) : kt_command_explain(command, log);
}

const kt_command kt_command_help = {
    .name = "help",
    .arguments = "[COMMAND]",
    .summary = "list the commands and exit codes, or say more on one command",
    .help = "",
    .run = run,
};
