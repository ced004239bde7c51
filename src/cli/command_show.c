/* Showing things without running any: options, info. */
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/text.h"
#include "cli/command.h"
#include "edge/hdf5_file.h"
#include "edge/linalg.h"
#include "engine/config.h"
#include "engine/placement.h"
#include "run/provenance.h"
#include "run/run_directory.h"
#include "sweep/space.h"

static const char markdown_head[] = "# The configuration\n"
                                    "\n"
                                    "A job is an INI file; `ktrain CONFIG.ini section.key=value` overrides a key. A "
                                    "comment begins with `;`. A long list may go on in\n"
                                    "indented lines. Unknown or repeated keys, and values out of bounds, are errors "
                                    "that name the line. This page is the output of\n"
                                    "`ktrain options --markdown`.\n"
                                    "\n";

/* The keys of one section, or of all: a job's, then [sweep]'s. *text is owned by the caller. */
static kt_status document(const char *section, bool markdown, char **text)
{
    kt_text_buffer both = {0};
    char *part;
    if (section != NULL)
        return kt_options_document(strcmp(section, "sweep") == 0 ? &kt_sweep_options : &kt_config_options, section,
                                   markdown, text);
    KT_TRY(kt_options_document(&kt_config_options, NULL, markdown, &part));
    kt_text_append(&both, "%s\n", part);
    kt_memory_free(part);
    kt_status status = kt_options_document(&kt_sweep_options, NULL, markdown, &part);
    kt_text_append(&both, "%s", status == KT_OK ? part : "");
    kt_memory_free(part);
    if (status == KT_OK)
        return kt_text_take(&both, text);
    kt_memory_free(both.bytes);
    return status;
}

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
            return kt_fail(KT_USAGE,
                           "options: %s is not understood: ktrain options [SECTION] [--markdown] (ktrain options "
                           "--help says more)",
                           argv[i]);
        else
            section = argv[i];
    }
    KT_TRY(document(section, markdown, &text));
    if (markdown)
        kt_log_text(log, markdown_head);
    kt_log_text(log, text);
    kt_memory_free(text);
    return KT_OK;
}

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

kt_status kt_command_info(kt_comm *world, int argc, char **argv, kt_log *log)
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
    return kt_placement_report(world, kt_linalg_threads(), log);
}
