/* Clipping by the global norm: the squares of each unit's gradient, added in the order of layers and units, whatever
 * rank formed them. The gradient is formed once more for that where it is not kept: that needs no weights, only what
 * they are multiplied by, and so little of the memory's time. */
#include <math.h>
#include <string.h>

#include "engine/exchange_private.h"

/* Squares of own units of layer l, with those of its batch norm. */
static void square_layer(kt_exchange *x, const kt_step *step, size_t l, double *squares)
{
    const kt_dense *d = &x->dense[l];
    double *own = squares + d->own.begin * KT_PANEL;
    kt_gradient_squares(&x->gradient, d, &step->whole, x->plan->kind[l]->needs_sums ? x->pool.gradient : NULL, own);
    for (const kt_formed *f = x->formed; f < x->formed + x->n_formed; f++)
        for (size_t u = f->own.begin; u < f->own.end && f->block == l; u++)
            squares[u] += (double)f->gradient[u] * (double)f->gradient[u];
}

/* What seat `seat` has of a layer whose panels are dealt, in units; nothing of others, which every seat has whole. */
static kt_range units_of(const kt_exchange *x, size_t l, size_t seat)
{
    const kt_dense *d = &x->dense[l];
    if (d->whole)
        return (kt_range){0, 0};
    const kt_range own =
        kt_dense_share(kt_network_spec_of(x->network), d->n_in, d->n_out, seat, x->replica->team.n_seats);
    return (kt_range){own.begin * KT_PANEL, own.end * KT_PANEL};
}

/* Copies a seat's squares into its letter, or out of it. Returns the letter's bytes. */
static size_t copy_letter(const kt_exchange *x, size_t seat, double *in, const double *out)
{
    size_t n = 0, unit = 0;
    for (size_t l = 0; l < x->plan->n_layers; unit += x->dense[l++].n_panels * KT_PANEL) {
        const kt_range own = units_of(x, l, seat);
        const size_t n_own = own.end - own.begin;
        if (in != NULL)
            memcpy(in + n, x->squares + unit + own.begin, n_own * sizeof *in);
        if (out != NULL)
            memcpy(x->squares + unit + own.begin, out + n, n_own * sizeof *out);
        n += n_own;
    }
    return n * sizeof(double);
}

static void share_squares(kt_exchange *x)
{
    const kt_team *team = &x->replica->team;
    if (team->n_seats == 1)
        return;
    for (size_t t = 0; t < team->n_seats; t++)
        x->letter_size[t] = copy_letter(x, t, NULL, NULL);
    copy_letter(x, team->seat, team->outbox(team->context), NULL);
    team->send(team->context, &(kt_letters){.size = x->letter_size});
    for (size_t t = 0; t < team->n_seats; t++)
        if (t != team->seat)
            copy_letter(x, t, NULL, team->inbox(team->context, t));
}

double kt_exchange_clip(kt_exchange *x, const kt_step *step)
{
    double sum = 0;
    for (size_t l = 0, unit = 0; l < x->plan->n_layers; unit += x->dense[l++].n_panels * KT_PANEL)
        square_layer(x, step, l, x->squares + unit);
    share_squares(x);
    for (size_t u = 0; u < x->plan->n_units; u++)
        sum += x->squares[u];
    x->norm = sqrt(sum);
    return x->norm > x->plan->spec.clip_norm ? x->plan->spec.clip_norm / x->norm : 1;
}
