/* The program's commands: one table row each (command.c), one file each where there is something to do (command_*.c).
 * */
#ifndef KTRAIN_COMMAND_H
#define KTRAIN_COMMAND_H

#include "base/log.h"
#include "edge/comm.h"

typedef struct kt_command {
    const char *name;
    const char *arguments; /* after the name, for the usage line */
    const char *summary;   /* one line */
    const char *help;      /* paragraphs after the usage line */
    /* argv[0] is the command's name. Collective. */
    kt_status (*run)(kt_comm *world, int argc, char **argv, kt_log *log);
} kt_command;

extern const kt_command kt_commands[];
extern const size_t kt_n_commands;

/* NULL when there is none of that name. */
const kt_command *kt_command_find(const char *name);

/* KT_USAGE: the word is no command; there are these, and the nearest is meant when one is near. Local. */
kt_status kt_command_unknown(const char *word);

kt_status kt_command_train(kt_comm *world, int argc, char **argv, kt_log *log);
kt_status kt_command_sweep(kt_comm *world, int argc, char **argv, kt_log *log);
kt_status kt_command_evaluate(kt_comm *world, int argc, char **argv, kt_log *log);
kt_status kt_command_predict(kt_comm *world, int argc, char **argv, kt_log *log);
kt_status kt_command_check(kt_comm *world, int argc, char **argv, kt_log *log);
kt_status kt_command_options(kt_comm *world, int argc, char **argv, kt_log *log);
kt_status kt_command_help(kt_comm *world, int argc, char **argv, kt_log *log);
kt_status kt_command_info(kt_comm *world, int argc, char **argv, kt_log *log);

#endif
