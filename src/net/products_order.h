/* Panels to columns and back. Part of a source that is built for one instruction set. */
#ifndef KTRAIN_PRODUCTS_ORDER_H
#define KTRAIN_PRODUCTS_ORDER_H

#include "net/products_vector.h"

#if defined(KT_SIMD_LAST)
KT_INLINE void turn(vector v[LANES])
{
    for (size_t r = 0; r < LANES; r++)
        for (size_t c = 0; c < r; c++) {
            const float kept = v[r].lane[c];
            v[r].lane[c] = v[c].lane[r];
            v[c].lane[r] = kept;
        }
}
#else
/* Lane l of two vectors that lie h rows apart in a square: its blocks of h by h change places across the diagonal. */
#define KT_UPPER(l, h) ((l) & (h) ? (l) - (h) + LANES : (l))
#define KT_LOWER(l, h) ((l) & (h) ? (l) + LANES : (l) + (h))
#define KT_TURN(v, h)                                                                              \
    KT_UNROLL                                                                                      \
    for (size_t k = 0; k < LANES / 2; k++) {                                                       \
        const size_t r = k / (h)*2 * (h) + k % (h);                                                \
        const vector upper = __builtin_shufflevector(v[r], v[r + (h)], KT_EACH_LANE(KT_UPPER, h)); \
        v[r + (h)] = __builtin_shufflevector(v[r], v[r + (h)], KT_EACH_LANE(KT_LOWER, h));         \
        v[r] = upper;                                                                              \
    }

/* Lane c of v[r] and lane r of v[c] change places. */
KT_INLINE void turn(vector v[LANES])
{
#if defined(__AVX512F__)
    KT_TURN(v, 8)
#endif
#if defined(__AVX2__)
    KT_TURN(v, 4)
#endif
    KT_TURN(v, 2)
    KT_TURN(v, 1)
}
#endif

/* to[c][r] = from[r][c], 16 by 16; of from there are n_from rows (the others count as 0), to gets n_to. */
KT_INLINE void turn_square(const float *from, size_t ld_from, size_t n_from, float *to, size_t ld_to, size_t n_to)
{
    for (size_t r = 0; r < KT_PANEL; r += LANES)
        for (size_t c = 0; c < KT_PANEL; c += LANES) {
            vector v[LANES];
            KT_UNROLL
            for (size_t k = 0; k < LANES; k++)
                v[k] = r + k < n_from ? load(from + (r + k) * ld_from + c) : splat(0);
            turn(v);
            KT_UNROLL
            for (size_t k = 0; k < LANES; k++)
                if (c + k < n_to)
                    store(to + (c + k) * ld_to + r, v[k]);
        }
}

static void to_columns(const kt_panels *from, kt_range rows, const kt_columns *to)
{
    for (size_t p = 0; p < from->n; p++)
        for (size_t s = rows.begin / KT_PANEL * KT_PANEL; s < rows.end; s += KT_PANEL) {
            const float *panel = from->at + p * from->stride + s * KT_PANEL;
            float *columns = to->at + p * KT_PANEL * to->ld + s;
            if (s + KT_PANEL <= from->rows)
                turn_square(panel, KT_PANEL, KT_PANEL, columns, to->ld, KT_PANEL);
            else
                turn_square(panel, KT_PANEL, from->rows - s, columns, to->ld, KT_PANEL);
        }
}

static void to_panels(const kt_columns *from, kt_range rows, const kt_panels *to)
{
    for (size_t p = 0; p < to->n; p++)
        for (size_t s = rows.begin / KT_PANEL * KT_PANEL; s < rows.end; s += KT_PANEL) {
            const float *columns = from->at + p * KT_PANEL * from->ld + s;
            float *panel = to->at + p * to->stride + s * KT_PANEL;
            if (s + KT_PANEL <= to->rows)
                turn_square(columns, from->ld, KT_PANEL, panel, KT_PANEL, KT_PANEL);
            else
                turn_square(columns, from->ld, KT_PANEL, panel, KT_PANEL, to->rows - s);
        }
}

#endif
