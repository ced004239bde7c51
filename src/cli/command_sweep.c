/* sweep: many trials of one job. */
#include <string.h>

#include "base/memory.h"
#include "cli/command.h"
#include "cli/flags.h"
#include "edge/linalg.h"
#include "engine/host_report.h"
#include "process/stop.h"
#include "run/limits.h"
#include "sweep/strategy.h"
#include "sweep/sweep.h"

typedef struct sweep_arguments {
    kt_sweep_request plan;
    bool dry_run;
    size_t n_ranks; /* of --dry-run; 0: those it is started on */
    const char *path;
    size_t n_overrides;
    char **overrides; /* views of argv, moved to its end */
} sweep_arguments;

static kt_status parse_flags(int argc, char **argv, sweep_arguments *a, int *first)
{
    const char *slice = NULL, *ranks = NULL;
    const kt_flag flags[] = {{"slice", .value = &slice},
                             {"shard", .value = &slice}, /* its older name */
                             {"ranks", .value = &ranks},
                             {"merge", .given = &a->plan.merge},
                             {"dry-run", .given = &a->dry_run},
                             {"list", .given = &a->plan.list},
                             {"retry-failed", .given = &a->plan.retry}};
    KT_TRY(kt_flags_take(argc, argv, sizeof flags / sizeof flags[0], flags, first));
    a->dry_run |= a->plan.list;
    if (slice != NULL)
        KT_TRY(kt_slice_parse(slice, &a->plan.slice));
    return kt_flags_count("sweep", "ranks", ranks, &a->n_ranks);
}

/* The job, then overrides, and for --merge directories, in any order. */
static kt_status parse(int argc, char **argv, sweep_arguments *a)
{
    int first;
    KT_TRY(parse_flags(argc, argv, a, &first));
    if (first == argc)
        return kt_fail(KT_USAGE, "sweep takes a job with a [sweep] section: ktrain sweep JOB.ini");
    a->path = argv[first];
    char **rest = argv + first + 1;
    const size_t n = (size_t)(argc - first - 1);
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
    if (a->plan.merge && (a->plan.slice.n > 1 || a->dry_run || a->plan.retry))
        return kt_fail(KT_USAGE, "sweep: --merge only joins journals: it goes with no other option");
    return KT_OK;
}

static kt_status check_slice(const kt_space *space, const kt_sweep_request *plan)
{
    const kt_strategy_kind *kind = kt_strategies[space->settings.strategy];
    if (plan->slice.n > 1 && kind->adapts)
        return kt_fail(KT_CONFIG,
                       "sweep.strategy = %s cannot be cut in slices, since what it tries depends on what came before: "
                       "must be grid, random or list for --slice",
                       kind->name);
    return KT_OK;
}

static kt_status run(kt_comm *world, int argc, char **argv, kt_log *log)
{
    sweep_arguments a = {.plan.slice.n = 1};
    kt_space *space;
    KT_TRY(parse(argc, argv, &a));
    KT_TRY(kt_host_report_check_launcher(world, log));
    kt_status status = kt_comm_agree(world, KT_NEW(space, 1));
    if (status == KT_OK)
        status = kt_space_read(world, a.path, a.n_overrides, a.overrides, space);
    if (status == KT_OK) {
        kt_linalg_start(kt_config_threads(&space->base));
        status = check_slice(space, &a.plan);
        if (status == KT_OK)
            status = kt_comm_agree(world, kt_linalg_self_test());
        if (a.dry_run)
            kt_stop_leave();
        else if (status == KT_OK)
            status = kt_limits_start(world, &space->base, log);
        if (status == KT_OK)
            status = a.dry_run ? kt_sweep_dry_run(world, space, &a.plan,
                                                  a.n_ranks > 0 ? a.n_ranks : (size_t)kt_comm_size(world), log)
                               : kt_sweep_run(world, space, &a.plan, log);
        kt_space_free(space);
    }
    kt_memory_free(space);
    return status;
}

const kt_command kt_command_sweep = {
    .name = "sweep",
    .arguments = "JOB.ini [--dry-run] [--list] [--ranks N] [--slice i/n] [--merge [DIR ...]] [--retry-failed] "
                 "[section.key=value ...]",
    .summary = "try many values of keys, on groups of ranks, and rank what came of it",
    .help =
        "JOB.ini is a job with a section [sweep]: how to search, and a list of values for each key that varies "
        "(ktrain\n"
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
        "  --merge [DIR ...]   join the journals of slices in run.dir, and of sweeps in other directories; exit code "
        "66 "
        "when\n"
        "                      trials are missing\n"
        "  --retry-failed      run trials again that are on record as failed\n"
        "\n"
        "  mpirun -np 8 ktrain sweep jobs/grid_m1.ini\n"
        "  ktrain sweep jobs/grid_m1.ini sweep.strategy=random sweep.points=50 sweep.optimizer.l2='0 | 0.01 | 0.1'\n"
        "  ktrain sweep jobs/grid_m1.ini --slice $SLURM_ARRAY_TASK_ID/$SLURM_ARRAY_TASK_COUNT\n",
    .leaves_files = true,
    .saves = true,
    .run = run,
};
