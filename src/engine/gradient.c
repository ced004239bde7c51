/* Going over a rank's tiles: of weights, of biases, and for the norm. */
#include "engine/gradient.h"

#include <string.h>

#include "base/memory.h"

/* Small enough for the first cache with own kernels, large enough for OpenBLAS. */
typedef struct tile_size {
    size_t rows, columns;
} tile_size;

static tile_size size_of(bool thin)
{
    return thin ? (tile_size){16, 1024} : (tile_size){KT_DENSE_UNITS, KT_DENSE_COLUMNS};
}

kt_status kt_gradient_create(kt_gradient *out, bool thin)
{
    const tile_size size = size_of(thin);
    *out = (kt_gradient){0};
    KT_TRY(KT_NEW(out->tile, size.rows * size.columns));
    return thin ? KT_OK : KT_NEW(out->scratch, kt_dense_scratch());
}

void kt_gradient_free(kt_gradient *gradient)
{
    kt_memory_free(gradient->tile);
    kt_memory_free(gradient->scratch);
    *gradient = (kt_gradient){0};
}

/* The tiles of this rank's rows of the weight: to the taker, or without one to their places in `vector`. */
static void form_weight(const kt_gradient *m, const kt_factors *f, const kt_rows *rows, kt_shard_node node,
                        float *vector, const kt_gradient_taker *taker)
{
    const tile_size size = size_of(f->dense.kernels != NULL);
    for (size_t r = f->own_rows.begin; r < f->own_rows.end; r += size.rows) {
        const kt_range tall = kt_range_from(r, size.rows, f->own_rows.end);
        for (size_t c = 0; c < f->wide; c += size.columns) {
            const kt_range wide = kt_range_from(c, size.columns, f->wide);
            const size_t at = f->weight + r * f->wide + c;
            float *g = vector != NULL ? vector + at : m->tile;
            const size_t ld_g = vector != NULL ? f->wide : wide.end - wide.begin;
            kt_ahead ahead = {.n_arrays = 0, .stride = f->wide};
            for (; taker != NULL && ahead.n_arrays < taker->n_vectors; ahead.n_arrays++)
                ahead.array[ahead.n_arrays] = taker->vector[ahead.n_arrays] + at;
            kt_dense_gradient(&f->dense, rows, node, tall, wide, f->delta, f->x, g, ld_g, &ahead, m->scratch);
            if (taker != NULL)
                taker->weights(taker->context, f, tall, wide, g);
        }
    }
}

static void form_bias(const kt_factors *f, const kt_rows *rows, kt_shard_node node, kt_range units, float *g)
{
    kt_dense_bias_gradient(&f->dense, rows, node, units, f->delta, g);
    if (f->lost_bias)
        memset(g, 0, (units.end - units.begin) * sizeof *g);
}

void kt_gradient_hand_out(const kt_gradient *gradient, const kt_factors *f, const kt_rows *rows, kt_shard_node node,
                          const kt_gradient_taker *taker)
{
    float g[KT_DENSE_UNITS];
    form_weight(gradient, f, rows, node, NULL, taker);
    for (size_t o = f->own_units.begin; o < f->own_units.end; o += KT_DENSE_UNITS) {
        const kt_range units = kt_range_from(o, KT_DENSE_UNITS, f->own_units.end);
        form_bias(f, rows, node, units, g);
        taker->biases(taker->context, f, units, g);
    }
}

void kt_gradient_form(const kt_gradient *gradient, const kt_factors *f, const kt_rows *rows, kt_shard_node node,
                      float *vector)
{
    form_weight(gradient, f, rows, node, vector, NULL);
    for (size_t o = f->own_units.begin; o < f->own_units.end; o += KT_DENSE_UNITS)
        form_bias(f, rows, node, kt_range_from(o, KT_DENSE_UNITS, f->own_units.end), vector + f->bias + o);
}
