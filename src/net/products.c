/* The table of products, and the row of OpenBLAS, whose bits depend on the processor and on the shape of a call. So
 * that they depend on nothing else, shapes follow from the layer and the shards alone: a call is for one panel; for 16
 * samples that are neighbours in the batch, or for one shard; for INPUTS_AT_ONCE inputs from a multiple of that on, or
 * for what is left of the layer. What a call gives beyond what was asked for is dropped. */
#include <string.h>

#include "base/shards.h"
#include "edge/linalg.h"
#include "net/network_spec.h"
#include "net/products.h"

enum { INPUTS_AT_ONCE = 64, INPUTS_OF_A_CHAIN = 1024, LEVELS = KT_SHARD_LEVELS };

/* What only moves or adds numbers has the same bits in all rows of the table. */
static const kt_products *row(void)
{
    return kt_products_table[kt_simd_best()];
}

static void note(const kt_inputs *in, kt_range rows, kt_range changed)
{
    row()->note(in, rows, changed);
}

static void bias_gradient(const kt_shard_rows *shards, const kt_panels *d, float *g)
{
    row()->bias_gradient(shards, d, g);
}

static void to_columns(const kt_panels *from, kt_range rows, const kt_columns *to)
{
    row()->to_columns(from, rows, to);
}

static void to_panels(const kt_columns *from, kt_range rows, const kt_panels *to)
{
    row()->to_panels(from, rows, to);
}

/* 16 by 16 floats, or some such rows. */
typedef float line[KT_PANEL];

/* Samples of one square of 16. Others of the square count as 0. */
static void forward_square(const kt_panels *w, const float *bias, const kt_inputs *x, kt_range samples,
                           const kt_panels *y)
{
    const size_t square = samples.begin / KT_PANEL * KT_PANEL;
    for (size_t p = 0; p < w->n; p++)
        for (size_t s = samples.begin; s < samples.end; s++)
            memcpy(y->at + p * y->stride + s * KT_PANEL, bias + p * KT_PANEL, sizeof(line));
    for (size_t i = 0; i < w->rows; i += INPUTS_OF_A_CHAIN) {
        float some[KT_PANEL][INPUTS_OF_A_CHAIN] = {{0}};
        const size_t n = kt_smaller(INPUTS_OF_A_CHAIN, w->rows - i);
        for (size_t s = samples.begin; s < samples.end; s++)
            memcpy(some[s - square], x->x + s * x->ld + i, n * sizeof some[0][0]);
        for (size_t p = 0; p < w->n; p++) {
            float *sums = y->at + p * y->stride;
            line all[KT_PANEL] = {{0}};
            for (size_t s = samples.begin; s < samples.end; s++)
                memcpy(all[s - square], sums + s * KT_PANEL, sizeof(line));
            kt_linalg_add((kt_linalg_shape){KT_PANEL, KT_PANEL, n, false}, (kt_matrix){some[0], INPUTS_OF_A_CHAIN},
                          (kt_matrix){w->at + p * w->stride + i * KT_PANEL, KT_PANEL}, all[0], KT_PANEL);
            for (size_t s = samples.begin; s < samples.end; s++)
                memcpy(sums + s * KT_PANEL, all[s - square], sizeof(line));
        }
    }
}

static void forward(const kt_panels *w, const float *bias, const kt_inputs *x, kt_range rows, const kt_panels *y)
{
    for (size_t s = rows.begin, end; s < rows.end; s = end) {
        end = kt_smaller((s / KT_PANEL + 1) * KT_PANEL, rows.end);
        forward_square(w, bias, x, (kt_range){s, end}, y);
    }
}

/* level[top], the sum of the k-th of the leaves of a tree, goes where it belongs in it. Returns the next top. */
static size_t climb(line (*level)[INPUTS_AT_ONCE], size_t top, size_t k)
{
    for (size_t n_adds = kt_shards_adds(k); n_adds > 0; n_adds--, top--)
        for (size_t i = 0; i < INPUTS_AT_ONCE; i++)
            for (size_t u = 0; u < KT_PANEL; u++)
                level[top - 1][i][u] += level[top][i][u];
    return top + 1;
}

/* Inputs from i on, INPUTS_AT_ONCE or what is left; the square of samples from s on. */
static void backward_square(const kt_panels *w, const kt_runs *runs, const kt_columns *d, size_t i, size_t s,
                            const kt_columns *dx)
{
    line level[LEVELS][INPUTS_AT_ONCE];
    const size_t n = kt_smaller(INPUTS_AT_ONCE, w->rows - i);
    for (size_t k = 0, top = 0; k < runs->n; k++) {
        memset(level[top], 0, sizeof level[top]);
        for (size_t p = runs->bound[k]; p < runs->bound[k + 1]; p++)
            kt_linalg_add((kt_linalg_shape){n, KT_PANEL, KT_PANEL, false},
                          (kt_matrix){w->at + p * w->stride + i * KT_PANEL, KT_PANEL},
                          (kt_matrix){d->at + p * KT_PANEL * d->ld + s, d->ld}, level[top][0], KT_PANEL);
        top = climb(level, top, k);
    }
    for (size_t r = 0; r < n; r++)
        memcpy(dx->at + (i + r) * dx->ld + s, level[0][r], sizeof(line));
}

static void backward(const kt_panels *w, const kt_runs *runs, const kt_columns *d, kt_range rows, const kt_columns *dx)
{
    for (size_t s = rows.begin / KT_PANEL * KT_PANEL; s < rows.end; s += KT_PANEL)
        for (size_t i = 0; i < w->rows; i += INPUTS_AT_ONCE)
            backward_square(w, runs, d, i, s, dx);
}

/* sums of one panel: inputs from i on, INPUTS_AT_ONCE or what is left. */
static void gradient_inputs(const kt_inputs *x, size_t i, const kt_shard_rows *shards, const float *d, line *sums)
{
    line level[LEVELS][INPUTS_AT_ONCE];
    const size_t n = kt_smaller(INPUTS_AT_ONCE, x->n - i);
    for (size_t k = 0, top = 0; k < shards->n; k++) {
        const size_t s = shards->row[k], m = shards->row[k + 1] - s;
        memset(level[top], 0, sizeof level[top]);
        kt_linalg_add((kt_linalg_shape){n, KT_PANEL, m, true}, (kt_matrix){x->x + s * x->ld + i, x->ld},
                      (kt_matrix){d + s * KT_PANEL, KT_PANEL}, level[top][0], KT_PANEL);
        top = climb(level, top, k);
    }
    memcpy(sums, level[0], n * sizeof *sums);
}

static void gradient(const kt_inputs *x, size_t first, const kt_shard_rows *shards, const kt_panels *d,
                     const kt_panels *g)
{
    for (size_t p = 0; p < d->n; p++)
        for (size_t i = first, end; i < first + g->rows; i = end) {
            const size_t begin = i / INPUTS_AT_ONCE * INPUTS_AT_ONCE;
            line sums[INPUTS_AT_ONCE];
            end = kt_smaller(begin + INPUTS_AT_ONCE, first + g->rows);
            gradient_inputs(x, begin, shards, d->at + p * d->stride, sums);
            memcpy(g->at + p * g->stride + (i - first) * KT_PANEL, sums[i - begin], (end - i) * sizeof(line));
        }
}

const kt_products kt_products_openblas = {.name = "openblas",
                                          .tile_panels = 1,
                                          .tile_inputs = INPUTS_AT_ONCE,
                                          .inputs_at_once = INPUTS_AT_ONCE,
                                          .note = note,
                                          .forward = forward,
                                          .backward = backward,
                                          .gradient = gradient,
                                          .bias_gradient = bias_gradient,
                                          .to_columns = to_columns,
                                          .to_panels = to_panels};

/* ---- the table ---- */

KT_SIMD_DECLARE(const kt_products, kt_products, );

const kt_products *const kt_products_table[KT_N_SIMD] = KT_SIMD_EACH(&kt_products);

/* Without fused multiply-add in the processor a chain of them is done by software, one by one. */
const kt_products *kt_products_chosen(int choice, size_t simd)
{
    if (choice == KT_PRODUCTS_OPENBLAS || (choice == KT_PRODUCTS_AUTO && !kt_simd_fuses()))
        return &kt_products_openblas;
    return kt_products_table[simd];
}
