/* Running a network. */
#include <assert.h>
#include <string.h>

#include "net/network_private.h"

/* ---- forward ---- */

/* n units, mostly all of a panel's: then the compiler knows how many, and copies by vectors. */
static inline void copy_units(float *to, const float *from, size_t n)
{
    if (n == KT_PANEL)
        memcpy(to, from, KT_PANEL * sizeof *to);
    else
        memcpy(to, from, n * sizeof *to);
}

/* The units of some panels, of which the first is number `first` of the layer, as parts of the rows [n_units, ld]. */
static void put_in_rows(const kt_panels *y, size_t first, size_t row, const kt_range rows, size_t n_units, float *to,
                        size_t ld)
{
    for (size_t p = 0; p < y->n; p++) {
        const size_t unit = (first + p) * KT_PANEL, n = kt_smaller(KT_PANEL, n_units - unit);
        const float *from = y->at + p * y->stride + row * KT_PANEL;
        for (size_t r = rows.begin; r < rows.end; r++, from += KT_PANEL)
            copy_units(to + r * ld + unit, from, n);
    }
}

/* Own panels y of block l to all, as rows. */
static void hand_over(kt_network *net, const kt_pass *pass, size_t l, const kt_panels *y)
{
    const kt_dense *d = &net->dense[l];
    const kt_team *team = &net->team;
    const bool is_last = l + 1 == net->n_blocks;
    float *rows = is_last ? net->logits : net->dense[l + 1].x.x;
    const size_t ld = is_last ? d->n_out : net->dense[l + 1].x.ld, m = pass->range.end - pass->range.begin;
    put_in_rows(y, d->own.begin, pass->range.begin, pass->range, d->n_out, rows, ld);
    if (d->whole || team->n_seats == 1)
        return;
    float *out = team->outbox(team->context);
    for (size_t p = 0; p < y->n; p++, out += m * KT_PANEL)
        memcpy(out, y->at + p * y->stride + pass->range.begin * KT_PANEL, m * KT_PANEL * sizeof *out);
    const size_t *bound = net->blocks[l].panel_bound;
    for (size_t t = 0; t < team->n_seats; t++)
        net->letter_size[t] = (bound[t + 1] - bound[t]) * m * KT_PANEL * sizeof(float);
    team->send(team->context, &(kt_letters){.size = net->letter_size});
    for (size_t t = 0; t < team->n_seats; t++) {
        const kt_panels in = {(float *)(uintptr_t)team->inbox(team->context, t), bound[t + 1] - bound[t], m,
                              m * KT_PANEL};
        if (t != team->seat)
            put_in_rows(&in, bound[t], 0, pass->range, d->n_out, rows, ld);
    }
}

/* Inputs that are as they were are noted already; the first layer's may be. */
static kt_range changed_rows(const kt_pass *pass, size_t l)
{
    const bool keeps = l == 0 && pass->kept.begin < pass->kept.end;
    return (kt_range){pass->range.begin, keeps ? pass->kept.begin : pass->range.end};
}

void kt_network_forward(kt_network *net, kt_pass *pass)
{
    assert(pass->rows.M <= net->spec.max_rows);
    pass->range = kt_rows_range(&pass->rows);
    pass->team = &net->team;
    for (size_t l = 0; l < net->n_blocks; l++) {
        const kt_dense *d = &net->dense[l];
        const kt_block *block = &net->blocks[l];
        net->products->note(&d->x, pass->range, changed_rows(pass, l));
        kt_dense_forward(d, net->products, &pass->rows);
        kt_panels x = kt_dense_panels(d, d->outputs, pass->rows.M);
        for (size_t k = 0; k < block->n_layers; k++) {
            const kt_panels y = kt_dense_panels(d, block->outputs[k], pass->rows.M);
            block->layers[k]->kind->forward(block->layers[k], pass, &x, &y);
            x = y;
        }
        hand_over(net, pass, l, &x);
    }
}

/* ---- backward ---- */

static void take_d_logits(kt_network *net, const kt_pass *pass)
{
    const kt_dense *d = &net->dense[net->n_blocks - 1];
    const kt_panels delta = kt_dense_panels(d, d->delta, pass->rows.M);
    for (size_t p = 0; p < delta.n; p++) {
        const size_t unit = (d->own.begin + p) * KT_PANEL, n = kt_smaller(KT_PANEL, d->n_out - unit);
        float *to = delta.at + p * delta.stride + pass->range.begin * KT_PANEL;
        for (size_t r = pass->range.begin; r < pass->range.end; r++, to += KT_PANEL) {
            copy_units(to, net->d_logits + r * d->n_out + unit, n);
            memset(to + n, 0, (KT_PANEL - n) * sizeof *to);
        }
    }
}

static void pass_layers(kt_network *net, const kt_pass *pass, size_t l)
{
    const kt_dense *d = &net->dense[l];
    const kt_block *block = &net->blocks[l];
    const size_t M = pass->rows.M;
    const kt_panels delta = kt_dense_panels(d, d->delta, M);
    for (size_t k = block->n_layers; k-- > 0;) {
        const kt_flow flow = {.x = kt_dense_panels(d, k > 0 ? block->outputs[k - 1] : d->outputs, M),
                              .y = kt_dense_panels(d, block->outputs[k], M),
                              .dy = delta,
                              .dx = delta};
        block->layers[k]->kind->backward(block->layers[k], pass, &flow);
    }
}

/* All seats' sums of n floats from `first` on, in the order of the tree. */
static void add_up(const kt_network *net, const float *own, size_t part, kt_range floats, float *total)
{
    enum { AT_ONCE = 256 };
    const kt_team *team = &net->team;
    const size_t unit_shards = (size_t)net->spec.unit_shards;
    kt_shard_node nodes[KT_MAX_SHARDS + KT_MAX_SHARD_NODES];
    float sums[KT_MAX_SHARDS][AT_ONCE];
    for (size_t at = floats.begin; at < floats.end; at += AT_ONCE) {
        const size_t n = kt_smaller(AT_ONCE, floats.end - at);
        size_t n_nodes = 0;
        for (size_t t = 0; t < team->n_seats; t++) {
            const kt_range runs = kt_share(unit_shards, t, team->n_seats);
            const float *in = t == team->seat ? own : team->inbox(team->context, t);
            const size_t end = n_nodes + kt_shards_nodes(runs.begin, runs.end, nodes + n_nodes);
            for (size_t k = 0; n_nodes < end; n_nodes++, k++)
                memcpy(sums[n_nodes], in + k * part + at, n * sizeof(float));
        }
        kt_shards_add_f32(nodes, n_nodes, n, AT_ONCE, sums[0], total + (at - floats.begin));
    }
}

/* What own panels of layer l contribute to the derivatives by its inputs: by mail, to who owns these. sums[units x ld]
 * = those of `units`. */
static void share_derivatives(kt_network *net, const kt_pass *pass, size_t l, kt_range units)
{
    const kt_dense *d = &net->dense[l], *below = &net->dense[l - 1];
    const kt_team *team = &net->team;
    const size_t ld = kt_dense_ld(pass->rows.M), part = d->n_in * ld;
    float *out = team->outbox(team->context);
    for (size_t k = 0; k < d->n_nodes; k++)
        kt_dense_backward(d, net->products, &pass->rows, (kt_range){0, d->n_in}, k, out + k * part);
    for (size_t t = 0; t < team->n_seats; t++)
        net->letter_size[t] = net->letter_parts[t] * part * sizeof(float);
    for (size_t t = 0; t <= team->n_seats && !below->whole; t++)
        net->letter_bound[t] = kt_smaller(net->blocks[l - 1].panel_bound[t] * KT_PANEL, d->n_in) * ld * sizeof(float);
    team->send(team->context, &(kt_letters){.size = below->whole ? net->letter_size : NULL,
                                            .part_bytes = part * sizeof(float),
                                            .parts = net->letter_parts,
                                            .bound = net->letter_bound});
    add_up(net, out, part, (kt_range){units.begin * ld, units.end * ld}, net->sums);
}

/* The same of a layer whose panels are all here, in calls that are the same on any number of seats. Returns those of
 * `units`. */
static float *own_derivatives(kt_network *net, const kt_pass *pass, size_t l, kt_range units)
{
    const size_t at_once = net->products->inputs_at_once, begin = units.begin / at_once * at_once;
    const size_t end = kt_smaller((units.end + at_once - 1) / at_once * at_once, net->dense[l].n_in);
    if (units.begin < units.end)
        kt_dense_backward(&net->dense[l], net->products, &pass->rows, (kt_range){begin, end}, 0, net->sums);
    return net->sums + (units.begin - begin) * kt_dense_ld(pass->rows.M);
}

/* The delta of block l - 1 after its layers, from that of layer l. */
static void propagate(kt_network *net, const kt_pass *pass, size_t l)
{
    const kt_dense *d = &net->dense[l], *below = &net->dense[l - 1];
    const size_t M = pass->rows.M, ld = kt_dense_ld(M);
    const kt_range units = {kt_smaller(below->own.begin * KT_PANEL, d->n_in),
                            kt_smaller(below->own.end * KT_PANEL, d->n_in)};
    const kt_panels delta = kt_dense_panels(d, d->delta, M), to = kt_dense_panels(below, below->delta, M);
    const size_t n = (units.end - units.begin) * ld, n_padded = to.n * KT_PANEL * ld;
    float *sums = net->sums;
    net->products->to_columns(&delta, pass->range, &(kt_columns){d->delta_columns, ld});
    if (d->whole || net->team.n_seats == 1)
        sums = own_derivatives(net, pass, l, units);
    else
        share_derivatives(net, pass, l, units);
    memset(sums + n, 0, (n_padded - n) * sizeof(float)); /* units beyond the last */
    net->products->to_panels(&(kt_columns){sums, ld}, pass->range, &to);
}

void kt_network_backward(kt_network *net, const kt_pass *pass)
{
    assert(pass->team == &net->team && pass->rows.M <= net->spec.max_batch); /* forward was made */
    take_d_logits(net, pass);
    for (size_t l = net->n_blocks; l-- > 0;) {
        pass_layers(net, pass, l);
        if (l > 0)
            propagate(net, pass, l);
    }
}
