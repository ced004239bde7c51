/* evaluate: how good a trained model is, on its own data or on others. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "cli/command.h"
#include "cli/flags.h"
#include "edge/linalg.h"
#include "engine/evaluate.h"
#include "run/model.h"
#include "run/report.h"

static kt_status score_parts(kt_comm *world, kt_model *model, const kt_data *data, kt_scores scores[KT_N_PARTS])
{
    kt_metrics metrics = {0};
    kt_status status = kt_comm_agree(world, kt_metrics_create(&metrics, model->head.data.n_classes));
    for (int p = 0; p < KT_N_PARTS && status == KT_OK; p++) {
        kt_metrics_clear(&metrics);
        const kt_samples samples = {&data->set, data->split.index[p], data->split.n[p], model->head.config.data.scale};
        status = kt_evaluate(&model->replica, model->network, &samples, &metrics);
        scores[p] = kt_metrics_scores(&metrics);
    }
    kt_metrics_free(&metrics);
    return status;
}

/* The run's own data. A run that lies where its run.dir would be was trained one such path above. Collective. */
static kt_status load_own(kt_comm *world, const kt_model *model, kt_data *data)
{
    const kt_config *config = &model->head.config;
    char folder[KT_PATH_BYTES];
    const kt_status status = kt_data_load(world, config, data);
    if (status != KT_NO_INPUT)
        return status;
    char *dir = realpath(model->path, folder) != NULL ? strstr(folder, config->run.dir) : NULL;
    const size_t n = strlen(config->run.dir);
    while (dir != NULL && !(dir > folder && dir[-1] == '/' && dir[n] == '/'))
        dir = strstr(dir + 1, config->run.dir);
    if (dir == NULL)
        return kt_fail_advice(status, ": start ktrain where the run was trained, or give FEATURES LABELS");
    *dir = '\0';
    return kt_data_fail_where(status, config, folder, "where the run was trained");
}

static kt_status evaluate(kt_comm *world, kt_model *model, const char *features, const char *labels, const char *header,
                          kt_log *log)
{
    static const char *const file_names[KT_N_PARTS] = {"", "", "all"};
    kt_data data;
    kt_scores scores[KT_N_PARTS];
    bool own = features == NULL;
    kt_table_rules rules;
    KT_TRY(kt_model_table_rules(model, header, &rules));
    KT_TRY(own ? load_own(world, model, &data) : kt_data_load_file(world, features, labels, &rules, &data));
    const char *name = own ? model->head.config.data.features : features;
    kt_status status = kt_model_check_data(model, &data, name, log);
    if (status == KT_OK && own && data.fingerprint != model->head.data.fingerprint)
        kt_log_warning(log, "%s is not the data that %s was trained on: the parts may be mixed", name, model->path);
    if (status == KT_OK)
        status = score_parts(world, model, &data, scores);
    if (status == KT_OK) {
        kt_log_line(log, "model  %s", model->path);
        kt_report_scores(log, scores, own ? kt_part_names : file_names);
    }
    kt_data_free(&data);
    return status;
}

static kt_status run(kt_comm *world, int argc, char **argv, kt_log *log)
{
    const char *header = NULL;
    const kt_flag flags[] = {{"header", .value = &header}};
    kt_model model;
    int first;
    KT_TRY(kt_flags_take(argc, argv, sizeof flags / sizeof flags[0], flags, &first));
    const int n = argc - first;
    char **words = argv + first;
    if (n != 1 && n != 3)
        return kt_fail(KT_USAGE,
                       "evaluate takes a run, or a run, features and labels: ktrain evaluate RUN [FEATURES LABELS]");
    if (n == 3 && words[2][0] == '\0')
        return kt_fail(KT_USAGE, "evaluate: the name of the labels' file is empty");
    kt_linalg_start(1);
    KT_TRY(kt_model_load(world, words[0], KT_EVALUATION_ROWS, log, &model));
    kt_status status = evaluate(world, &model, n == 3 ? words[1] : NULL, n == 3 ? words[2] : NULL, header, log);
    kt_model_free(&model);
    return status;
}

const kt_command kt_command_evaluate = {
    .name = "evaluate",
    .arguments = "RUN [FEATURES LABELS] [--header WORD]",
    .summary = "score a trained model",
    .help =
        "RUN is the directory of a run, or a model file. Without data the run's own train, validation and test parts\n"
        "are scored; with FEATURES and LABELS, all samples of those files.\n"
        "\n"
        "  --header WORD       auto, true or false: whether a table begins with a line of names (default: as in "
        "training)\n"
        "\n"
        "  ktrain evaluate runs/m1\n"
        "  ktrain evaluate runs/m1 more_images.npy more_labels.npy\n",
    .run = run,
};
