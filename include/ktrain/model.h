/* A trained model, used in this process alone: no MPI is started or needed. Everything here is local.
 *
 * Any thread may call these functions; a model is used by one thread at a time, different models by several at once. */
#ifndef KTRAIN_PUBLIC_MODEL_H
#define KTRAIN_PUBLIC_MODEL_H

#include "ktrain/data.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ktrain_model ktrain_model;

/* Loads the weights that the run `path` (its directory, or a model file or checkpoint) leaves. The caller frees *out
 * with ktrain_model_free; it is NULL on failure. KTRAIN_NO_INPUT; KTRAIN_DATA: no model, or a damaged one. */
KTRAIN_API ktrain_status ktrain_model_load(const char *path, ktrain_model **out);

KTRAIN_API size_t ktrain_model_n_inputs(const ktrain_model *model);
KTRAIN_API size_t ktrain_model_n_classes(const ktrain_model *model);

/* The name of class c, owned by the model; NULL where the training had no names. */
KTRAIN_API const char *ktrain_model_class_name(const ktrain_model *model, size_t c);

/* What inputs are divided by; predictions do it. */
KTRAIN_API double ktrain_model_scale(const ktrain_model *model);

/* A key of the configuration that it was trained with, like ktrain_config_get; valid until the next call with it. */
KTRAIN_API const char *ktrain_model_get(ktrain_model *model, const char *key);

/* probabilities[x->n x n_classes], row-major: the classes' posterior probabilities of each sample. The same bits as
 * `ktrain predict` gives for these samples. KTRAIN_USAGE; KTRAIN_DATA: another number of features than the model's,
 * no samples, NaN or Inf. */
KTRAIN_API ktrain_status ktrain_model_predict(ktrain_model *model, const ktrain_array *x, float *probabilities);

/* labels[x->n]: each sample's most probable class, the first of equals. */
KTRAIN_API ktrain_status ktrain_model_predict_labels(ktrain_model *model, const ktrain_array *x, int32_t *labels);

/* Scores of the model on labelled samples, labels[x->n] from 0 and below n_classes. The same bits as `ktrain evaluate`
 * gives. */
KTRAIN_API ktrain_status ktrain_model_evaluate(ktrain_model *model, const ktrain_array *x, const int32_t *labels,
                                               ktrain_scores *out);

/* NULL is allowed. */
KTRAIN_API void ktrain_model_free(ktrain_model *model);

#ifdef __cplusplus
}
#endif

#endif
