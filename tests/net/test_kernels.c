/* Every row of the table that this processor supports: against plain loops in double, and against itself, cut in other
 * tiles. Arrays begin 4 bytes off any alignment, have rows apart, and end where the memory ends. */
#include "net/kernels.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/shards.h"
#include "test.h"

const char *const kt_test_suite = "kernels";

static uint32_t state = 1;

static uint32_t draw(uint32_t n)
{
    state = state * 1664525u + 1013904223u;
    return (uint32_t)((uint64_t)state * n >> 32);
}

static const float GUARD = 12345.0f;

typedef struct matrix {
    size_t rows, columns, ld;
    float *memory, *at;
} matrix;

static matrix new_matrix(size_t rows, size_t columns)
{
    matrix a = {.rows = rows, .columns = columns, .ld = columns + draw(20)};
    const size_t n = rows == 0 ? 0 : (rows - 1) * a.ld + columns;
    a.memory = malloc((n + 1) * sizeof *a.memory);
    CU_ASSERT_FATAL(a.memory != NULL);
    a.at = a.memory + 1;
    for (size_t i = 0; i <= n; i++)
        a.memory[i] = GUARD;
    return a;
}

/* Numbers in (-1, 1); about `zeros` of 10 are 0, some of them -0. */
static matrix random_matrix(size_t rows, size_t columns, uint32_t zeros)
{
    matrix a = new_matrix(rows, columns);
    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < columns; c++) {
            const float value = (float)draw(1u << 24) / 8388608.0f - 1;
            a.at[r * a.ld + c] = draw(10) >= zeros ? value : value > 0 ? 0.0f : -0.0f;
        }
    return a;
}

/* The same numbers at another place, with other distances between rows. */
static matrix copy_of(const matrix *a)
{
    matrix b = new_matrix(a->rows, a->columns);
    for (size_t r = 0; r < a->rows; r++)
        memcpy(b.at + r * b.ld, a->at + r * a->ld, a->columns * sizeof *a->at);
    return b;
}

/* Elements that differ in any bit. */
static size_t count_different(const matrix *a, const matrix *b)
{
    size_t n = 0;
    for (size_t r = 0; r < a->rows; r++)
        for (size_t c = 0; c < a->columns; c++)
            n += memcmp(a->at + r * a->ld + c, b->at + r * b->ld + c, sizeof *a->at) != 0;
    return n;
}

/* Elements between the rows, and before the first, that were written to. */
static size_t count_outside(const matrix *a)
{
    size_t n = a->memory[0] != GUARD;
    for (size_t r = 0; r + 1 < a->rows; r++)
        for (size_t c = a->columns; c < a->ld; c++)
            n += a->at[r * a->ld + c] != GUARD;
    return n;
}

/* Elements of c = sum over k of a[i * i_a + k * k_a] b[j * j_b + k * k_b] that are not right to rounding. */
static size_t count_wrong(const matrix *c, size_t n, const float *a, size_t i_a, size_t k_a, const float *b, size_t j_b,
                          size_t k_b)
{
    size_t n_wrong = 0;
    for (size_t i = 0; i < c->rows; i++)
        for (size_t j = 0; j < c->columns; j++) {
            double sum = 0, size = 0;
            for (size_t k = 0; k < n; k++) {
                const double term = (double)a[i * i_a + k * k_a] * (double)b[j * j_b + k * k_b];
                sum += term;
                size += fabs(term);
            }
            n_wrong += fabs((double)c->at[i * c->ld + j] - sum) <= 1.2e-7 * (2 + sqrt((double)n)) * size
                           ? 0u
                           : 1u; /* a NaN is wrong */
        }
    return n_wrong;
}

/* One problem: x[m x n_in], w[n_out x n_in], d[m x n_out] and V shards; results y, dx, g of whole calls. */
typedef struct problem {
    const kt_kernels *kernels;
    size_t m, n_in, n_out, V;
    matrix x, w, d, y, dx, g;
} problem;

static void gradient_of(const problem *p, kt_shard_node node, matrix *g)
{
    size_t row[KT_MAX_SHARDS + 1];
    const kt_ahead ahead = {3, {p->w.at, p->w.at, p->w.at}, p->w.ld};
    kt_shards_rows(p->m, p->V, node, row);
    p->kernels->gradient(row, node.count, p->n_in, p->n_out, p->d.at, p->d.ld, p->x.at, p->x.ld, g->at, g->ld, &ahead);
}

static problem new_problem(const kt_kernels *kernels, const size_t shape[4], uint32_t zeros)
{
    problem p = {.kernels = kernels, .m = shape[0], .n_in = shape[1], .n_out = shape[2], .V = shape[3]};
    p.x = random_matrix(p.m, p.n_in, 0);
    p.w = random_matrix(p.n_out, p.n_in, 0);
    p.d = random_matrix(p.m, p.n_out, zeros);
    p.y = new_matrix(p.m, p.n_out);
    p.dx = new_matrix(p.m, p.n_in);
    p.g = new_matrix(p.n_out, p.n_in);
    kernels->forward(p.m, p.n_in, p.n_out, p.x.at, p.x.ld, p.w.at, p.w.ld, p.y.at, p.y.ld);
    kernels->backward(p.m, p.n_in, p.n_out, p.d.at, p.d.ld, p.w.at, p.w.ld, p.dx.at, p.dx.ld);
    gradient_of(&p, (kt_shard_node){0, p.V}, &p.g);
    return p;
}

static void free_problem(problem *p)
{
    matrix *const all[] = {&p->x, &p->w, &p->d, &p->y, &p->dx, &p->g};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        free(all[i]->memory);
}

/* m, n_in, n_out, V: blocks of columns, long shards, many shards, no rows; the rest is drawn. */
static const size_t shapes[][4] = {{16, 1700, 5, 8},  {5, 801, 33, 4},  {70, 129, 40, 1},  {70, 64, 17, 2},
                                   {600, 20, 9, 64},  {1290, 9, 3, 64}, {16, 130, 21, 64}, {300, 137, 18, 8},
                                   {66, 700, 35, 32}, {0, 9, 5, 8},     {1, 1, 1, 1}};
enum { N_SHAPES = 30 };

static void choose_shape(size_t i, size_t shape[4])
{
    if (i < sizeof shapes / sizeof shapes[0]) {
        memcpy(shape, shapes[i], sizeof shapes[i]);
        return;
    }
    shape[0] = 1 + draw(i % 3 == 0 ? 70 : 20);
    shape[1] = 1 + draw(i % 8 == 0 ? 700 : 130);
    shape[2] = 1 + draw(i % 8 == 4 ? 700 : 130);
    shape[3] = (size_t)1 << draw(7);
}

/* Calls check for every supported row of the table and every shape, and adds up what it returns. */
static size_t for_all(size_t (*check)(const problem *p))
{
    size_t n = 0;
    for (size_t k = 0; k < KT_N_SIMD; k++)
        for (size_t i = 0; i < N_SHAPES && kt_simd_rows[k].supported(); i++) {
            size_t shape[4];
            choose_shape(i, shape);
            problem p = new_problem(kt_kernels_table[k], shape, (uint32_t)(i % 4 == 0 ? 0 : i % 4 == 1 ? 9 : 5));
            const size_t n_wrong = check(&p);
            if (n_wrong > 0)
                printf("\n    %s, %zu x %zu -> %zu, %zu shards: %zu wrong", kt_simd_rows[p.kernels->simd].name, p.m,
                       p.n_in, p.n_out, p.V, n_wrong);
            n += n_wrong;
            free_problem(&p);
        }
    return n;
}

static size_t is_product(const problem *p)
{
    return count_wrong(&p->y, p->n_in, p->x.at, p->x.ld, 1, p->w.at, p->w.ld, 1) +
           count_wrong(&p->dx, p->n_out, p->d.at, p->d.ld, 1, p->w.at, 1, p->w.ld) +
           count_wrong(&p->g, p->m, p->d.at, 1, p->d.ld, p->x.at, 1, p->x.ld);
}

static void products(void)
{
    CU_ASSERT(for_all(is_product) == 0);
}

static void wrong_products(void)
{
    const size_t shape[4] = {16, 130, 40, 8};
    problem p = new_problem(kt_kernels_best(), shape, 5);
    p.y.at[15 * p.y.ld + 39] += 1e-4f;
    p.dx.at[129] += 1e-4f;
    p.g.at[7 * p.g.ld] += 1e-4f;
    CU_ASSERT(is_product(&p) == 3);
    free_problem(&p);
}

static size_t writes_outside(const problem *p)
{
    return count_outside(&p->y) + count_outside(&p->dx) + count_outside(&p->g);
}

static void nothing_outside(void)
{
    CU_ASSERT(for_all(writes_outside) == 0);
}

typedef void piece_function(const problem *p, size_t r, size_t rows, size_t c, size_t columns, matrix *out);

/* The product again in pieces, out in [rows of out) x [columns of out), cut anywhere. */
static size_t differs_in_pieces(const problem *p, const matrix *whole, piece_function *piece)
{
    matrix out = new_matrix(whole->rows, whole->columns);
    for (size_t r = 0, rows; r < out.rows; r += rows) {
        rows = 1 + draw((uint32_t)(out.rows - r));
        for (size_t c = 0, columns; c < out.columns; c += columns) {
            columns = 1 + draw((uint32_t)(out.columns - c));
            piece(p, r, rows, c, columns, &out);
        }
    }
    const size_t n = count_different(whole, &out) + count_outside(&out);
    free(out.memory);
    return n;
}

static void forward_piece(const problem *p, size_t r, size_t rows, size_t c, size_t columns, matrix *y)
{
    p->kernels->forward(rows, p->n_in, columns, p->x.at + r * p->x.ld, p->x.ld, p->w.at + c * p->w.ld, p->w.ld,
                        y->at + r * y->ld + c, y->ld);
}

static void backward_piece(const problem *p, size_t r, size_t rows, size_t c, size_t columns, matrix *dx)
{
    p->kernels->backward(rows, columns, p->n_out, p->d.at + r * p->d.ld, p->d.ld, p->w.at + c, p->w.ld,
                         dx->at + r * dx->ld + c, dx->ld);
}

static void gradient_piece(const problem *p, size_t r, size_t rows, size_t c, size_t columns, matrix *g)
{
    size_t row[KT_MAX_SHARDS + 1];
    kt_shards_rows(p->m, p->V, (kt_shard_node){0, p->V}, row);
    p->kernels->gradient(row, p->V, columns, rows, p->d.at + r, p->d.ld, p->x.at + c, p->x.ld, g->at + r * g->ld + c,
                         g->ld, NULL);
}

/* The pieces read copies of the operands, which lie otherwise. */
static size_t depends_on_tiles(const problem *p)
{
    problem q = *p;
    q.x = copy_of(&p->x);
    q.w = copy_of(&p->w);
    q.d = copy_of(&p->d);
    const size_t n = differs_in_pieces(&q, &p->y, forward_piece) + differs_in_pieces(&q, &p->dx, backward_piece) +
                     differs_in_pieces(&q, &p->g, gradient_piece);
    free(q.x.memory);
    free(q.w.memory);
    free(q.d.memory);
    return n;
}

static void tiles(void)
{
    for (int repeat = 0; repeat < 2; repeat++)
        CU_ASSERT(for_all(depends_on_tiles) == 0);
}

/* Shards [0, cut) and [cut, V) summed apart, node by node, then added by the rule of shards.h. */
static size_t depends_on_owners(const problem *p)
{
    kt_shard_node nodes[2 * KT_MAX_SHARD_NODES];
    const size_t n = p->n_in * p->n_out, cut = draw((uint32_t)p->V + 1);
    size_t n_nodes = kt_shards_nodes(0, cut, nodes), n_wrong = 0;
    n_nodes += kt_shards_nodes(cut, p->V, nodes + n_nodes);
    float *parts = malloc(n_nodes * n * sizeof *parts);
    CU_ASSERT_FATAL(parts != NULL);
    for (size_t k = 0; k < n_nodes; k++)
        gradient_of(p, nodes[k], &(matrix){p->n_out, p->n_in, p->n_in, NULL, parts + k * n});
    kt_shards_add_f32(nodes, n_nodes, n, n, parts, parts);
    n_wrong = count_different(&p->g, &(matrix){p->n_out, p->n_in, p->n_in, NULL, parts});
    free(parts);
    return n_wrong;
}

static void owners(void)
{
    CU_ASSERT(for_all(depends_on_owners) == 0);
}

/* A sum in another order must differ somewhere, or the test above shows nothing. */
static void another_order(void)
{
    const size_t shape[4] = {64, 130, 40, 8};
    problem p = new_problem(kt_kernels_best(), shape, 0);
    matrix g = new_matrix(p.n_out, p.n_in);
    p.V = 4;
    gradient_of(&p, (kt_shard_node){0, 4}, &g);
    CU_ASSERT(count_different(&p.g, &g) > 0);
    free(g.memory);
    free_problem(&p);
}

/* Elements that are not +0. */
static size_t count_not_zero(const matrix *a)
{
    size_t n = 0;
    for (size_t r = 0; r < a->rows; r++)
        for (size_t c = 0; c < a->columns; c++)
            n += a->at[r * a->ld + c] != 0 || signbit(a->at[r * a->ld + c]);
    return n;
}

/* d = 0 or -0 everywhere; with no rows at all, too. And x = 0 everywhere, whose products with d < 0 are -0. */
static void zeros(void)
{
    for (size_t k = 0; k < KT_N_SIMD; k++)
        for (size_t m = 0; m <= 40 && kt_simd_rows[k].supported(); m += 8)
            for (size_t V = 1; V <= KT_MAX_SHARDS; V *= 4) {
                const size_t shape[4] = {m, 37, 19, V};
                problem p = new_problem(kt_kernels_table[k], shape, 10);
                CU_ASSERT(count_not_zero(&p.g) == 0);
                CU_ASSERT(count_not_zero(&p.dx) == 0);
                for (size_t s = 0; s < m; s++) {
                    memset(p.x.at + s * p.x.ld, 0, p.n_in * sizeof *p.x.at);
                    for (size_t o = 0; o < p.n_out; o++)
                        p.d.at[s * p.d.ld + o] = -1;
                }
                gradient_of(&p, (kt_shard_node){0, V}, &p.g);
                CU_ASSERT(count_not_zero(&p.g) == 0);
                free_problem(&p);
            }
}

/* Shards of very different sizes, some without rows: d = x = 1 counts the rows. */
static void uneven_shards(void)
{
    static const size_t row[] = {3, 3, 40, 40, 41, 75, 75, 75, 77};
    for (size_t k = 0; k < KT_N_SIMD; k++) {
        float d[77 * 2], x[77 * 5], g[2 * 5];
        for (size_t i = 0; i < 77 * 5; i++)
            d[i % (77 * 2)] = x[i] = 1;
        if (!kt_simd_rows[k].supported())
            continue;
        kt_kernels_table[k]->gradient(row, 8, 5, 2, d, 2, x, 5, g, 5, NULL);
        for (size_t i = 0; i < 10; i++)
            CU_ASSERT(g[i] == 74);
    }
}

static void choice(void)
{
    CU_ASSERT(kt_simd_rows[kt_kernels_best()->simd].supported());
    CU_ASSERT(kt_simd_rows[KT_N_SIMD - 1].supported());
    CU_ASSERT_STRING_EQUAL(kt_simd_rows[KT_N_SIMD - 1].name, "portable");
}

const kt_test kt_tests[] = {
    {"forward, backward and gradient are the plain loops", products},
    {"an element that is wrong is noticed", wrong_products},
    {"nothing outside the tile is written", nothing_outside},
    {"an element has the same bits in any tile", tiles},
    {"a gradient has the same bits whoever adds which shards", owners},
    {"a gradient in another order has other bits", another_order},
    {"zeros are +0, and no rows give zeros", zeros},
    {"shards may be of any size and empty", uneven_shards},
    {"the best row is supported, and the last everywhere", choice},
    {NULL, NULL},
};
