#include "net/optimizer.h"

#include <float.h>
#include <math.h>

#include "base/memory.h"
#include "base/options_rows.h"
#include "base/simd.h"
#include "edge/linalg.h"

#include "net/optimizer_private.h"

const char *const kt_l2_form_names[KT_N_L2_FORMS] = {
    [KT_L2_BATCH] = "batch", [KT_L2_COUPLED] = "coupled", [KT_L2_DECOUPLED] = "decoupled"};

KT_WORDS_OF(l2_form_name, KT_N_L2_FORMS, kt_l2_form_names[i])
KT_WORDS_OF(optimizer_name, kt_n_optimizers, kt_optimizers[i].name)

#define AT(field) offsetof(kt_optimizer_spec, field)

static const kt_option option_rows[] = {
    {"optimizer", "name", KT_OPTION_CHOICE, AT(kind), "adam", 0, 0, optimizer_name, DEF,
     "how a step uses its gradient"},
    {"optimizer", "momentum", KT_OPTION_REAL, AT(momentum), "0.9", 0, 1, NULL, DEF | BELOW, "of momentum and nesterov"},
    {"optimizer", "beta1", KT_OPTION_REAL, AT(beta1), "0.9", 0, 1, NULL, DEF | BELOW, "decay of Adam's first moment"},
    {"optimizer", "beta2", KT_OPTION_REAL, AT(beta2), "0.999", 0, 1, NULL, DEF | BELOW,
     "decay of Adam's second moment, and of rmsprop's mean square"},
    {"optimizer", "epsilon", KT_OPTION_REAL, AT(epsilon), "1e-8", 0, 1, NULL, DEF | ABOVE,
     "of adam, adamw and rmsprop"},
    {"optimizer", "l2", KT_OPTION_REAL, AT(l2), "0", 0, NO_MAX, NULL, DEF, "strength of weight decay (lambda)"},
    {"optimizer", "l2_form", KT_OPTION_CHOICE, AT(l2_form), "batch", 0, 0, l2_form_name, DEF,
     "batch adds lambda/m w to the gradient (m = samples of the step); coupled adds lambda w; decoupled shrinks the "
     "weights by rate * lambda"},
    {"optimizer", "l2_biases", KT_OPTION_BOOL, AT(l2_biases), "false", 0, 0, NULL, DEF,
     "also on biases and batch norm's gains and shifts"},
};
const kt_option_rows kt_optimizer_options = KT_OPTION_ROWS(option_rows);

/* The loops below are float only, without branches or library calls, so that they fill whole vectors. Each starts
 * alike: the gradient takes the coupled decay at the weight as it was, the decoupled one shrinks the weight. */

KT_CLONES
static void update_sgd(const kt_update *update, size_t n, float *restrict w, const float *restrict g,
                       float *const slot[2])
{
    const kt_update u = *update;
    (void)slot;
    for (size_t i = 0; i < n; i++) {
        const float gradient = u.scale * g[i] + u.l2 * w[i];
        w[i] = u.keep * w[i] - u.rate * gradient;
    }
}

KT_CLONES
static void update_momentum(const kt_update *update, size_t n, float *restrict w, const float *restrict g,
                            float *const slot[2])
{
    const kt_update u = *update;
    float *restrict velocity = slot[0];
    for (size_t i = 0; i < n; i++) {
        const float gradient = u.scale * g[i] + u.l2 * w[i];
        const float v = u.momentum * velocity[i] + gradient;
        velocity[i] = v;
        w[i] = u.keep * w[i] - u.rate * v;
    }
}

KT_CLONES
static void update_nesterov(const kt_update *update, size_t n, float *restrict w, const float *restrict g,
                            float *const slot[2])
{
    const kt_update u = *update;
    float *restrict velocity = slot[0];
    for (size_t i = 0; i < n; i++) {
        const float gradient = u.scale * g[i] + u.l2 * w[i];
        const float v = u.momentum * velocity[i] + gradient;
        velocity[i] = v;
        w[i] = u.keep * w[i] - u.rate * (gradient + u.momentum * v);
    }
}

/* A NaN stays one. */
static inline float at_most(float most, float x)
{
    return most < x ? most : x;
}

static inline float root(float v)
{
    return sqrtf(FLT_MIN > v ? FLT_MIN : v);
}

KT_CLONES
static void update_rmsprop(const kt_update *update, size_t n, float *restrict w, const float *restrict g,
                           float *const slot[2])
{
    const kt_update u = *update;
    float *restrict square = slot[0];
    for (size_t i = 0; i < n; i++) {
        const float gradient = u.scale * g[i] + u.l2 * w[i];
        const float v = at_most(FLT_MAX, u.beta2 * square[i] + u.rest2 * (gradient * gradient));
        square[i] = v;
        w[i] = u.keep * w[i] - u.rate * (gradient / (root(v) + u.epsilon));
    }
}

KT_CLONES
static void update_adam(const kt_update *update, size_t n, float *restrict w, const float *restrict g,
                        float *const slot[2])
{
    const kt_update u = *update;
    float *restrict first = slot[0], *restrict second = slot[1];
    for (size_t i = 0; i < n; i++) {
        const float gradient = u.scale * g[i] + u.l2 * w[i];
        const float m = u.beta1 * first[i] + u.rest1 * gradient;
        const float v = at_most(FLT_MAX, u.beta2 * second[i] + u.rest2 * (gradient * gradient));
        first[i] = m;
        second[i] = v;
        w[i] = u.keep * w[i] - u.rate * (m / (root(v) + u.epsilon));
    }
}

const kt_optimizer_kind kt_optimizers[] = {
    {"sgd", 0, {NULL, NULL}, update_sgd, NULL, false, false},
    {"momentum", 1, {"velocity", NULL}, update_momentum, NULL, false, false},
    {"nesterov", 1, {"velocity", NULL}, update_nesterov, NULL, false, false},
    {"rmsprop", 1, {"square_average", NULL}, update_rmsprop, kt_optimizer_rmsprop_avx512, false, false},
    {"adam", 2, {"first_moment", "second_moment"}, update_adam, kt_optimizer_adam_avx512, false, true},
    {"adamw", 2, {"first_moment", "second_moment"}, update_adam, kt_optimizer_adam_avx512, true, true},
};
const size_t kt_n_optimizers = sizeof kt_optimizers / sizeof kt_optimizers[0];

struct kt_optimizer {
    kt_optimizer_spec spec;
    const kt_optimizer_kind *kind;
    kt_update_loop *update;
    const kt_tensor *tensors; /* borrowed */
    size_t n_tensors;
    float *slot[2]; /* borrowed */
};

static int effective_form(const kt_optimizer_spec *spec)
{
    return kt_optimizers[spec->kind].decoupled ? KT_L2_DECOUPLED : spec->l2_form;
}

bool kt_optimizer_decays(const kt_optimizer_spec *spec, const kt_tensor *tensor)
{
    return tensor->is_weight || spec->l2_biases;
}

static kt_status check_spec(const kt_optimizer_spec *spec)
{
    if (spec->kind < 0 || (size_t)spec->kind >= kt_n_optimizers || spec->l2_form < 0 || spec->l2_form >= KT_N_L2_FORMS)
        return kt_fail(KT_CONFIG, "no such optimizer (%d) or form of L2 (%d)", spec->kind, spec->l2_form);
    const kt_optimizer_kind *kind = &kt_optimizers[spec->kind];
    if (!(spec->beta1 >= 0 && spec->beta1 < 1 && spec->beta2 >= 0 && spec->beta2 < 1 && spec->epsilon >= 0))
        return kt_fail(KT_CONFIG,
                       "%s with beta1 = %g, beta2 = %g, epsilon = %g: the betas must be from 0 to below 1, epsilon at "
                       "least 0",
                       kind->name, spec->beta1, spec->beta2, spec->epsilon);
    return KT_OK;
}

static kt_update_loop *best_loop(const kt_optimizer_spec *spec, const kt_optimizer_kind *kind)
{
    const bool has_betas = spec->beta2 >= 0.5 && (spec->beta1 >= 0.5 || kind->n_slots < 2);
    const bool can = kind->update_avx512 != NULL && has_betas && kt_optimizer_has_avx512();
    return can && !spec->portable ? kind->update_avx512 : kind->update;
}

kt_status kt_optimizer_create(kt_optimizer **out, const kt_optimizer_spec *spec, const kt_tensor *tensors,
                              size_t n_tensors, float *const *slots)
{
    kt_optimizer *optimizer;
    *out = NULL;
    KT_TRY(check_spec(spec));
    KT_TRY(KT_NEW(optimizer, 1));
    optimizer->spec = *spec;
    optimizer->kind = &kt_optimizers[spec->kind];
    optimizer->update = best_loop(spec, optimizer->kind);
    optimizer->tensors = tensors;
    optimizer->n_tensors = n_tensors;
    for (size_t s = 0; s < optimizer->kind->n_slots; s++)
        optimizer->slot[s] = slots[s];
    *out = optimizer;
    return KT_OK;
}

void kt_optimizer_free(kt_optimizer *optimizer)
{
    kt_memory_free(optimizer);
}

static kt_update prepare(const kt_optimizer *optimizer, int64_t step, double rate, double gradient_scale, size_t M,
                         bool decays)
{
    const kt_optimizer_spec *spec = &optimizer->spec;
    const int form = effective_form(spec);
    const double l2 = decays ? spec->l2 : 0;
    const double coupled[KT_N_L2_FORMS] = {[KT_L2_BATCH] = l2 / (double)M, [KT_L2_COUPLED] = l2};
    const double decoupled[KT_N_L2_FORMS] = {[KT_L2_DECOUPLED] = rate * l2};
    const bool corrects = optimizer->kind->corrects_bias;
    const double correction1 = corrects ? 1 - pow(spec->beta1, (double)step) : 1;
    const double correction2 = corrects ? sqrt(1 - pow(spec->beta2, (double)step)) : 1;
    return (kt_update){.scale = (float)gradient_scale,
                       .l2 = (float)coupled[form],
                       .keep = (float)(1 - decoupled[form]),
                       .rate = (float)(rate * correction2 / correction1),
                       .momentum = (float)spec->momentum,
                       .beta1 = (float)spec->beta1,
                       .rest1 = (float)(1 - spec->beta1),
                       .beta2 = (float)spec->beta2,
                       .rest2 = (float)(1 - spec->beta2),
                       .epsilon = (float)(spec->epsilon * correction2)};
}

kt_updates kt_optimizer_prepare(const kt_optimizer *optimizer, int64_t step, double rate, double gradient_scale,
                                size_t M)
{
    return (kt_updates){prepare(optimizer, step, rate, gradient_scale, M, true),
                        prepare(optimizer, step, rate, gradient_scale, M, optimizer->spec.l2_biases)};
}

void kt_optimizer_apply(const kt_optimizer *optimizer, const kt_update *update, size_t begin, size_t n, float *w,
                        const float *g)
{
    float *slot[2] = {NULL, NULL};
    for (size_t s = 0; s < optimizer->kind->n_slots; s++)
        slot[s] = optimizer->slot[s] + begin;
    optimizer->update(update, n, w + begin, g, slot);
}

void kt_optimizer_update(const kt_optimizer *optimizer, const kt_updates *updates, size_t begin, size_t end, float *w,
                         const float *g)
{
    for (size_t t = 0; t < optimizer->n_tensors; t++) {
        const kt_tensor *tensor = &optimizer->tensors[t];
        const size_t tensor_end = tensor->offset + tensor->count;
        const size_t first = tensor->offset > begin ? tensor->offset : begin,
                     last = tensor_end < end ? tensor_end : end;
        if (first < last)
            kt_optimizer_apply(optimizer, tensor->is_weight ? &updates->weights : &updates->others, first, last - first,
                               w, g + (first - begin));
    }
}

double kt_optimizer_penalty(const kt_optimizer_spec *spec, const kt_tensor *tensors, size_t n_tensors,
                            const float *parameters, size_t M)
{
    const double factors[KT_N_L2_FORMS] = {[KT_L2_BATCH] = spec->l2 / (2 * (double)M), [KT_L2_COUPLED] = spec->l2 / 2};
    const double factor = factors[effective_form(spec)];
    double sum = 0;
    if (factor == 0) /* saves reading all weights */
        return 0;
    for (size_t t = 0; t < n_tensors; t++)
        if (kt_optimizer_decays(spec, &tensors[t]))
            sum += kt_linalg_sum_squares(tensors[t].count, parameters + tensors[t].offset);
    return factor * sum;
}
