/* What reading a space and using it both need. */
#ifndef KTRAIN_SPACE_PRIVATE_H
#define KTRAIN_SPACE_PRIVATE_H

#include "ktrain/space.h"
#include "ktrain/strategy.h"

/* Whether repetitions count up run.seed, or data.split_seed. */
static inline bool kt_space_varies_training(const kt_space *space)
{
    return space->settings.seeds > 1 && space->settings.seeds_vary != KT_SEEDS_SPLIT;
}

static inline bool kt_space_varies_split(const kt_space *space)
{
    return space->settings.seeds > 1 && space->settings.seeds_vary != KT_SEEDS_TRAINING;
}

/* Whether the strategy sets train.epochs itself: trials stop early and may go on. */
static inline bool kt_space_varies_epochs(const kt_space *space)
{
    return kt_strategies[space->settings.strategy]->may_go_on != NULL;
}

void kt_axis_free(kt_axis *axis); /* zeroes it */

#endif
