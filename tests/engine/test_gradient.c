/* Gradients that ranks form in tiles against the whole one by its definition: the same bits. */
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "base/random.h"
#include "edge/linalg.h"
#include "engine/gradient.h"
#include "plain_gradient.h"
#include "test.h"

const char *const kt_test_suite = "gradient";

enum { ROWS = 9, N_IN = 150, N_CLASSES = 5, SHARDS = 4, MOST_SEATS = 4, OPENBLAS = KT_N_SIMD, N_PATHS };

/* A network after a backward pass, and its gradient. */
typedef struct bench {
    kt_network *network;
    kt_dense *dense;
    size_t n_layers, n; /* floats of a vector */
    const kt_tensors *parameters;
    kt_rows rows;
    float *whole, *formed;
    kt_gradient tiles;
} bench;

/* path: a row of instructions, or OpenBLAS. Layers: whole and dealt, of more panels and inputs than a tile has. */
static bool prepare(bench *b, size_t path)
{
    static const int64_t widths[] = {300, 40};
    const kt_network_spec spec = {.hidden = {2, widths},
                                  .n_in = N_IN,
                                  .n_classes = N_CLASSES,
                                  .n_shards = SHARDS,
                                  .unit_shards = 16,
                                  .max_rows = ROWS,
                                  .max_batch = ROWS,
                                  .products = path == OPENBLAS ? KT_PRODUCTS_OPENBLAS : KT_PRODUCTS_OWN,
                                  .kernels = path == OPENBLAS ? 0 : (int)path + 1,
                                  .batch_norm = true,
                                  .batch_norm_momentum = 0.1,
                                  .batch_norm_epsilon = 1e-5};
    if (path != OPENBLAS && !kt_simd_rows[path].supported())
        return false;
    *b = (bench){.rows = {ROWS, SHARDS, 0, SHARDS}};
    kt_linalg_start(1);
    KT_CHECK_STATUS(KT_OK, kt_network_create(&b->network, &spec));
    CU_ASSERT_FATAL(b->network != NULL);
    kt_network_initialize(b->network, 1);
    b->dense = kt_network_dense(b->network, &b->n_layers);
    b->parameters = kt_network_parameters(b->network);
    b->n = b->parameters->room;
    KT_CHECK_STATUS(KT_OK, KT_NEW(b->whole, b->n));
    KT_CHECK_STATUS(KT_OK, KT_NEW(b->formed, b->n));
    KT_CHECK_STATUS(KT_OK, kt_gradient_create(&b->tiles, b->network));
    kt_pass pass = {.rows = b->rows, .training = true};
    for (size_t r = 0; r < ROWS; r++)
        kt_random_normal(&(kt_random_place){.seed = 5, .sample = (uint32_t)r}, 0, N_IN,
                         kt_network_input(b->network, r));
    kt_network_forward(b->network, &pass);
    kt_random_normal(&(kt_random_place){.seed = 6}, 0, ROWS * N_CLASSES, kt_network_d_logits(b->network));
    kt_network_backward(b->network, &pass);
    plain_gradient(b->network, &b->rows, b->whole);
    return true;
}

static void clear(bench *b)
{
    kt_gradient_free(&b->tiles);
    kt_memory_free(b->whole);
    kt_memory_free(b->formed);
    kt_network_free(b->network);
}

/* A layer as the rank in this seat has it. */
static kt_dense seen_by(const bench *b, size_t l, size_t seat, size_t n_seats)
{
    kt_dense d = b->dense[l];
    d.own = kt_dense_share(kt_network_spec_of(b->network), d.n_in, d.n_out, seat, n_seats);
    d.delta += d.own.begin * kt_panels_stride(ROWS);
    return d;
}

/* The whole gradient, but to rounding where the products are OpenBLAS's. */
static bool is_whole(const bench *b, size_t l, size_t path)
{
    const kt_tensor *weight = &b->parameters->tensor[b->dense[l].weight], *bias = weight + 1;
    const size_t begin = weight->offset, n = bias->offset + bias->room - begin;
    size_t n_far = 0;
    for (size_t i = begin; i < begin + n; i++)
        n_far += fabsf(b->formed[i] - b->whole[i]) <= 1e-5F * (1 + fabsf(b->whole[i])) ? 0 : 1;
    return path == OPENBLAS ? n_far == 0 : memcmp(b->formed + begin, b->whole + begin, n * sizeof(float)) == 0;
}

/* The panels of all units: what lies between them is nobody's. */
static void clear_formed(const bench *b)
{
    memset(b->formed, 0, b->n * sizeof *b->formed);
    for (size_t l = 0; l < b->n_layers; l++)
        for (size_t p = 0; p < b->dense[l].n_panels; p++)
            memset(b->formed + b->parameters->tensor[b->dense[l].weight].offset + p * b->dense[l].w.stride, 0xff,
                   b->dense[l].n_in * KT_PANEL * sizeof(float));
}

static void ranks_form_the_whole_gradient(void)
{
    for (size_t path = 0; path < N_PATHS; path++) {
        bench b;
        if (!prepare(&b, path))
            continue;
        const kt_dense_sum all = {kt_network_products(b.network), &b.rows, {0, SHARDS}};
        for (size_t n_seats = 1; n_seats <= MOST_SEATS; n_seats++) {
            clear_formed(&b); /* what nobody writes is a NaN */
            for (size_t i = 0; i < b.n_layers * n_seats; i++) {
                const kt_dense d = seen_by(&b, i / n_seats, i % n_seats, n_seats);
                kt_gradient_form(&b.tiles, &d, &all, (kt_range){0, d.own.end - d.own.begin}, b.formed);
            }
            for (size_t l = 0; l < b.n_layers; l++)
                CU_ASSERT(is_whole(&b, l, path));
        }
        clear(&b);
    }
}

/* By what a layer's weights are after a step of rate 1 from 0. */
static void tiles_go_into_the_optimizer(void)
{
    for (size_t path = 0; path < N_PATHS; path++) {
        bench b;
        if (!prepare(&b, path))
            continue;
        kt_optimizer *optimizer;
        KT_CHECK_STATUS(KT_OK, kt_optimizer_create(&optimizer, &(kt_optimizer_spec){.kind = 0},
                                                   kt_network_simd(b.network), b.parameters));
        const kt_updates updates = kt_optimizer_prepare(optimizer, 1, 1, 1, ROWS);
        for (size_t n_seats = 1; n_seats <= MOST_SEATS; n_seats++) {
            memset(b.parameters->vector[0], 0, b.n * sizeof(float));
            for (size_t l = 0; l < b.n_layers; l++)
                for (size_t seat = 0; seat < (kt_dense_is_whole(b.dense[l].n_in, b.dense[l].n_out) ? 1 : n_seats);
                     seat++) {
                    const kt_dense d = seen_by(&b, l, seat, n_seats);
                    kt_gradient_apply(&b.tiles, &d, &b.rows, &(kt_gradient_update){optimizer, &updates});
                }
            for (size_t i = 0; i < b.n; i++)
                b.formed[i] = 0 - b.parameters->vector[0][i]; /* and no zero becomes negative */
            for (size_t l = 0; l < b.n_layers; l++)
                CU_ASSERT(is_whole(&b, l, path));
        }
        kt_optimizer_free(optimizer);
        clear(&b);
    }
}

static double sum_of(const double *squares, size_t n)
{
    double sum = 0;
    for (size_t u = 0; u < n; u++)
        sum += squares[u];
    return sum;
}

static void squares_are_those_of_the_gradient(void)
{
    for (size_t path = 0; path < N_PATHS; path++) {
        bench b;
        if (!prepare(&b, path))
            continue;
        for (size_t i = 0; i < b.n_layers * MOST_SEATS; i++) {
            double tiles[512], vector[512], wanted = 0;
            const kt_dense d = seen_by(&b, i / MOST_SEATS, i % MOST_SEATS, MOST_SEATS);
            const size_t n = (d.own.end - d.own.begin) * KT_PANEL;
            kt_gradient_squares(&b.tiles, &d, &b.rows, NULL, tiles);
            kt_gradient_squares(&b.tiles, &d, &b.rows, b.whole, vector);
            CU_ASSERT(path == OPENBLAS || memcmp(tiles, vector, n * sizeof *tiles) == 0);
            for (size_t o = d.own.begin * KT_PANEL; o < kt_smaller(d.own.end * KT_PANEL, d.n_out); o++)
                for (size_t k = 0; k <= d.n_in - (size_t)d.lost_bias; k++)
                    wanted += pow((double)plain_element(&b.dense[i / MOST_SEATS], &b.rows, k, o), 2);
            CU_ASSERT(fabs(sum_of(tiles, n) - wanted) <= 1e-5 * wanted);
        }
        clear(&b);
    }
}

const kt_test kt_tests[] = {
    {"the ranks of a team form the whole gradient, each its panels, to the same bits on all instruction sets",
     ranks_form_the_whole_gradient},
    {"the tiles that go into the optimizer are that gradient, too", tiles_go_into_the_optimizer},
    {"squares of units are those of that gradient, formed or not", squares_are_those_of_the_gradient},
    {NULL, NULL},
};
