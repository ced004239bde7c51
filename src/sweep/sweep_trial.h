/* One trial of a sweep, on a group of ranks. */
#ifndef KTRAIN_SWEEP_TRIAL_H
#define KTRAIN_SWEEP_TRIAL_H

#include "run/trainer.h"
#include "sweep/outcome.h"
#include "sweep/sweep_data.h"

/* Groups of ranks_per_trial ranks. Collective. KT_CONFIG when that does not divide the ranks. */
kt_status kt_sweep_trial_group(kt_comm *world, const kt_space *space, kt_comm **group);

/* Trains a proposal's repetition on the group's ranks, with its files in the sweep's trials/KEY, and says in *outcome
 * (all but key) what came of it, also of a failure. Collective over the group. */
void kt_sweep_trial_train(kt_comm *group, kt_sweep_data *data, const kt_proposal *proposal, int64_t repetition,
                          kt_pulse pulse, kt_outcome *outcome);

#endif
