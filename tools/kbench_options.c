/* kbench's command line. */
#include <getopt.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "kbench.h"

typedef enum option_kind { FLAG, COUNT, COUNTS, SECONDS, AMOUNT, TEXT, OVERRIDE } option_kind;

/* getopt's options, and what is done with each: the rows belong together. */
static const struct option options[] = {
    {"repetitions", required_argument, NULL, 1},
    {"seconds", required_argument, NULL, 1},
    {"quiet", required_argument, NULL, 1},
    {"ranks", required_argument, NULL, 1},
    {"variants", required_argument, NULL, 1},
    {"threads", required_argument, NULL, 1},
    {"peer-threads", required_argument, NULL, 1},
    {"density", required_argument, NULL, 1},
    {"dropout", required_argument, NULL, 1},
    {"set", required_argument, NULL, 1},
    {"peers", required_argument, NULL, 1},
    {"json", required_argument, NULL, 1},
    {"history", required_argument, NULL, 1},
    {"help", no_argument, NULL, 1},
    {"version", no_argument, NULL, 1},
    {0},
};
static const struct {
    option_kind kind;
    size_t offset;
    double most;
} meanings[] = {
    {COUNT, offsetof(kt_bench_settings, repetitions), 10000},
    {SECONDS, offsetof(kt_bench_settings, seconds), 3600},
    {AMOUNT, offsetof(kt_bench_settings, quiet), 3600},
    {COUNTS, offsetof(kt_bench_settings, ranks), 100000},
    {TEXT, offsetof(kt_bench_settings, variants), 0},
    {COUNT, offsetof(kt_bench_settings, threads), 1024},
    {COUNTS, offsetof(kt_bench_settings, peer_threads), 1024},
    {AMOUNT, offsetof(kt_bench_settings, density), 1},
    {AMOUNT, offsetof(kt_bench_settings, dropout), 0.99},
    {OVERRIDE, 0, 0},
    {TEXT, offsetof(kt_bench_settings, peers), 0},
    {TEXT, offsetof(kt_bench_settings, json), 0},
    {TEXT, offsetof(kt_bench_settings, history), 0},
    {FLAG, offsetof(kt_bench_settings, help), 0},
    {FLAG, offsetof(kt_bench_settings, version), 0},
};

void kt_bench_help(void)
{
    printf("usage: [mpirun -np N] kbench [options] [SHAPE...]\n"
           "       kbench --history RUN/history.csv\n\n"
           "Measures the training step of each shape, on made-up data, on 1, 2, ... N ranks in turns, and the\n"
           "machine's own speed in the same run. A SHAPE is a name, a name with another batch (m3:64, m1:full), or\n"
           "widths and batch as 784,512,256,10:16 (full is one batch of 3500; adam, no dropout):\n\n");
    kt_bench_shape_list(stdout);
    printf("\nWithout a SHAPE: all of these.\n\n"
           "  --repetitions R      so many of each, in turns; medians are shown (5)\n"
           "  --seconds S          that each repetition lasts, about (0.5)\n"
           "  --quiet S            wait so long at most before a shape while others use the machine (2)\n"
           "  --ranks LIST         numbers of ranks, as 1,2,8 (all up to N; of many: 1, 2, 4, ... and N)\n"
           "  --variants LIST      on the most ranks, names of the list below with commas, or all (default)\n"
           "  --threads N          of BLAS on each rank (1)\n"
           "  --set S.KEY=VALUE    a key of the configuration, as in an INI; may be repeated\n"
           "  --density D          part of the inputs that are not 0, of every shape (0.31, of -dense ones 1)\n"
           "  --dropout P          of every shape (as its job has it)\n"
           "  --peers DIR          train the same in turns in PyTorch and JAX, in an environment of tools/peers.sh\n"
           "  --peer-threads LIST  of theirs, as 1,2 (1 and all)\n"
           "  --json FILE          also write everything to FILE\n"
           "  --history FILE       only compare epochs 3 to 7 with the last five of a run's history.csv\n"
           "  --help, --version\n\n"
           "variants:\n\n");
    kt_bench_variant_list(stdout);
    printf("\nexit codes: as of ktrain (ktrain --help)\n");
}

static kt_status parse_number(const char *name, const char *text, double least, double most, double *out)
{
    char *end;
    *out = strtod(text, &end);
    if (end == text || *end != '\0' || !(*out >= least && *out <= most))
        return kt_fail(KT_USAGE, "--%s %s: it must be a number from %g to %g", name, text, least, most);
    return KT_OK;
}

static kt_status parse_count(const char *name, const char *text, double most, int *out)
{
    double value = 0;
    KT_TRY(parse_number(name, text, 1, most, &value));
    *out = (int)value;
    return (double)*out == value ? KT_OK : kt_fail(KT_USAGE, "--%s %s: it must be a whole number", name, text);
}

/* Rising numbers with commas. */
static kt_status parse_counts(const char *name, const char *text, double most, kt_bench_counts *out)
{
    const char *p = text;
    char *end;
    out->n = 0;
    for (;; p = end + 1) {
        const long value = *p >= '0' && *p <= '9' ? strtol(p, &end, 10) : 0;
        const bool rises = out->n == 0 || value > out->values[out->n - 1];
        if (value < 1 || (double)value > most || !rises || out->n == KT_MAX_INTS || (*end != ',' && *end != '\0'))
            return kt_fail(KT_USAGE, "--%s %s: must be rising whole numbers with commas, up to %g", name, text, most);
        out->values[out->n++] = value;
        if (*end == '\0')
            return KT_OK;
    }
}

static kt_status take_option(kt_bench_settings *s, int i, char *text)
{
    void *field = (char *)s + meanings[i].offset;
    switch (meanings[i].kind) {
    case FLAG:
        *(bool *)field = true;
        break;
    case TEXT:
        *(const char **)field = text;
        break;
    case COUNT:
        return parse_count(options[i].name, text, meanings[i].most, field);
    case COUNTS:
        return parse_counts(options[i].name, text, meanings[i].most, field);
    case SECONDS:
        return parse_number(options[i].name, text, 0.001, meanings[i].most, field);
    case AMOUNT:
        return parse_number(options[i].name, text, 0, meanings[i].most, field);
    case OVERRIDE:
        if (s->n_overrides == KT_BENCH_OVERRIDES)
            return kt_fail(KT_USAGE, "--set may be given %d times", KT_BENCH_OVERRIDES);
        s->overrides[s->n_overrides++] = text;
        break;
    }
    return KT_OK;
}

kt_status kt_bench_settings_parse(int argc, char **argv, kt_bench_settings *out)
{
    int which = 0, found;
    *out = (kt_bench_settings){.repetitions = 5,
                               .seconds = 0.5,
                               .quiet = 2,
                               .threads = 1,
                               .density = -1,
                               .dropout = -1,
                               .variants = kt_bench_variants[0].name};
    opterr = 0;
    for (int at = optind; (found = getopt_long(argc, argv, "", options, &which)) != -1; at = optind) {
        if (found != 1)
            return kt_fail(KT_USAGE, "%s is not an option, or lacks its value: kbench --help lists them", argv[at]);
        KT_TRY(take_option(out, which, optarg));
    }
    out->n_shapes = (size_t)(argc - optind);
    out->shapes = argv + optind;
    return KT_OK;
}
