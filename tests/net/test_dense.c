/* dense.h against plain loops in double, and bit by bit however a product is cut: by OpenBLAS and by all own
 * kernels. */
#include "net/dense.h"

#include <stdint.h>

#include "base/memory.h"
#include "base/share.h"
#include "edge/linalg.h"

#include "golden.h"
#include "test.h"

const char *const kt_test_suite = "dense";

enum { TILE_THIN = 16, TILE_BLAS = 256, MOST = 160 * 1200, MOST_KERNELS = 8, MOST_OWNERS = 9 };

static float x[MOST], w[4 * MOST], d[MOST], result[4 * MOST], whole[4 * MOST], parts[8 * MOST];

/* Of exactly the promised size; for all tests. */
static float *scratch(void)
{
    static float *memory;
    if (memory == NULL) {
        kt_linalg_start(1);
        memory = kt_memory_new(kt_dense_scratch(), sizeof *memory);
        CU_ASSERT_FATAL(memory != NULL);
    }
    return memory;
}

/* Mixed signs; every other number is a zero, some of them negative, as behind relu and dropout. */
static void fill(size_t n, unsigned seed, bool sparse, float *out)
{
    for (size_t i = 0; i < n; i++) {
        seed = seed * 1664525u + 1013904223u;
        out[i] = (float)(seed >> 8) / 8388608.0f - 1;
        if (sparse && seed >> 31)
            out[i] = seed >> 30 & 1 ? 0.0f : -0.0f;
    }
}

/* NaNs of one pattern: what nobody writes keeps it. */
static void mark(size_t n, float *out)
{
    memset(out, 0xff, n * sizeof *out);
}

static size_t count_marked(size_t n, const float *out)
{
    static const unsigned char pattern[sizeof(float)] = {0xff, 0xff, 0xff, 0xff};
    size_t n_marked = 0;
    for (size_t i = 0; i < n; i++)
        n_marked += memcmp(&out[i], pattern, sizeof pattern) == 0;
    return n_marked;
}

static bool same(size_t n, const float *a, const float *b)
{
    return memcmp(a, b, n * sizeof *a) == 0;
}

/* OpenBLAS (NULL) first, then every row of the table that this processor has. */
static size_t all_kernels(const kt_kernels *all[MOST_KERNELS])
{
    size_t n = 0;
    all[n++] = NULL;
    for (size_t k = 0; k < KT_N_SIMD && n < MOST_KERNELS; k++)
        if (kt_simd_rows[k].supported())
            all[n++] = kt_kernels_table[k];
    return n;
}

/* g[n_out x n_in], the sums over `node` in tiles of the largest size. */
static void gradient(const kt_dense *dense, const kt_rows *rows, kt_shard_node node, float *g)
{
    for (size_t o = 0; o < dense->n_out; o += KT_DENSE_UNITS)
        for (size_t i = 0; i < dense->n_in; i += KT_DENSE_COLUMNS)
            kt_dense_gradient(dense, rows, node, kt_range_from(o, KT_DENSE_UNITS, dense->n_out),
                              kt_range_from(i, KT_DENSE_COLUMNS, dense->n_in), d, x, g + o * dense->n_in + i,
                              dense->n_in, NULL, scratch());
}

static void bias_gradient(const kt_dense *dense, const kt_rows *rows, kt_shard_node node, float *g)
{
    for (size_t o = 0; o < dense->n_out; o += KT_DENSE_UNITS)
        kt_dense_bias_gradient(dense, rows, node, kt_range_from(o, KT_DENSE_UNITS, dense->n_out), d, g + o);
}

/* ---- who owns what ---- */

static void units_are_owned_once(void)
{
    for (size_t n_units = 1; n_units < 2500; n_units += n_units < 40 ? 1 : 61)
        for (size_t n_parts = 1; n_parts <= 9; n_parts++)
            for (int thin = 0; thin <= 1; thin++) {
                const size_t tile = thin ? TILE_THIN : TILE_BLAS;
                size_t next = 0, most = 0, least = SIZE_MAX;
                for (size_t part = 0; part < n_parts; part++) {
                    const kt_range own = kt_dense_own(n_units, thin, &(kt_team){.seat = part, .n_seats = n_parts});
                    const size_t n_tiles = (own.end - own.begin + tile - 1) / tile;
                    CU_ASSERT(own.begin == next && own.end >= own.begin);
                    CU_ASSERT(own.end % tile == 0 || own.end == n_units);
                    most = n_tiles > most ? n_tiles : most;
                    least = n_tiles < least ? n_tiles : least;
                    next = own.end;
                }
                CU_ASSERT(next == n_units && most - least <= 1);
            }
}

static void rows_of_shards(void)
{
    for (size_t M = 0; M < 40; M++)
        for (size_t V = 1; V <= 16; V *= 2)
            for (size_t first = 0, row[KT_MAX_SHARDS + 1]; first <= V; first++)
                for (size_t end = first; end <= V; end++) {
                    const kt_rows rows = {M, V, first, end};
                    kt_shards_rows(M, V, (kt_shard_node){0, V}, row);
                    CU_ASSERT(kt_rows_begin(&rows) == row[first] && kt_rows_end(&rows) == row[end]);
                }
    const kt_rows nothing = {.M = 5};
    CU_ASSERT(kt_rows_begin(&nothing) == kt_rows_end(&nothing));
}

/* ---- against plain loops ---- */

/* M, shards, n_in, n_out */
static const size_t shapes[][4] = {{1, 1, 1, 1},      {7, 4, 5, 3},     {16, 16, 128, 49}, {3, 8, 33, 17},
                                   {1, 64, 70, 9},    {0, 4, 5, 3},     {64, 4, 784, 70},  {40, 2, 1100, 150},
                                   {130, 64, 40, 65}, {29, 8, 270, 530}};

static double dot(size_t k, const float *a, size_t step_a, const float *b, size_t step_b)
{
    double sum = 0;
    for (size_t i = 0; i < k; i++)
        sum += (double)a[i * step_a] * (double)b[i * step_b];
    return sum;
}

/* The four results of one shape; `spoil` changes one element of each, which must be noticed. */
static size_t count_wrong(const kt_dense *dense, const kt_rows *rows, float spoil)
{
    const size_t M = rows->M, n_in = dense->n_in, n_out = dense->n_out;
    const kt_range outputs = {0, n_out}, inputs = {0, n_in};
    const kt_shard_node all = {0, rows->shards};
    const double tolerance = 2e-6 * sqrt((double)(M + n_in + n_out));
    size_t n_wrong = 0;
    mark(M * n_out, result);
    kt_dense_forward(dense, rows, outputs, x, w, result);
    result[M * n_out / 2] += spoil;
    for (size_t i = 0; i < M * n_out; i++)
        n_wrong += !is_near((double)result[i], dot(n_in, x + i / n_out * n_in, 1, w + i % n_out * n_in, 1), tolerance);
    mark(M * n_in, result);
    kt_dense_backward(dense, rows, inputs, d, w, result);
    result[M * n_in / 2] += spoil;
    for (size_t i = 0; i < M * n_in; i++)
        n_wrong += !is_near((double)result[i], dot(n_out, d + i / n_in * n_out, 1, w + i % n_in, n_in), tolerance);
    mark(n_out * n_in, result);
    gradient(dense, rows, all, result);
    result[n_out * n_in / 2] += spoil;
    for (size_t i = 0; i < n_out * n_in; i++)
        n_wrong += !is_near((double)result[i], dot(M, d + i / n_in, n_out, x + i % n_in, n_in), tolerance);
    mark(n_out, result);
    bias_gradient(dense, rows, all, result);
    result[n_out / 2] += spoil;
    for (size_t o = 0; o < n_out; o++)
        n_wrong += !is_near((double)result[o], dot(M, d + o, n_out, (float[]){1}, 0), tolerance);
    return n_wrong;
}

static void products(void)
{
    const kt_kernels *all[MOST_KERNELS];
    const size_t n_kernels = all_kernels(all);
    for (size_t k = 0; k < n_kernels; k++)
        for (size_t s = 0; s < sizeof shapes / sizeof shapes[0]; s++)
            for (int sparse = 0; sparse <= 1; sparse++) {
                const kt_dense dense = {shapes[s][2], shapes[s][3], all[k], false};
                const kt_rows rows = {shapes[s][0], shapes[s][1], 0, shapes[s][1]};
                fill(rows.M * dense.n_in, 1, sparse, x);
                fill(dense.n_out * dense.n_in, 2, false, w);
                fill(rows.M * dense.n_out, 3, sparse, d);
                CU_ASSERT(count_wrong(&dense, &rows, 0) == 0);
                CU_ASSERT(count_wrong(&dense, &rows, 1e-2f) == (rows.M > 0 ? 4 : 2));
            }
}

/* ---- however they are cut ---- */

/* M, shards, n_in, n_out: more than two tiles of OpenBLAS in one, rows fewer than shards, a single tile */
static const size_t cuts[][4] = {
    {29, 8, 300, 600}, {29, 8, 600, 300}, {5, 16, 70, 41}, {16, 4, 33, 17}, {1, 2, 20, 40}};

typedef void product(const kt_dense *dense, const kt_rows *rows, kt_range own, const float *a, const float *b,
                     float *out);

/* A product in pieces: shards [0, cut) and [cut, V) apart, the units of n_parts parts apart. */
static void in_pieces(product *f, const kt_dense *dense, size_t n_units, kt_rows rows, size_t cut, size_t n_parts,
                      const float *a, float *out)
{
    const size_t bound[] = {0, cut, rows.shards};
    for (size_t call = 0; call < 2; call++)
        for (size_t part = n_parts; part-- > 0;) {
            rows.first = bound[call], rows.end = bound[call + 1];
            f(dense, &rows, kt_dense_own(n_units, dense->kernels != NULL, &(kt_team){.seat = part, .n_seats = n_parts}),
              a, w, out);
        }
}

static void check_cuts(product *f, const kt_dense *dense, size_t n_units, size_t M, size_t V, const float *a)
{
    const kt_rows rows = {M, V, 0, V};
    mark(M * n_units, whole);
    f(dense, &rows, (kt_range){0, n_units}, a, w, whole);
    CU_ASSERT(count_marked(M * n_units, whole) == 0);
    for (size_t n_parts = 1; n_parts <= 5; n_parts++)
        for (size_t cut = 0; cut <= V; cut += V / 4 + (V < 4)) {
            mark(M * n_units, result);
            in_pieces(f, dense, n_units, rows, cut, n_parts, a, result);
            CU_ASSERT(same(M * n_units, result, whole));
        }
}

/* One piece writes its rows and columns, and nothing else. */
static void check_one_piece(product *f, const kt_dense *dense, size_t n_units, size_t M, size_t V, const float *a)
{
    const kt_rows rows = {M, V, V / 4, V / 2};
    const kt_range own = kt_dense_own(n_units, dense->kernels != NULL, &(kt_team){.seat = 1, .n_seats = 2});
    const size_t n_here = (kt_rows_end(&rows) - kt_rows_begin(&rows)) * (own.end - own.begin);
    mark(M * n_units, result);
    f(dense, &rows, own, a, w, result);
    CU_ASSERT(count_marked(M * n_units, result) == M * n_units - n_here);
    for (size_t r = kt_rows_begin(&rows); r < kt_rows_end(&rows); r++)
        CU_ASSERT(count_marked(own.end - own.begin, result + r * n_units + own.begin) == 0);
}

static void forward_and_backward_in_pieces(void)
{
    const kt_kernels *all[MOST_KERNELS];
    const size_t n_kernels = all_kernels(all);
    for (size_t k = 0; k < n_kernels; k++)
        for (size_t c = 0; c < sizeof cuts / sizeof cuts[0]; c++) {
            const size_t M = cuts[c][0], V = cuts[c][1];
            const kt_dense dense = {cuts[c][2], cuts[c][3], all[k], false};
            fill(M * dense.n_in, 4, true, x);
            fill(dense.n_out * dense.n_in, 5, false, w);
            fill(M * dense.n_out, 6, true, d);
            check_cuts(kt_dense_forward, &dense, dense.n_out, M, V, x);
            check_cuts(kt_dense_backward, &dense, dense.n_in, M, V, d);
            check_one_piece(kt_dense_forward, &dense, dense.n_out, M, V, x);
            check_one_piece(kt_dense_backward, &dense, dense.n_in, M, V, d);
        }
}

typedef void sum_over_node(const kt_dense *dense, const kt_rows *rows, kt_shard_node node, float *g);

/* Owners of consecutive shards each add their nodes; together the whole, bit for bit. */
static void check_owners(sum_over_node *f, const kt_dense *dense, const kt_rows *rows, size_t n)
{
    kt_shard_node nodes[KT_MAX_SHARDS + KT_MAX_SHARD_NODES];
    mark(n, whole);
    f(dense, rows, (kt_shard_node){0, rows->shards}, whole);
    CU_ASSERT(count_marked(n, whole) == 0);
    for (size_t owners = 1; owners <= MOST_OWNERS; owners++) {
        size_t n_nodes = 0;
        for (size_t r = 0; r < owners; r++) {
            const kt_range own = kt_share(rows->shards, r, owners);
            n_nodes += kt_shards_nodes(own.begin, own.end, nodes + n_nodes);
        }
        CU_ASSERT_FATAL(n_nodes * n <= sizeof parts / sizeof parts[0]);
        for (size_t k = 0; k < n_nodes; k++)
            f(dense, rows, nodes[k], parts + k * n);
        kt_shards_add_f32(nodes, n_nodes, n, n, parts, result);
        CU_ASSERT(same(n, result, whole));
    }
}

static void gradients_by_owners(void)
{
    const kt_kernels *all[MOST_KERNELS];
    const size_t n_kernels = all_kernels(all);
    for (size_t k = 0; k < n_kernels; k++)
        for (size_t c = 1; c < sizeof cuts / sizeof cuts[0]; c++)
            for (size_t V = 1; V <= 16; V *= 2) {
                const kt_dense dense = {cuts[c][2] / (c == 1 ? 3 : 1), cuts[c][3] / (c == 1 ? 3 : 1), all[k], false};
                const kt_rows rows = {cuts[c][0], V, 0, V};
                fill(rows.M * dense.n_in, 7, true, x);
                fill(rows.M * dense.n_out, 8, true, d);
                check_owners(gradient, &dense, &rows, dense.n_out * dense.n_in);
                check_owners(bias_gradient, &dense, &rows, dense.n_out);
            }
}

/* Own kernels: any tile of the gradient, whatever is prefetched on the way. */
static void gradient_in_any_tile(void)
{
    enum { M = 13, V = 4, N_IN = 150, N_OUT = 60 };
    const kt_kernels *all[MOST_KERNELS];
    const size_t n_kernels = all_kernels(all);
    const kt_rows rows = {M, V, 0, V};
    fill(M * N_IN, 9, true, x);
    fill(M * N_OUT, 10, true, d);
    for (size_t k = 1; k < n_kernels; k++) {
        const kt_dense dense = {N_IN, N_OUT, all[k], false};
        gradient(&dense, &rows, (kt_shard_node){0, V}, whole);
        for (size_t height = 1; height <= N_OUT; height += 7)
            for (size_t width = 1; width <= N_IN; width = width * 2 + 3) {
                mark(N_OUT * N_IN, result);
                for (size_t o = 0; o < N_OUT; o += height)
                    for (size_t i = 0; i < N_IN; i += width) {
                        const kt_ahead ahead = {2, {w + o * N_IN + i, whole + o * N_IN + i}, N_IN};
                        kt_dense_gradient(&dense, &rows, (kt_shard_node){0, V}, kt_range_from(o, height, N_OUT),
                                          kt_range_from(i, width, N_IN), d, x, result + o * N_IN + i, N_IN,
                                          width % 2 ? &ahead : NULL, NULL);
                    }
                CU_ASSERT(same(N_OUT * N_IN, result, whole));
            }
    }
}

/* A weight that is kept transposed: the products of the transposed layer, with inputs and outputs in each other's
 * place. */
static void transposed(void)
{
    enum { M = 21, V = 4, N_IN = 150, N_OUT = 60 };
    static const kt_rows rows = {M, V, 0, V};
    static const kt_range all_in = {0, N_IN}, all_out = {0, N_OUT};
    const kt_kernels *all[MOST_KERNELS];
    const size_t n_kernels = all_kernels(all);
    fill(M * N_IN, 13, true, x);
    fill(M * N_OUT, 14, true, d);
    fill(N_IN * N_OUT, 15, false, w);
    for (size_t k = 0; k < n_kernels; k++) {
        const kt_dense kept = {N_IN, N_OUT, all[k], true}, turned = {N_OUT, N_IN, all[k], false};
        kt_dense_forward(&kept, &rows, all_out, x, w, result);
        kt_dense_backward(&turned, &rows, all_out, x, w, whole);
        CU_ASSERT(same(M * N_OUT, result, whole));
        kt_dense_backward(&kept, &rows, all_in, d, w, result);
        kt_dense_forward(&turned, &rows, all_in, d, w, whole);
        CU_ASSERT(same(M * N_IN, result, whole));
        for (size_t i = 0; i < N_IN; i += KT_DENSE_UNITS) {
            const kt_range tall = kt_range_from(i, KT_DENSE_UNITS, N_IN);
            kt_dense_gradient(&kept, &rows, (kt_shard_node){0, V}, tall, all_out, d, x, result + i * N_OUT, N_OUT, NULL,
                              scratch());
            kt_dense_gradient(&turned, &rows, (kt_shard_node){0, V}, tall, all_out, x, d, whole + i * N_OUT, N_OUT,
                              NULL, scratch());
        }
        CU_ASSERT(same(N_IN * N_OUT, result, whole));
    }
}

/* The largest tile and the deepest tree, apart and within a wider matrix. */
static void scratch_suffices(void)
{
    enum { M = 70, V = KT_MAX_SHARDS, N_IN = KT_DENSE_COLUMNS, LD = N_IN + 5, N_OUT = KT_DENSE_UNITS };
    const kt_kernels *all[MOST_KERNELS];
    const size_t n_kernels = all_kernels(all);
    const kt_rows rows = {M, V, 0, V};
    fill(M * N_IN, 11, false, x);
    fill(M * N_OUT, 12, false, d);
    for (size_t k = 0; k < n_kernels; k++) {
        const kt_dense dense = {N_IN, N_OUT, all[k], false};
        mark(N_OUT * LD, result);
        gradient(&dense, &rows, (kt_shard_node){0, V}, whole);
        kt_dense_gradient(&dense, &rows, (kt_shard_node){0, V}, (kt_range){0, N_OUT}, (kt_range){0, N_IN}, d, x, result,
                          LD, NULL, scratch());
        CU_ASSERT(count_marked(N_OUT * LD, result) == N_OUT * (LD - N_IN));
        for (size_t o = 0; o < N_OUT; o++)
            CU_ASSERT(same(N_IN, result + o * LD, whole + o * N_IN));
    }
}

const kt_test kt_tests[] = {
    {"every unit is owned once, in whole tiles, by any number of parts", units_are_owned_once},
    {"the rows of shards, none of them too, are those of the canonical cut", rows_of_shards},
    {"forward, backward and both gradients are the plain loops, by OpenBLAS and by kernels", products},
    {"the bits do not depend on who computes which shards and units, and nothing else is written",
     forward_and_backward_in_pieces},
    {"owners' sums of a gradient add up to the bits of the whole", gradients_by_owners},
    {"kernels give an element of a gradient the same bits in any tile", gradient_in_any_tile},
    {"the scratch suffices for the largest tile and the deepest tree", scratch_suffices},
    {"a weight that is kept transposed gives the products of the turned layer", transposed},
    {NULL, NULL},
};
