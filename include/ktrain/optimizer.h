/* Optimizers: one table row each. Local and pure. An optimizer holds its moments for a slice [begin, end) of the
 * parameter vector, so that rank 0 can hold all of it or every rank its own part. */
#ifndef KTRAIN_OPTIMIZER_H
#define KTRAIN_OPTIMIZER_H

#include "ktrain/network.h"

typedef enum kt_l2_form { KT_L2_BATCH, KT_L2_COUPLED, KT_L2_DECOUPLED, KT_N_L2_FORMS } kt_l2_form;
extern const char *const kt_l2_form_names[KT_N_L2_FORMS]; /* "batch", "coupled", "decoupled" */

typedef struct kt_optimizer_spec {
    int kind;            /* row of kt_optimizers */
    double momentum;     /* momentum, nesterov */
    double beta1, beta2; /* adam, adamw (eq. 11-14); rho of rmsprop is beta2 */
    double epsilon;
    double l2; /* lambda */
    int l2_form;
    bool l2_biases; /* also on everything that is not a dense weight */
} kt_optimizer_spec;

/* One update of n elements that share a decay. g_i = scale * g[i] + l2 * w[i] is the gradient; then w *= 1 - decay
 * (decoupled). */
typedef struct kt_update {
    int64_t t;   /* this step's number, from 1 (bias correction) */
    float rate;  /* learning rate */
    float scale; /* of the raw gradient: clipping */
    float l2;    /* coupled part: lambda, or lambda / M for `batch` */
    float decay; /* decoupled part: rate * lambda */
    const kt_optimizer_spec *spec;
} kt_update;

typedef struct kt_optimizer_kind {
    const char *name;
    size_t n_slots; /* state vectors */
    const char *slot_names[2];
    void (*update)(const kt_update *u, size_t n, float *w, const float *g, float *const slot[2]);
    bool decoupled; /* its l2 is decoupled whatever l2_form says */
} kt_optimizer_kind;

/* sgd, momentum, nesterov, rmsprop, adam, adamw (adam whose l2 is always decoupled) */
extern const kt_optimizer_kind kt_optimizers[];
extern const size_t kt_n_optimizers;

typedef struct kt_optimizer kt_optimizer;

/* For elements [begin, end) of a vector described by tensors (borrowed for its lifetime). *out is NULL on failure. */
kt_status kt_optimizer_create(kt_optimizer **out, const kt_optimizer_spec *spec, const kt_tensor *tensors,
                              size_t n_tensors, size_t begin, size_t end);
void kt_optimizer_free(kt_optimizer *optimizer);

/* Updates w[end - begin] (the slice's parameters) from g[end - begin] (its gradient of the data loss, a mean over M
 * samples). step: number of this update, from 1. gradient_scale: the clipping factor, applied before L2. */
void kt_optimizer_update(kt_optimizer *optimizer, int64_t step, double rate, double gradient_scale, size_t M, float *w,
                         const float *g);

size_t kt_optimizer_begin(const kt_optimizer *optimizer);
size_t kt_optimizer_end(const kt_optimizer *optimizer);
size_t kt_optimizer_n_slots(const kt_optimizer *optimizer);
float *kt_optimizer_slot(kt_optimizer *optimizer, size_t slot); /* [end - begin], owned by the optimizer */

/* The L2 term of the objective for the whole parameter vector: lambda/(2M) sum w^2 (batch), lambda/2 sum w^2
 * (coupled), 0 (decoupled), sums in double. */
double kt_optimizer_penalty(const kt_optimizer_spec *spec, const kt_tensor *tensors, size_t n_tensors,
                            const float *parameters, size_t M);

#endif
