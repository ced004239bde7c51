/* Softmax and cross-entropy by log-sum-exp, and the derivative, for one instruction set. Sums go from the first class
 * to the last and from the first row to the last; all else is element by element. */
#include <stdbool.h>

#include "base/real.h"
#include "base/share.h"
#include "net/loss.h"

/* Some rows are computed side by side, since each is a chain of operations that wait for each other. Exponentials are
 * computed by the block of classes; those of one block are kept, so that none of so few classes is computed twice. */
enum { ROWS = 8, BLOCK = 256 };

/* m rows of logits; those beyond m are the last again. */
typedef struct group {
    size_t m, C;
    const float *z[ROWS];
    double most[ROWS], sum[ROWS], log_sum[ROWS]; /* the largest, sum exp(z - most), and its logarithm */
    double e[ROWS][BLOCK];                       /* exp(z - most) of one block */
} group;

/* The largest of z[n], in lanes. Where there is a NaN, so will all results be. */
static double largest_of(size_t n, const float *z)
{
    enum { LANES = 8 };
    float lane[LANES];
    size_t c = 0;
    for (size_t l = 0; l < LANES; l++)
        lane[l] = z[0];
    for (; c + LANES <= n; c += LANES)
        for (size_t l = 0; l < LANES; l++)
            lane[l] = z[c + l] > lane[l] ? z[c + l] : lane[l];
    for (size_t l = 0; c < n; c++, l++)
        lane[l] = z[c] > lane[l] ? z[c] : lane[l];
    for (size_t half = LANES / 2; half > 0; half /= 2)
        for (size_t l = 0; l < half; l++)
            lane[l] = lane[l + half] > lane[l] ? lane[l + half] : lane[l];
    return (double)lane[0];
}

/* z[label] is the largest, and the first of equals. */
static bool is_predicted(const float *z, size_t label, double most)
{
    int n_equals = 0;
    if ((double)z[label] != most)
        return false;
    for (size_t c = 0; c < label; c++)
        n_equals += z[c] == z[label];
    return n_equals == 0;
}

/* e[n] = exp(z[n] - most) */
static void exponentials(size_t n, const float *z, double most, double *restrict e)
{
#pragma omp simd
    for (size_t c = 0; c < n; c++)
        e[c] = kt_real_exp((double)z[c] - most);
}

static void add_block(size_t n, double e[ROWS][BLOCK], double *sums)
{
    double sum[ROWS];
    for (size_t r = 0; r < ROWS; r++)
        sum[r] = sums[r];
    for (size_t c = 0; c < n; c++)
        for (size_t r = 0; r < ROWS; r++)
            sum[r] += e[r][c];
    for (size_t r = 0; r < ROWS; r++)
        sums[r] = sum[r];
}

/* The rows from z on, at most m of them. e holds the last block's exponentials. */
static void sum_exponentials(group *g, size_t m, size_t C, const float *z)
{
    g->m = kt_smaller(m, ROWS);
    g->C = C;
    for (size_t r = 0; r < ROWS; r++) {
        g->z[r] = z + kt_smaller(r, g->m - 1) * C;
        g->most[r] = largest_of(C, g->z[r]);
        g->sum[r] = 0;
    }
    for (size_t first = 0; first < C; first += BLOCK) {
        const size_t n = kt_smaller(C - first, BLOCK);
        for (size_t r = 0; r < ROWS; r++)
            exponentials(n, g->z[r] + first, g->most[r], g->e[r]);
        add_block(n, g->e, g->sum);
    }
#pragma omp simd
    for (size_t r = 0; r < ROWS; r++)
        g->log_sum[r] = kt_real_log(g->sum[r]);
}

/* The targets of a row, even + hit at its label, and what its part of the loss is multiplied with. */
typedef struct target {
    size_t label;
    double even, hit, factor;
} target;

/* d_z = factor (e / sum - target) of row r; after sum_exponentials. */
static void derive(group *g, size_t r, const target *t, float *d_z)
{
    const double inverse = 1 / g->sum[r], even = t->even, factor = t->factor;
    double *restrict e = g->e[r];
    for (size_t first = 0; first < g->C; first += BLOCK) {
        const size_t n = kt_smaller(g->C - first, BLOCK);
        if (g->C > BLOCK)
            exponentials(n, g->z[r] + first, g->most[r], e);
#pragma omp simd
        for (size_t c = 0; c < n; c++)
            d_z[first + c] = (float)(factor * __builtin_fma(e[c], inverse, -even));
        if (t->label >= first && t->label - first < n)
            d_z[t->label] = (float)(factor * (__builtin_fma(e[t->label - first], inverse, -even) - t->hit));
    }
}

/* Adds row r to the sums, with a weight. */
static void add_loss(const group *g, size_t r, const target *t, double weight, kt_loss_sums *sums)
{
    const float *z = g->z[r];
    const double own = (double)z[t->label];
    /* own - most first: both are floats, so nothing is lost when the loss is small */
    const double plain = g->log_sum[r] - (own - g->most[r]);
    double sum_z = 0;
    for (size_t c = 0; c < g->C && t->even > 0; c++)
        sum_z += (double)z[c];
    sums->loss += weight * (t->even > 0 ? g->most[r] + g->log_sum[r] - t->hit * own - t->even * sum_z : plain);
    sums->cross_entropy += plain;
    sums->correct += is_predicted(z, t->label, g->most[r]);
    sums->samples++;
}

static void softmax(const kt_loss_spec *spec, const kt_logits *of, const size_t *end, kt_loss_sums *sums, float *d_z)
{
    const size_t C = spec->n_classes;
    target t = {.even = spec->label_smoothing / (double)C, .hit = 1 - spec->label_smoothing};
    group g;
    for (size_t first = 0; first < of->m; first += ROWS) {
        sum_exponentials(&g, of->m - first, C, of->z + first * C);
        for (size_t r = 0; r < g.m; r++) {
            for (; end != NULL && *end == first + r; end++)
                sums++;
            t.label = (size_t)of->y[first + r];
            const double weight = spec->class_weights == NULL ? 1 : spec->class_weights[t.label];
            add_loss(&g, r, &t, weight, sums);
            t.factor = weight / (double)of->M;
            if (d_z != NULL)
                derive(&g, r, &t, d_z + (first + r) * C);
        }
    }
}

static void probabilities(size_t m, size_t n_classes, const float *z, float *p)
{
    const target none = {.label = SIZE_MAX, .factor = 1};
    group g;
    for (size_t first = 0; first < m; first += ROWS) {
        sum_exponentials(&g, m - first, n_classes, z + first * n_classes);
        for (size_t r = 0; r < g.m; r++)
            derive(&g, r, &none, p + (first + r) * n_classes);
    }
}

const kt_loss_loops KT_SIMD_NAME(kt_loss_loops) = {softmax, probabilities};
