/* libktrain: a trained model, used in this process alone. */
#include <pthread.h>

#include "base/memory.h"
#include "edge/linalg.h"
#include "engine/evaluate.h"
#include "ktrain/model.h"
#include "net/loss.h"
#include "run/library_private.h"
#include "run/model.h"

struct ktrain_model {
    kt_model model;
    char *shown; /* what ktrain_model_get has returned last; owned */
};

/* HDF5, as Debian and most clusters build it, is for one thread at a time. */
static pthread_mutex_t reading = PTHREAD_MUTEX_INITIALIZER;

static kt_status load(const char *path, kt_model *model)
{
    kt_log silent = kt_log_create(false);
    pthread_mutex_lock(&reading);
    const kt_status status = kt_model_open(path, KT_EVALUATION_ROWS, &silent, model);
    pthread_mutex_unlock(&reading);
    return status;
}

ktrain_status ktrain_model_load(const char *path, ktrain_model **out)
{
    ktrain_model *model = NULL;
    if (out != NULL)
        *out = NULL;
    kt_status status = KT_LIBRARY_CHECK("ktrain_model_load", "(path, out)", path, out);
    if (status == KT_OK)
        status = KT_NEW(model, 1);
    if (status == KT_OK)
        status = load(path, &model->model);
    if (status == KT_OK)
        *out = model;
    else
        kt_memory_free(model);
    return (ktrain_status)status;
}

size_t ktrain_model_n_inputs(const ktrain_model *model)
{
    return model != NULL ? model->model.head.data.n_in : 0;
}

size_t ktrain_model_n_classes(const ktrain_model *model)
{
    return model != NULL ? model->model.head.data.n_classes : 0;
}

const char *ktrain_model_class_name(const ktrain_model *model, size_t c)
{
    return model != NULL && c < model->model.head.n_names ? model->model.head.class_names[c] : NULL;
}

double ktrain_model_scale(const ktrain_model *model)
{
    return model != NULL ? model->model.head.config.data.scale : 0;
}

const char *ktrain_model_get(ktrain_model *model, const char *key)
{
    if (KT_LIBRARY_CHECK("ktrain_model_get", "(model, key)", model, key) != KT_OK)
        return NULL;
    return kt_library_show(&model->model.head.config, key, &model->shown) == KT_OK ? model->shown : NULL;
}

/* The caller's samples, as many features each as the model has inputs. */
static kt_status take(const ktrain_model *model, const char *call, const ktrain_array *x, const int32_t *labels,
                      kt_dataset *set)
{
    const kt_checkpoint_head *head = &model->model.head;
    KT_TRY(kt_library_borrow(call, x, labels, head->data.n_classes, set));
    return set->d == head->data.n_in
               ? KT_OK
               : kt_fail(KT_DATA, "%s: samples of %zu features: must have %zu, like what %s was trained on", call,
                         set->d, head->data.n_in, model->model.path);
}

/* OpenBLAS is only asked where the model was trained with its products. */
static kt_linalg_mode enter(const ktrain_model *model)
{
    return kt_linalg_enter(kt_network_products(model->model.network) == &kt_products_openblas);
}

static kt_status predict(ktrain_model *model, const kt_dataset *set, float *probabilities)
{
    const kt_linalg_mode before = enter(model);
    const kt_samples all = {set, NULL, set->n, model->model.head.config.data.scale};
    const kt_status status = kt_evaluate_probabilities(NULL, model->model.network, &all, probabilities);
    kt_linalg_leave(before);
    return status;
}

ktrain_status ktrain_model_predict(ktrain_model *model, const ktrain_array *x, float *probabilities)
{
    static const char call[] = "ktrain_model_predict";
    kt_dataset set;
    kt_status status = KT_LIBRARY_CHECK(call, "(model, x, probabilities)", model, x, probabilities);
    if (status == KT_OK)
        status = take(model, call, x, NULL, &set);
    return (ktrain_status)(status == KT_OK ? predict(model, &set, probabilities) : status);
}

/* As many samples at a time as go through the network at once: the same chunks, so the same bits. */
static kt_status predict_labels(ktrain_model *model, kt_dataset *set, int32_t *labels)
{
    const size_t n = set->n, n_classes = model->model.head.data.n_classes;
    char *features = set->features;
    float *p;
    kt_status status = KT_NEW(p, (n < KT_EVALUATION_ROWS ? n : KT_EVALUATION_ROWS) * n_classes);
    for (size_t first = 0; first < n && status == KT_OK; first += KT_EVALUATION_ROWS) {
        set->n = n - first < KT_EVALUATION_ROWS ? n - first : KT_EVALUATION_ROWS;
        set->features = features + first * set->d * kt_type_bytes(set->type);
        status = predict(model, set, p);
        for (size_t i = 0; i < set->n && status == KT_OK; i++)
            labels[first + i] = (int32_t)kt_loss_predict(n_classes, p + i * n_classes);
    }
    kt_memory_free(p);
    return status;
}

ktrain_status ktrain_model_predict_labels(ktrain_model *model, const ktrain_array *x, int32_t *labels)
{
    static const char call[] = "ktrain_model_predict_labels";
    kt_dataset set;
    kt_status status = KT_LIBRARY_CHECK(call, "(model, x, labels)", model, x, labels);
    if (status == KT_OK)
        status = take(model, call, x, NULL, &set);
    return (ktrain_status)(status == KT_OK ? predict_labels(model, &set, labels) : status);
}

static kt_status evaluate(ktrain_model *model, const kt_dataset *set, kt_scores *scores)
{
    const kt_samples all = {set, NULL, set->n, model->model.head.config.data.scale};
    kt_metrics metrics = {0};
    kt_status status = kt_metrics_create(&metrics, model->model.head.data.n_classes);
    if (status == KT_OK) {
        const kt_linalg_mode before = enter(model);
        status = kt_evaluate(NULL, model->model.network, &all, &metrics);
        kt_linalg_leave(before);
    }
    *scores = kt_metrics_scores(&metrics);
    kt_metrics_free(&metrics);
    return status;
}

ktrain_status ktrain_model_evaluate(ktrain_model *model, const ktrain_array *x, const int32_t *labels,
                                    ktrain_scores *out)
{
    static const char call[] = "ktrain_model_evaluate";
    kt_dataset set;
    kt_scores scores;
    kt_status status = KT_LIBRARY_CHECK(call, "(model, x, labels, out)", model, x, labels, out);
    if (status == KT_OK)
        status = take(model, call, x, labels, &set);
    if (status == KT_OK)
        status = evaluate(model, &set, &scores);
    if (status == KT_OK)
        *out = kt_library_scores(&scores);
    return (ktrain_status)status;
}

void ktrain_model_free(ktrain_model *model)
{
    if (model == NULL)
        return;
    kt_model_free(&model->model);
    kt_memory_free(model->shown);
    kt_memory_free(model);
}
