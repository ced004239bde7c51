/* Panels: how weights, gradients, optimizer state, activations and deltas lie in memory. Local and pure.
 *
 * A panel holds 16 units of a layer, which fill a cache line in each of its rows: rows are the layer's inputs for a
 * weight [n_in], and the samples of a batch for activations and deltas. So a rank that owns a panel owns whole lines,
 * one after the other, and a product needs no packing. Units beyond the last are 0 and stay 0. */
#ifndef KTRAIN_PANELS_H
#define KTRAIN_PANELS_H

#include <stddef.h>

#include "base/share.h"

enum { KT_PANEL = 16 };

/* Unit u of panel p in row r is at[p * stride + r * KT_PANEL + u % KT_PANEL]; 64-byte aligned. Borrowed memory. */
typedef struct kt_panels {
    float *at;
    size_t n, rows, stride;
} kt_panels;

static inline size_t kt_panels_count(size_t n_units)
{
    return (n_units + KT_PANEL - 1) / KT_PANEL;
}

/* Floats from a panel to the next. An odd number of 256-byte pieces: the same row of 8 neighbours never falls on the
 * same place of the first-level cache. The lines between are 0. */
static inline size_t kt_panels_stride(size_t rows)
{
    return ((rows + 7) / 8 * 8 + 4) * KT_PANEL;
}

/* Some of the panels. */
static inline kt_panels kt_panels_some(const kt_panels *all, kt_range some)
{
    return (kt_panels){all->at + some.begin * all->stride, some.end - some.begin, all->rows, all->stride};
}

/* Features by samples: row r of n at at[r * ld], one column for each sample. ld is a multiple of KT_PANEL. */
typedef struct kt_columns {
    float *at;
    size_t ld;
} kt_columns;

#endif
