#include "cli/command.h"

const kt_command kt_commands[] = {
    {"train", "CONFIG.ini [section.key=value ...]", "train a model (the word train may be left out)",
     "Trains as CONFIG.ini says and leaves everything in its run.dir. Started again, the same command goes on from\n"
     "the newest checkpoint, or says that the run is finished. section.key=value overrides a key of the file.\n"
     "\n"
     "  mpirun -np 8 ktrain jobs/m3.ini\n"
     "  ktrain jobs/m1.ini run.dir=runs/m1-wide model.hidden=[512] optimizer.learning_rate=0.0005\n",
     kt_command_train},
    {"sweep", "JOB.ini [--dry-run] [--list] [--slice i/n] [--merge [DIR ...]] [section.key=value ...]",
     "try many values of keys, on groups of ranks, and rank what came of it",
     "JOB.ini is a job with a section [sweep]: how to search, and a list of values for each key that varies (ktrain\n"
     "options sweep lists all). Every trial is an ordinary run on sweep.ranks_per_trial ranks. Started again, the "
     "same\n"
     "command goes on: trials on record in run.dir/journal.jsonl are not run again.\n"
     "\n"
     "  --dry-run           show what is searched, the first and the last few points, their cost, and how long it "
     "will\n"
     "                      take on this machine\n"
     "  --list              the same with all points\n"
     "  --ranks N           of --dry-run: as if on N ranks like these\n"
     "  --slice i/n         only slice i of n, in a journal of its own: for job arrays without MPI between jobs\n"
     "  --merge [DIR ...]   join the journals of slices in run.dir, and of sweeps in other directories; exit code 66 "
     "when\n"
     "                      trials are missing\n"
     "  --retry-failed      run trials again that are on record as failed\n"
     "\n"
     "  mpirun -np 8 ktrain sweep jobs/grid_m1.ini\n"
     "  ktrain sweep jobs/grid_m1.ini sweep.strategy=random sweep.points=50 sweep.optimizer.l2='0 | 0.01 | 0.1'\n"
     "  ktrain sweep jobs/grid_m1.ini --slice $SLURM_ARRAY_TASK_ID/$SLURM_ARRAY_TASK_COUNT\n",
     kt_command_sweep},
    {"evaluate", "RUN [FEATURES LABELS] [--header WORD]", "score a trained model",
     "RUN is the directory of a run, or a model file. Without data the run's own train, validation and test parts\n"
     "are scored; with FEATURES and LABELS, all samples of those files.\n"
     "\n"
     "  --header WORD       auto, true or false: whether a table begins with a line of names (default: as in "
     "training)\n"
     "\n"
     "  ktrain evaluate runs/m1\n"
     "  ktrain evaluate runs/m1 more_images.npy more_labels.npy\n",
     kt_command_evaluate},
    {"predict", "RUN FEATURES -o FILE [--class-names] [--header WORD]", "write posterior probabilities for new data",
     "Writes a row of probabilities for each sample of FEATURES, in input order, to FILE (.csv, .npy or .h5).\n"
     "The run's own preprocessing is applied.\n"
     "\n"
     "  -o, --output FILE   where to write\n"
     "  --class-names       head the CSV's columns with the class names instead of Clase_0,Clase_1,...\n"
     "  --header WORD       auto, true or false: whether a table begins with a line of names (default: as in "
     "training)\n"
     "\n"
     "  ktrain predict runs/m3 data/k49/X_COMP.npy -o posterior.csv\n",
     kt_command_predict},
    {"check", "CONFIG.ini [--ranks N] [--hosts H] [section.key=value ...]",
     "show what a job would do and cost, without running it",
     "Prints the resolved configuration, the parameters, the memory of a host, the bytes that a step moves with "
     "either\n"
     "exchange and the choice for each layer, and a predicted step, from the figures of a typical machine and "
     "network.\n"
     "The data files are read and checked; nothing is written.\n"
     "\n"
     "  --ranks N           as if started on N ranks (default: the ranks it is started on)\n"
     "  --hosts H           spread over H hosts (default: 1)\n"
     "  --bandwidth G       of the network between hosts, in Gbit/s (default: 0.88, what 1 Gbit/s gives)\n"
     "  --latency U         of it, in microseconds (default: 30)\n",
     kt_command_check},
    {"options", "[SECTION] [--markdown]", "list the keys of the configuration, with defaults and bounds",
     "  --markdown          as the page docs/ini.md\n", kt_command_options},
    {"info", "[RUN]", "show versions, MPI, BLAS and this host, or by whom a run's model was made",
     "RUN is the directory of a run, or a model file: the version, commit, time, command, hosts and libraries it was\n"
     "made with.\n",
     kt_command_info},
    {"help", "[COMMAND]", "list the commands and exit codes, or say more on one command", "", kt_command_help},
};

const size_t kt_n_commands = sizeof kt_commands / sizeof kt_commands[0];
