/* The table of schedules, each a function of time. */
#include "net/schedule.h"

#include <math.h>

#include "base/options_rows.h"
#include "base/real.h"

KT_WORDS(unit_word, [KT_UNIT_EPOCH] = "epoch", [KT_UNIT_STEP] = "step")
KT_WORDS_OF(schedule_name, kt_n_schedules, kt_schedules[i].name)

#define AT(field) offsetof(kt_schedule_spec, field)

static const kt_option option_rows[] = {
    {"optimizer", "learning_rate", KT_OPTION_REAL, AT(initial), "0.001", 0, NO_MAX, NULL, DEF | ABOVE,
     "at the start (after warm-up)"},
    {"optimizer", "schedule", KT_OPTION_CHOICE, AT(kind), "constant", 0, 0, schedule_name, DEF, "of the learning rate"},
    {"optimizer", "schedule_unit", KT_OPTION_CHOICE, AT(unit), "epoch", 0, 0, unit_word, DEF,
     "what the schedule counts"},
    {"optimizer", "gamma", KT_OPTION_REAL, AT(gamma), "0.99", 0, 1, NULL, DEF | ABOVE,
     "factor of exponential, step and plateau"},
    {"optimizer", "final_learning_rate", KT_OPTION_REAL, AT(final), "0", 0, NO_MAX, NULL, DEF,
     "where linear and cosine end; lower bound of plateau"},
    {"optimizer", "period", KT_OPTION_INT, AT(period), "100", 1, MANY, NULL, DEF,
     "units until linear and cosine end; between two reductions of step"},
    {"optimizer", "warmup", KT_OPTION_INT, AT(warmup), "0", 0, MANY, NULL, DEF,
     "units of linear warm-up before the schedule"},
    {"optimizer", "plateau_patience", KT_OPTION_INT, AT(plateau_patience), "5", 0, 1e9, NULL, DEF,
     "epochs without a better validation loss that plateau lets pass"},
};
const kt_option_rows kt_schedule_options = KT_OPTION_ROWS(option_rows);

static double progress(const kt_schedule_spec *spec, double t)
{
    return fmin(t / (double)spec->period, 1);
}

static double rate_constant(const kt_schedule_spec *spec, const kt_schedule_state *state, double t)
{
    (void)state, (void)t;
    return spec->initial;
}

static double rate_linear(const kt_schedule_spec *spec, const kt_schedule_state *state, double t)
{
    const double a = progress(spec, t);
    (void)state;
    return (1 - a) * spec->initial + a * spec->final;
}

static double rate_exponential(const kt_schedule_spec *spec, const kt_schedule_state *state, double t)
{
    (void)state;
    return spec->initial * kt_real_power(spec->gamma, (uint64_t)t);
}

static double rate_step(const kt_schedule_spec *spec, const kt_schedule_state *state, double t)
{
    (void)state;
    return spec->initial * kt_real_power(spec->gamma, (uint64_t)(t / (double)spec->period));
}

static double rate_cosine(const kt_schedule_spec *spec, const kt_schedule_state *state, double t)
{
    (void)state;
    return spec->final + (spec->initial - spec->final) * (1 + kt_real_cos_half_turn(progress(spec, t))) / 2;
}

static double rate_plateau(const kt_schedule_spec *spec, const kt_schedule_state *state, double t)
{
    (void)t;
    return fmax(spec->initial * kt_real_power(spec->gamma, (uint64_t)state->reductions), spec->final);
}

const kt_schedule_kind kt_schedules[] = {
    {"constant", rate_constant}, {"linear", rate_linear}, {"exponential", rate_exponential},
    {"step", rate_step},         {"cosine", rate_cosine}, {"plateau", rate_plateau},
};
const size_t kt_n_schedules = sizeof kt_schedules / sizeof kt_schedules[0];

double kt_schedule_rate(const kt_schedule_spec *spec, const kt_schedule_state *state, int64_t epoch, int64_t step)
{
    const int64_t t = spec->unit == KT_UNIT_STEP ? step : epoch;
    if (t < spec->warmup)
        return spec->initial * (double)(t + 1) / (double)(spec->warmup + 1);
    return kt_schedules[spec->kind].rate(spec, state, (double)(t - spec->warmup));
}

void kt_schedule_observe(const kt_schedule_spec *spec, kt_schedule_state *state, double validation_loss)
{
    const int64_t n_seen = state->n_seen++;
    if (n_seen == 0 || validation_loss < state->best || isnan(state->best)) {
        state->best = validation_loss;
        state->n_bad = 0;
    } else if (++state->n_bad > spec->plateau_patience) {
        state->reductions++;
        state->n_bad = 0;
    }
}
