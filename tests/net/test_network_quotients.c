/* The gradients of whole networks (network.h) are their difference quotients. */
#include "net/activation.h"
#include "net/gradient.h"
#include "net/network_bench.h"

const char *const kt_test_suite = "network_quotients";

static const double class_weights[N_CLASSES] = {0.5, 1, 2, 1.25};

static double objective(void *context)
{
    bench *b = context;
    return loss_of(b).loss / ROWS + kt_optimizer_penalty(&b->l2, b->parameters, ROWS);
}

/* The gradient of the whole objective, as what one step of plain descent with rate 1 takes off the weights. */
static void objective_gradient(bench *b, float *gradient)
{
    kt_optimizer *optimizer;
    _Alignas(64) float data[MOST];
    float w[MOST], *parameters = b->parameters->vector[0];
    const size_t n = b->parameters->room;
    step(b, data);
    KT_CHECK_STATUS(KT_OK, kt_optimizer_create(&optimizer, &b->l2, kt_simd_best(), b->parameters));
    CU_ASSERT_FATAL(optimizer != NULL);
    memcpy(w, parameters, n * sizeof *w);
    const kt_updates updates = kt_optimizer_prepare(optimizer, 1, 1, 1, ROWS);
    kt_optimizer_update(optimizer, &updates, 0, n, data);
    for (size_t i = 0; i < n; i++) {
        gradient[i] = w[i] - parameters[i];
        parameters[i] = w[i];
    }
    kt_optimizer_free(optimizer);
}

/* Biases of 0 would put a row whose units are all dropped on relu's kink. */
static void move_off_kinks(const kt_tensors *parameters)
{
    size_t at = 0;
    for (const kt_tensor *t = parameters->tensor; t < parameters->tensor + parameters->n; t++) {
        float file[MOST];
        kt_tensor_to_file(t, t->here[0], file);
        for (size_t i = 0; i < t->n; i++, at++)
            file[i] += 0.03f * (float)((int)(at % 7) - 3) + 0.01f;
        kt_tensor_from_file(t, file, t->here[0]);
    }
}

/* Of all floats of the vector: what no file has must change nothing. */
static void check_quotients(const kt_network_spec *spec, double smoothing, const double *weights, int l2_form,
                            double l2)
{
    bench b;
    _Alignas(64) float gradient[MOST];
    prepare(&b, spec);
    b.loss.label_smoothing = smoothing;
    b.loss.class_weights = weights;
    b.l2 = (kt_optimizer_spec){.kind = 0, .l2 = l2, .l2_form = l2_form, .l2_biases = smoothing > 0};
    const size_t n = b.parameters->room;
    float *parameters = b.parameters->vector[0];
    move_off_kinks(b.parameters);
    objective_gradient(&b, gradient);
    CU_ASSERT(gradient_count_wrong(objective, &b, n, parameters, gradient) == 0);
    for (size_t i = 0; i < n; i += 7)
        gradient[i] += 0.01f;
    CU_ASSERT(gradient_count_wrong(objective, &b, n, parameters, gradient) == (n + 6) / 7);
    kt_network_free(b.network);
}

static void quotients(void)
{
    for (size_t a = 0; a < kt_n_activations; a++)
        for (int form = 0; form < 8; form++) {
            kt_network_spec spec = plain_spec;
            spec.activation = (int)a;
            spec.batch_norm = form & 1;
            spec.batch_norm_epsilon = 0.1; /* less curvature than with 1e-5, so that the quotients are good */
            spec.dropout = form & 2 ? 0.25 : 0;
            spec.hidden.n = form & 4 ? 1 : 2;
            check_quotients(&spec, form & 2 ? 0.1 : 0, form & 1 ? class_weights : NULL, KT_L2_BATCH,
                            form & 4 ? 0.5 : 0);
        }
}

static void quotients_l2(void)
{
    kt_network_spec spec = plain_spec;
    while (strcmp(kt_activations[spec.activation].name, "tanh") != 0)
        spec.activation++;
    for (int form = 0; form < KT_N_L2_FORMS; form++)
        for (int biases = 0; biases <= 1; biases++)
            if (form != KT_L2_DECOUPLED) /* no gradient of any penalty: see test_optimizer.c */
                check_quotients(&spec, biases ? 0.1 : 0, NULL, form, 0.3);
}

static void softmax_regression(void)
{
    kt_network_spec spec = plain_spec;
    spec.hidden.n = 0;
    spec.hidden.values = NULL;
    spec.dropout = 0.5; /* of hidden units, of which there are none */
    spec.batch_norm = true;
    check_quotients(&spec, 0, NULL, KT_L2_BATCH, 0.1);
}

const kt_test kt_tests[] = {
    {"the gradients of whole networks are their difference quotients", quotients},
    {"the penalty's gradient is its difference quotient in every form that has one", quotients_l2},
    {"a network without hidden layers is softmax regression", softmax_regression},
    {NULL, NULL},
};
