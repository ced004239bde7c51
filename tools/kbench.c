/* kbench: the time of a training step, next to what the machine could do and to PyTorch. */
#include <getopt.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "kbench.h"
#include "ktrain/linalg.h"
#include "ktrain/memory.h"
#include "ktrain/version.h"

enum { MOST_OVERRIDES = 32 };

typedef struct settings {
    int repetitions, threads, torch_threads;
    double seconds;
    const char *json, *python, *history;
    size_t n_overrides, n_shapes;
    char *overrides[MOST_OVERRIDES], **shapes;
    bool help, version;
} settings;

typedef enum option_kind { FLAG, COUNT, SECONDS, TEXT, OVERRIDE } option_kind;

/* getopt's options, and what is done with each: the rows belong together. */
static const struct option options[] = {
    {"repetitions", required_argument, NULL, 1},
    {"seconds", required_argument, NULL, 1},
    {"threads", required_argument, NULL, 1},
    {"torch-threads", required_argument, NULL, 1},
    {"set", required_argument, NULL, 1},
    {"python", required_argument, NULL, 1},
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
    {COUNT, offsetof(settings, repetitions), 10000},
    {SECONDS, offsetof(settings, seconds), 3600},
    {COUNT, offsetof(settings, threads), 1024},
    {COUNT, offsetof(settings, torch_threads), 1024},
    {OVERRIDE, 0, 0},
    {TEXT, offsetof(settings, python), 0},
    {TEXT, offsetof(settings, json), 0},
    {TEXT, offsetof(settings, history), 0},
    {FLAG, offsetof(settings, help), 0},
    {FLAG, offsetof(settings, version), 0},
};

static void print_help(void)
{
    printf("usage: [mpirun -np N] kbench [options] [SHAPE...]\n"
           "       kbench --history RUN/history.csv\n\n"
           "Measures the training step of each shape, on made-up data, and the machine's own speed in the same run.\n"
           "A SHAPE is a name, or widths and batch size as 784,512,256,10:16 (:full for one batch of 3500; adam, no "
           "dropout):\n\n");
    kt_bench_shape_list(stdout);
    printf("\nWithout a SHAPE: all of these.\n\n"
           "  --repetitions N    so many of each, in turns; medians are shown (5)\n"
           "  --seconds S        that each repetition lasts, about (0.5)\n"
           "  --threads N        of BLAS on each rank (1)\n"
           "  --set S.KEY=VALUE  a key of the configuration, as in an INI (parallel.optimizer_state=rank0); may be "
           "repeated\n"
           "  --python PATH      a python with PyTorch: rank 0 trains the same shapes there, in turns with ours\n"
           "  --torch-threads N  of PyTorch (1)\n"
           "  --json FILE        also write everything to FILE\n"
           "  --history FILE     only compare epochs 3 to 7 with the last five of a run's history.csv\n"
           "  --help, --version\n\n"
           "exit codes: as of ktrain (ktrain --help)\n");
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

static kt_status take_option(settings *s, int i, char *text)
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
    case SECONDS:
        return parse_number(options[i].name, text, 0.001, meanings[i].most, field);
    case OVERRIDE:
        if (s->n_overrides == MOST_OVERRIDES)
            return kt_fail(KT_USAGE, "--set may be given %d times", MOST_OVERRIDES);
        s->overrides[s->n_overrides++] = text;
        break;
    }
    return KT_OK;
}

static kt_status parse(int argc, char **argv, settings *s)
{
    int which = 0, found;
    *s = (settings){.repetitions = 5, .seconds = 0.5, .threads = 1, .torch_threads = 1};
    opterr = 0;
    for (int at = optind; (found = getopt_long(argc, argv, "", options, &which)) != -1; at = optind) {
        if (found != 1)
            return kt_fail(KT_USAGE, "%s is not an option, or lacks its value: kbench --help lists them", argv[at]);
        KT_TRY(take_option(s, which, optarg));
    }
    s->n_shapes = (size_t)(argc - optind);
    s->shapes = argv + optind;
    return KT_OK;
}

/* Rank 0 measures PyTorch while the others sleep. */
static kt_status repeat_torch(kt_comm *comm, const settings *s, kt_bench_torch *torch, size_t which, kt_bench_case *c)
{
    kt_status status = KT_OK;
    if (s->python == NULL)
        return KT_OK;
    if (torch->pid > 0)
        status = kt_bench_torch_measure(torch, which, s->seconds, &c->seconds[KT_BENCH_TORCH][c->n_repetitions - 1]);
    kt_comm_barrier_asleep(comm);
    return kt_comm_agree(comm, status);
}

static kt_status measure(kt_comm *comm, const settings *s, kt_bench_machine *machine, kt_bench_torch *torch, size_t n,
                         kt_bench_case *cases)
{
    kt_status status = KT_OK;
    if (s->python != NULL) {
        if (kt_comm_rank(comm) == 0)
            status = kt_bench_torch_start(s->python, s->torch_threads, n, cases, torch);
        kt_comm_barrier_asleep(comm);
        KT_TRY(kt_comm_agree(comm, status));
    }
    for (size_t r = 0; r < (size_t)s->repetitions; r++) {
        kt_bench_machine_repeat(comm, machine, r);
        for (size_t i = 0; i < n; i++) {
            KT_TRY(kt_bench_case_repeat(comm, &cases[i]));
            KT_TRY(repeat_torch(comm, s, torch, i, &cases[i]));
        }
    }
    return KT_OK;
}

static kt_status report(kt_comm *comm, const settings *s, const kt_bench_machine *machine, const kt_bench_torch *torch,
                        size_t n, const kt_bench_case *cases)
{
    const kt_bench_results results = {
        .n_ranks = kt_comm_size(comm),
        .threads = s->threads,
        .host = kt_comm_host(comm),
        .repetitions = (size_t)s->repetitions,
        .n_cases = n,
        .cases = cases,
        .machine = machine,
        .torch = torch,
    };
    if (kt_comm_rank(comm) != 0)
        return KT_OK;
    kt_bench_print(&results);
    return s->json == NULL ? KT_OK : kt_bench_write_json(&results, s->json);
}

static kt_status bench_cases(kt_comm *comm, const settings *s, size_t n, const kt_bench_shape *shapes,
                             kt_bench_case *cases)
{
    kt_bench_machine machine = {0};
    kt_bench_torch torch = {0};
    kt_status status = kt_bench_machine_start(comm, (size_t)s->repetitions, &machine);
    for (size_t i = 0; i < n && status == KT_OK; i++)
        status = kt_bench_case_start(comm, &shapes[i], s->n_overrides, s->overrides, s->threads, (size_t)s->repetitions,
                                     s->seconds, &cases[i]);
    if (status == KT_OK)
        status = measure(comm, s, &machine, &torch, n, cases);
    if (status == KT_OK)
        status = kt_comm_agree(comm, report(comm, s, &machine, &torch, n, cases));
    for (size_t i = 0; i < n; i++)
        kt_bench_case_free(&cases[i]);
    kt_bench_torch_stop(&torch);
    kt_bench_machine_free(&machine);
    return status;
}

static kt_status bench(kt_comm *comm, const settings *s)
{
    static const char *const all[] = {"m0", "m1", "m3", "m4"};
    const size_t n = s->n_shapes > 0 ? s->n_shapes : sizeof all / sizeof all[0];
    kt_bench_shape *shapes = NULL;
    kt_bench_case *cases = NULL;
    kt_status status = KT_NEW(shapes, n);
    if (status == KT_OK)
        status = KT_NEW(cases, n);
    for (size_t i = 0; i < n && status == KT_OK; i++)
        status = kt_bench_shape_parse(s->n_shapes > 0 ? s->shapes[i] : all[i], &shapes[i]);
    status = kt_comm_agree(comm, status);
    kt_linalg_start(s->threads);
    if (status == KT_OK)
        status = bench_cases(comm, s, n, shapes, cases);
    kt_memory_free(shapes);
    kt_memory_free(cases);
    return status;
}

static kt_status run(kt_comm *world, int argc, char **argv)
{
    settings s;
    bool speaks = kt_comm_rank(world) == 0;
    KT_TRY(parse(argc, argv, &s));
    if (s.help || s.version) {
        if (speaks && s.help)
            print_help();
        else if (speaks)
            printf("kbench (ktrain) %s\n", KT_VERSION);
        return KT_OK;
    }
    if (s.history != NULL)
        return kt_comm_agree(world, speaks ? kt_bench_print_history(s.history) : KT_OK);
    return bench(world, &s);
}

int main(int argc, char **argv)
{
    kt_comm *world;
    kt_status status = kt_comm_world_start(&argc, &argv, &world);
    if (status != KT_OK) {
        fprintf(stderr, "kbench: %s\n", kt_error_message());
        return (int)status;
    }
    status = run(world, argc, argv);
    if (status != KT_OK && kt_comm_rank(world) == 0)
        fprintf(stderr, "kbench: %s\n", kt_error_message());
    kt_comm_world_stop(world);
    return (int)status;
}
