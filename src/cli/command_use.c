/* Using a trained model: evaluate and predict. */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "cli/command.h"
#include "edge/linalg.h"
#include "engine/evaluate.h"
#include "run/model.h"
#include "run/prediction_file.h"
#include "run/report.h"

static kt_status score_parts(kt_comm *world, kt_model *model, const kt_data *data, kt_scores scores[KT_N_PARTS])
{
    kt_metrics metrics = {0};
    kt_status status = kt_comm_agree(world, kt_metrics_create(&metrics, model->head.n_classes));
    for (int p = 0; p < KT_N_PARTS && status == KT_OK; p++) {
        kt_metrics_clear(&metrics);
        status = kt_evaluate(&model->replica, model->network, &data->set, data->split.index[p], data->split.n[p],
                             model->head.config.data.scale, &metrics);
        scores[p] = kt_metrics_scores(&metrics);
    }
    kt_metrics_free(&metrics);
    return status;
}

/* As the model's own tables were read, unless --header says otherwise. */
static kt_status table_rules(const kt_model *model, const char *header, kt_table_rules *rules)
{
    *rules = kt_config_table_rules(&model->head.config);
    return header != NULL ? kt_decision_parse("--header", header, &rules->header) : KT_OK;
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
        return kt_fail(status, "%s: start ktrain where the run was trained, or give FEATURES LABELS",
                       kt_error_message());
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
    KT_TRY(table_rules(model, header, &rules));
    KT_TRY(own ? load_own(world, model, &data) : kt_data_load_file(world, features, labels, &rules, &data));
    const char *name = own ? model->head.config.data.features : features;
    kt_status status = kt_model_check_data(model, &data, name, log);
    if (status == KT_OK && own && data.fingerprint != model->head.fingerprint)
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

kt_status kt_command_evaluate(kt_comm *world, int argc, char **argv, kt_log *log)
{
    static const struct option options[] = {{"header", required_argument, NULL, 'H'}, {0}};
    const char *header = NULL;
    kt_model model;
    int letter;
    opterr = 0;
    optind = 1;
    while ((letter = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (letter != 'H')
            return kt_fail(KT_USAGE,
                           "evaluate: %s is not an option, or lacks its value (ktrain evaluate --help shows them)",
                           argv[optind - 1]);
        header = optarg;
    }
    const int n = argc - optind;
    char **values = argv + optind;
    if (n != 1 && n != 3)
        return kt_fail(KT_USAGE,
                       "evaluate takes a run, or a run, features and labels: ktrain evaluate RUN [FEATURES LABELS]");
    if (n == 3 && values[2][0] == '\0')
        return kt_fail(KT_USAGE, "evaluate: the name of the labels' file is empty");
    kt_linalg_start(1);
    KT_TRY(kt_model_load(world, values[0], KT_EVALUATION_ROWS, log, &model));
    kt_status status = evaluate(world, &model, n == 3 ? values[1] : NULL, n == 3 ? values[2] : NULL, header, log);
    kt_model_free(&model);
    return status;
}

typedef struct predict_arguments {
    const char *run, *features, *output, *header;
    bool class_names;
} predict_arguments;

static kt_status parse_predict(int argc, char **argv, predict_arguments *a)
{
    static const struct option options[] = {{"output", required_argument, NULL, 'o'},
                                            {"class-names", no_argument, NULL, 'c'},
                                            {"header", required_argument, NULL, 'H'},
                                            {0}};
    int letter;
    *a = (predict_arguments){0};
    opterr = 0;
    optind = 1;
    while ((letter = getopt_long(argc, argv, "o:", options, NULL)) != -1) {
        if (letter == 'o')
            a->output = optarg;
        else if (letter == 'c')
            a->class_names = true;
        else if (letter == 'H')
            a->header = optarg;
        else
            return kt_fail(KT_USAGE,
                           "predict: %s is not an option, or lacks its value (ktrain predict --help shows them)",
                           argv[optind - 1]);
    }
    if (argc - optind != 2 || a->output == NULL)
        return kt_fail(KT_USAGE, "predict takes a run, features and an output: ktrain predict RUN FEATURES -o FILE");
    a->run = argv[optind];
    a->features = argv[optind + 1];
    return kt_prediction_file_check(a->output);
}

static kt_status predict(kt_comm *world, kt_model *model, const kt_data *data, const predict_arguments *a, kt_log *log)
{
    float *probabilities = NULL;
    bool root = kt_comm_rank(world) == 0;
    size_t n_classes = model->head.n_classes;
    kt_status status = KT_OK;
    KT_TRY(kt_model_check_data(model, data, a->features, log));
    if (a->class_names)
        KT_TRY(kt_comm_agree(
            world,
            root && model->head.class_names == NULL
                ? kt_fail(KT_DATA, "%s: holds no class names: it was trained without data.class_names", model->path)
                : KT_OK));
    if (root && (kt_file_same(a->output, a->features) || kt_file_same(a->output, model->path)))
        status = kt_fail(KT_USAGE, "%s: is what is read here: must be another file", a->output);
    KT_TRY(kt_comm_agree(world, status));
    KT_TRY(kt_comm_agree(world, root ? KT_NEW(probabilities, data->set.n * n_classes) : KT_OK));
    status = kt_evaluate_probabilities(&model->replica, model->network, &data->set, model->head.config.data.scale,
                                       probabilities);
    if (status == KT_OK && root)
        status = kt_prediction_file_write(a->output, data->set.n, n_classes, probabilities,
                                          a->class_names ? model->head.class_names : NULL);
    status = kt_comm_agree(world, status);
    if (status == KT_OK)
        kt_log_line(log, "wrote %s: %zu samples x %zu classes, posterior probabilities by %s", a->output, data->set.n,
                    n_classes, model->path);
    kt_memory_free(probabilities);
    return status;
}

kt_status kt_command_predict(kt_comm *world, int argc, char **argv, kt_log *log)
{
    predict_arguments a;
    kt_model model;
    kt_data data;
    KT_TRY(parse_predict(argc, argv, &a));
    kt_linalg_start(1);
    KT_TRY(kt_model_load(world, a.run, KT_EVALUATION_ROWS, log, &model));
    kt_table_rules rules;
    kt_status status = table_rules(&model, a.header, &rules);
    if (status == KT_OK)
        status = kt_data_load_file(world, a.features, NULL, &rules, &data);
    if (status == KT_OK) {
        status = predict(world, &model, &data, &a, log);
        kt_data_free(&data);
    }
    kt_model_free(&model);
    return status;
}
