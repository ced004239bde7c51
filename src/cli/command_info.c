/* info: what this program is made of and runs on, or by whom a model was made. */
#include <unistd.h>

#include "cli/command.h"
#include "edge/hdf5_file.h"
#include "edge/linalg.h"
#include "engine/host_report.h"
#include "run/run_directory.h"
#include "saving/provenance.h"

/* By whom a run's model, or a model file, was made. Local, for rank 0. */
static kt_status show_model(const char *run, kt_log *log)
{
    kt_hdf5 *file;
    char path[KT_PATH_BYTES];
    kt_provenance made;
    KT_TRY(kt_run_directory_open_model(run, log, &file, path));
    const kt_status status = kt_checkpoint_read_provenance(file, &made);
    kt_hdf5_close(file);
    KT_TRY(status);
    kt_log_line(log, "%-8s %s", "model", path);
    for (size_t i = 0; i < kt_n_provenance_rows; i++)
        kt_log_line(log, "%-8s %s", kt_provenance_rows[i].name, kt_provenance_text(&made, &kt_provenance_rows[i]));
    return KT_OK;
}

static kt_status run(kt_comm *world, int argc, char **argv, kt_log *log)
{
    if (argc > 2 || (argc == 2 && argv[1][0] == '-'))
        return kt_fail(
            KT_USAGE, "info takes a run or a model file, or nothing: ktrain info [RUN] (ktrain info --help says more)");
    if (argc == 2)
        return kt_comm_agree(world, kt_comm_rank(world) == 0 ? show_model(argv[1], log) : KT_OK);
    kt_linalg_start(1);
    kt_log_line(log, "ktrain   %s", kt_provenance_version());
    kt_log_line(log, "MPI      %s, %d rank%s", kt_comm_version(), kt_comm_size(world),
                kt_comm_size(world) == 1 ? "" : "s");
    kt_log_line(log, "BLAS     %s; kernels %s, %d thread%s a rank", kt_linalg_version(), kt_linalg_core(),
                kt_linalg_threads(), kt_linalg_threads() == 1 ? "" : "s");
    kt_log_line(log, "HDF5     %s", kt_hdf5_version());
    kt_log_line(log, "host     %s, %ld cores online, %.1f GiB of memory", kt_comm_host(world),
                sysconf(_SC_NPROCESSORS_ONLN),
                (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGE_SIZE) / (1 << 30));
    return kt_host_report(world, kt_linalg_threads(), log);
}

const kt_command kt_command_info = {
    .name = "info",
    .arguments = "[RUN]",
    .summary = "show versions, MPI, BLAS and this host, or by whom a run's model was made",
    .help = "RUN is the directory of a run, or a model file: the version, commit, time, command, hosts and libraries "
            "it was\n"
            "made with.\n",
    .run = run,
};
