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
static void sum_gram_rows(kt_exchange *x, size_t M, size_t l, double *sums)
{
    const kt_factors *f = kt_exchange_factors(x, l);
    const kt_kernels *kernels = kt_network_products(x->network, l, M).kernels;
    const double bias = f->lost_bias ? 0 : 1;
    const kt_range own = kt_share(M, x->replica->team.part, x->replica->team.n_parts);
    for (size_t s = own.begin; s < own.end; s += KT_GRAM_ROWS) {
        const size_t m = own.end - s < KT_GRAM_ROWS ? own.end - s : KT_GRAM_ROWS;
        float *of_x = x->gram, *of_delta = x->gram + KT_GRAM_ROWS * M;
        kernels->forward(m, f->n_in, M, f->x + s * f->n_in, f->n_in, f->x, f->n_in, of_x, M);
        kernels->forward(m, f->n_out, M, f->delta + s * f->n_out, f->n_out, f->delta, f->n_out, of_delta, M);
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
static void sum_gradient_rows(kt_exchange *x, const kt_pass *pass, size_t l, double *sums)
{
    const kt_factors *f = kt_exchange_factors(x, l);
    const kt_rows whole = kt_exchange_whole(x, pass);
    const kt_range own = kt_dense_own(f->n_out, false, &x->replica->team);
    const kt_range tall = kt_dense_own(f->tall, false, &x->replica->team);
    if (x->replica->n_replicas == 1 || x->plan->by_factors[l])
        kt_exchange_form(x, &whole, (kt_shard_node){0, whole.shards}, l, x->gradient);
    for (size_t r = tall.begin; r < tall.end; r++)
        sums[r] = kt_linalg_sum_squares(f->wide, x->gradient + f->weight + r * f->wide);
    for (size_t o = own.begin; o < own.end; o++)
        sums[f->tall + o] = kt_linalg_sum_squares(1, x->gradient + f->bias + o);
}

static double add_up(const kt_exchange *x, bool thin, size_t M)
{
    size_t n;
    double total = 0;
    const kt_factors *factors = kt_network_factors(x->network, &n);
    for (size_t l = 0; l < n; l++)
        for (size_t i = 0; i < (thin ? M : factors[l].tall + factors[l].n_out); i++)
            total += x->row_sums[l * x->plan->n_row_sums + i];
    const kt_formed *formed = kt_network_formed(x->network, &n);
    for (size_t i = 0; i < n; i++)
        total += kt_linalg_sum_squares(formed[i].count, formed[i].gradient);
    return total;
}

double kt_exchange_clip(kt_exchange *x, const kt_pass *pass)
{
    const size_t M = pass->rows.M;
    const bool thin = kt_network_is_thin(x->network, M);
    for (size_t l = 0; l < x->plan->n_layers; l++) {
        double *sums = x->row_sums + l * x->plan->n_row_sums;
        if (thin)
            sum_gram_rows(x, M, l, sums);
        else
            sum_gradient_rows(x, pass, l, sums);
    }
    kt_replica_barrier(x->replica);
    const double squares = add_up(x, thin, M);
    x->norm = sqrt(squares > 0 ? squares : 0); /* rounding may leave a little below 0 */
    return x->norm > x->clip_norm ? x->clip_norm / x->norm : 1;
}
