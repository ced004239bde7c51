/* Early stopping: stop after `patience` epochs in a row without an improvement of more than `min_delta` of the
 * validation loss. Example, patience 2, losses 3 2 2 2: epoch 2 is the best, epochs 3 and 4 bring nothing, training
 * stops after epoch 4. Local and pure. */
#ifndef KTRAIN_EARLY_STOPPING_H
#define KTRAIN_EARLY_STOPPING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/options.h"

typedef struct kt_early_stopping_spec {
    bool enabled;     /* when false the best is tracked all the same, and should_stop stays false */
    int64_t patience; /* >= 1 */
    double min_delta; /* >= 0 */
} kt_early_stopping_spec;

extern const kt_option_rows kt_early_stopping_options; /* of kt_early_stopping_spec */

/* All zero at the start. Saved in checkpoints as it is. */
typedef struct kt_early_stopping_state {
    double best_loss;   /* meaningful when best_epoch > 0 */
    int64_t best_epoch; /* from 1; 0: none yet */
    int64_t n_bad;      /* epochs in a row without improvement */
} kt_early_stopping_state;

/* Takes in the validation loss after `epoch` (from 1). True when it is the new best. A NaN never is. */
bool kt_early_stopping_observe(const kt_early_stopping_spec *spec, kt_early_stopping_state *state, int64_t epoch,
                               double loss);

bool kt_early_stopping_should_stop(const kt_early_stopping_spec *spec, const kt_early_stopping_state *state);

#endif
