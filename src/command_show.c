/* Showing things without running any: check, options, info. */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ktrain/batches.h"
#include "ktrain/command.h"
#include "ktrain/config.h"
#include "ktrain/data.h"
#include "ktrain/exchange.h"
#include "ktrain/hdf5_file.h"
#include "ktrain/linalg.h"
#include "ktrain/memory.h"
#include "ktrain/placement.h"
#include "ktrain/trainer.h"
#include "ktrain/version.h"

static double mebibytes(size_t n_bytes)
{
    return (double)n_bytes / (1 << 20);
}

/* What the job costs on n_ranks ranks. */
static kt_status print_cost(const kt_config *config, const kt_data *data, int n_ranks, kt_log *log)
{
    const kt_dataset *set = &data->set;
    size_t n_train = data->split.n[KT_TRAIN], n_parameters;
    kt_batches batches;
    KT_TRY(kt_batches_create(&batches, data->split.index[KT_TRAIN], n_train, kt_config_batch_size(config), 0));
    size_t batch = batches.batch_size, steps = kt_batches_steps(&batches);
    kt_batches_free(&batches);
    size_t rows = kt_trainer_max_rows(batch, &data->split, n_ranks);
    kt_network_spec spec = kt_config_network(config, set->d, set->n_classes);
    size_t network_bytes = kt_network_bytes(&spec, rows, &n_parameters);
    if (network_bytes == 0)
        return kt_fail(KT_CONFIG, "model.hidden makes a network larger than this machine can address: must be smaller");
    kt_exchange_cost cost = kt_exchange_predict(config, n_parameters, n_ranks);
    size_t data_bytes = set->n * set->d * kt_type_bytes(set->type) + set->n * sizeof *set->labels;
    size_t buffer_bytes = rows * (set->d + set->n_classes) * sizeof(float);
    size_t n_slots = kt_optimizers[config->optimizer.kind].n_slots;
    size_t root_bytes = (1 + n_slots + 2 * (2 + n_slots)) * n_parameters *
                        sizeof(float); /* best, gathered state, the file and its image */
    kt_log_line(log, "parameters            %zu", n_parameters);
    kt_log_line(log, "steps                 %zu an epoch of %zu samples, batch %zu (at most %zu samples a rank)", steps,
                n_train, batch, (batch + (size_t)n_ranks - 1) / (size_t)n_ranks);
    kt_log_line(log, "memory of a rank      %.1f MiB: network %.1f, optimizer and exchange %.1f, data %.1f, batch %.1f",
                mebibytes(network_bytes + cost.memory_bytes + data_bytes + buffer_bytes), mebibytes(network_bytes),
                mebibytes(cost.memory_bytes), mebibytes(data_bytes), mebibytes(buffer_bytes));
    kt_log_line(log, "  and on rank 0       %.1f MiB for the best weights and, while one is written, a checkpoint",
                mebibytes(root_bytes));
    kt_log_line(log, "moved in a step       %.2f MiB sent by the busiest rank (%d rank%s, optimizer state %s)",
                cost.sent_bytes / (1 << 20), n_ranks, n_ranks == 1 ? "" : "s",
                kt_exchange_state_word(n_ranks == 1 ? KT_STATE_RANK0 : cost.state));
    kt_log_line(log, "arithmetic of a step  %.3g GFLOP a rank", 6e-9 * (double)n_parameters * (double)batch / n_ranks);
    return KT_OK;
}

static kt_status parse_check(int argc, char **argv, int *n_ranks)
{
    static const struct option options[] = {{"ranks", required_argument, NULL, 'r'}, {0}};
    int letter;
    opterr = 0;
    optind = 1;
    while ((letter = getopt_long(argc, argv, "", options, NULL)) != -1) {
        char *end = NULL;
        long value = letter == 'r' ? strtol(optarg, &end, 10) : 0;
        if (letter != 'r' || *end != '\0' || value < 1 || value > 1000000)
            return kt_fail(KT_USAGE, "check: %s: --ranks takes a number from 1 to 1000000", argv[optind - 1]);
        *n_ranks = (int)value;
    }
    return optind < argc ? KT_OK : kt_fail(KT_USAGE, "check takes a configuration: ktrain check CONFIG.ini");
}

kt_status kt_command_check(kt_comm *world, int argc, char **argv, kt_log *log)
{
    kt_config config;
    kt_data data;
    char *text;
    int n_ranks = kt_comm_size(world);
    KT_TRY(parse_check(argc, argv, &n_ranks));
    KT_TRY(kt_config_read(world, argv[optind], (size_t)(argc - optind - 1), argv + optind + 1, &config));
    KT_TRY(kt_data_load(world, &config, &data));
    kt_status status = kt_options_write_ini(&kt_config_options, &config, &text);
    if (status == KT_OK) {
        kt_log_text(log, text);
        kt_log_line(log, "%s", "");
        kt_memory_free(text);
        status = kt_data_summary(&data, &config, &text);
    }
    if (status == KT_OK) {
        kt_log_text(log, text);
        kt_memory_free(text);
        status = print_cost(&config, &data, n_ranks, log);
    }
    kt_data_free(&data);
    return status;
}

static const char markdown_head[] = "# The configuration\n"
                                    "\n"
                                    "A job is an INI file; `ktrain CONFIG.ini section.key=value` overrides a key. A "
                                    "comment begins with `;`. A long list goes on in\n"
                                    "indented lines. Unknown or repeated keys, and values out of bounds, are errors "
                                    "that name the line. This page is the output of\n"
                                    "`ktrain options --markdown`.\n"
                                    "\n";

kt_status kt_command_options(kt_comm *world, int argc, char **argv, kt_log *log)
{
    const char *section = NULL;
    bool markdown = false;
    char *text;
    (void)world;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--markdown") == 0)
            markdown = true;
        else if (argv[i][0] == '-' || section != NULL)
            return kt_fail(KT_USAGE, "options: %s is not understood: ktrain options [SECTION] [--markdown]", argv[i]);
        else
            section = argv[i];
    }
    KT_TRY(kt_options_document(&kt_config_options, section, markdown, &text));
    if (markdown)
        kt_log_text(log, markdown_head);
    kt_log_text(log, text);
    kt_memory_free(text);
    return KT_OK;
}

kt_status kt_command_info(kt_comm *world, int argc, char **argv, kt_log *log)
{
    (void)argv;
    if (argc > 1)
        return kt_fail(KT_USAGE, "info takes no arguments");
    kt_linalg_start(1);
    kt_log_line(log, "ktrain   %s", KT_VERSION);
    kt_log_line(log, "MPI      %s, %d rank%s", kt_comm_version(), kt_comm_size(world),
                kt_comm_size(world) == 1 ? "" : "s");
    kt_log_line(log, "BLAS     %s; kernels %s, %d thread%s a rank", kt_linalg_version(), kt_linalg_core(),
                kt_linalg_threads(), kt_linalg_threads() == 1 ? "" : "s");
    kt_log_line(log, "HDF5     %s", kt_hdf5_version());
    kt_log_line(log, "host     %s, %ld cores online, %.1f GiB of memory", kt_comm_host(world),
                sysconf(_SC_NPROCESSORS_ONLN),
                (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGE_SIZE) / (1 << 30));
    return kt_placement_report(world, kt_linalg_threads(), log);
}
