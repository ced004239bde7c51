/* Loops of optimizers for processors with AVX-512. */
#ifndef KTRAIN_OPTIMIZER_PRIVATE_H
#define KTRAIN_OPTIMIZER_PRIVATE_H

#include "net/optimizer.h"

/* True when the processor takes the kernels of AVX-512, and so has what the loops below need. Without it, or on another
 * architecture, they must not be called. */
bool kt_optimizer_has_avx512(void);

/* For betas of at least 1/2. They share a form of Adam's direction that keeps the divider free, the bottleneck of the
 * plain loops: see optimizer_avx512.c. Steps are right to 4 units in the last place (the plain loops: to 3). */
kt_update_loop kt_optimizer_adam_avx512, kt_optimizer_rmsprop_avx512;

#endif
