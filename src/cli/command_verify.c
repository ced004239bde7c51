/* verify: whether every file of a run, or of a sweep's trials, is whole. */
#include <dirent.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "cli/command.h"
#include "cli/flags.h"
#include "run/verify.h"
#include "sweep/journal.h"
#include "sweep/space.h"

static kt_status pass_by(void *context, const kt_config *config, const kt_outcome *outcome)
{
    size_t *n = context;
    (void)config, (void)outcome;
    (*n)++;
    return KT_OK;
}

static kt_status verify_journal(const char *dir, kt_log *log, kt_verified *all)
{
    char path[KT_PATH_BYTES];
    size_t n = 0, n_damaged, first;
    KT_TRY(kt_file_path(path, "%s/journal.jsonl", dir));
    KT_TRY(kt_journal_read(path, pass_by, &n, &n_damaged, &first));
    all->n_files++;
    all->n_bad += n_damaged > 0;
    if (n_damaged > 0)
        kt_log_line(log, "damaged  %s:%zu: the first of %zu damaged lines", path, first, n_damaged);
    else
        kt_log_line(log, "good     %s  %zu trials", path, n);
    return KT_OK;
}

static kt_status verify_trials(const char *dir, const char *trials, kt_log *log, kt_verified *all)
{
    char path[KT_PATH_BYTES];
    const struct dirent *entry;
    kt_status status = verify_journal(dir, log, all);
    DIR *d = opendir(trials);
    while (d != NULL && status == KT_OK && (entry = readdir(d)) != NULL) {
        kt_verified one;
        if (entry->d_name[0] == '.')
            continue;
        status = kt_file_path(path, "%s/%s", trials, entry->d_name);
        if (status == KT_OK)
            status = kt_verify_run(path, log, &one);
        if (status == KT_OK) {
            all->n_files += one.n_files;
            all->n_bad += one.n_bad;
        } else if (status == KT_NO_INPUT) {
            status = KT_OK; /* it had only just begun */
        }
    }
    if (d != NULL)
        closedir(d);
    return status;
}

/* A number that rises while a job gets on. */
static kt_status print_reached(const char *dir, kt_log *log)
{
    char path[KT_PATH_BYTES];
    kt_verified all = {.newest_step = -1};
    size_t n = 0, n_damaged, first;
    KT_TRY(kt_file_path(path, "%s/journal.jsonl", dir));
    KT_TRY(kt_journal_read(path, pass_by, &n, &n_damaged, &first));
    if (n == 0 && kt_file_is_directory(dir)) {
        const kt_status status = kt_verify_run(dir, NULL, &all);
        KT_TRY(status == KT_NO_INPUT ? KT_OK : status);
    }
    kt_log_line(log, "%lld", n > 0 ? (long long)n : (long long)all.newest_step);
    return KT_OK;
}

static kt_status verify(const char *dir, bool reached, kt_log *log)
{
    char trials[KT_PATH_BYTES];
    kt_verified all = {.newest_step = -1};
    if (reached)
        return print_reached(dir, log);
    KT_TRY(kt_file_path(trials, "%s/trials", dir));
    KT_TRY(kt_file_is_directory(trials) ? verify_trials(dir, trials, log, &all) : kt_verify_run(dir, log, &all));
    kt_log_line(log, "%zu file%s, %zu damaged", all.n_files, all.n_files == 1 ? "" : "s", all.n_bad);
    return all.n_bad == 0 ? KT_OK : kt_fail(KT_DATA, "%s: %zu of its files are damaged", dir, all.n_bad);
}

/* Of a sweep's job, what all its trials have. */
static kt_status read_job(kt_comm *world, bool sweep, const char *path, size_t n, char *const *overrides,
                          kt_config *out)
{
    kt_space *space;
    if (!sweep)
        return kt_config_read(world, path, n, overrides, out);
    kt_status status = kt_comm_agree(world, KT_NEW(space, 1));
    if (status == KT_OK)
        status = kt_space_read(world, path, n, overrides, space);
    if (status == KT_OK) {
        *out = space->base;
        kt_space_free(space);
    }
    kt_memory_free(space);
    return status;
}

static kt_status run(kt_comm *world, int argc, char **argv, kt_log *log)
{
    int first;
    bool reached = false, sweep = false;
    const kt_flag flags[] = {{"reached", &reached, NULL, 0}, {"sweep", &sweep, NULL, 0}};
    kt_config config;
    KT_TRY(kt_flags_take(argc, argv, sizeof flags / sizeof flags[0], flags, &first));
    if (argc == first || (argc > first + 1 && !kt_file_is_regular(argv[first])))
        return kt_fail(KT_USAGE, "verify takes the directory of a run or a sweep, or its job: ktrain verify RUN");
    const char *dir = argv[first];
    if (kt_file_is_regular(dir)) {
        KT_TRY(read_job(world, sweep, dir, (size_t)(argc - first - 1), argv + first + 1, &config));
        dir = config.run.dir;
    }
    return kt_comm_agree(world, kt_comm_rank(world) == 0 ? verify(dir, reached, log) : KT_OK);
}

const kt_command kt_command_verify = {
    .name = "verify",
    .arguments = "[--reached] RUN | [--sweep] JOB.ini [section.key=value ...]",
    .summary = "check every file of a run or a sweep",
    .help = "Reads all checkpoints, models, tables and texts below RUN and says of each whether it is whole. Exit code "
            "65:\n"
            "something is damaged. A run goes on from its newest good checkpoint by itself. Instead of RUN it takes "
            "the job\n"
            "that has it as run.dir.\n"
            "\n"
            "  --reached   print only how far it has come: the step of the newest good checkpoint or snapshot, -1 for "
            "none, or "
            "trials on "
            "record\n"
            "  --sweep     JOB.ini is a sweep's\n",
    .run = run,
};
