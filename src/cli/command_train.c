/* train: a job from start to end, or on from where it stopped. */
#include "cli/command.h"
#include "edge/linalg.h"
#include "engine/config.h"
#include "engine/host_report.h"
#include "run/limits.h"
#include "run/run.h"

static kt_status run(kt_comm *world, int argc, char **argv, kt_log *log)
{
    kt_config config;
    KT_TRY(kt_host_report_check_launcher(world, log));
    if (argc < 2)
        return kt_fail(KT_USAGE, "no configuration given: say ktrain CONFIG.ini (ktrain train --help shows more)");
    for (int i = 1; i < argc; i++)
        if (argv[i][0] == '-')
            return kt_fail(KT_USAGE, "train: %.200s is not an option (ktrain train --help shows what there is)",
                           argv[i]);
    KT_TRY(kt_config_read(world, argv[1], (size_t)argc - 2, argv + 2, &config));
    kt_linalg_start(kt_config_threads(&config));
    KT_TRY(kt_comm_agree(world, kt_linalg_self_test()));
    KT_TRY(kt_limits_start(world, &config, log));
    return kt_run_train(world, &config, log, NULL);
}

const kt_command kt_command_train = {
    .name = "train",
    .arguments = "CONFIG.ini [section.key=value ...]",
    .summary = "train a model (the word train may be left out)",
    .help =
        "Trains as CONFIG.ini says and leaves everything in its run.dir. Started again, the same command goes on from\n"
        "the newest checkpoint, or says that the run is finished. section.key=value overrides a key of the file.\n"
        "\n"
        "  mpirun -np 8 ktrain jobs/m3.ini\n"
        "  ktrain jobs/m1.ini run.dir=runs/m1-wide model.hidden=[512] optimizer.learning_rate=0.0005\n",
    .leaves_files = true,
    .saves = true,
    .run = run,
};
