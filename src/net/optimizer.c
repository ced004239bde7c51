/* The table of optimizers, each a function that updates a run of weights. */
#include "net/optimizer.h"

#include <math.h>

#include "base/memory.h"
#include "base/options_rows.h"
#include "base/real.h"
#include "edge/linalg.h"

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

const kt_optimizer_kind *const kt_optimizers = kt_optimizers_portable;

/* The same rows, whose loops are for these instructions. */
static const kt_optimizer_kind *kind_of(int kind, size_t simd)
{
    static const kt_optimizer_kind *const rows[KT_N_SIMD] = KT_SIMD_EACH(kt_optimizers);
    return &rows[simd][kind];
}

struct kt_optimizer {
    kt_optimizer_spec spec;
    const kt_optimizer_kind *kind;
    const kt_tensors *parameters; /* borrowed */
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

kt_status kt_optimizer_create(kt_optimizer **out, const kt_optimizer_spec *spec, size_t simd,
                              const kt_tensors *parameters)
{
    kt_optimizer *optimizer;
    *out = NULL;
    KT_TRY(check_spec(spec));
    KT_TRY(KT_NEW(optimizer, 1));
    optimizer->spec = *spec;
    optimizer->kind = kind_of(spec->kind, simd);
    optimizer->parameters = parameters;
    *out = optimizer;
    return KT_OK;
}

void kt_optimizer_free(kt_optimizer *optimizer)
{
    kt_memory_free(optimizer);
}

static kt_update prepare(const kt_optimizer *optimizer, int64_t step, double rate, double gradient_scale, size_t M)
{
    const kt_optimizer_spec *spec = &optimizer->spec;
    const int form = effective_form(spec);
    const double coupled[KT_N_L2_FORMS] = {[KT_L2_BATCH] = spec->l2 / (double)M, [KT_L2_COUPLED] = spec->l2};
    const double decoupled[KT_N_L2_FORMS] = {[KT_L2_DECOUPLED] = rate * spec->l2};
    const kt_optimizer_kind *kind = optimizer->kind;
    const bool corrects = kind->corrects_bias;
    const double correction1 = corrects ? 1 - kt_real_power(spec->beta1, (uint64_t)step) : 1;
    const double correction2 = corrects ? sqrt(1 - kt_real_power(spec->beta2, (uint64_t)step)) : 1;
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
    const kt_update update = prepare(optimizer, step, rate, gradient_scale, M);
    kt_updates both = {update, update};
    if (!optimizer->spec.l2_biases) {
        both.others.l2 = 0;
        both.others.keep = 1;
    }
    return both;
}

static void update(const kt_optimizer *optimizer, const kt_updates *updates, bool is_weight, size_t n,
                   float *const *values, const float *g)
{
    optimizer->kind->update(is_weight ? &updates->weights : &updates->others, n, g, values);
}

/* A tensor's values from `begin` on. */
static void values_at(const kt_optimizer *optimizer, const kt_tensor *tensor, size_t begin,
                      float *values[1 + KT_MAX_SLOTS])
{
    for (size_t k = 0; k <= optimizer->kind->n_slots; k++)
        values[k] = tensor->here[k] + begin;
}

void kt_optimizer_apply(const kt_optimizer *optimizer, const kt_updates *updates, const kt_tensor *tensor, size_t begin,
                        size_t n, const float *g)
{
    float *values[1 + KT_MAX_SLOTS];
    values_at(optimizer, tensor, begin, values);
    update(optimizer, updates, tensor->is_weight, n, values, g);
}

void kt_optimizer_learn(const kt_optimizer *optimizer, const kt_updates *updates, const kt_tensor *tensor, size_t first,
                        const kt_gradient_of *of)
{
    float *values[1 + KT_MAX_SLOTS];
    values_at(optimizer, tensor, first * tensor->per_panel, values);
    optimizer->kind->learn(&updates->weights, of, values, tensor->per_panel);
}

void kt_optimizer_update(const kt_optimizer *optimizer, const kt_updates *updates, size_t begin, size_t end,
                         const float *g)
{
    const kt_tensors *all = optimizer->parameters;
    for (const kt_tensor *t = all->tensor; t < all->tensor + all->n; t++) {
        const size_t first = kt_larger(t->offset, begin), last = kt_smaller(t->offset + t->room, end);
        float *values[1 + KT_MAX_SLOTS];
        for (size_t k = 0; k <= optimizer->kind->n_slots; k++)
            values[k] = all->vector[k] + first;
        if (first < last)
            update(optimizer, updates, t->is_weight, last - first, values, g + (first - begin));
    }
}

double kt_optimizer_penalty(const kt_optimizer_spec *spec, const kt_tensors *parameters, size_t M)
{
    const double factors[KT_N_L2_FORMS] = {[KT_L2_BATCH] = spec->l2 / (2 * (double)M), [KT_L2_COUPLED] = spec->l2 / 2};
    const double factor = factors[effective_form(spec)];
    double sum = 0;
    if (factor == 0) /* saves reading all weights */
        return 0;
    for (const kt_tensor *t = parameters->tensor; t < parameters->tensor + parameters->n; t++)
        if (kt_optimizer_decays(spec, t))
            sum += kt_linalg_sum_squares(t->room, parameters->vector[0] + t->offset);
    return factor * sum;
}
