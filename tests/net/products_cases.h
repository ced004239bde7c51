/* Random layers, and what a row of products makes of them: for the test of all rows here, and for the program that
 * compares rows with those of another processor. */
#ifndef KTRAIN_PRODUCTS_CASES_H
#define KTRAIN_PRODUCTS_CASES_H

#include <stdlib.h>
#include <string.h>

#include "net/products.h"

enum { MOST_RUNS = 64 };

typedef struct products_case {
    size_t M, n, n_panels, zeros; /* zeros: of 10 inputs, about; 10: all */
    size_t n_runs, bound[MOST_RUNS + 1];
    size_t n_shards, row[MOST_RUNS + 1];
    kt_range rows;
    kt_inputs x;
    kt_panels w, d, y, g, back; /* d: deltas of the units; back: a copy of y by way of columns */
    kt_columns columns, dx;     /* columns: of d */
    float *bias, *g_bias;
    void *memory;
} products_case;

static uint32_t products_state = 1;

static uint32_t products_draw(uint32_t n)
{
    products_state = products_state * 1664525u + 1013904223u;
    return (uint32_t)((uint64_t)products_state * n >> 32);
}

static float products_number(size_t zeros)
{
    const float value = (float)products_draw(1u << 24) / 8388608.0f - 1;
    return products_draw(10) >= zeros ? value : 0;
}

static kt_panels products_panels(kt_arena *arena, size_t n, size_t rows)
{
    const size_t stride = kt_panels_stride(rows);
    return (kt_panels){kt_arena_take(arena, n * stride, sizeof(float)), n, rows, stride};
}

static kt_columns products_columns(kt_arena *arena, size_t rows, size_t M)
{
    const size_t ld = (M + 15) / 16 * 16;
    return (kt_columns){kt_arena_take(arena, rows * ld, sizeof(float)), ld};
}

static void products_lay_out(products_case *c, kt_arena *arena)
{
    c->x = kt_inputs_take(arena, c->M, c->n);
    c->w = products_panels(arena, c->n_panels, c->n);
    c->g = products_panels(arena, c->n_panels, c->n);
    c->d = products_panels(arena, c->n_panels, c->M);
    c->y = products_panels(arena, c->n_panels, c->M);
    c->back = products_panels(arena, c->n_panels, c->M);
    c->columns = products_columns(arena, c->n_panels * KT_PANEL, c->M);
    c->dx = products_columns(arena, c->n, c->M);
    c->bias = kt_arena_take(arena, c->n_panels * KT_PANEL, sizeof(float));
    c->g_bias = kt_arena_take(arena, c->n_panels * KT_PANEL, sizeof(float));
}

/* n nodes of a tree over [begin, end): some of them empty now and then. */
static size_t products_cut(size_t begin, size_t end, size_t bound[MOST_RUNS + 1])
{
    const size_t n = (size_t)1 << products_draw(7);
    const uint32_t even = products_draw(2);
    for (size_t k = 0; k <= n; k++)
        bound[k] = begin + (end - begin) * k / n;
    for (size_t k = 1; k < n && !even; k++)
        bound[k] = bound[k - 1] + products_draw((uint32_t)(end - bound[k - 1]) / 2 + 1);
    return n;
}

/* NULL memory: there is none. rows, n_runs and n_shards 0: drawn. */
static products_case products_new(size_t M, size_t n, size_t n_panels, size_t zeros)
{
    products_case c = {.M = M, .n = n, .n_panels = n_panels, .zeros = zeros};
    kt_arena arena = {0};
    products_lay_out(&c, &arena);
    c.memory = arena.base = aligned_alloc(64, arena.used);
    if (c.memory == NULL)
        return c;
    memset(c.memory, 0, arena.used);
    arena.used = 0;
    products_lay_out(&c, &arena);
    c.rows.begin = products_draw(2) == 0 ? 0 : products_draw((uint32_t)M);
    c.rows.end = c.rows.begin + 1 + products_draw((uint32_t)(M - c.rows.begin));
    c.n_runs = products_cut(0, n_panels, c.bound);
    c.n_shards = products_cut(c.rows.begin, c.rows.end, c.row);
    for (size_t s = 0; s < M; s++)
        for (size_t i = 0; i < n; i++)
            c.x.x[s * c.x.ld + i] = products_number(zeros);
    for (size_t p = 0; p < n_panels; p++) {
        for (size_t k = 0; k < n * KT_PANEL; k++)
            c.w.at[p * c.w.stride + k] = products_number(0);
        for (size_t k = 0; k < M * KT_PANEL; k++)
            c.d.at[p * c.d.stride + k] = products_number(5);
    }
    for (size_t u = 0; u < n_panels * KT_PANEL; u++)
        c.bias[u] = products_number(0);
    return c;
}

/* The gradient in tiles of at most so many panels and inputs. */
static inline void products_gradient(const kt_products *row, const products_case *c, size_t tile_panels,
                                     size_t tile_inputs)
{
    const kt_shard_rows shards = {c->n_shards, c->row};
    for (size_t p = 0; p < c->n_panels; p += tile_panels)
        for (size_t i = 0; i < c->n; i += tile_inputs) {
            const kt_range panels = kt_range_from(p, tile_panels, c->n_panels);
            const kt_panels d = kt_panels_some(&c->d, panels);
            kt_panels g = kt_panels_some(&c->g, panels);
            g.at += i * KT_PANEL;
            g.rows = kt_smaller(tile_inputs, c->n - i);
            row->gradient(&c->x, i, &shards, &d, &g);
        }
}

/* All products of a row. */
static inline void products_run(const kt_products *row, const products_case *c)
{
    const kt_runs runs = {c->n_runs, c->bound};
    const kt_shard_rows shards = {c->n_shards, c->row};
    row->note(&c->x, c->rows, c->rows);
    row->forward(&c->w, c->bias, &c->x, c->rows, &c->y);
    row->to_columns(&c->d, c->rows, &c->columns);
    row->backward(&c->w, &runs, &c->columns, c->rows, &c->dx);
    row->to_panels(&c->columns, c->rows, &c->back);
    products_gradient(row, c, 1 + products_draw(6), 1 + products_draw(80));
    row->bias_gradient(&shards, &c->d, c->g_bias);
}

#endif
