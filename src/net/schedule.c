#include "net/schedule.h"

#include <math.h>

const char *const kt_schedule_unit_names[KT_N_UNITS] = {"epoch", "step"};

static const double PI = 3.14159265358979323846;

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
    return spec->initial * pow(spec->gamma, t);
}

static double rate_step(const kt_schedule_spec *spec, const kt_schedule_state *state, double t)
{
    (void)state;
    return spec->initial * pow(spec->gamma, floor(t / (double)spec->period));
}

static double rate_cosine(const kt_schedule_spec *spec, const kt_schedule_state *state, double t)
{
    (void)state;
    return spec->final + (spec->initial - spec->final) * (1 + cos(PI * progress(spec, t))) / 2;
}

static double rate_plateau(const kt_schedule_spec *spec, const kt_schedule_state *state, double t)
{
    (void)t;
    return fmax(spec->initial * pow(spec->gamma, state->reductions), spec->final);
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
