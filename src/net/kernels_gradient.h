/* g = d^T x, shard by shard along the tree. Part of a source that is built for one instruction set. */
#ifndef KTRAIN_KERNELS_GRADIENT_H
#define KTRAIN_KERNELS_GRADIENT_H

#include "base/shards.h"
#include "net/kernels.h"

#include "net/kernels_vector.h"

/* The tree over up to GROUP_SHARDS shards of at most GROUP_ROWS rows is summed in registers, for WIDTH vectors of
 * columns. Larger trees are made of such groups, whose sums wait in memory, one for each of LEVELS levels. */
enum { WIDTH = 8, GROUP_ROWS = 32, GROUP_SHARDS = 8, LEVELS = KT_SHARD_LEVELS - 1, PREFETCH_LINE = 16 };

/* The rows of a group as LANES units see them: bit s of nonzero[unit] is set where d[s][unit] is not 0, mask[shard] has
 * the bits of a shard's rows. Row GROUP_ROWS is one of zeros. */
typedef struct row_group {
    size_t n_shards;
    uint32_t mask[GROUP_SHARDS];
    uint32_t nonzero[LANES];
    const float *x[GROUP_ROWS + 1];
    float d[GROUP_ROWS + 1][LANES];
} row_group;

static const float no_row[WIDTH * LANES];

/* sum[n_vectors] += d x over the rows in bits, of one unit. */
KT_INLINE void add_rows(size_t n_vectors, size_t lanes, const row_group *a, size_t unit, uint32_t bits, vector *sum)
{
    vector acc[WIDTH];
    KT_UNROLL
    for (size_t j = 0; j < n_vectors; j++)
        acc[j] = sum[j];
    for (; bits != 0; bits &= bits - 1) {
        const size_t s = (size_t)__builtin_ctz(bits);
        const vector factor = splat(a->d[s][unit]);
        const float *x = a->x[s];
        KT_UNROLL
        for (size_t j = 0; j < n_vectors; j++)
            acc[j] = multiply_add(factor, load(x + j * LANES, lanes), acc[j]);
    }
    KT_UNROLL
    for (size_t j = 0; j < n_vectors; j++)
        sum[j] = acc[j];
}

/* sum[n_vectors] of one unit over one shard. Its first row is taken without asking whether there is one: shards of one
 * or two rows are usual, and the processor would guess wrong too often. */
KT_INLINE void sum_1(size_t n_vectors, size_t lanes, const row_group *a, size_t shard, size_t unit, vector *sum)
{
    const uint32_t bits = a->nonzero[unit] & a->mask[shard];
    const size_t s = (size_t)__builtin_ctzll(bits | (uint64_t)1 << GROUP_ROWS);
    const vector factor = splat(a->d[s][unit]);
    const float *x = a->x[s];
    KT_UNROLL
    for (size_t j = 0; j < n_vectors; j++)
        sum[j] = factor * load(x + j * LANES, lanes);
    add_rows(n_vectors, lanes, a, unit, bits & (bits - 1), sum);
}

/* The same over twice as many shards. Where the registers end, the left half waits in memory. */
#define KT_SUM(twice, once)                                                                                   \
    KT_INLINE void sum_##twice(size_t n_vectors, size_t lanes, const row_group *a, size_t shard, size_t unit, \
                               vector *sum)                                                                   \
    {                                                                                                         \
        vector left[WIDTH], right[WIDTH];                                                                     \
        sum_##once(n_vectors, lanes, a, shard, unit, left);                                                   \
        if (once * WIDTH >= REGISTERS)                                                                        \
            KT_UNROLL                                                                                         \
        for (size_t j = 0; j < n_vectors; j++)                                                                \
            KT_TO_MEMORY(left[j]);                                                                            \
        sum_##once(n_vectors, lanes, a, shard + once, unit, right);                                           \
        KT_UNROLL                                                                                             \
        for (size_t j = 0; j < n_vectors; j++)                                                                \
            sum[j] = left[j] + right[j];                                                                      \
    }
KT_SUM(2, 1)
KT_SUM(4, 2)
KT_SUM(8, 4)

/* A tile: n columns (WIDTH vectors, half of that, or one that may be partial) of n_units <= LANES units. */
typedef struct gradient_tile {
    const size_t *row;        /* of all shards */
    size_t n_shards, at_once; /* at_once shards make a group */
    size_t n, n_units;
    const float *d, *x;
    size_t ld_d, ld_x;
    const kt_ahead *ahead; /* NULL, or what to prefetch from (unit, column) on */
    size_t unit, column;
} gradient_tile;

KT_INLINE void prefetch_ahead(const gradient_tile *t, size_t unit)
{
    for (size_t k = 0; t->ahead != NULL && k < t->ahead->n_arrays; k++) {
        const float *p = t->ahead->array[k] + (t->unit + unit) * t->ahead->stride + t->column;
        for (size_t j = 0; j < t->n; j += PREFETCH_LINE)
            __builtin_prefetch(p + j, 0, 2);
    }
}

/* to[n_units][n_vectors] = the sum of a group, or with `more` += the further rows of its only shard. */
KT_INLINE void sum_group(size_t n_vectors, size_t lanes, const row_group *a, bool more, const gradient_tile *t,
                         float *to, size_t ld)
{
    for (size_t unit = 0; unit < t->n_units; unit++, to += ld) {
        vector sum[WIDTH];
        prefetch_ahead(t, unit);
        if (more) {
            KT_UNROLL
            for (size_t j = 0; j < n_vectors; j++)
                sum[j] = load(to + j * LANES, lanes);
            add_rows(n_vectors, lanes, a, unit, a->nonzero[unit], sum);
        } else if (a->n_shards == 1)
            sum_1(n_vectors, lanes, a, 0, unit, sum);
        else if (a->n_shards == 2)
            sum_2(n_vectors, lanes, a, 0, unit, sum);
        else if (a->n_shards == 4)
            sum_4(n_vectors, lanes, a, 0, unit, sum);
        else
            sum_8(n_vectors, lanes, a, 0, unit, sum);
        KT_UNROLL
        for (size_t j = 0; j < n_vectors; j++)
            store(to + j * LANES, sum[j] + splat(0), lanes); /* -0 + 0 = +0 */
    }
}

static void gather_rows(row_group *a, const gradient_tile *t, size_t v, size_t begin, size_t end)
{
    const size_t *row = t->row + v;
    integers nonzero = {0};
    a->n_shards = t->at_once;
    for (size_t s = begin; s < end; s++) {
        const vector d = load(t->d + s * t->ld_d, t->n_units);
        nonzero |= (integers)(d != splat(0)) & (uint32_t)1 << (s - begin);
        store(a->d[s - begin], d, LANES);
        a->x[s - begin] = t->x + s * t->ld_x;
    }
    memcpy(a->nonzero, &nonzero, sizeof nonzero);
    a->mask[0] = UINT32_MAX;
    for (size_t k = 0; t->at_once > 1 && k < t->at_once; k++)
        a->mask[k] = (((uint32_t)1 << (row[k + 1] - row[k])) - 1) << (row[k] - row[0]);
}

/* to = the sum of the group that begins with shard v; a single shard may have more rows than a group holds. */
static void sum_shards(const gradient_tile *t, size_t v, float *to, size_t ld)
{
    row_group a;
    gradient_tile now = *t;
    a.x[GROUP_ROWS] = no_row;
    memset(a.d[GROUP_ROWS], 0, sizeof a.d[0]);
    size_t begin = t->row[v], end;
    do {
        const bool more = begin > t->row[v];
        end = least(begin + GROUP_ROWS, t->row[v + t->at_once]);
        gather_rows(&a, t, v, begin, end);
        if (t->n == WIDTH * LANES)
            sum_group(WIDTH, LANES, &a, more, &now, to, ld);
        else if (t->n == WIDTH / 2 * LANES)
            sum_group(WIDTH / 2, LANES, &a, more, &now, to, ld);
        else
            sum_group(1, t->n, &a, more, &now, to, ld);
        now.ahead = NULL;
        begin = end;
    } while (end < t->row[v + t->at_once]);
}

static void add_level(const gradient_tile *t, const float *from, size_t ld_from, float *to, size_t ld_to)
{
    for (size_t u = 0; u < t->n_units; u++)
        for (size_t j = 0; j < t->n; j += LANES) {
            const size_t lanes = least(LANES, t->n - j);
            float *sum = to + u * ld_to + j;
            store(sum, load(sum, lanes) + load(from + u * ld_from + j, lanes), lanes);
        }
}

/* Groups are added like the digits of a counter carry: level 0 is g, the others are here. */
static void gradient_of_tile(gradient_tile *t, float *g, size_t ld_g)
{
    float buffer[LEVELS][LANES][WIDTH * LANES];
    float *to[LEVELS + 1] = {g};
    size_t ld[LEVELS + 1] = {ld_g}, level = 0;
    for (size_t k = 0; k < LEVELS; k++) {
        to[k + 1] = buffer[k][0];
        ld[k + 1] = WIDTH * LANES;
    }
    for (size_t v = 0; v < t->n_shards; v += t->at_once) {
        sum_shards(t, v, to[level], ld[level]);
        t->ahead = NULL;
        level++;
        for (size_t k = v / t->at_once + 1; k % 2 == 0; k /= 2) {
            level--;
            add_level(t, to[level], ld[level], to[level - 1], ld[level - 1]);
        }
    }
}

/* Where of any two neighbours one has no rows, the tree is that of half as many shards: x + 0 = x. Returns their
 * number; row is changed. */
static size_t join_empty(size_t n_shards, size_t *row)
{
    for (; n_shards > 1; n_shards /= 2) {
        for (size_t v = 0; v < n_shards; v += 2)
            if (row[v] < row[v + 1] && row[v + 1] < row[v + 2])
                return n_shards;
        for (size_t v = 0; v <= n_shards / 2; v++)
            row[v] = row[2 * v];
    }
    return n_shards;
}

static void gradient(const size_t *row_of, size_t n_shards, size_t n_in, size_t n_out, const float *d, size_t ld_d,
                     const float *x, size_t ld_x, float *g, size_t ld_g, const kt_ahead *ahead)
{
    size_t row[KT_MAX_SHARDS + 1], most = 0;
    memcpy(row, row_of, (n_shards + 1) * sizeof *row);
    n_shards = join_empty(n_shards, row);
    for (size_t v = 0; v < n_shards; v++)
        most = row[v + 1] - row[v] > most ? row[v + 1] - row[v] : most;
    size_t at_once = least(n_shards, GROUP_SHARDS);
    while (at_once > 1 && at_once * most > GROUP_ROWS)
        at_once /= 2;
    for (size_t i = 0, n; i < n_in; i += n) {
        n = n_in - i >= WIDTH * LANES       ? WIDTH * LANES
            : n_in - i >= WIDTH / 2 * LANES ? WIDTH / 2 * LANES
                                            : least(LANES, n_in - i);
        for (size_t o = 0; o < n_out; o += LANES) {
            gradient_tile t = {.row = row,
                               .n_shards = n_shards,
                               .at_once = at_once,
                               .n = n,
                               .n_units = least(LANES, n_out - o),
                               .d = d + o,
                               .x = x + i,
                               .ld_d = ld_d,
                               .ld_x = ld_x,
                               .ahead = ahead,
                               .unit = o,
                               .column = i};
            gradient_of_tile(&t, g + o * ld_g + i, ld_g);
        }
    }
}

#endif
