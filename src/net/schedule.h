/* Learning-rate schedules: one table row each. Local and pure.
 *
 * t is the epoch (from 0) or the step (from 0), as `unit` says. Let e0 = initial, ef = final:
 *   constant     e0
 *   linear       (1 - a) e0 + a ef, a = min(t / period, 1)            (report, eq. 9)
 *   exponential  e0 * gamma^t                                          (report, eq. 10)
 *   step         e0 * gamma^floor(t / period)
 *   cosine       ef + (e0 - ef) (1 + cos(pi min(t / period, 1))) / 2
 *   plateau      e0 * factor, not below ef; factor *= gamma after more than `plateau_patience` epochs in a row
 *                without a new lowest validation loss
 * Warm-up comes before any of them: for t < warmup the rate is e0 (t + 1) / (warmup + 1), then the schedule with
 * t - warmup. */
#ifndef KTRAIN_SCHEDULE_H
#define KTRAIN_SCHEDULE_H

#include "base/options.h"

typedef enum kt_schedule_unit { KT_UNIT_EPOCH, KT_UNIT_STEP } kt_schedule_unit;

typedef struct kt_schedule_spec {
    int kind; /* row of kt_schedules */
    int unit;
    double initial, final, gamma;
    int64_t period; /* linear, step, cosine; >= 1 */
    int64_t warmup; /* in units; 0 for none */
    int64_t plateau_patience;
} kt_schedule_spec;

extern const kt_option_rows kt_schedule_options; /* of kt_schedule_spec */

/* Plateau's memory; all zero at the start. Saved in checkpoints as it is. */
typedef struct kt_schedule_state {
    double best;       /* lowest validation loss seen; meaningful when n_seen > 0 */
    double reductions; /* times reduced */
    int64_t n_bad, n_seen;
} kt_schedule_state;

typedef struct kt_schedule_kind {
    const char *name;
    double (*rate)(const kt_schedule_spec *spec, const kt_schedule_state *state, double t);
} kt_schedule_kind;

extern const kt_schedule_kind kt_schedules[];
extern const size_t kt_n_schedules;

/* The rate for the update of step `step` (from 0, over the whole run) in epoch `epoch` (from 0). */
double kt_schedule_rate(const kt_schedule_spec *spec, const kt_schedule_state *state, int64_t epoch, int64_t step);

/* After each epoch's validation. */
void kt_schedule_observe(const kt_schedule_spec *spec, kt_schedule_state *state, double validation_loss);

#endif
