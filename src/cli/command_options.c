/* options: the keys of the configuration. */
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "cli/command.h"
#include "engine/config.h"
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
        return kt_options_document(strncmp(section, "sweep", 5) == 0 ? &kt_sweep_options : kt_config_options(), section,
                                   markdown, text);
    KT_TRY(kt_options_document(kt_config_options(), NULL, markdown, &part));
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

static kt_status run(kt_comm *world, int argc, char **argv, kt_log *log)
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

const kt_command kt_command_options = {
    .name = "options",
    .arguments = "[SECTION] [--markdown]",
    .summary = "list the keys of the configuration, with defaults and bounds",
    .help = "A key stands for its section: ktrain options model.hidden\n"
            "\n"
            "  --markdown          as the page docs/ini.md\n",
    .run = run,
};
