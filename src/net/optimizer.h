/* Optimizers: one table row each. Local and pure.
 *
 * A kt_optimizer says how parameters are updated; parameters and state are the network's, in panels that several ranks
 * may share, each updating what it owns. The new bits of an element depend on its own parameter, gradient and state and
 * on the constants of the update (docs/numbers.md): never on where a range begins or ends, nor on the processor.
 *
 * Letters: n_parameters elements in a vector; n elements of a range; M samples in the batch. */
#ifndef KTRAIN_OPTIMIZER_H
#define KTRAIN_OPTIMIZER_H

#include "base/options.h"
#include "base/simd.h"
#include "net/products.h"
#include "net/tensor.h"

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

extern const kt_option_rows kt_optimizer_options; /* of kt_optimizer_spec */

/* The constants of one update of elements that share a decay. g_i = fma(l2, w[i], fma(scale, g[i], 0)) is the gradient,
 * and w[i] becomes fma(-rate, direction(g_i), keep * w[i]). Adam's bias corrections are in rate and epsilon:
 *     m = fma(1 - beta1, g_i, beta1 * m),  v = min(FLT_MAX, fma(1 - beta2, g_i * g_i, beta2 * v)),
 *     direction = m / (sqrt(max(v, FLT_MIN)) + epsilon),  rate = eta sqrt(1 - beta2^t) / (1 - beta1^t),
 *     epsilon = epsilon_0 sqrt(1 - beta2^t),
 * all rounded to float after each operation. So an element which never had a gradient stays as it is, with epsilon_0 =
 * 0 too (where the equation has 0/0). */
typedef struct kt_update {
    float scale; /* of the raw gradient: clipping */
    float l2;    /* coupled decay: lambda, or lambda / M for `batch` */
    float keep;  /* 1 - decoupled decay, which is eta lambda */
    float rate;
    float momentum;
    float beta1, rest1; /* rest = 1 - beta */
    float beta2, rest2;
    float epsilon;
} kt_update;

/* Updates values[0][n], the weights, from g[n] and values[1 ...], the kind's state vectors. */
typedef void kt_update_loop(const kt_update *u, size_t n, const float *g, float *const *values);

/* What a gradient is formed of where it is a single chain: samples 0 ... n_samples - 1, at most KT_LEARN_SAMPLES, of
 * noted inputs, and the deltas of some panels. */
enum { KT_LEARN_SAMPLES = 64 };
typedef struct kt_gradient_of {
    const kt_inputs *x;
    size_t n_samples;
    const kt_panels *d;
} kt_gradient_of;

/* Forms it and updates, in one go: values[1 + n_slots] are the weights and their state, from the first panel of d on,
 * panels `stride` floats apart. The same bits as kt_products.gradient and then the loop above. */
typedef void kt_learn_loop(const kt_update *u, const kt_gradient_of *of, float *const *values, size_t stride);

typedef struct kt_optimizer_kind {
    const char *name;
    size_t n_slots; /* state vectors */
    const char *slot_names[KT_MAX_SLOTS];
    kt_update_loop *update;
    kt_learn_loop *learn;
    bool decoupled; /* its l2 is decoupled whatever l2_form says */
    bool corrects_bias;
} kt_optimizer_kind;

/* sgd, momentum, nesterov, rmsprop, adam, adamw (adam whose l2 is always decoupled) */
extern const kt_optimizer_kind
    *const kt_optimizers; /* the portable: rows differ between instruction sets in `update` */
extern const size_t kt_n_optimizers;
KT_SIMD_DECLARE(const kt_optimizer_kind, kt_optimizers, []);

typedef struct kt_optimizer kt_optimizer;

/* For the parameters of a network, whose vectors hold the kind's state, too (zero before step 1); borrowed. simd: the
 * row of kt_simd_rows whose loops are used, which changes no bit. *out is NULL on failure: KT_CONFIG for an impossible
 * spec, KT_NO_MEMORY. */
kt_status kt_optimizer_create(kt_optimizer **out, const kt_optimizer_spec *spec, size_t simd,
                              const kt_tensors *parameters);
void kt_optimizer_free(kt_optimizer *optimizer);

/* True when L2 applies to the tensor: to dense weights, or to all with l2_biases. */
bool kt_optimizer_decays(const kt_optimizer_spec *spec, const kt_tensor *tensor);

/* The constants of a step: of weights, and of all else, which decays with l2_biases only. */
typedef struct kt_updates {
    kt_update weights, others;
} kt_updates;

/* Of step `step` (from 1), once per step. rate: the schedule's learning rate (eta). gradient_scale: the clipping
 * factor, applied before L2. */
kt_updates kt_optimizer_prepare(const kt_optimizer *optimizer, int64_t step, double rate, double gradient_scale,
                                size_t M);

/* Updates elements [begin, begin + n) of a tensor, as this seat has it, from g[n], these elements' gradient of the data
 * loss (a mean over M samples). Ranks may update disjoint ranges at the same time. */
void kt_optimizer_apply(const kt_optimizer *optimizer, const kt_updates *updates, const kt_tensor *tensor, size_t begin,
                        size_t n, const float *g);

/* The same for panels of a weight, from number `first` on, by a gradient that is formed on the way. */
void kt_optimizer_learn(const kt_optimizer *optimizer, const kt_updates *updates, const kt_tensor *tensor, size_t first,
                        const kt_gradient_of *of);

/* The same for floats [begin, end) of the vectors, of any tensors. */
void kt_optimizer_update(const kt_optimizer *optimizer, const kt_updates *updates, size_t begin, size_t end,
                         const float *g);

/* The L2 term of the objective for a whole vector of parameters: lambda/(2M) sum w^2 (batch),
 * lambda/2 sum w^2 (coupled), 0 (decoupled), sums in double. Reads each decaying parameter once, at the speed of
 * memory; always in the same order. */
double kt_optimizer_penalty(const kt_optimizer_spec *spec, const kt_tensors *parameters, size_t M);

#endif
