/* Every row of products that this processor supports, against their definition, bit by bit. */
#include "net/products.h"

#include <math.h>

#include "net/products_cases.h"
#include "test.h"

const char *const kt_test_suite = "products";

/* Bits that differ, but for the sign of a zero; with a tolerance, numbers that are not near. */
static float tolerance;

static bool differ(float a, float b)
{
    return tolerance > 0 ? !(fabsf(a - b) <= tolerance) : !(a == 0 && b == 0) && memcmp(&a, &b, sizeof a) != 0;
}

static float add_tree(size_t n, const float *sums)
{
    return n == 1 ? sums[0] : add_tree(n / 2, sums) + add_tree(n / 2, sums + n / 2);
}

static float weight(const products_case *c, size_t u, size_t i)
{
    return c->w.at[u / KT_PANEL * c->w.stride + i * KT_PANEL + u % KT_PANEL];
}

/* Of unit u and sample s, in panels of the batch. */
static float unit(const kt_panels *a, size_t u, size_t s)
{
    return a->at[u / KT_PANEL * a->stride + s * KT_PANEL + u % KT_PANEL];
}

static size_t check_lists(const products_case *c, size_t s)
{
    const kt_inputs *x = &c->x;
    size_t n_wrong = 0;
    uint32_t n = 0;
    for (size_t i = 0; i < c->n; i++) {
        const float value = x->x[s * x->ld + i];
        n_wrong += i % 16 == 0 && x->start[s * x->n_starts + i / 16] != n;
        if (value == 0)
            continue;
        n_wrong += x->index[s * x->room + n] != i || x->value[s * x->room + n] != value;
        n++;
    }
    return n_wrong + (x->start[s * x->n_starts + x->n_starts - 1] != n);
}

static size_t check_bits(const products_case *c, size_t s)
{
    const kt_inputs *x = &c->x;
    size_t n_wrong = 0;
    for (size_t i = 0; i < (c->n + 63) / 64 * 64; i++)
        n_wrong += (x->bits[i / 64 * x->M + s] >> i % 64 & 1) != (i < c->n && x->x[s * x->ld + i] != 0);
    return n_wrong;
}

/* The order of features from `first` on has each of them once; those with more samples come later. */
static size_t check_order_of_features(const products_case *c, size_t word, size_t first)
{
    const kt_inputs *x = &c->x;
    const size_t n = kt_smaller(KT_ORDERED_INPUTS, c->n - first), n_samples = c->rows.end - c->rows.begin;
    const uint8_t *order = kt_inputs_order(x, word, first);
    bool seen[KT_ORDERED_INPUTS] = {false};
    int most = 0;
    size_t n_wrong = 0;
    if (n_samples <= KT_LISTED_SAMPLES)
        return order[0] != KT_NO_ORDER;
    for (size_t k = 0; k < n; k++) {
        const int count = __builtin_popcountll(x->mask[(first + order[k]) * x->words + word]);
        n_wrong += order[k] >= n || seen[order[k] % KT_ORDERED_INPUTS] || count < most;
        seen[order[k] % KT_ORDERED_INPUTS] = true;
        most = count;
    }
    return n_wrong;
}

static size_t check_note(const products_case *c)
{
    const kt_inputs *x = &c->x;
    const bool listed = c->rows.end - c->rows.begin <= KT_LISTED_SAMPLES;
    size_t n_wrong = 0;
    for (size_t s = 0; s < c->M; s++) {
        const bool noted = s >= c->rows.begin && s < c->rows.end;
        for (size_t i = 0; i < c->n; i++)
            n_wrong += (x->mask[i * x->words + s / 64] >> s % 64 & 1) != (noted && x->x[s * x->ld + i] != 0);
        if (noted)
            n_wrong += listed ? check_lists(c, s) : check_bits(c, s);
        for (size_t i = 0; noted && i < c->n; i += KT_ORDERED_INPUTS)
            n_wrong += check_order_of_features(c, s / 64, i);
    }
    return n_wrong;
}

static size_t check_forward(const products_case *c)
{
    size_t n_wrong = 0;
    for (size_t u = 0; u < c->n_panels * KT_PANEL; u++)
        for (size_t s = 0; s < c->M; s++) {
            float sum = c->bias[u];
            for (size_t i = 0; i < c->n; i++)
                sum = fmaf(c->x.x[s * c->x.ld + i], weight(c, u, i), sum);
            n_wrong += differ(unit(&c->y, u, s), s >= c->rows.begin && s < c->rows.end ? sum : 0);
        }
    return n_wrong;
}

static size_t check_backward(const products_case *c)
{
    size_t n_wrong = 0;
    for (size_t i = 0; i < c->n; i++)
        for (size_t s = c->rows.begin; s < c->rows.end; s++) {
            float sums[MOST_RUNS] = {0};
            for (size_t k = 0; k < c->n_runs; k++)
                for (size_t u = c->bound[k] * KT_PANEL; u < c->bound[k + 1] * KT_PANEL; u++)
                    sums[k] = fmaf(weight(c, u, i), unit(&c->d, u, s), sums[k]);
            n_wrong += differ(c->dx.at[i * c->dx.ld + s], add_tree(c->n_runs, sums));
        }
    return n_wrong;
}

/* An element of the gradient; i == n: of the bias. */
static float gradient(const products_case *c, size_t u, size_t i)
{
    float sums[MOST_RUNS] = {0};
    for (size_t k = 0; k < c->n_shards; k++)
        for (size_t s = c->row[k]; s < c->row[k + 1]; s++)
            sums[k] = fmaf(i == c->n ? 1 : c->x.x[s * c->x.ld + i], unit(&c->d, u, s), sums[k]);
    return add_tree(c->n_shards, sums);
}

static size_t check_gradient(const products_case *c)
{
    size_t n_wrong = 0;
    for (size_t u = 0; u < c->n_panels * KT_PANEL; u++) {
        for (size_t i = 0; i < c->n; i++)
            n_wrong += differ(unit(&c->g, u, i), gradient(c, u, i));
        n_wrong += differ(c->g_bias[u], gradient(c, u, c->n));
    }
    return n_wrong;
}

static size_t check_order(const products_case *c)
{
    size_t n_wrong = 0;
    for (size_t u = 0; u < c->n_panels * KT_PANEL; u++)
        for (size_t s = c->rows.begin; s < c->rows.end; s++) {
            n_wrong += differ(c->columns.at[u * c->columns.ld + s], unit(&c->d, u, s));
            n_wrong += differ(unit(&c->back, u, s), unit(&c->d, u, s));
        }
    return n_wrong;
}

/* Between and behind panels nothing is written. */
static size_t check_edges(const kt_panels *a)
{
    size_t n_wrong = 0;
    for (size_t p = 0; p < a->n; p++)
        for (size_t k = a->rows * KT_PANEL; k < a->stride; k++)
            n_wrong += differ(a->at[p * a->stride + k], 0);
    return n_wrong;
}

static void check_case(const kt_products *row, size_t M, size_t n, size_t n_panels, size_t zeros)
{
    products_case c = products_new(M, n, n_panels, zeros);
    CU_ASSERT_FATAL(c.memory != NULL);
    products_run(row, &c);
    const size_t wrong[] = {check_note(&c),     check_forward(&c),
                            check_backward(&c), check_gradient(&c),
                            check_order(&c),    check_edges(&c.y) + check_edges(&c.g) + check_edges(&c.back)};
    for (size_t k = 0; k < sizeof wrong / sizeof wrong[0]; k++) {
        if (wrong[k] != 0)
            printf("%s, check %zu: %zu wrong of %zu samples, %zu inputs, %zu panels, %zu of 10 zero\n", row->name, k,
                   wrong[k], M, n, n_panels, zeros);
        CU_ASSERT(wrong[k] == 0);
    }
    free(c.memory);
}

static void for_all_rows(void (*check)(const kt_products *row))
{
    for (size_t k = 0; k < KT_N_SIMD; k++)
        if (kt_simd_rows[k].supported())
            check(kt_products_table[k]);
}

static void check_shapes(const kt_products *row)
{
    static const size_t samples[] = {1, 2, 16, 23, 64, 70, 130}, inputs[] = {1, 7, 16, 31, 200},
                        panels[] = {1, 2, 3, 5, 9};
    for (size_t m = 0; m < sizeof samples / sizeof samples[0]; m++)
        for (size_t n = 0; n < sizeof inputs / sizeof inputs[0]; n++)
            for (size_t p = 0; p < sizeof panels / sizeof panels[0]; p++)
                check_case(row, samples[m], inputs[n], panels[p], products_draw(11));
    check_case(row, 70, 784, 2, 7);
    check_case(row, 16, 784, 17, 0);
    check_case(row, 5, 1100, 17, 5);
    check_case(row, 400, 700, 1, 7);
}

static void rows_are_their_definition_in_all_shapes(void)
{
    for_all_rows(check_shapes);
}

static void check_densities(const kt_products *row)
{
    for (size_t zeros = 0; zeros <= 10; zeros++)
        check_case(row, 67, 100, 4, zeros);
}

static void lists_and_dense_tiles_give_the_same(void)
{
    for_all_rows(check_densities);
}

static void check_tiles(const kt_products *row)
{
    static const size_t tiles[][2] = {{1, 1}, {1, 100}, {3, 7}, {4, 12}, {5, 64}, {9, 100}};
    products_case c = products_new(130, 100, 9, 5);
    CU_ASSERT_FATAL(c.memory != NULL);
    products_run(row, &c);
    for (size_t t = 0; t < sizeof tiles / sizeof tiles[0]; t++) {
        memset(c.g.at, 0, c.g.n * c.g.stride * sizeof *c.g.at);
        products_gradient(row, &c, tiles[t][0], tiles[t][1]);
        CU_ASSERT(check_gradient(&c) == 0);
    }
    free(c.memory);
}

static void a_gradient_is_the_same_in_any_tiles(void)
{
    for_all_rows(check_tiles);
}

static void check_renewal(const kt_products *row)
{
    products_case c = products_new(150, 40, 1, 5);
    CU_ASSERT_FATAL(c.memory != NULL);
    c.rows = (kt_range){0, 150};
    row->note(&c.x, c.rows, c.rows);
    static const kt_range changes[] = {{60, 133}, {70, 90}, {128, 150}}; /* many, and few of many */
    for (size_t k = 0; k < sizeof changes / sizeof changes[0]; k++) {
        for (size_t s = changes[k].begin; s < changes[k].end; s++)
            for (size_t i = 0; i < c.n; i++)
                c.x.x[s * c.x.ld + i] = products_number(5);
        row->note(&c.x, k == 0 ? changes[k] : c.rows, changes[k]);
        CU_ASSERT(check_note(&c) == 0);
    }
    free(c.memory);
}

static void notes_of_other_samples_stay(void)
{
    for_all_rows(check_renewal);
}

/* As of a rank that has no samples of a batch, in a layer whose weights lie far, and one that has no panels of it. */
static void check_nothing(const kt_products *row)
{
    products_case c = products_new(5, 1100, 17, 5);
    CU_ASSERT_FATAL(c.memory != NULL);
    products_run(row, &c);
    const kt_panels no_w = kt_panels_some(&c.w, (kt_range){2, 2}), no_y = kt_panels_some(&c.y, (kt_range){2, 2});
    for (size_t at = 0; at <= 5; at += 5) {
        const kt_range none = {at, at};
        row->note(&c.x, none, none);
        row->forward(&c.w, c.bias, &c.x, none, &c.y);
        row->to_columns(&c.d, none, &c.columns);
        row->backward(&c.w, &(kt_runs){c.n_runs, c.bound}, &c.columns, none, &c.dx);
    }
    row->forward(&no_w, c.bias, &c.x, (kt_range){0, 5}, &no_y);
    CU_ASSERT(check_note(&c) == 0);
    CU_ASSERT(check_forward(&c) == 0);
    CU_ASSERT(check_backward(&c) == 0);
    free(c.memory);
}

static void nothing_to_compute_changes_nothing(void)
{
    for_all_rows(check_nothing);
}

static void openblas_is_near_the_definition(void)
{
    tolerance = 1e-4f;
    check_shapes(&kt_products_openblas);
    tolerance = 0;
}

/* The same layer and batch in two parts, and its gradient in other tiles. */
static void openblas_s_bits_do_not_depend_on_who_computes_what(void)
{
    const kt_products *row = &kt_products_openblas;
    products_case c = products_new(70, 1100, 3, 5);
    CU_ASSERT_FATAL(c.memory != NULL);
    const size_t n_y = c.y.n * c.y.stride * sizeof *c.y.at, n_g = c.g.n * c.g.stride * sizeof *c.g.at;
    float *y = malloc(n_y), *g = malloc(n_g);
    CU_ASSERT_FATAL(y != NULL && g != NULL);
    c.rows = (kt_range){0, 70};
    products_run(row, &c);
    memcpy(y, c.y.at, n_y);
    memcpy(g, c.g.at, n_g);
    for (size_t s = 1; s < 70; s += 9) {
        memset(c.y.at, 0, n_y);
        row->forward(&c.w, c.bias, &c.x, (kt_range){s, 70}, &c.y);
        row->forward(&c.w, c.bias, &c.x, (kt_range){0, s}, &c.y);
        products_gradient(row, &c, 1 + s % 3, s);
        CU_ASSERT(memcmp(y, c.y.at, n_y) == 0);
        CU_ASSERT(memcmp(g, c.g.at, n_g) == 0);
    }
    free(y);
    free(g);
    free(c.memory);
}

const kt_test kt_tests[] = {
    {"every row gives the bits of the definition, in all shapes", rows_are_their_definition_in_all_shapes},
    {"lists of nonzeros and dense tiles give the same", lists_and_dense_tiles_give_the_same},
    {"a gradient is the same in any tiles", a_gradient_is_the_same_in_any_tiles},
    {"notes of other samples stay as they are", notes_of_other_samples_stay},
    {"no samples, or no panels, change nothing", nothing_to_compute_changes_nothing},
    {"OpenBLAS's products are near the definition", openblas_is_near_the_definition},
    {"OpenBLAS's bits do not depend on who computes which samples and inputs",
     openblas_s_bits_do_not_depend_on_who_computes_what},
    {NULL, NULL},
};
