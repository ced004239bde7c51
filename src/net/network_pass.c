/* Running a network. */
#include <assert.h>

#include "net/network_private.h"

const kt_kernels *kt_network_kernels(const kt_network *net)
{
    return net->kernels;
}

kt_pass kt_network_pass(const kt_network *net, kt_rows rows)
{
    return (kt_pass){.rows = rows, .team = &net->team, .kernels = rows.M <= net->thin_rows ? net->kernels : NULL};
}

/* Columns of a layer of `width` units that are this rank's. */
static kt_range own_columns(const kt_pass *pass, size_t width)
{
    return kt_dense_own(width, pass->kernels != NULL, pass->team);
}

static void settle_factors(kt_network *net, const kt_pass *pass)
{
    assert(pass->team == &net->team); /* it was made by kt_network_pass */
    for (kt_factors *f = net->factors; f < net->factors + net->n_dense; f++) {
        f->dense.kernels = pass->kernels;
        f->own_rows = own_columns(pass, f->tall);
        f->own_units = own_columns(pass, f->dense.n_out);
    }
}

static void announce(const kt_pass *pass, size_t layer, bool deltas)
{
    if (pass->announce != NULL)
        pass->announce(pass->announce_context, layer, deltas);
}

const float *kt_network_forward(kt_network *net, const kt_pass *pass)
{
    const float *x = net->factors[0].x;
    size_t dense = 0;
    assert(pass->rows.M <= net->max_rows);
    settle_factors(net, pass);
    for (size_t l = 0; l < net->n_layers; l++) {
        kt_layer *layer = net->layers[l];
        if (layer->kind->multiplies) {
            if (l > 0)
                kt_team_barrier(&net->team); /* it reads what all ranks have made */
            announce(pass, dense++, false);
        }
        layer->kind->forward(layer, pass, own_columns(pass, layer->n_out), x, net->outputs[l]);
        x = net->outputs[l];
    }
    kt_team_barrier(&net->team);
    return x;
}

/* From the last layer down: a dense layer's dx is written where the delta of the dense layer below will stand, and the
 * layers between change it in place. */
void kt_network_backward(kt_network *net, const kt_pass *pass)
{
    size_t dense = net->n_dense - 1;
    for (size_t l = net->n_layers; l-- > 1;) {
        kt_layer *layer = net->layers[l];
        const bool is_dense = layer->kind->multiplies;
        const float *dy = net->factors[dense].delta;
        if (is_dense) {
            if (l + 1 < net->n_layers)
                kt_team_barrier(&net->team); /* it reads what all ranks have made */
            announce(pass, dense, true);
        }
        float *dx = is_dense ? net->factors[--dense].delta : net->factors[dense].delta;
        const kt_flow flow = {net->outputs[l - 1], net->outputs[l], dy, dx};
        layer->kind->backward(layer, pass, own_columns(pass, layer->n_in), &flow);
    }
    kt_team_barrier(&net->team);
    announce(pass, 0, true);
}
