/* The program's commands: a file command_x.c each, and its name in the list below. */
#ifndef KTRAIN_COMMAND_H
#define KTRAIN_COMMAND_H

#include "base/log.h"
#include "edge/comm.h"

/* In the order in which help lists them. */
#define KT_COMMANDS(X) X(train) X(sweep) X(evaluate) X(predict) X(check) X(verify) X(options) X(info) X(help)

typedef struct kt_command {
    const char *name;
    const char *arguments; /* after the name, for the usage line */
    const char *summary;   /* one line */
    const char *help;      /* paragraphs after the usage line */
    bool leaves_files;     /* which tell what came of it: output that nobody can read is then no failure */
    bool saves;            /* when it is asked to stop (stop.h) */
    /* argv[0] is the command's name. Collective. */
    kt_status (*run)(kt_comm *world, int argc, char **argv, kt_log *log);
} kt_command;

#define KT_DECLARE_COMMAND(name) extern const kt_command kt_command_##name;
KT_COMMANDS(KT_DECLARE_COMMAND)

extern const kt_command *const kt_commands[];
extern const size_t kt_n_commands;

/* NULL when there is none of that name. */
const kt_command *kt_command_find(const char *name);

/* KT_USAGE: the word is no command; there are these, and the nearest is meant when one is near. Local. */
kt_status kt_command_unknown(const char *word);

/* Prints how a command is used, or (NULL) which there are. Local. */
kt_status kt_command_explain(const kt_command *command, kt_log *log);

#endif
