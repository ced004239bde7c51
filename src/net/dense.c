/* Dealing a layer's panels to seats, and its products. */
#include "net/dense.h"

/* Weights of a layer that every seat computes whole: what waiting for each other costs is more than half of it. */
enum { WHOLE_WEIGHTS = 8192 };

kt_range kt_rows_range(const kt_rows *rows)
{
    const size_t begin = rows->first == rows->shards ? rows->M : kt_share(rows->M, rows->first, rows->shards).begin;
    return (kt_range){begin, rows->first == rows->end ? begin : kt_share(rows->M, rows->end - 1, rows->shards).end};
}

bool kt_dense_is_whole(size_t n_in, size_t n_out)
{
    return n_in <= WHOLE_WEIGHTS / n_out;
}

/* Panels before run k of n_runs: as even as can be, also where there are fewer panels than runs. */
static size_t panels_before(size_t k, size_t n_runs, size_t n_panels)
{
    return k * n_panels / n_runs;
}

kt_range kt_dense_share(const kt_network_spec *spec, size_t n_in, size_t n_out, size_t seat, size_t n_seats)
{
    const size_t n_runs = (size_t)spec->unit_shards, n_panels = kt_panels_count(n_out);
    const kt_range runs = kt_share(n_runs, seat, n_seats);
    if (kt_dense_is_whole(n_in, n_out))
        return (kt_range){0, n_panels};
    return (kt_range){panels_before(runs.begin, n_runs, n_panels), panels_before(runs.end, n_runs, n_panels)};
}

static void cut(kt_dense *d, const kt_team *team)
{
    const kt_range runs =
        d->whole ? (kt_range){0, d->unit_shards} : kt_share(d->unit_shards, team->seat, team->n_seats);
    for (size_t k = 0; k <= d->unit_shards; k++)
        d->run[k] = panels_before(k, d->unit_shards, d->n_panels);
    d->own = (kt_range){d->run[runs.begin], d->run[runs.end]};
    d->n_nodes = kt_shards_nodes(runs.begin, runs.end, d->nodes);
}

void kt_dense_make(kt_dense *d, kt_maker *maker, size_t n_in, size_t n_out)
{
    const kt_network_spec *spec = maker->spec;
    const size_t max_batch = kt_smaller(spec->max_batch, spec->max_rows);
    d->n_in = n_in;
    d->n_out = n_out;
    d->n_panels = kt_panels_count(n_out);
    d->unit_shards = (size_t)spec->unit_shards;
    d->whole = maker->whole = kt_dense_is_whole(n_in, n_out);
    cut(d, maker->team);
    maker->own = d->own;
    d->weight = maker->parameters.n;
    d->floats.begin = maker->parameters.room;
    d->w = (kt_panels){kt_maker_weight(maker, n_out, n_in), d->n_panels, n_in, kt_panels_stride(n_in)};
    d->bias = maker->parameters.n;
    d->b = kt_maker_parameter(maker, "bias", n_out);
    d->floats.end = maker->parameters.room;
    const size_t n_own = d->own.end - d->own.begin;
    d->x = kt_inputs_take(&maker->rank, spec->max_rows, n_in);
    d->outputs = kt_arena_take(&maker->rank, n_own * kt_panels_stride(spec->max_rows), sizeof(float));
    d->delta = kt_arena_take(&maker->rank, max_batch > 0 ? n_own * kt_panels_stride(max_batch) : 0, sizeof(float));
    d->delta_columns =
        kt_arena_take(&maker->rank, max_batch > 0 ? n_own * KT_PANEL * kt_dense_ld(max_batch) : 0, sizeof(float));
}

kt_panels kt_dense_panels(const kt_dense *d, float *array, size_t M)
{
    return (kt_panels){array, d->own.end - d->own.begin, M, kt_panels_stride(M)};
}

void kt_dense_forward(const kt_dense *d, const kt_products *products, const kt_rows *rows)
{
    const kt_panels w = kt_panels_some(&d->w, d->own), z = kt_dense_panels(d, d->outputs, rows->M);
    if (rows->first < rows->end) /* else there is nothing to do */
        products->forward(&w, d->b + d->own.begin * KT_PANEL, &d->x, kt_rows_range(rows), &z);
}

/* An odd number of lines: rows do not fall on the same places of the first-level cache. */
size_t kt_dense_ld(size_t M)
{
    return ((M + KT_PANEL - 1) / KT_PANEL | 1) * KT_PANEL;
}

void kt_dense_backward(const kt_dense *d, const kt_products *products, const kt_rows *rows, kt_range inputs, size_t k,
                       float *dx) // NOLINT(readability-non-const-parameter): the products write to it
{
    const kt_shard_node node = d->nodes[k];
    const size_t ld = kt_dense_ld(rows->M), first = d->run[node.first];
    size_t bound[KT_MAX_SHARDS + 1];
    for (size_t r = 0; r <= node.count; r++)
        bound[r] = d->run[node.first + r] - first;
    const kt_panels w = {.at = d->w.at + first * d->w.stride + inputs.begin * KT_PANEL,
                         .n = bound[node.count],
                         .rows = inputs.end - inputs.begin,
                         .stride = d->w.stride};
    const kt_columns delta = {d->delta_columns + (first - d->own.begin) * KT_PANEL * ld, ld}, to = {dx, ld};
    if (rows->first < rows->end)
        products->backward(&w, &(kt_runs){node.count, bound}, &delta, kt_rows_range(rows), &to);
}

static kt_shard_rows shards_of(const kt_dense_sum *sum, size_t row[KT_MAX_SHARDS + 1])
{
    kt_shards_rows(sum->rows->M, sum->rows->shards, sum->node, row);
    return (kt_shard_rows){sum->node.count, row};
}

void kt_dense_gradient(const kt_dense *d, const kt_dense_sum *sum, size_t first, kt_range some, const kt_panels *g)
{
    size_t row[KT_MAX_SHARDS + 1];
    const kt_shard_rows shards = shards_of(sum, row);
    const kt_panels all = kt_dense_panels(d, d->delta, sum->rows->M), delta = kt_panels_some(&all, some);
    sum->products->gradient(&d->x, first, &shards, &delta, g);
}

void kt_dense_bias_gradient(const kt_dense *d, const kt_dense_sum *sum, kt_range some, float *g)
{
    size_t row[KT_MAX_SHARDS + 1];
    const kt_shard_rows shards = shards_of(sum, row);
    const kt_panels all = kt_dense_panels(d, d->delta, sum->rows->M), delta = kt_panels_some(&all, some);
    sum->products->bias_gradient(&shards, &delta, g);
}
