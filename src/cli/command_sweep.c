/* sweep: many trials of one job. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "cli/command.h"
#include "edge/linalg.h"
#include "engine/placement.h"
#include "run/stop.h"
#include "sweep/strategy.h"
#include "sweep/sweep.h"

typedef struct sweep_arguments {
    kt_sweep_plan plan;
    bool dry_run;
    size_t n_ranks; /* of --dry-run; 0: those it is started on */
    const char *path;
    size_t n_overrides;
    char **overrides; /* views of argv, moved to its end */
} sweep_arguments;

/* "2/8", counted from 0 or from 1: part 8 of 8 is part 0. */
static kt_status parse_shard(const char *text, kt_sweep_plan *plan)
{
    char *slash, *end;
    const long i = strtol(text, &slash, 10);
    const long n = *slash == '/' ? strtol(slash + 1, &end, 10) : 0;
    if (slash == text || n < 1 || n > 1000000 || *end != '\0' || i < 0 || i > n)
        return kt_fail(KT_USAGE, "sweep: --shard %s: must be i/n, part i of n, with i from 1 to n (or from 0 to n - 1)",
                       text);
    plan->shard = (size_t)(i % n);
    plan->n_shards = (size_t)n;
    return KT_OK;
}

static kt_status parse_ranks(const char *text, size_t *out)
{
    char *end;
    const long n = strtol(text, &end, 10);
    if (end == text || *end != '\0' || n < 1 || n > 1000000)
        return kt_fail(KT_USAGE, "sweep: --ranks %s: must be a whole number from 1 to 1000000", text);
    *out = (size_t)n;
    return KT_OK;
}

static kt_status parse_options(int argc, char **argv, sweep_arguments *a)
{
    static const struct option options[] = {{"shard", required_argument, NULL, 's'},
                                            {"merge", no_argument, NULL, 'm'},
                                            {"dry-run", no_argument, NULL, 'd'},
                                            {"list", no_argument, NULL, 'l'},
                                            {"retry-failed", no_argument, NULL, 'f'},
                                            {"ranks", required_argument, NULL, 'r'},
                                            {0}};
    int letter;
    opterr = 0;
    optind = 1;
    a->plan.n_shards = 1;
    while ((letter = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (letter == '?')
            return kt_fail(KT_USAGE, "sweep: %s is not an option, or lacks its value (ktrain sweep --help shows them)",
                           argv[optind - 1]);
        if (letter == 's')
            KT_TRY(parse_shard(optarg, &a->plan));
        if (letter == 'r')
            KT_TRY(parse_ranks(optarg, &a->n_ranks));
        a->plan.merge |= letter == 'm';
        a->plan.retry |= letter == 'f';
        a->plan.list |= letter == 'l';
        a->dry_run |= letter == 'd' || letter == 'l';
    }
    return KT_OK;
}

/* The job, then overrides, and for --merge directories, in any order. */
static kt_status parse(int argc, char **argv, sweep_arguments *a)
{
    KT_TRY(parse_options(argc, argv, a));
    if (optind == argc)
        return kt_fail(KT_USAGE, "sweep takes a job with a [sweep] section: ktrain sweep JOB.ini");
    a->path = argv[optind];
    char **rest = argv + optind + 1;
    const size_t n = (size_t)(argc - optind - 1);
    a->overrides = rest;
    for (size_t i = 0; i < n; i++)
        if (strchr(rest[i], '=') != NULL) { /* overrides to the front, in their order */
            char *kept = rest[i];
            memmove(rest + a->n_overrides + 1, rest + a->n_overrides, (i - a->n_overrides) * sizeof *rest);
            rest[a->n_overrides++] = kept;
        }
    a->plan.sources = rest + a->n_overrides;
    a->plan.n_sources = n - a->n_overrides;
    if (a->plan.n_sources > 0 && !a->plan.merge)
        return kt_fail(KT_USAGE, "%.200s: not of the form section.key=value, like optimizer.learning_rate=0.01",
                       a->plan.sources[0]);
    if (a->n_ranks > 0 && !a->dry_run)
        return kt_fail(KT_USAGE, "sweep: --ranks goes with --dry-run only: the ranks of a sweep are those of mpirun");
    if (a->plan.merge && (a->plan.n_shards > 1 || a->dry_run || a->plan.retry))
        return kt_fail(KT_USAGE, "sweep: --merge only joins journals: it goes with no other option");
    return KT_OK;
}

static kt_status check_shard(const kt_space *space, const kt_sweep_plan *plan)
{
    const kt_strategy_kind *kind = kt_strategies[space->settings.strategy];
    if (plan->n_shards > 1 && kind->adapts)
        return kt_fail(KT_CONFIG,
                       "sweep.strategy = %s cannot be cut in shards, since what it tries depends on what came before: "
                       "must be grid, random or list for --shard",
                       kind->name);
    return KT_OK;
}

kt_status kt_command_sweep(kt_comm *world, int argc, char **argv, kt_log *log)
{
    sweep_arguments a = {0};
    kt_space *space;
    KT_TRY(parse(argc, argv, &a));
    KT_TRY(kt_placement_check_launcher(world, log));
    kt_status status = kt_comm_agree(world, KT_NEW(space, 1));
    if (status == KT_OK)
        status = kt_space_read(world, a.path, a.n_overrides, a.overrides, space);
    if (status == KT_OK) {
        const int64_t threads = space->base.parallel.threads;
        kt_linalg_start(threads == KT_AUTO ? 1 : (int)threads);
        status = check_shard(space, &a.plan);
        if (status == KT_OK)
            status = kt_comm_agree(world, kt_linalg_self_test());
        if (!a.dry_run)
            kt_stop_listen();
        if (status == KT_OK)
            status = a.dry_run ? kt_sweep_dry_run(world, space, &a.plan,
                                                  a.n_ranks > 0 ? a.n_ranks : (size_t)kt_comm_size(world), log)
                               : kt_sweep_run(world, space, &a.plan, log);
        kt_space_free(space);
    }
    kt_memory_free(space);
    return status;
}
