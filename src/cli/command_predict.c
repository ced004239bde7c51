/* predict: what a trained model says of new data. */
#include "base/file.h"
#include "base/memory.h"
#include "cli/command.h"
#include "cli/flags.h"
#include "edge/linalg.h"
#include "engine/evaluate.h"
#include "run/model.h"
#include "run/prediction_file.h"

typedef struct predict_arguments {
    const char *run, *features, *output, *header;
    bool class_names;
} predict_arguments;

static kt_status parse(int argc, char **argv, predict_arguments *a)
{
    const kt_flag flags[] = {{"output", .value = &a->output, .letter = 'o'},
                             {"class-names", .given = &a->class_names},
                             {"header", .value = &a->header}};
    int first;
    *a = (predict_arguments){0};
    KT_TRY(kt_flags_take(argc, argv, sizeof flags / sizeof flags[0], flags, &first));
    if (argc - first != 2 || a->output == NULL)
        return kt_fail(KT_USAGE, "predict takes a run, features and an output: ktrain predict RUN FEATURES -o FILE");
    a->run = argv[first];
    a->features = argv[first + 1];
    return kt_prediction_file_check(a->output);
}

static kt_status predict(kt_comm *world, kt_model *model, const kt_data *data, const predict_arguments *a, kt_log *log)
{
    float *probabilities = NULL;
    bool root = kt_comm_rank(world) == 0;
    size_t n_classes = model->head.data.n_classes;
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
    const kt_samples all = {&data->set, NULL, data->set.n, model->head.config.data.scale};
    status = kt_evaluate_probabilities(&model->replica, model->network, &all, probabilities);
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

static kt_status run(kt_comm *world, int argc, char **argv, kt_log *log)
{
    predict_arguments a;
    kt_model model;
    kt_data data;
    KT_TRY(parse(argc, argv, &a));
    kt_linalg_start(1);
    KT_TRY(kt_model_load(world, a.run, KT_EVALUATION_ROWS, log, &model));
    kt_table_rules rules;
    kt_status status = kt_model_table_rules(&model, a.header, &rules);
    if (status == KT_OK)
        status = kt_data_load_file(world, a.features, NULL, &rules, &data);
    if (status == KT_OK) {
        status = predict(world, &model, &data, &a, log);
        kt_data_free(&data);
    }
    kt_model_free(&model);
    return status;
}

const kt_command kt_command_predict = {
    .name = "predict",
    .arguments = "RUN FEATURES -o FILE [--class-names] [--header WORD]",
    .summary = "write posterior probabilities for new data",
    .help = "Writes a row of probabilities for each sample of FEATURES, in input order, to FILE (.csv, .npy or .h5).\n"
            "The run's own preprocessing is applied.\n"
            "\n"
            "  -o, --output FILE   where to write\n"
            "  --class-names       head the CSV's columns with the class names instead of Clase_0,Clase_1,...\n"
            "  --header WORD       auto, true or false: whether a table begins with a line of names (default: as in "
            "training)\n"
            "\n"
            "  ktrain predict runs/m3 data/k49/X_COMP.npy -o posterior.csv\n",
    .run = run,
};
