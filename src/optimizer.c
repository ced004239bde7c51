#include "ktrain/optimizer.h"

#include <math.h>

#include "ktrain/linalg.h"
#include "ktrain/memory.h"
#include "ktrain/simd.h"

const char *const kt_l2_form_names[KT_N_L2_FORMS] = {"batch", "coupled", "decoupled"};

/* The loops below are float only, without branches or library calls, so that they fill whole vectors. Each starts
 * alike: the gradient takes the coupled decay at the weight as it was, the decoupled one shrinks the weight. */

KT_CLONES
static void update_sgd(const kt_update *update, size_t n, float *restrict w, const float *restrict g,
                       float *const slot[2])
{
    const kt_update u = *update;
    const float keep = 1 - u.decay;
    (void)slot;
    for (size_t i = 0; i < n; i++) {
        const float gradient = u.scale * g[i] + u.l2 * w[i];
        w[i] = keep * w[i] - u.rate * gradient;
    }
}

KT_CLONES
static void update_momentum(const kt_update *update, size_t n, float *restrict w, const float *restrict g,
                            float *const slot[2])
{
    const kt_update u = *update;
    const float keep = 1 - u.decay, mu = (float)u.spec->momentum;
    float *restrict velocity = slot[0];
    for (size_t i = 0; i < n; i++) {
        const float gradient = u.scale * g[i] + u.l2 * w[i];
        const float v = mu * velocity[i] + gradient;
        velocity[i] = v;
        w[i] = keep * w[i] - u.rate * v;
    }
}

KT_CLONES
static void update_nesterov(const kt_update *update, size_t n, float *restrict w, const float *restrict g,
                            float *const slot[2])
{
    const kt_update u = *update;
    const float keep = 1 - u.decay, mu = (float)u.spec->momentum;
    float *restrict velocity = slot[0];
    for (size_t i = 0; i < n; i++) {
        const float gradient = u.scale * g[i] + u.l2 * w[i];
        const float v = mu * velocity[i] + gradient;
        velocity[i] = v;
        w[i] = keep * w[i] - u.rate * (gradient + mu * v);
    }
}

KT_CLONES
static void update_rmsprop(const kt_update *update, size_t n, float *restrict w, const float *restrict g,
                           float *const slot[2])
{
    const kt_update u = *update;
    const float keep = 1 - u.decay, epsilon = (float)u.spec->epsilon;
    const float rho = (float)u.spec->beta2, rest = (float)(1 - u.spec->beta2);
    float *restrict square = slot[0];
    for (size_t i = 0; i < n; i++) {
        const float gradient = u.scale * g[i] + u.l2 * w[i];
        const float v = rho * square[i] + rest * (gradient * gradient);
        square[i] = v;
        w[i] = keep * w[i] - u.rate * gradient / (sqrtf(v) + epsilon);
    }
}

KT_CLONES
static void update_adam(const kt_update *update, size_t n, float *restrict w, const float *restrict g,
                        float *const slot[2])
{
    const kt_update u = *update;
    const double t = (double)u.t;
    const float beta1 = (float)u.spec->beta1, rest1 = (float)(1 - u.spec->beta1);
    const float beta2 = (float)u.spec->beta2, rest2 = (float)(1 - u.spec->beta2);
    const float step = (float)((double)u.rate / (1 - pow(u.spec->beta1, t)));
    const float correction2 = (float)(1 / sqrt(1 - pow(u.spec->beta2, t)));
    const float keep = 1 - u.decay, epsilon = (float)u.spec->epsilon;
    float *restrict first = slot[0], *restrict second = slot[1];
    for (size_t i = 0; i < n; i++) {
        const float gradient = u.scale * g[i] + u.l2 * w[i];
        const float m = beta1 * first[i] + rest1 * gradient;
        const float v = beta2 * second[i] + rest2 * (gradient * gradient);
        first[i] = m;
        second[i] = v;
        w[i] = keep * w[i] - step * m / (sqrtf(v) * correction2 + epsilon);
    }
}

const kt_optimizer_kind kt_optimizers[] = {
    {"sgd", 0, {NULL, NULL}, update_sgd, false},
    {"momentum", 1, {"velocity", NULL}, update_momentum, false},
    {"nesterov", 1, {"velocity", NULL}, update_nesterov, false},
    {"rmsprop", 1, {"square_average", NULL}, update_rmsprop, false},
    {"adam", 2, {"first_moment", "second_moment"}, update_adam, false},
    {"adamw", 2, {"first_moment", "second_moment"}, update_adam, true},
};
const size_t kt_n_optimizers = sizeof kt_optimizers / sizeof kt_optimizers[0];

struct kt_optimizer {
    kt_optimizer_spec spec;
    const kt_optimizer_kind *kind;
    const kt_tensor *tensors; /* borrowed */
    size_t n_tensors, begin, end;
    float *slot[2];
};

static int effective_form(const kt_optimizer_spec *spec)
{
    return kt_optimizers[spec->kind].decoupled ? KT_L2_DECOUPLED : spec->l2_form;
}

static bool decays(const kt_optimizer_spec *spec, const kt_tensor *tensor)
{
    return tensor->is_weight || spec->l2_biases;
}

static kt_status check_spec(const kt_optimizer_spec *spec)
{
    if (spec->kind < 0 || (size_t)spec->kind >= kt_n_optimizers || spec->l2_form < 0 || spec->l2_form >= KT_N_L2_FORMS)
        return kt_fail(KT_CONFIG, "no such optimizer (%d) or form of L2 (%d)", spec->kind, spec->l2_form);
    const kt_optimizer_kind *kind = &kt_optimizers[spec->kind];
    if (!(spec->beta1 >= 0 && spec->beta1 < 1 && spec->beta2 >= 0 && spec->beta2 < 1 && spec->epsilon >= 0))
        return kt_fail(KT_CONFIG, "%s with beta1 = %g, beta2 = %g, epsilon = %g: the betas must be from 0 to below 1, epsilon at least 0",
                       kind->name, spec->beta1, spec->beta2, spec->epsilon);
    return KT_OK;
}

kt_status kt_optimizer_create(kt_optimizer **out, const kt_optimizer_spec *spec, const kt_tensor *tensors,
                              size_t n_tensors, size_t begin, size_t end)
{
    kt_optimizer *optimizer;
    *out = NULL;
    KT_TRY(check_spec(spec));
    if (begin > end)
        return kt_fail(KT_INTERNAL, "an optimizer for elements %zu to %zu", begin, end);
    KT_TRY(KT_NEW(optimizer, 1));
    optimizer->spec = *spec;
    optimizer->kind = &kt_optimizers[spec->kind];
    optimizer->tensors = tensors;
    optimizer->n_tensors = n_tensors;
    optimizer->begin = begin;
    optimizer->end = end;
    for (size_t s = 0; s < optimizer->kind->n_slots; s++)
        if (KT_NEW(optimizer->slot[s], end - begin) != KT_OK) {
            kt_optimizer_free(optimizer);
            return KT_NO_MEMORY;
        }
    *out = optimizer;
    return KT_OK;
}

void kt_optimizer_free(kt_optimizer *optimizer)
{
    if (optimizer == NULL)
        return;
    kt_memory_free(optimizer->slot[0]);
    kt_memory_free(optimizer->slot[1]);
    kt_memory_free(optimizer);
}

void kt_optimizer_update(kt_optimizer *optimizer, int64_t step, double rate, double gradient_scale, size_t M, float *w,
                         const float *g)
{
    const kt_optimizer_spec *spec = &optimizer->spec;
    const int form = effective_form(spec);
    for (size_t t = 0; t < optimizer->n_tensors; t++) {
        const kt_tensor *tensor = &optimizer->tensors[t];
        const size_t begin = tensor->offset > optimizer->begin ? tensor->offset : optimizer->begin;
        const size_t tensor_end = tensor->offset + tensor->count,
                     end = tensor_end < optimizer->end ? tensor_end : optimizer->end;
        if (begin >= end)
            continue;
        const double l2 = decays(spec, tensor) ? spec->l2 : 0;
        const double coupled[KT_N_L2_FORMS] = {[KT_L2_BATCH] = l2 / (double)M, [KT_L2_COUPLED] = l2};
        const double decoupled[KT_N_L2_FORMS] = {[KT_L2_DECOUPLED] = rate * l2};
        const kt_update u = {step, (float)rate, (float)gradient_scale, (float)coupled[form], (float)decoupled[form],
                             spec};
        const size_t first = begin - optimizer->begin;
        float *const slot[2] = {optimizer->slot[0] == NULL ? NULL : optimizer->slot[0] + first,
                                optimizer->slot[1] == NULL ? NULL : optimizer->slot[1] + first};
        optimizer->kind->update(&u, end - begin, w + first, g + first, slot);
    }
}

size_t kt_optimizer_begin(const kt_optimizer *optimizer)
{
    return optimizer->begin;
}

size_t kt_optimizer_end(const kt_optimizer *optimizer)
{
    return optimizer->end;
}

size_t kt_optimizer_n_slots(const kt_optimizer *optimizer)
{
    return optimizer->kind->n_slots;
}

float *kt_optimizer_slot(kt_optimizer *optimizer, size_t slot)
{
    return optimizer->slot[slot];
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
        if (decays(spec, &tensors[t]))
            sum += kt_linalg_sum_squares(tensors[t].count, parameters + tensors[t].offset);
    return factor * sum;
}
