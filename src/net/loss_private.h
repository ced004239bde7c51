/* The loops of the loss, for each instruction set. */
#ifndef KTRAIN_LOSS_PRIVATE_H
#define KTRAIN_LOSS_PRIVATE_H

#include "base/simd.h"
#include "net/loss.h"

/* What loss.h promises of kt_loss_shards (end NULL: all samples are of one) and kt_loss_probabilities. */
typedef struct kt_loss_loops {
    void (*softmax)(const kt_loss_spec *spec, const kt_logits *of, const size_t *end, kt_loss_sums *sums, float *d_z);
    void (*probabilities)(size_t m, size_t n_classes, const float *z, float *p);
} kt_loss_loops;

KT_SIMD_DECLARE(const kt_loss_loops, kt_loss_loops, );

#endif
