/* The products for one instruction set: a row of kt_products_table. */
#include <string.h>

#include "base/shards.h"
#include "net/products.h"

extern const kt_products KT_SIMD_NAME(kt_products);

static void note(const kt_inputs *in, kt_range rows)
{
    for (size_t s = rows.begin; s < rows.end; s++) {
        const float *x = in->x + s * in->ld;
        size_t n = 0;
        for (size_t i = 0; i < in->n; i++) {
            uint64_t *word = &in->mask[i * in->words + s / 64];
            const uint64_t bit = (uint64_t)1 << s % 64;
            *word = x[i] != 0 ? *word | bit : *word & ~bit;
            in->index[s * in->room + n] = (uint32_t)i;
            in->value[s * in->room + n] = x[i];
            n += x[i] != 0;
        }
        in->count[s] = (uint32_t)n;
    }
}

static void multiply_add(float factor, const float *x, float *sum)
{
    for (size_t u = 0; u < KT_PANEL; u++)
        sum[u] = __builtin_fmaf(factor, x[u], sum[u]);
}

static void forward(const kt_panels *w, const float *bias, const kt_inputs *x, kt_range rows, const kt_panels *y)
{
    for (size_t p = 0; p < w->n; p++)
        for (size_t s = rows.begin; s < rows.end; s++) {
            float *sum = y->at + p * y->stride + s * KT_PANEL;
            memcpy(sum, bias + p * KT_PANEL, KT_PANEL * sizeof *sum);
            for (size_t k = 0; k < x->count[s]; k++)
                multiply_add(x->value[s * x->room + k],
                             w->at + p * w->stride + x->index[s * x->room + k] * (size_t)KT_PANEL, sum);
        }
}

static float chain_of_run(const kt_panels *w, kt_range run, size_t i, const kt_columns *d, size_t s)
{
    float sum = 0;
    for (size_t u = run.begin * KT_PANEL; u < run.end * KT_PANEL; u++)
        sum = __builtin_fmaf(w->at[u / KT_PANEL * w->stride + i * KT_PANEL + u % KT_PANEL], d->at[u * d->ld + s], sum);
    return sum;
}

static void add_tree(size_t n, float *sums)
{
    for (size_t step = 1; step < n; step *= 2)
        for (size_t k = 0; k + step < n; k += 2 * step)
            sums[k] += sums[k + step];
}

static void backward(const kt_panels *w, const kt_runs *runs, const kt_columns *d, kt_range rows, const kt_columns *dx)
{
    float sums[KT_MAX_SHARDS];
    for (size_t i = 0; i < w->rows; i++)
        for (size_t s = rows.begin; s < rows.end; s++) {
            for (size_t k = 0; k < runs->n; k++)
                sums[k] = chain_of_run(w, (kt_range){runs->bound[k], runs->bound[k + 1]}, i, d, s);
            add_tree(runs->n, sums);
            dx->at[i * dx->ld + s] = sums[0];
        }
}

static void gradient(const kt_inputs *x, size_t first, const kt_shard_rows *shards, const kt_panels *d,
                     const kt_panels *g)
{
    for (size_t p = 0; p < d->n; p++)
        for (size_t i = first; i < first + g->rows; i++)
            for (size_t u = 0; u < KT_PANEL; u++) {
                float sums[KT_MAX_SHARDS] = {0};
                for (size_t k = 0; k < shards->n; k++)
                    for (size_t s = shards->row[k]; s < shards->row[k + 1]; s++)
                        sums[k] = __builtin_fmaf(x->x[s * x->ld + i], d->at[p * d->stride + s * KT_PANEL + u], sums[k]);
                add_tree(shards->n, sums);
                g->at[p * g->stride + (i - first) * KT_PANEL + u] = sums[0];
            }
}

static void bias_gradient(const kt_shard_rows *shards, const kt_panels *d, float *g)
{
    for (size_t p = 0; p < d->n; p++)
        for (size_t u = 0; u < KT_PANEL; u++) {
            float sums[KT_MAX_SHARDS] = {0};
            for (size_t k = 0; k < shards->n; k++)
                for (size_t s = shards->row[k]; s < shards->row[k + 1]; s++)
                    sums[k] += d->at[p * d->stride + s * KT_PANEL + u];
            add_tree(shards->n, sums);
            g[p * KT_PANEL + u] = sums[0];
        }
}

static void to_columns(const kt_panels *from, kt_range rows, const kt_columns *to)
{
    for (size_t u = 0; u < from->n * KT_PANEL; u++)
        for (size_t s = rows.begin; s < rows.end; s++)
            to->at[u * to->ld + s] = from->at[u / KT_PANEL * from->stride + s * KT_PANEL + u % KT_PANEL];
}

static void to_panels(const kt_columns *from, kt_range rows, const kt_panels *to)
{
    for (size_t u = 0; u < to->n * KT_PANEL; u++)
        for (size_t s = rows.begin; s < rows.end; s++)
            to->at[u / KT_PANEL * to->stride + s * KT_PANEL + u % KT_PANEL] = from->at[u * from->ld + s];
}

const kt_products KT_SIMD_NAME(kt_products) = {.name = "plain",
                                               .tile_panels = 4,
                                               .tile_inputs = 8,
                                               .note = note,
                                               .forward = forward,
                                               .backward = backward,
                                               .gradient = gradient,
                                               .bias_gradient = bias_gradient,
                                               .to_columns = to_columns,
                                               .to_panels = to_panels};
