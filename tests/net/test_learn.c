/* Optimizers that form a gradient on their way, against the gradient first and the update after it, to the bit. */
#include "net/optimizer.h"

#include <math.h>

#include "net/products.h"
#include "net/products_cases.h"
#include "test.h"

const char *const kt_test_suite = "learn";

KT_SIMD_DECLARE(const kt_optimizer_kind, kt_optimizers, []);

static const kt_optimizer_kind *const kinds[KT_N_SIMD] = KT_SIMD_EACH(kt_optimizers);
static const kt_update update = {0.7f, 0.01f, 0.99f, 0.1f, 0.9f, 0.9f, 0.1f, 0.999f, 0.001f, 1e-8f};

enum { PANELS = 9, INPUTS = 37, FLOATS = PANELS * (40 + 4) * KT_PANEL };

/* Weights with their state, twice. */
static _Alignas(64) float first[1 + KT_MAX_SLOTS][FLOATS], second[1 + KT_MAX_SLOTS][FLOATS];

static void begin(void)
{
    for (size_t k = 0; k <= KT_MAX_SLOTS; k++)
        for (size_t i = 0; i < FLOATS; i++)
            first[k][i] = second[k][i] = fabsf(products_number(3));
}

/* The number of floats that differ, also between the panels' lines. */
static size_t compare(size_t simd, const kt_optimizer_kind *kind, size_t M, size_t n_panels, size_t zeros)
{
    products_case c = products_new(M, INPUTS, n_panels, zeros);
    CU_ASSERT_FATAL(c.memory != NULL);
    const kt_products *products = kt_products_table[simd];
    const kt_shard_rows whole = {1, (const size_t[]){0, M}};
    size_t n_wrong = 0;
    begin();
    products->note(&c.x, (kt_range){0, M}, (kt_range){0, M});
    products->gradient(&c.x, 0, &whole, &c.d, &c.g);
    for (size_t p = 0; p < n_panels; p++)
        kind->update(&update, INPUTS * KT_PANEL, c.g.at + p * c.g.stride,
                     (float *const[]){first[0] + p * c.g.stride, first[1] + p * c.g.stride, first[2] + p * c.g.stride});
    kind->learn(&update, &(kt_gradient_of){&c.x, M, &c.d}, (float *const[]){second[0], second[1], second[2]},
                c.g.stride);
    for (size_t k = 0; k <= KT_MAX_SLOTS; k++)
        for (size_t i = 0; i < FLOATS; i++)
            n_wrong += first[k][i] != second[k][i];
    free(c.memory);
    return n_wrong;
}

static void learning_is_the_gradient_and_then_the_update(void)
{
    static const size_t samples[] = {1, 2, 15, 16, 17, 63, KT_LEARN_SAMPLES};
    for (size_t simd = 0; simd < KT_N_SIMD; simd++)
        for (size_t k = 0; k < kt_n_optimizers && kt_simd_rows[simd].supported(); k++)
            for (size_t m = 0; m < sizeof samples / sizeof samples[0]; m++)
                for (size_t zeros = 0; zeros <= 10; zeros += 5)
                    CU_ASSERT(compare(simd, &kinds[simd][k], samples[m], 1 + products_draw(PANELS), zeros) == 0);
}

const kt_test kt_tests[] = {
    {"learning is the gradient and then the update, by every row and optimizer",
     learning_is_the_gradient_and_then_the_update},
    {NULL, NULL},
};
