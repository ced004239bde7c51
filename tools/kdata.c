/* kdata: looks at data sets, converts them to HDF5, and splits them. One process, no MPI. */
#include <getopt.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "build.h"
#include "edge/hdf5_file.h"
#include "input/format.h"
#include "input/labels.h"
#include "input/split.h"
#include "kdata.h"

/* ---- writing HDF5 ---- */

/* In place, to the next type that HDF5 files of ours have: bool becomes uint8, float16 float32, and float128 float64.
 * */
static kt_status make_writable(kt_array *array)
{
    kt_type type = array->type == KT_BOOL   ? KT_U8
                   : array->type == KT_F16  ? KT_F32
                   : array->type == KT_F128 ? KT_F64
                                            : array->type;
    if (type == array->type)
        return KT_OK;
    kt_array wider;
    KT_TRY(kt_array_create(&wider, type, array->n_dims, array->dims));
    for (size_t i = 0; i < kt_array_count(array); i++) {
        double x = kt_array_get(array, i);
        if (type == KT_U8)
            ((uint8_t *)wider.data)[i] = (uint8_t)x;
        else if (type == KT_F32)
            ((float *)wider.data)[i] = (float)x;
        else
            ((double *)wider.data)[i] = x;
    }
    kt_array_free(array);
    *array = wider;
    return KT_OK;
}

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

static kt_status transpose(kt_array *array)
{
    kt_array turned;
    KT_TRY(kt_array_transpose(array, &turned));
    kt_array_free(array);
    *array = turned;
    return KT_OK;
}

/* `features` and, when their name is given, `labels`, each ready to be written; the caller frees both. */
static kt_status read_both(const arguments *a, const char *features_name, const char *labels_name, kt_array *features,
                           kt_array *labels)
{
    *labels = (kt_array){0};
    KT_TRY(kdata_read(a, features_name, 0, features));
    KT_TRY(make_writable(features));
    if (a->transpose)
        KT_TRY(transpose(features));
    if (labels_name == NULL)
        return KT_OK;
    KT_TRY(kdata_read(a, labels_name, features->dims[0], labels));
    KT_TRY(make_writable(labels));
    if (labels->dims[0] != features->dims[0])
        return kt_fail(KT_DATA, "%s has %zu labels, but %s has %zu samples; there must be one label for each",
                       labels_name, labels->dims[0], features_name, features->dims[0]);
    return KT_OK;
}

static kt_status check_output(const char *output, const char *features, const char *labels)
{
    if (kt_file_same(output, features) || (labels != NULL && kt_file_same(output, labels)))
        return kt_fail(KT_USAGE, "%s: is what is read here: must be another file", output);
    size_t n = strlen(output);
    bool named = (n > 3 && strcmp(output + n - 3, ".h5") == 0) || (n > 5 && strcmp(output + n - 5, ".hdf5") == 0);
    return named ? KT_OK : kt_fail(KT_USAGE, "%s: the output is HDF5: its name must end in .h5 or .hdf5", output);
}

static kt_status write_array(kt_hdf5 *file, const char *path, const kt_array *array)
{
    return kt_hdf5_write(file, path, array->type, array->n_dims, array->dims, array->data);
}

/* ---- convert ---- */

static kt_status convert(const arguments *a)
{
    kt_array features = {0}, labels = {0};
    kt_hdf5 *file = NULL;
    KT_TRY(check_output(a->values[1], a->values[0], a->labels));
    kt_status status = read_both(a, a->values[0], a->labels, &features, &labels);
    if (status == KT_OK)
        status = kt_hdf5_create(&file);
    if (status == KT_OK)
        status = write_array(file, "/features", &features);
    if (status == KT_OK && labels.data != NULL)
        status = write_array(file, "/labels", &labels);
    if (status == KT_OK)
        status = kt_hdf5_save(file, a->values[1]);
    if (status == KT_OK)
        printf("wrote %s\n", a->values[1]);
    kt_hdf5_close(file);
    kt_array_free(&labels);
    kt_array_free(&features);
    return status;
}

/* ---- split ---- */

static kt_status parse_fractions(const char *text, double fractions[KT_N_PARTS])
{
    const char *p = text != NULL ? text : "0.70,0.15,0.15";
    for (size_t i = 0; i < KT_N_PARTS; i++) {
        char *end;
        fractions[i] = strtod(p, &end);
        if (end == p || *end != (i + 1 < KT_N_PARTS ? ',' : '\0'))
            return kt_fail(KT_USAGE, "--fractions %s: three numbers are needed, as in 0.7,0.15,0.15", text);
        p = end + 1;
    }
    return KT_OK;
}

static kt_status parse_seed(const char *text, uint64_t *seed)
{
    *seed = 1;
    if (text == NULL)
        return KT_OK;
    size_t n = strlen(text);
    if (n == 0 || n > 18 || strspn(text, "0123456789") != n)
        return kt_fail(KT_USAGE, "--seed %s: a whole number of at most 18 digits is needed", text);
    *seed = strtoull(text, NULL, 10);
    return KT_OK;
}

/* Rows index[n] of the array, as dataset "PART/NAME". */
static kt_status write_rows(kt_hdf5 *file, const char *part, const char *name, const kt_array *array, size_t n,
                            const uint32_t *index)
{
    const size_t n_bytes = kdata_row_bytes(array);
    kt_array rows;
    size_t dims[KT_ARRAY_MAX_DIMS];
    char path[64];
    memcpy(dims, array->dims, sizeof dims);
    dims[0] = n;
    KT_TRY(kt_array_create(&rows, array->type, array->n_dims, dims));
    for (size_t i = 0; i < n; i++)
        memcpy((char *)rows.data + i * n_bytes, (const char *)array->data + index[i] * n_bytes, n_bytes);
    snprintf(path, sizeof path, "/%s/%s", part, name);
    kt_status status = write_array(file, path, &rows);
    kt_array_free(&rows);
    return status;
}

static kt_status write_parts(const kt_split *split, const kt_array *features, const kt_array *labels, const char *path)
{
    kt_hdf5 *file;
    KT_TRY(kt_hdf5_create(&file));
    kt_status status = KT_OK;
    for (size_t p = 0; p < KT_N_PARTS && status == KT_OK; p++) {
        char name[64];
        const size_t n = split->n[p];
        status = write_rows(file, kt_part_names[p], "features", features, n, split->index[p]);
        if (status == KT_OK)
            status = write_rows(file, kt_part_names[p], "labels", labels, n, split->index[p]);
        snprintf(name, sizeof name, "/%s/index", kt_part_names[p]);
        if (status == KT_OK)
            status = kt_hdf5_write(file, name, KT_U32, 1, &n, split->index[p]);
        if (status == KT_OK)
            printf("%-11s %zu\n", kt_part_names[p], n);
    }
    if (status == KT_OK)
        status = kt_hdf5_save(file, path);
    if (status == KT_OK)
        printf(
            "wrote %s: PART/features, PART/labels and PART/index of each; a job reads features = %s:train/features\n",
            path, path);
    kt_hdf5_close(file);
    return status;
}

static kt_status split(const arguments *a)
{
    double fractions[KT_N_PARTS];
    uint64_t seed;
    kt_array features = {0}, labels = {0};
    int32_t *classes = NULL;
    size_t n, n_classes;
    kt_split parts = {0};
    KT_TRY(parse_fractions(a->fractions, fractions));
    KT_TRY(parse_seed(a->seed, &seed));
    KT_TRY(check_output(a->values[2], a->values[0], a->values[1]));
    kt_status status = read_both(a, a->values[0], a->values[1], &features, &labels);
    if (status == KT_OK)
        status = kt_labels_from_array(&labels, a->values[1], &classes, &n, &n_classes);
    if (status == KT_OK)
        status = kt_split_create(&parts, n, classes, n_classes,
                                 &(kt_split_spec){.fractions = {.n = KT_N_PARTS, .values = fractions},
                                                  .seed = (int64_t)seed,
                                                  .shuffle = !a->in_order,
                                                  .stratify = !a->unstratified});
    if (status == KT_OK)
        status = write_parts(&parts, &features, &labels, a->values[2]);
    kt_split_free(&parts);
    kt_memory_free(classes);
    kt_array_free(&labels);
    kt_array_free(&features);
    return status;
}

/* ---- the command line ---- */

enum {
    OPTION_LABELS = 'l',
    OPTION_FRACTIONS = 'f',
    OPTION_SEED = 's',
    OPTION_HELP = 'h',
    OPTION_VERSION = 'V',
    OPTION_IN_ORDER = 256,
    OPTION_UNSTRATIFIED,
    OPTION_HEADER,
    OPTION_TRANSPOSE
};

#define COMMON_OPTIONS                                                                        \
    {"help", no_argument, NULL, OPTION_HELP}, {"version", no_argument, NULL, OPTION_VERSION}, \
        {"header", required_argument, NULL, OPTION_HEADER},                                   \
    {                                                                                         \
        NULL, 0, NULL, 0                                                                      \
    }
static const struct option inspect_options[] = {COMMON_OPTIONS};
static const struct option convert_options[] = {{"labels", required_argument, NULL, OPTION_LABELS},
                                                {"transpose", no_argument, NULL, OPTION_TRANSPOSE},
                                                COMMON_OPTIONS};
static const struct option split_options[] = {{"fractions", required_argument, NULL, OPTION_FRACTIONS},
                                              {"seed", required_argument, NULL, OPTION_SEED},
                                              {"no-shuffle", no_argument, NULL, OPTION_IN_ORDER},
                                              {"no-stratify", no_argument, NULL, OPTION_UNSTRATIFIED},
                                              COMMON_OPTIONS};

static const struct command {
    const char *name, *usage, *line, *help;
    size_t n_least, n_most;
    const char *letters;
    const struct option *options;
    kt_status (*run)(const arguments *a);
} commands[] = {
    {"inspect", "FILE [LABELS]", "shape, type, range, duplicate rows, NaN, and the classes' samples",
     "Prints what FILE holds: shape, type, range, mean, how many values are NaN, infinite or zero, and how many rows\n"
     "equal a row before them. With LABELS also the samples of each class. A NaN is told, not refused; training "
     "refuses it.\n"
     "\n"
     "  kdata inspect X_images.npy y_images.npy\n"
     "  kdata inspect data.npz:x_train data.npz:y_train\n",
     1, 2, "hV", inspect_options, kdata_inspect},
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
     2, 2, "hVl:", convert_options, convert},
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
     3, 3, "hVf:s:", split_options, split},
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
    if (command != NULL)
        fprintf(stderr, "Usage: kdata %s %s\n", command->name, command->usage);
    fprintf(stderr, "Try 'kdata%s%s --help'.\n", command != NULL ? " " : "", command != NULL ? command->name : "");
    return KT_USAGE;
}

static int run_command(const struct command *command, int argc, char **argv)
{
    arguments a = {0};
    int letter;
    while ((letter = getopt_long(argc, argv, command->letters, command->options, NULL)) != -1) {
        switch (letter) {
        case OPTION_LABELS:
            a.labels = optarg;
            break;
        case OPTION_FRACTIONS:
            a.fractions = optarg;
            break;
        case OPTION_SEED:
            a.seed = optarg;
            break;
        case OPTION_IN_ORDER:
            a.in_order = true;
            break;
        case OPTION_UNSTRATIFIED:
            a.unstratified = true;
            break;
        case OPTION_TRANSPOSE:
            a.transpose = true;
            break;
        case OPTION_HEADER:
            a.header = optarg;
            break;
        case OPTION_HELP:
            printf("Usage: kdata %s %s\n%s", command->name, command->usage, command->help);
            return finish(KT_OK);
        case OPTION_VERSION:
            printf("kdata (ktrain) %s\n", KT_VERSION);
            return finish(KT_OK);
        default:
            return fail_usage(command);
        }
    }
    a.n = (size_t)(argc - optind);
    a.values = argv + optind;
    if (a.n < command->n_least || a.n > command->n_most)
        return fail_usage(command);
    kt_status status = command->run(&a);
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
    if (argc < 2)
        return fail_usage(NULL);
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
