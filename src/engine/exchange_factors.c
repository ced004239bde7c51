/* Exchange by factors: every replica gets the inputs and deltas of all samples, and updates its own copy. */
#include <limits.h>
#include <math.h>
#include <string.h>

#include "base/share.h"
#include "engine/exchange_private.h"

static kt_exchange_cost cost(const kt_machine *machine, const kt_layout *layout, const kt_exchange_job *job,
                             kt_layer_shape layer)
{
    const double R = (double)layout->n_replicas, n = kt_cost_parameters(layer);
    double most_rows = 0;
    for (size_t r = 0; r < layout->n_replicas; r++) {
        const kt_range own = kt_share(job->n_shards, r, layout->n_replicas);
        const kt_range rows = kt_rows_range(&(kt_rows){job->batch_size, job->n_shards, own.begin, own.end});
        most_rows = fmax(most_rows, (double)(rows.end - rows.begin));
    }
    kt_exchange_cost cost = {.messages = 2, .updates = R};
    const double row_bytes = (double)(layer.n_in + layer.n_out) * sizeof(float);
    cost.total_bytes = (R - 1) * (double)job->batch_size * row_bytes;
    cost.sent_bytes = (R - 1) * most_rows * row_bytes;
    const double flops = 2 * n * (double)job->batch_size / (double)layout->ranks_per_replica;
    cost.seconds = kt_cost_sending(machine, layout, &cost) +
                   fmax(kt_cost_memory(machine, layout, kt_cost_update_bytes(job) * n), flops / machine->core_flops);
    return cost;
}

/* The inputs, or the deltas, of the whole batch are one message. */
static kt_status check(const kt_exchange_job *job, kt_layer_shape layer)
{
    const size_t wider = layer.n_in > layer.n_out ? layer.n_in : layer.n_out;
    if (wider <= INT_MAX / job->batch_size)
        return KT_OK;
    return kt_fail(KT_CONFIG,
                   "batches of %zu samples in a layer of %zu are too many numbers for one message: parallel.exchange = "
                   "allreduce can do it, or a smaller train.batch_size",
                   job->batch_size, wider);
}

/* ---- a step ---- */

/* Own delta panels of the rows here, as parts of the replica's rows of deltas. Where every seat has all, one writes. */
static void write_deltas(const kt_exchange *x, const kt_step *step, size_t l)
{
    const kt_dense *d = &x->dense[l];
    const kt_range rows = kt_rows_range(&step->pass->rows);
    const kt_panels delta = kt_dense_panels(d, d->delta, step->whole.M);
    for (size_t p = 0; p < delta.n && (!d->whole || x->replica->team.seat == 0); p++) {
        const kt_range units = kt_range_from((d->own.begin + p) * KT_PANEL, KT_PANEL, d->n_out);
        for (size_t r = rows.begin; r < rows.end; r++)
            memcpy(x->factors[l].delta + r * d->n_out + units.begin, delta.at + p * delta.stride + r * KT_PANEL,
                   (units.end - units.begin) * sizeof(float));
    }
}

/* Some of the rows here, of which every seat has all inputs. */
static void write_inputs(const kt_exchange *x, const kt_step *step, size_t l)
{
    const kt_dense *d = &x->dense[l];
    const kt_range rows = kt_rows_range(&step->pass->rows);
    const kt_range own = kt_share(rows.end - rows.begin, x->replica->team.seat, x->replica->team.n_seats);
    for (size_t r = rows.begin + own.begin; r < rows.begin + own.end; r++)
        memcpy(x->factors[l].x + r * d->n_in, d->x.x + r * d->x.ld, d->n_in * sizeof(float));
}

static void start(kt_exchange *x, const kt_step *step)
{
    for (size_t l = 0; l < x->plan->n_layers; l++)
        if (x->plan->kind[l] == &kt_exchange_factors) {
            write_deltas(x, step, l);
            write_inputs(x, step, l);
        }
}

static void gather_rows(const kt_exchange *x, const kt_step *step, size_t width, float *values)
{
    size_t *bounds = x->replica->bounds;
    for (size_t r = 0; r < x->replica->n_replicas; r++) {
        const kt_rows its = kt_replica_rows(x->replica, r, step->whole.M, step->pass->rows.shards);
        bounds[r] = kt_rows_range(&its).begin * width;
    }
    bounds[x->replica->n_replicas] = step->whole.M * width;
    kt_comm_gather_all_slices(x->replica->leaders, bounds, values);
}

static void combine(kt_exchange *x, const kt_step *step)
{
    for (size_t l = 0; l < x->plan->n_layers; l++)
        if (x->plan->kind[l] == &kt_exchange_factors) {
            gather_rows(x, step, x->dense[l].n_in, x->factors[l].x);
            gather_rows(x, step, x->dense[l].n_out, x->factors[l].delta);
        }
}

/* Rows of other replicas to where backward would have left them. */
static void take_rows(kt_exchange *x, const kt_step *step, size_t l, kt_range rows)
{
    kt_dense *d = &x->dense[l];
    const kt_panels delta = kt_dense_panels(d, d->delta, step->whole.M);
    for (size_t r = rows.begin; r < rows.end; r++) {
        memcpy(d->x.x + r * d->x.ld, x->factors[l].x + r * d->n_in, d->n_in * sizeof(float));
        for (size_t p = 0; p < delta.n; p++) {
            const kt_range units = kt_range_from((d->own.begin + p) * KT_PANEL, KT_PANEL, d->n_out);
            float *to = delta.at + p * delta.stride + r * KT_PANEL;
            memset(to, 0, KT_PANEL * sizeof *to);
            memcpy(to, x->factors[l].delta + r * d->n_out + units.begin, (units.end - units.begin) * sizeof *to);
        }
    }
    x->products->note(&d->x, rows, rows);
}

static void take(kt_exchange *x, const kt_step *step)
{
    const kt_range own = kt_rows_range(&step->pass->rows);
    for (size_t l = 0; l < x->plan->n_layers; l++)
        if (x->plan->kind[l] == &kt_exchange_factors) {
            take_rows(x, step, l, (kt_range){0, own.begin});
            take_rows(x, step, l, (kt_range){own.end, step->whole.M});
        }
}

/* Each tile of the gradient goes straight into the optimizer. */
static void update(kt_exchange *x, const kt_step *step)
{
    const kt_gradient_update to = {x->optimizer, &step->updates};
    for (size_t l = 0; l < x->plan->n_layers; l++)
        if (x->plan->kind[l] == &kt_exchange_factors)
            kt_gradient_apply(&x->gradient, &x->dense[l], &step->whole, &to);
}

const kt_exchange_kind kt_exchange_factors = {
    .name = "factors",
    .cost = cost,
    .check = check,
    .needs_factors = true,
    .start = start,
    .combine = combine,
    .take = take,
    .update = update,
};
