/* A small network with a batch, for tests of whole networks on one rank. */
#ifndef KTRAIN_TEST_NETWORK_BENCH_H
#define KTRAIN_TEST_NETWORK_BENCH_H

#include "net/loss.h"
#include "net/network.h"
#include "net/optimizer.h"

#include "golden.h"
#include "net/whole_gradient.h"
#include "test.h"

enum { ROWS = 9, N_IN = 6, N_CLASSES = 4, N_X = ROWS * N_IN, SHARDS = 4, N_Z = ROWS * N_CLASSES, MOST = 6000 };

static const int64_t hidden[2] = {5, 8};
static const kt_network_spec plain_spec = {.n_in = N_IN,
                                           .n_classes = N_CLASSES,
                                           .hidden = {2, hidden},
                                           .batch_norm_momentum = 0.1,
                                           .batch_norm_epsilon = 1e-5,
                                           .unit_shards = 4,
                                           .n_shards = SHARDS,
                                           .max_rows = ROWS,
                                           .max_batch = ROWS};

/* A network, the batch of the golden file, and the whole objective: data loss and L2. */
typedef struct bench {
    kt_network *network;
    const kt_tensors *parameters;
    kt_pass pass;
    kt_loss_spec loss;
    kt_optimizer_spec l2;
    int32_t y[ROWS];
    uint32_t sample[ROWS];
} bench;

static inline void fill_input(kt_network *network)
{
    float x[N_X];
    golden_read_float("network.txt", "x", N_X, x);
    for (size_t r = 0; r < ROWS; r++)
        memcpy(kt_network_input(network, r), x + r * N_IN, kt_network_spec_of(network)->n_in * sizeof *x);
}

static inline void prepare(bench *b, const kt_network_spec *spec)
{
    double labels[ROWS], samples[ROWS];
    memset(b, 0, sizeof *b);
    golden_read("network.txt", "labels", ROWS, labels);
    golden_read("network.txt", "samples", ROWS, samples);
    for (size_t r = 0; r < ROWS; r++) {
        b->y[r] = (int32_t)labels[r];
        b->sample[r] = (uint32_t)samples[r];
    }
    b->loss = (kt_loss_spec){.n_classes = N_CLASSES};
    KT_CHECK_STATUS(KT_OK, kt_network_create(&b->network, spec));
    CU_ASSERT_FATAL(b->network != NULL);
    b->parameters = kt_network_parameters(b->network);
    CU_ASSERT_FATAL(b->parameters->room <= MOST);
    b->pass =
        (kt_pass){.rows = {ROWS, SHARDS, 0, SHARDS}, .training = true, .seed = 42, .epoch = 2, .sample = b->sample};
    kt_network_initialize(b->network, 42);
    fill_input(b->network);
}

/* Forward and the loss, with its derivatives. */
static inline kt_loss_sums loss_of(bench *b)
{
    const size_t M = b->pass.rows.M;
    kt_loss_sums sums = {0};
    kt_network_forward(b->network, &b->pass);
    kt_loss_softmax(&b->loss, &(kt_logits){M, M, kt_network_logits(b->network), b->y}, &sums,
                    kt_network_d_logits(b->network));
    return sums;
}

/* And backward, and the whole gradient [room of the parameters]. */
static inline kt_loss_sums step(bench *b, float *gradient)
{
    const kt_loss_sums sums = loss_of(b);
    memset(gradient, 0, b->parameters->room * sizeof *gradient); /* between the panels */
    kt_network_backward(b->network, &b->pass);
    network_whole_gradient(b->network, &b->pass.rows, gradient);
    return sums;
}

#endif
