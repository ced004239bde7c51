/* Clipping by the global norm. A thin batch's norm comes from the Gram matrices of its factors,
 *
 *     |X^T D|^2 = sum over samples s, t of (x_s . x_t) (d_s . d_t),   and with the bias (x_s . x_t + 1) (d_s . d_t),
 *
 * so that no gradient is stored or formed twice; a larger batch's from the gradient, which then is kept. Either way the
 * sums are of fixed rows, added in their order, whatever rank computed them. */
#include <math.h>

#include "base/share.h"
#include "edge/linalg.h"
#include "engine/exchange_private.h"

/* sums[s] for this rank's samples s: row s of the Gram matrices multiplied and added. */
static void sum_gram_rows(kt_exchange *x, const kt_factors *f, size_t M, double *sums)
{
    const size_t n_in = f->dense.n_in, n_out = f->dense.n_out;
    const double bias = f->lost_bias ? 0 : 1;
    const kt_range own = kt_share(M, x->replica->team.seat, x->replica->team.n_seats);
    for (size_t s = own.begin; s < own.end; s += KT_GRAM_ROWS) {
        const size_t m = own.end - s < KT_GRAM_ROWS ? own.end - s : KT_GRAM_ROWS;
        float *of_x = x->gram, *of_delta = x->gram + KT_GRAM_ROWS * M;
        f->dense.kernels->forward(m, n_in, M, f->x + s * n_in, n_in, f->x, n_in, of_x, M);
        f->dense.kernels->forward(m, n_out, M, f->delta + s * n_out, n_out, f->delta, n_out, of_delta, M);
        for (size_t r = 0; r < m; r++) {
            double sum = 0;
            for (size_t t = 0; t < M; t++)
                sum += ((double)of_x[r * M + t] + bias) * (double)of_delta[r * M + t];
            sums[s + r] = sum;
        }
    }
}

/* sums[r] for this rank's rows r of the weight: the squares of row r of the gradient; then of each of its units'
 * bias. */
static void sum_gradient_rows(kt_exchange *x, const kt_step *step, size_t l, double *sums)
{
    const kt_factors *f = &x->factors[l];
    if (!x->plan->kind[l]->needs_sums)
        kt_gradient_form(&x->tiles, f, &step->whole, (kt_shard_node){0, step->whole.shards}, x->pool.gradient);
    for (size_t r = f->own_rows.begin; r < f->own_rows.end; r++)
        sums[r] = kt_linalg_sum_squares(f->wide, x->pool.gradient + f->weight + r * f->wide);
    for (size_t o = f->own_units.begin; o < f->own_units.end; o++)
        sums[f->tall + o] = kt_linalg_sum_squares(1, x->pool.gradient + f->bias + o);
}

static double add_up(const kt_exchange *x, const kt_step *step)
{
    double total = 0;
    for (size_t l = 0; l < x->plan->n_layers; l++) {
        const kt_factors *f = &x->factors[l];
        for (size_t i = 0; i < (step->by_gradient ? f->tall + f->dense.n_out : step->whole.M); i++)
            total += x->pool.row_sums[l * x->plan->n_row_sums + i];
    }
    for (size_t i = 0; i < x->n_formed; i++)
        total += kt_linalg_sum_squares(x->formed[i].count, x->formed[i].gradient);
    return total;
}

double kt_exchange_clip(kt_exchange *x, const kt_step *step)
{
    for (size_t l = 0; l < x->plan->n_layers; l++) {
        double *sums = x->pool.row_sums + l * x->plan->n_row_sums;
        if (step->by_gradient)
            sum_gradient_rows(x, step, l, sums);
        else
            sum_gram_rows(x, &x->factors[l], step->whole.M, sums);
    }
    kt_replica_barrier(x->replica);
    const double squares = add_up(x, step);
    x->norm = sqrt(squares > 0 ? squares : 0); /* rounding may leave a little below 0 */
    return x->norm > x->plan->spec.clip_norm ? x->plan->spec.clip_norm / x->norm : 1;
}
