/* kdata: looks at data sets, converts them to HDF5, and splits them. One process, no MPI. */
#include <stdio.h>
#include <string.h>

#include "build.h"
#include "cli/flags.h"
#include "edge/hdf5_file.h"
#include "input/format.h"
#include "input/labels.h"
#include "kdata.h"

kt_status kdata_read(const arguments *a, const char *name, size_t n_samples, kt_array *out)
{
    kt_table_rules rules = {.n_rows = n_samples};
    kt_notes notes = {0};
    if (a->header != NULL)
        KT_TRY(kt_decision_parse("--header", a->header, &rules.header));
    KT_TRY(kt_format_read_by(name, n_samples > 0, &rules, &notes, out));
    if (n_samples > 0)
        kt_labels_flatten(out, n_samples);
    for (size_t i = 0; i < notes.n; i++)
        printf("note         %s\n", notes.note[i].text);
    return KT_OK;
}

static const struct command {
    const char *name, *usage, *line, *help;
    size_t n_least, n_most;
    size_t first_flag, n_flags; /* of its own */
    kt_status (*run)(const arguments *a);
} commands[] = {
    {"inspect", "FILE [LABELS]", "shape, type, range, duplicate rows, NaN, and the classes' samples",
     "Prints what FILE holds: shape, type, range, mean, how many values are NaN, infinite or zero, and how many rows\n"
     "equal a row before them. With LABELS also the samples of each class. A NaN is told, not refused; training "
     "refuses it.\n"
     "\n"
     "  kdata inspect X_images.npy y_images.npy\n"
     "  kdata inspect data.npz:x_train data.npz:y_train\n",
     1, 2, 0, 0, kdata_inspect},
    {"convert", "IN OUT.h5 [--labels FILE] [--transpose]", "any format to HDF5",
     "Writes the array of IN as dataset `features` of OUT.h5, and with --labels that of FILE as `labels`. Types stay "
     "as they\n"
     "are, but bool becomes uint8, float16 becomes float32, and float128 float64. OUT.h5 is replaced as a whole, or "
     "stays.\n"
     "\n"
     "  -l, --labels FILE       labels to write beside the features\n"
     "      --transpose         turns the features' dimensions round: samples become rows in what MATLAB has saved\n"
     "\n"
     "  kdata convert train-images-idx3-ubyte.gz fashion.h5 --labels train-labels-idx1-ubyte.gz\n"
     "  kdata convert table.csv table.h5\n",
     2, 2, 0, 2, kdata_convert},
    {"split", "FEATURES LABELS OUT.h5 [--fractions A,B,C] [--seed N]",
     "training, validation and test sets, in one HDF5 file",
     "Writes the parts train, validation and test of a data set to OUT.h5: datasets PART/features, PART/labels and "
     "PART/index\n"
     "(the rows of FEATURES). ktrain with the same split_seed and fractions makes the same split.\n"
     "\n"
     "  -f, --fractions A,B,C   sizes of the three parts, summing to 1 (default 0.70,0.15,0.15)\n"
     "  -s, --seed N            draws the split (default 1)\n"
     "      --no-shuffle        parts in the order of the file\n"
     "      --no-stratify       classes need not be spread evenly over the parts\n"
     "\n"
     "  kdata split X_images.npy y_images.npy parts.h5 --fractions 0.7,0.15,0.15 --seed 1\n"
     "  kdata inspect parts.h5:train/features parts.h5:train/labels\n",
     3, 3, 2, 4, kdata_split},
};
enum { N_COMMANDS = sizeof commands / sizeof commands[0] };

static void print_help(void)
{
    printf("Usage: kdata COMMAND ARGUMENT...\nLooks at data sets for ktrain, converts and splits them.\n\nCommands:\n");
    for (size_t i = 0; i < N_COMMANDS; i++)
        printf("  %-8s %s\n", commands[i].name, commands[i].line);
    printf("\nA FILE is in one of these formats, told apart by its content:\n");
    for (size_t i = 0; i < kt_n_formats; i++)
        printf("  %-8s %s\n", kt_formats[i].name, kt_formats[i].format->help);
    printf(
        "\n--header true|false says whether tables (csv) begin with a line of names; else that is decided and told.\n"
        "`kdata COMMAND --help` says more, with examples; --version says which kdata this is.\n"
        "Exit codes:");
    for (size_t i = 0; i < kt_n_status_rows; i++)
        if (kt_status_rows[i].code != KT_DIVERGED && kt_status_rows[i].code != KT_PREEMPTED)
            printf("%s %d %s", i > 0 ? ";" : "", (int)kt_status_rows[i].code, kt_status_rows[i].name);
    printf(".\n");
}

/* What ends a program that has printed something: a full disk must not look like success. */
static int finish(kt_status status)
{
    if (fflush(stdout) != 0 && status == KT_OK)
        status = kt_fail(KT_IO, "standard output cannot be written");
    if (status != KT_OK)
        fprintf(stderr, "kdata: %s\n", kt_error_message());
    return (int)status;
}

static int fail_usage(const struct command *command)
{
    fprintf(stderr, "Usage: kdata %s %s\n", command != NULL ? command->name : "COMMAND",
            command != NULL ? command->usage : "ARGUMENT...");
    fprintf(stderr, "Try 'kdata%s%s --help'.\n", command != NULL ? " " : "", command != NULL ? command->name : "");
    return KT_USAGE;
}

static int run_command(const struct command *command, int argc, char **argv)
{
    arguments a = {0};
    bool help = false, version = false;
    const kt_flag own[] = {
        {"labels", .value = &a.labels, .letter = 'l'},
        {"transpose", .given = &a.transpose},
        {"fractions", .value = &a.fractions, .letter = 'f'},
        {"seed", .value = &a.seed, .letter = 's'},
        {"no-shuffle", .given = &a.in_order},
        {"no-stratify", .given = &a.unstratified},
    };
    kt_flag flags[KT_MAX_FLAGS] = {{"help", .given = &help, .letter = 'h'},
                                   {"version", .given = &version, .letter = 'V'},
                                   {"header", .value = &a.header}};
    int first;
    memcpy(flags + 3, own + command->first_flag, command->n_flags * sizeof *own);
    kt_status status = kt_flags_take(argc, argv, 3 + command->n_flags, flags, &first);
    if (status != KT_OK)
        return finish(status), fail_usage(command);
    if (help)
        printf("Usage: kdata %s %s\n%s", command->name, command->usage, command->help);
    else if (version)
        printf("kdata (ktrain) %s\n", KT_VERSION);
    if (help || version)
        return finish(KT_OK);
    a.n = (size_t)(argc - first);
    a.values = argv + first;
    if (a.n < command->n_least || a.n > command->n_most)
        return fail_usage(command);
    status = command->run(&a);
    return status == KT_USAGE ? (finish(status), fail_usage(command)) : finish(status);
}

/* argv[0] is a command's name. */
static int run_named(int argc, char **argv)
{
    for (size_t i = 0; i < N_COMMANDS; i++)
        if (strcmp(argv[0], commands[i].name) == 0)
            return run_command(&commands[i], argc, argv);
    fprintf(stderr, "kdata: \"%s\" is no command; there are inspect, convert and split\n", argv[0]);
    return fail_usage(NULL);
}

int main(int argc, char **argv)
{
    kt_hdf5_is_ours();
    if (argc < 2) {
        fprintf(stderr, "kdata: nothing to do: there are inspect, convert and split\n");
        return fail_usage(NULL);
    }
    const bool asks = strcmp(argv[1], "help") == 0;
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || (asks && argc == 2)) {
        print_help();
        return finish(KT_OK);
    }
    if (asks) {
        char *words[] = {argv[2], "--help", NULL};
        return run_named(2, words);
    }
    if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0) {
        printf("kdata (ktrain) %s\nHDF5 %s\n", KT_VERSION, kt_hdf5_version());
        return finish(KT_OK);
    }
    return run_named(argc - 1, argv + 1);
}
