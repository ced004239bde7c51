/* Every layer kind against finite differences, and what dense, activation and dropout promise. */
#include "layer_bench.h"

const char *const kt_test_suite = "layer";

static void check_kind(const kt_layer_kind *kind, bool training)
{
    bench b;
    prepare(&b, kind, training);
    b.layer.activation = &kt_activations[kt_n_activations - 1];
    KT_CHECK_STATUS(KT_OK, forward(&b));
    KT_CHECK_STATUS(KT_OK, backward(&b));
    check_gradient(&b, N_X, b.x, b.dx);
    if (kind == &kt_layer_dense)
        check_gradient(&b, N_W, b.weight, b.d_weight);
    if (kind == &kt_layer_batch_norm)
        check_gradient(&b, N_OUT, b.weight, b.d_weight);
    if (kind == &kt_layer_dense || kind == &kt_layer_batch_norm)
        check_gradient(&b, N_OUT, b.bias, b.d_bias);
}

static void gradients(void)
{
    static const kt_layer_kind *const kinds[] = {&kt_layer_dense, &kt_layer_activation, &kt_layer_dropout,
                                                 &kt_layer_batch_norm};
    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
        check_kind(kinds[k], false);
        check_kind(kinds[k], true);
    }
}

/* The mask of row r by the header's promise. */
static void expected_mask(const bench *b, size_t r, float *mask)
{
    const kt_random_place place = {.seed = b->pass.seed,
                                   .purpose = KT_RANDOM_DROPOUT,
                                   .layer = b->layer.number,
                                   .epoch = b->pass.epoch,
                                   .sample = b->sample[r]};
    kt_random_uniform(&place, 0, N_OUT, mask);
    for (size_t j = 0; j < N_OUT; j++)
        mask[j] = (double)mask[j] < b->layer.rate ? 0 : (float)(1 / (1 - b->layer.rate));
}

static void dropout_mask(void)
{
    bench b;
    float mask[N_OUT];
    size_t n_dropped = 0;
    prepare(&b, &kt_layer_dropout, true);
    for (size_t j = 0; j < N_X; j += 3)
        b.x[j] = 0; /* a zero input tells nothing about the mask */
    KT_CHECK_STATUS(KT_OK, forward(&b));
    KT_CHECK_STATUS(KT_OK, backward(&b));
    for (size_t r = 0; r < ROWS; r++) {
        expected_mask(&b, r, mask);
        for (size_t j = 0; j < N_OUT; j++) {
            CU_ASSERT(b.y[r * N_OUT + j] == mask[j] * b.x[r * N_OUT + j]);
            CU_ASSERT(b.dx[r * N_OUT + j] == mask[j] * b.r[r * N_OUT + j]);
            n_dropped += mask[j] == 0;
        }
    }
    CU_ASSERT(n_dropped > 5 && n_dropped < 25);
}

static void dropout_off(void)
{
    bench b;
    prepare(&b, &kt_layer_dropout, false);
    b.pass.sample = NULL;
    KT_CHECK_STATUS(KT_OK, forward(&b));
    CU_ASSERT(memcmp(b.x, b.y, sizeof b.x) == 0);
    b.pass.training = true;
    KT_CHECK_STATUS(KT_INTERNAL, forward(&b));
}

static void dropout_wide(void)
{
    enum { WIDE = 2500 };
    static float x[WIDE], y[WIDE], u[WIDE];
    const uint32_t sample = 9;
    kt_layer layer = {.kind = &kt_layer_dropout, .n_in = WIDE, .n_out = WIDE, .number = 1, .rate = 0.5};
    const kt_pass pass = {.training = true, .seed = 1, .sample = &sample, .rows = 1, .rows_global = 1};
    const kt_random_place place = {.seed = 1, .purpose = KT_RANDOM_DROPOUT, .layer = 1, .sample = 9};
    for (size_t i = 0; i < WIDE; i++)
        x[i] = 1;
    kt_random_uniform(&place, 0, WIDE, u);
    KT_CHECK_STATUS(KT_OK, kt_layer_dropout.forward(&layer, &pass, x, y));
    for (size_t i = 0; i < WIDE; i++)
        CU_ASSERT(y[i] == (u[i] < 0.5f ? 0 : 2.0f));
}

static void dense_no_rows(void)
{
    bench b;
    prepare(&b, &kt_layer_dense, true);
    b.pass.rows = 0;
    for (size_t i = 0; i < N_W; i++)
        b.d_weight[i] = b.d_bias[i % N_OUT] = 3;
    KT_CHECK_STATUS(KT_OK, forward(&b));
    KT_CHECK_STATUS(KT_OK, backward(&b));
    for (size_t i = 0; i < N_W; i++)
        CU_ASSERT(b.d_weight[i] == 0 && b.d_bias[i % N_OUT] == 0);
}

const kt_test kt_tests[] = {
    {"every layer's gradients are its difference quotients", gradients},
    {"dropout's mask is that of (seed, epoch, layer, sample, unit), forward and backward", dropout_mask},
    {"dropout copies when not training, and asks for samples when training", dropout_off},
    {"dropout of a wide row takes one draw for each unit", dropout_wide},
    {"a dense layer without rows has zero gradients", dense_no_rows},
    {NULL, NULL},
};
