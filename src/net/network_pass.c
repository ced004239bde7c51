#include "net/network_private.h"

bool kt_network_is_thin(const kt_network *net, size_t M)
{
    return M <= net->thin_rows;
}

const kt_kernels *kt_network_kernels(const kt_network *net)
{
    return net->kernels;
}

kt_dense kt_network_products(const kt_network *net, size_t layer, size_t M)
{
    const kt_factors *f = &net->factors[layer];
    return (kt_dense){f->n_in, f->n_out, kt_network_is_thin(net, M) ? net->kernels : NULL, f->transposed};
}

static kt_work work_of(const kt_network *net, const kt_pass *pass)
{
    const bool thin = kt_network_is_thin(net, pass->rows.M);
    return (kt_work){pass, &net->team, thin ? net->kernels : NULL};
}

/* Columns of a layer of `width` units that are this part's, in this pass. */
static kt_range own_columns(const kt_network *net, const kt_work *work, size_t width)
{
    return kt_dense_own(width, work->kernels != NULL, &net->team);
}

static void announce(const kt_pass *pass, size_t layer, bool deltas)
{
    if (pass->announce != NULL)
        pass->announce(pass->announce_context, layer, deltas);
}

kt_status kt_network_forward(kt_network *net, const kt_pass *pass, const float **logits)
{
    const kt_work work = work_of(net, pass);
    const float *x = net->factors[0].x;
    size_t dense = 0;
    *logits = NULL;
    if (pass->rows.M > net->max_rows)
        return kt_fail(KT_INTERNAL, "a batch of %zu rows in a network made for %zu", pass->rows.M, net->max_rows);
    for (size_t l = 0; l < net->n_layers; l++) {
        kt_layer *layer = &net->layers[l];
        if (layer->kind == &kt_layer_dense) {
            if (l > 0)
                kt_team_barrier(&net->team); /* it reads what all parts have made */
            announce(pass, dense++, false);
        }
        KT_TRY(layer->kind->forward(layer, &work, own_columns(net, &work, layer->n_out), x, net->outputs[l]));
        x = net->outputs[l];
    }
    kt_team_barrier(&net->team);
    *logits = x;
    return KT_OK;
}

/* From the last layer down: a dense layer's dx is written where the delta of the dense layer below will stand, and the
 * layers between change it in place. */
kt_status kt_network_backward(kt_network *net, const kt_pass *pass)
{
    const kt_work work = work_of(net, pass);
    size_t dense = net->n_dense - 1;
    for (size_t l = net->n_layers; l-- > 1;) {
        kt_layer *layer = &net->layers[l];
        const bool is_dense = layer->kind == &kt_layer_dense;
        const float *dy = net->factors[dense].delta;
        if (is_dense) {
            if (l + 1 < net->n_layers)
                kt_team_barrier(&net->team); /* it reads what all parts have made */
            announce(pass, dense, true);
        }
        float *dx = is_dense ? net->factors[--dense].delta : net->factors[dense].delta;
        KT_TRY(layer->kind->backward(layer, &work, own_columns(net, &work, layer->n_in), net->outputs[l - 1],
                                     net->outputs[l], dy, dx));
    }
    kt_team_barrier(&net->team);
    announce(pass, 0, true);
    return KT_OK;
}
