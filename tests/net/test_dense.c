/* dense.h: who owns which panels, and that what the owners compute is the whole layer's, bit by bit. The products
 * themselves: test_products.c. */
#include "net/dense.h"

#include <math.h>

#include "base/random.h"
#include "edge/linalg.h"

#include "test.h"

const char *const kt_test_suite = "dense";

enum { MOST_SEATS = 20, MOST_BATCH = 29 };

/* ---- who owns what ---- */

/* Every panel has one owner, and shares are even: by a panel for each run at most. */
static size_t count_wrong_shares(const kt_network_spec *spec, size_t n_in, size_t n_out, size_t n_seats)
{
    const size_t n_panels = kt_panels_count(n_out), n_runs = (size_t)spec->unit_shards;
    const size_t most_runs = (n_runs + n_seats - 1) / n_seats, of_run = (n_panels + n_runs - 1) / n_runs;
    size_t next = 0, n_wrong = 0;
    for (size_t seat = 0; seat < n_seats; seat++) {
        const kt_range own = kt_dense_share(spec, n_in, n_out, seat, n_seats);
        if (kt_dense_is_whole(n_in, n_out)) {
            n_wrong += own.begin != 0 || own.end != n_panels;
            next = n_panels;
            continue;
        }
        n_wrong += own.begin != next || own.end < own.begin || own.end - own.begin > most_runs * of_run;
        next = own.end;
    }
    return n_wrong + (next != n_panels);
}

static void panels_are_owned_once(void)
{
    static const size_t n_ins[] = {1, 30, 10000}; /* the last is never whole */
    size_t n_wrong = 0;
    for (int64_t unit_shards = 1; unit_shards <= KT_MAX_SHARDS; unit_shards++)
        for (size_t n_out = 1; n_out <= 400; n_out++)
            for (size_t n_seats = 1; n_seats <= MOST_SEATS; n_seats++) {
                const kt_network_spec spec = {.unit_shards = unit_shards};
                const size_t n_in = n_ins[(n_out + n_seats) % 3];
                n_wrong += count_wrong_shares(&spec, n_in, n_out, n_seats);
                n_wrong += count_wrong_shares(&spec, 10000, n_out, n_seats);
            }
    CU_ASSERT(n_wrong == 0);
}

static void small_layers_are_whole(void)
{
    CU_ASSERT(kt_dense_is_whole(128, 49) && kt_dense_is_whole(1, 1) && kt_dense_is_whole(8192, 1));
    CU_ASSERT(!kt_dense_is_whole(784, 128) && !kt_dense_is_whole(8193, 1) && !kt_dense_is_whole(1, 8193));
    CU_ASSERT(!kt_dense_is_whole(SIZE_MAX / 2, 4) && !kt_dense_is_whole(4, SIZE_MAX / 2));
}

static void rows_of_shards(void)
{
    for (size_t M = 0; M < 40; M++)
        for (size_t V = 1; V <= 16; V *= 2)
            for (size_t first = 0, row[KT_MAX_SHARDS + 1]; first <= V; first++)
                for (size_t end = first; end <= V; end++) {
                    const kt_range rows = kt_rows_range(&(kt_rows){M, V, first, end});
                    kt_shards_rows(M, V, (kt_shard_node){0, V}, row);
                    CU_ASSERT(rows.begin == row[first] && rows.end == row[end]);
                }
    const kt_range nothing = kt_rows_range(&(kt_rows){.M = 5});
    CU_ASSERT(nothing.begin == nothing.end);
}

/* ---- a layer on a seat ---- */

/* M, shards, n_in, n_out, runs */
static const size_t shapes[][5] = {
    {29, 8, 300, 70, 16}, {16, 4, 90, 113, 4}, {29, 64, 131, 64, 1}, {1, 8, 600, 17, 2}, {9, 2, 20, 30, 16}};

typedef struct bench {
    kt_network_spec spec;
    kt_team team;
    kt_maker maker;
    kt_tensor tensor[2];
    kt_dense dense;
    kt_rows rows;
    const kt_products *products;
    size_t room; /* of the vector */
} bench;

static void draw(uint32_t number, size_t n, float *out)
{
    const kt_random_place place = {.seed = 11, .purpose = KT_RANDOM_INIT, .layer = number};
    kt_random_normal(&place, 0, n, out);
}

static void lay_out(bench *b, const size_t *shape)
{
    b->maker.parameters.n = b->maker.parameters.room = 0;
    b->maker.rank.used = b->maker.shared.used = 0;
    b->maker.parameters.vector[0] = (float *)(void *)b->maker.shared.base;
    kt_dense_make(&b->dense, &b->maker, shape[2], shape[3]);
}

/* *b must not move after. Weights, inputs and deltas are the same on each seat; every other number of these is a 0. */
static void prepare(bench *b, const size_t *shape, const kt_products *products, size_t seat, size_t n_seats)
{
    const size_t M = shape[0], n_in = shape[2], n_out = shape[3];
    memset(b, 0, sizeof *b);
    b->spec = (kt_network_spec){.unit_shards = (int64_t)shape[4], .max_rows = MOST_BATCH, .max_batch = MOST_BATCH};
    b->team = (kt_team){.seat = seat, .n_seats = n_seats};
    b->rows = (kt_rows){M, shape[1], 0, shape[1]};
    b->products = products;
    b->maker = (kt_maker){.spec = &b->spec, .team = &b->team, .parameters = {.n_vectors = 1}};
    lay_out(b, shape);
    b->room = b->maker.parameters.room;
    b->maker.parameters.tensor = b->tensor;
    b->maker.rank.base = kt_memory_new(b->maker.rank.used, 1);
    b->maker.shared.base = kt_memory_new(b->room, sizeof(float));
    CU_ASSERT_FATAL(b->maker.rank.base != NULL && b->maker.shared.base != NULL);
    lay_out(b, shape);
    static float numbers[600 * 128];
    kt_dense *d = &b->dense;
    draw(1, n_in * n_out, numbers);
    kt_tensor_from_file(&b->tensor[0], numbers, d->w.at);
    draw(2, n_out, d->b);
    draw(3, M * n_in, numbers);
    for (size_t k = 0; k < M * n_in; k++)
        d->x.x[k / n_in * d->x.ld + k % n_in] = fmaxf(0, numbers[k]);
    draw(4, M * n_out, numbers);
    const kt_panels delta = kt_dense_panels(d, d->delta, M);
    for (size_t k = 0; k < M * n_out; k++) {
        const size_t r = k / n_out, u = k % n_out, p = u / KT_PANEL;
        if (p >= d->own.begin && p < d->own.end)
            delta.at[(p - d->own.begin) * delta.stride + r * KT_PANEL + u % KT_PANEL] = fmaxf(0, numbers[k]);
    }
    products->note(&d->x, (kt_range){0, M}, (kt_range){0, M});
    products->to_columns(&delta, (kt_range){0, M}, &(kt_columns){d->delta_columns, kt_dense_ld(M)});
}

static void end(bench *b)
{
    kt_memory_free(b->maker.rank.base);
    kt_memory_free(b->maker.shared.base);
}

/* All inputs and outputs and the gradient [M x 128], [600 x ld], [128 / 16 panels]. */
typedef struct results {
    float y[MOST_BATCH * 128], bias[128];
    float dx[600 * 48];
    _Alignas(64) float g[8 * 608 * KT_PANEL];
} results;

static void take_outputs(const bench *b, results *to)
{
    const kt_dense *d = &b->dense;
    const kt_panels y = kt_dense_panels(d, d->outputs, b->rows.M);
    for (size_t p = 0; p < y.n; p++)
        for (size_t r = 0; r < b->rows.M; r++)
            memcpy(to->y + r * 128 + (d->own.begin + p) * KT_PANEL, y.at + p * y.stride + r * KT_PANEL,
                   KT_PANEL * sizeof(float));
}

/* What own panels add to the derivatives of inputs: the nodes of the tree. */
static size_t take_nodes(const bench *b, size_t n_nodes, kt_shard_node *nodes, float *sums)
{
    const kt_dense *d = &b->dense;
    const size_t part = d->n_in * kt_dense_ld(b->rows.M);
    for (size_t k = 0; k < d->n_nodes; k++, n_nodes++) {
        nodes[n_nodes] = d->nodes[k];
        kt_dense_backward(d, b->products, &b->rows, (kt_range){0, d->n_in}, k, sums + n_nodes * part);
    }
    return n_nodes;
}

/* The gradient of own panels: node by node of the batch, and panel by panel. */
static void take_gradient(const bench *b, size_t n_nodes, const kt_shard_node *nodes, results *to)
{
    static _Alignas(64) float sums[KT_MAX_SHARDS][608 * KT_PANEL];
    const kt_dense *d = &b->dense;
    for (size_t p = 0; p < d->own.end - d->own.begin; p++) {
        const size_t n = d->n_in * KT_PANEL;
        float *g = to->g + (d->own.begin + p) * 608 * KT_PANEL;
        for (size_t k = 0; k < n_nodes; k++) {
            const kt_dense_sum sum = {b->products, &b->rows, nodes[k]};
            kt_dense_gradient(d, &sum, 0, (kt_range){p, p + 1}, &(kt_panels){sums[k], 1, d->n_in, n});
            kt_dense_bias_gradient(d, &sum, (kt_range){p, p + 1}, sums[k] + n);
        }
        kt_shards_add_f32(nodes, n_nodes, n + KT_PANEL, 608 * KT_PANEL, sums[0], g);
        memcpy(to->bias + (d->own.begin + p) * KT_PANEL, g + n, KT_PANEL * sizeof *g);
        memset(g + n, 0, KT_PANEL * sizeof *g);
    }
}

static size_t nodes_of(size_t V, size_t n_owners, kt_shard_node *nodes)
{
    size_t n = 0;
    for (size_t r = 0; r < n_owners; r++) {
        const kt_range own = kt_share(V, r, n_owners);
        n += kt_shards_nodes(own.begin, own.end, nodes + n);
    }
    return n;
}

static void compute(const size_t *shape, const kt_products *products, size_t n_seats, results *to)
{
    static float sums[KT_MAX_SHARDS * 600 * 16 * 3];
    kt_shard_node nodes[KT_MAX_SHARDS + KT_MAX_SHARD_NODES], batch[KT_MAX_SHARDS + KT_MAX_SHARD_NODES];
    const size_t n_batch = nodes_of(shape[1], n_seats, batch), part = shape[2] * kt_dense_ld(shape[0]);
    const bool whole = kt_dense_is_whole(shape[2], shape[3]);
    size_t n_nodes = 0;
    memset(to, 0, sizeof *to);
    for (size_t seat = 0; seat < n_seats; seat++) {
        bench b;
        prepare(&b, shape, products, seat, n_seats);
        CU_ASSERT(b.dense.whole == whole);
        kt_dense_forward(&b.dense, products, &b.rows);
        take_outputs(&b, to);
        take_gradient(&b, n_batch, batch, to);
        if (!whole || seat == 0)
            n_nodes = take_nodes(&b, n_nodes, nodes, sums);
        end(&b);
    }
    kt_shards_add_f32(nodes, n_nodes, part, part, sums, to->dx);
    for (size_t i = 0; i < shape[2]; i++) /* columns of no sample */
        memset(to->dx + i * kt_dense_ld(shape[0]) + shape[0], 0, (kt_dense_ld(shape[0]) - shape[0]) * sizeof(float));
}

static void any_seats(void)
{
    static results alone, together;
    kt_linalg_start(1);
    for (size_t s = 0; s < sizeof shapes / sizeof shapes[0]; s++)
        for (size_t row = 0; row <= KT_N_SIMD; row++) {
            if (row < KT_N_SIMD && !kt_simd_rows[row].supported())
                continue;
            const kt_products *products = row < KT_N_SIMD ? kt_products_table[row] : &kt_products_openblas;
            compute(shapes[s], products, 1, &alone);
            for (size_t n_seats = 2; n_seats <= MOST_SEATS; n_seats += n_seats < 5 ? 1 : 5) {
                compute(shapes[s], products, n_seats, &together);
                CU_ASSERT(memcmp(&alone, &together, sizeof alone) == 0);
            }
        }
}

/* ---- plain loops in double ---- */

static double x_of(const bench *b, size_t r, size_t i)
{
    return i < b->dense.n_in ? (double)b->dense.x.x[r * b->dense.x.ld + i] : 1; /* 1: what a bias is multiplied by */
}

static double of_panels(const kt_panels *a, size_t unit, size_t row)
{
    return (double)a->at[unit / KT_PANEL * a->stride + row * KT_PANEL + unit % KT_PANEL];
}

static bool is_far(double a, float b)
{
    return !(fabs(a - (double)b) <= 1e-4);
}

static size_t count_wrong_outputs(const bench *b, const results *of)
{
    size_t n_wrong = 0;
    for (size_t r = 0; r < b->rows.M; r++)
        for (size_t u = 0; u < b->dense.n_out; u++) {
            double sum = (double)b->dense.b[u];
            for (size_t i = 0; i < b->dense.n_in; i++)
                sum += x_of(b, r, i) * of_panels(&b->dense.w, u, i);
            n_wrong += is_far(sum, of->y[r * 128 + u]);
        }
    return n_wrong;
}

static size_t count_wrong_derivatives(const bench *b, const kt_panels *delta, const results *of)
{
    size_t n_wrong = 0;
    for (size_t r = 0; r < b->rows.M; r++)
        for (size_t i = 0; i < b->dense.n_in; i++) {
            double sum = 0;
            for (size_t u = 0; u < b->dense.n_out; u++)
                sum += of_panels(delta, u, r) * of_panels(&b->dense.w, u, i);
            n_wrong += is_far(sum, of->dx[i * kt_dense_ld(b->rows.M) + r]);
        }
    return n_wrong;
}

static size_t count_wrong_gradients(const bench *b, const kt_panels *delta, const results *of)
{
    size_t n_wrong = 0;
    for (size_t u = 0; u < b->dense.n_out; u++)
        for (size_t i = 0; i <= b->dense.n_in; i++) {
            const float g = of->g[(u / KT_PANEL * 608 + i) * KT_PANEL + u % KT_PANEL];
            double sum = 0;
            for (size_t r = 0; r < b->rows.M; r++)
                sum += of_panels(delta, u, r) * x_of(b, r, i);
            n_wrong += is_far(sum, i < b->dense.n_in ? g : of->bias[u]);
        }
    return n_wrong;
}

/* What is changed a little is noticed. */
static void plain_loops(void)
{
    static results alone;
    for (size_t s = 0; s < sizeof shapes / sizeof shapes[0]; s++) {
        bench b;
        compute(shapes[s], kt_products_table[kt_simd_best()], 1, &alone);
        prepare(&b, shapes[s], kt_products_table[kt_simd_best()], 0, 1);
        const kt_panels delta = kt_dense_panels(&b.dense, b.dense.delta, b.rows.M);
        for (size_t n_wrong = 0; n_wrong <= 1; n_wrong++) {
            CU_ASSERT(count_wrong_outputs(&b, &alone) == n_wrong);
            CU_ASSERT(count_wrong_derivatives(&b, &delta, &alone) == n_wrong);
            CU_ASSERT(count_wrong_gradients(&b, &delta, &alone) == 2 * n_wrong);
            alone.y[0] += 0.01f, alone.dx[0] += 0.01f, alone.g[0] += 0.01f, alone.bias[0] += 0.01f;
        }
        end(&b);
    }
}

const kt_test kt_tests[] = {
    {"every panel has one owner, for any number of seats, runs and units", panels_are_owned_once},
    {"layers of few weights are every seat's", small_layers_are_whole},
    {"the rows of shards, none of them too, are those of the canonical cut", rows_of_shards},
    {"a layer's products are plain loops", plain_loops},
    {"no bit depends on how many seats share a layer, by any instructions and by OpenBLAS", any_seats},
    {NULL, NULL},
};
