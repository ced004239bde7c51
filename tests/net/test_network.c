/* network.h against PyTorch's forward and backward, and difference quotients of whole networks. On several ranks:
 * test_network_teams.c. */
#include "net/activation.h"
#include "net/network.h"

#include <stdint.h>

#include "edge/linalg.h"
#include "net/loss.h"
#include "net/optimizer.h"

#include "golden.h"
#include "net/gradient.h"
#include "net/whole_gradient.h"
#include "test.h"

const char *const kt_test_suite = "network";

enum { ROWS = 9, N_IN = 6, N_CLASSES = 4, N_X = ROWS * N_IN, SHARDS = 4, N_Z = ROWS * N_CLASSES, MOST = 256 };

static const int64_t hidden[2] = {5, 8};
static const double class_weights[N_CLASSES] = {0.5, 1, 2, 1.25};
static const kt_network_spec plain_spec = {.n_in = N_IN,
                                           .n_classes = N_CLASSES,
                                           .hidden = {2, hidden},
                                           .batch_norm_momentum = 0.1,
                                           .batch_norm_epsilon = 1e-5,
                                           .n_shards = SHARDS};

/* A network, the batch of the golden file, and the whole objective: data loss and L2. */
typedef struct bench {
    kt_network *network;
    kt_pass pass;
    kt_loss_spec loss;
    kt_optimizer_spec l2;
    int32_t y[ROWS];
    uint32_t sample[ROWS];
} bench;

static void prepare(bench *b, const kt_network_spec *spec)
{
    double labels[ROWS], samples[ROWS];
    memset(b, 0, sizeof *b);
    golden_read("network.txt", "labels", ROWS, labels);
    golden_read("network.txt", "samples", ROWS, samples);
    for (size_t r = 0; r < ROWS; r++) {
        b->y[r] = (int32_t)labels[r];
        b->sample[r] = (uint32_t)samples[r];
    }
    b->loss = (kt_loss_spec){.n_classes = N_CLASSES};
    KT_CHECK_STATUS(KT_OK, kt_network_create(&b->network, spec, ROWS));
    CU_ASSERT_FATAL(b->network != NULL);
    b->pass = kt_network_pass(b->network, (kt_rows){ROWS, SHARDS, 0, SHARDS});
    b->pass.training = true;
    b->pass.seed = 42;
    b->pass.epoch = 2;
    b->pass.sample = b->sample;
    kt_linalg_start(1);
    kt_network_initialize(b->network, 42);
    golden_read_float("network.txt", "x", N_X, kt_network_input(b->network));
}

/* Forward, loss, backward and the whole gradient [MOST]; returns the sums and the logits. */
static kt_loss_sums step(bench *b, const float **logits, float *gradient)
{
    const size_t M = b->pass.rows.M;
    kt_loss_sums sums = {0};
    memset(gradient, 0xff, MOST * sizeof *gradient); /* what nobody writes is a NaN */
    CU_ASSERT_FATAL(kt_network_n_parameters(b->network) <= MOST);
    *logits = kt_network_forward(b->network, &b->pass);
    kt_loss_softmax(&b->loss, &(kt_logits){M, M, *logits, b->y}, &sums, kt_network_d_logits(b->network));
    kt_network_backward(b->network, &b->pass);
    KT_CHECK_STATUS(KT_OK, network_whole_gradient(b->network, &b->pass, gradient));
    return sums;
}

/* A bias that batch norm takes away has no gradient at all: not even rounding. */
static bool lost_biases_are_still(const kt_network *network, const float *gradient)
{
    size_t n_factors, n_moved = 0;
    const kt_factors *factors = kt_network_factors(network, &n_factors);
    for (size_t l = 0; l < n_factors; l++)
        for (size_t o = 0; o < factors[l].dense.n_out; o++)
            n_moved += factors[l].lost_bias && gradient[factors[l].bias + o] != 0;
    return n_moved == 0;
}

/* v[n_parameters] with the first weight as [n_out, n_in], however it is kept. */
static const float *as_in_files(const kt_network *network, const float *v, float out[MOST])
{
    size_t n_tensors;
    const kt_tensor *w = kt_network_parameter_tensors(network, &n_tensors);
    memcpy(out, v, kt_network_n_parameters(network) * sizeof *out);
    for (size_t i = 0; i < w->count && w->transposed; i++)
        out[i] = v[i % w->dims[1] * w->dims[0] + i / w->dims[1]];
    return out;
}

static void check_torch(const char *activation, int row, bool full, bool transposed, int64_t thin_rows)
{
    bench b;
    kt_network_spec spec = plain_spec;
    const float *logits;
    float gradient[MOST], turned[MOST];
    char name[5][64];
    double loss, cross_entropy;
    static const char *const parts[5] = {"parameters", "logits", "gradients", "loss", "cross_entropy"};
    for (size_t i = 0; i < 5; i++)
        snprintf(name[i], sizeof name[i], "%s/%s/%s", activation, full ? "full" : "plain", parts[i]);
    spec.activation = row;
    spec.batch_norm = full;
    spec.dropout = full ? 0.3 : 0;
    spec.thin_rows = thin_rows;
    spec.transposed_input = transposed;
    prepare(&b, &spec);
    if (full) {
        b.loss.label_smoothing = 0.1;
        b.loss.class_weights = class_weights;
    }
    const size_t n = kt_network_n_parameters(b.network);
    CU_ASSERT(golden_far("network.txt", name[0], n, as_in_files(b.network, kt_network_parameters(b.network), turned),
                         2e-7) == 0);
    const kt_loss_sums sums = step(&b, &logits, gradient);
    CU_ASSERT((b.pass.kernels != NULL) == (thin_rows >= ROWS));
    CU_ASSERT(golden_far("network.txt", name[1], N_Z, logits, 2e-6) == 0);
    CU_ASSERT(golden_far("network.txt", name[2], n, as_in_files(b.network, gradient, turned), 2e-6) == 0);
    golden_read("network.txt", name[3], 1, &loss);
    golden_read("network.txt", name[4], 1, &cross_entropy);
    CU_ASSERT(is_near(sums.loss / ROWS, loss, 1e-6) && is_near(sums.cross_entropy / ROWS, cross_entropy, 1e-6));
    CU_ASSERT(lost_biases_are_still(b.network, gradient));
    if (full) {
        snprintf(name[0], sizeof name[0], "%s/full/state", activation);
        CU_ASSERT(
            golden_far("network.txt", name[0], kt_network_n_state(b.network), kt_network_state(b.network), 1e-6) == 0);
    }
    kt_network_free(b.network);
}

static void torch_says_the_same(void)
{
    for (size_t a = 0; a < kt_n_activations; a++) {
        for (int64_t thin_rows = ROWS - 1; thin_rows <= ROWS; thin_rows++)
            for (int form = 0; form < 4; form++)
                check_torch(kt_activations[a].name, (int)a, form & 1, form & 2, thin_rows);
    }
}

static double objective(void *context)
{
    bench *b = context;
    kt_loss_sums sums = {0};
    size_t n_tensors;
    const kt_tensor *tensors = kt_network_parameter_tensors(b->network, &n_tensors);
    kt_loss_softmax(&b->loss, &(kt_logits){ROWS, ROWS, kt_network_forward(b->network, &b->pass), b->y}, &sums, NULL);
    return sums.loss / ROWS + kt_optimizer_penalty(&b->l2, tensors, n_tensors, kt_network_parameters(b->network), ROWS);
}

/* The gradient of the whole objective, as what one step of plain descent with rate 1 takes off the weights. */
static void whole_gradient(bench *b, float *gradient)
{
    kt_optimizer *optimizer;
    const float *logits;
    size_t n_tensors, n = kt_network_n_parameters(b->network);
    const kt_tensor *tensors = kt_network_parameter_tensors(b->network, &n_tensors);
    float w[MOST], data[MOST], *parameters = kt_network_parameters(b->network);
    step(b, &logits, data);
    KT_CHECK_STATUS(KT_OK, kt_optimizer_create(&optimizer, &b->l2, kt_kernels_best(), tensors, n_tensors, NULL));
    CU_ASSERT_FATAL(optimizer != NULL);
    memcpy(w, parameters, n * sizeof *w);
    const kt_updates updates = kt_optimizer_prepare(optimizer, 1, 1, 1, ROWS);
    kt_optimizer_update(optimizer, &updates, 0, n, parameters, data);
    for (size_t i = 0; i < n; i++) {
        gradient[i] = w[i] - parameters[i];
        parameters[i] = w[i];
    }
    kt_optimizer_free(optimizer);
}

static void check_quotients(const kt_network_spec *spec, double smoothing, const double *weights, int l2_form,
                            double l2)
{
    bench b;
    float gradient[MOST];
    prepare(&b, spec);
    b.loss.label_smoothing = smoothing;
    b.loss.class_weights = weights;
    b.l2 = (kt_optimizer_spec){.kind = 0, .l2 = l2, .l2_form = l2_form, .l2_biases = smoothing > 0};
    const size_t n = kt_network_n_parameters(b.network);
    float *parameters = kt_network_parameters(b.network);
    for (size_t i = 0; i < n; i++) /* with biases of 0, a row whose units are all dropped would sit on relu's kink */
        parameters[i] += 0.03f * (float)((int)(i % 7) - 3) + 0.01f;
    whole_gradient(&b, gradient);
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
            spec.thin_rows = form == 1 || form == 2 ? ROWS : 0;
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

static void names(void)
{
    static const char *const expected[] = {"dense1/weight", "dense1/bias", "batch_norm1/weight", "batch_norm1/bias",
                                           "dense2/weight", "dense2/bias", "batch_norm2/weight", "batch_norm2/bias",
                                           "output/weight", "output/bias"};
    static const char *const expected_state[] = {"batch_norm1/running_mean", "batch_norm1/running_variance",
                                                 "batch_norm2/running_mean", "batch_norm2/running_variance"};
    bench b;
    size_t n, offset = 0;
    kt_network_spec spec = plain_spec;
    spec.batch_norm = true;
    prepare(&b, &spec);
    const kt_tensor *tensors = kt_network_parameter_tensors(b.network, &n);
    CU_ASSERT_FATAL(n == 10);
    for (size_t i = 0; i < n; i++) {
        CU_ASSERT(strcmp(tensors[i].name, expected[i]) == 0 && tensors[i].offset == offset);
        CU_ASSERT(tensors[i].is_weight == (i == 0 || i == 4 || i == 8) &&
                  tensors[i].n_dims == (tensors[i].is_weight ? 2 : 1));
        offset += tensors[i].count;
    }
    CU_ASSERT(offset == kt_network_n_parameters(b.network));
    CU_ASSERT(tensors[4].dims[0] == 8 && tensors[4].dims[1] == 5 && tensors[4].count == 40);
    tensors = kt_network_state_tensors(b.network, &n);
    CU_ASSERT_FATAL(n == 4);
    for (size_t i = 0; i < n; i++)
        CU_ASSERT(strcmp(tensors[i].name, expected_state[i]) == 0);
    CU_ASSERT(kt_network_n_state(b.network) == 26 && kt_network_state(b.network)[0] == 0 &&
              kt_network_state(b.network)[5] == 1);
    CU_ASSERT(kt_network_n_in(b.network) == N_IN && kt_network_n_classes(b.network) == N_CLASSES);
    kt_network_free(b.network);
}

static bool is_aligned(const void *memory)
{
    return (uintptr_t)memory % 64 == 0;
}

static void gradients_are_made_of(void)
{
    bench b;
    size_t n_tensors, n_factors, n_formed;
    kt_network_spec spec = plain_spec;
    spec.batch_norm = true;
    spec.thin_rows = 5;
    prepare(&b, &spec);
    const kt_tensor *tensors = kt_network_parameter_tensors(b.network, &n_tensors);
    const kt_factors *factors = kt_network_factors(b.network, &n_factors);
    const kt_formed *formed = kt_network_formed(b.network, &n_formed);
    CU_ASSERT_FATAL(n_tensors == 10 && n_factors == 3 && n_formed == 2);
    for (size_t l = 0; l < 3; l++) {
        const kt_tensor *weight = &tensors[4 * l];
        CU_ASSERT(factors[l].weight == weight->offset && factors[l].bias == weight[1].offset);
        CU_ASSERT(factors[l].dense.n_out == weight->dims[0] && factors[l].dense.n_in == weight->dims[1]);
        CU_ASSERT(factors[l].lost_bias == (l < 2));
        CU_ASSERT(is_aligned(factors[l].x) && is_aligned(factors[l].delta));
    }
    CU_ASSERT(kt_network_pass(b.network, (kt_rows){.M = 5}).kernels == kt_network_kernels(b.network));
    CU_ASSERT(kt_network_pass(b.network, (kt_rows){.M = 6}).kernels == NULL);
    for (size_t l = 0; l < 2; l++)
        CU_ASSERT(formed[l].offset == tensors[4 * l + 2].offset && formed[l].count == 2 * tensors[4 * l + 2].count);
    CU_ASSERT(is_aligned(kt_network_parameters(b.network)) && is_aligned(kt_network_state(b.network)));
    CU_ASSERT(kt_network_input(b.network) == factors[0].x && kt_network_d_logits(b.network) == factors[2].delta);
    kt_network_free(b.network);
}

static void no_rows(void)
{
    bench b;
    const float *logits;
    float gradient[MOST];
    kt_network_spec spec = plain_spec;
    for (int form = 0; form < 4; form++) {
        spec.batch_norm = form & 1;
        spec.thin_rows = form & 2 ? ROWS : 0;
        prepare(&b, &spec);
        b.pass.rows.M = 0; /* a batch of none */
        step(&b, &logits, gradient);
        for (size_t i = 0; i < kt_network_n_parameters(b.network); i++)
            CU_ASSERT(gradient[i] == 0);
        b.pass.rows = (kt_rows){ROWS, SHARDS, 1, 1}; /* none of them here */
        kt_network_forward(b.network, &b.pass);
        kt_network_backward(b.network, &b.pass);
        kt_network_free(b.network);
    }
}

static void check_refused(kt_status expected, const kt_network_spec *spec, size_t max_rows)
{
    kt_network *network = (kt_network *)&expected;
    size_t n_parameters = 7, n_bytes = 7;
    KT_CHECK_STATUS(expected, kt_network_create(&network, spec, max_rows));
    CU_ASSERT(network == NULL && kt_error_message()[0] != '\0');
    KT_CHECK_STATUS(expected, kt_network_pool_bytes(spec, max_rows, &n_bytes, &n_parameters));
    CU_ASSERT(n_bytes == 0 && n_parameters == 0 && kt_error_message()[0] != '\0');
}

static void hostile_specs(void)
{
    static const int64_t huge[4] = {2147483647, 2147483647, 2147483647, 2147483647}, zero[1] = {0}, negative[1] = {-1};
    static const int64_t beyond[1] = {INT64_MAX};
    kt_network_spec spec = plain_spec;
    spec.hidden.n = 4, spec.hidden.values = huge;
    check_refused(KT_CONFIG, &spec, 2147483647);
    check_refused(KT_CONFIG, &spec, 1);
    spec.hidden.n = 1, spec.hidden.values = zero;
    check_refused(KT_CONFIG, &spec, 1);
    spec.hidden.values = negative;
    check_refused(KT_CONFIG, &spec, 1);
    spec.hidden.values = beyond;
    check_refused(KT_CONFIG, &spec, 1);
    spec = plain_spec, spec.n_in = 0;
    check_refused(KT_CONFIG, &spec, 1);
    spec = plain_spec, spec.n_classes = SIZE_MAX;
    check_refused(KT_CONFIG, &spec, 1);
    spec = plain_spec, spec.dropout = 1;
    check_refused(KT_CONFIG, &spec, 1);
    spec.dropout = NAN;
    check_refused(KT_CONFIG, &spec, 1);
    spec = plain_spec, spec.activation = (int)kt_n_activations;
    check_refused(KT_CONFIG, &spec, 1);
    check_refused(KT_CONFIG, &plain_spec, SIZE_MAX);
}

static void bytes(void)
{
    static const int64_t wide[2] = {5000, 5000};
    kt_network_spec spec = {.n_in = 784, .n_classes = 49, .hidden = {2, wide}};
    size_t n_bytes, again, n_parameters, n = (784 + 1 + 5000 + 1) * 5000 + 5001 * 49;
    KT_CHECK_STATUS(KT_OK, kt_network_pool_bytes(&spec, 16, &n_bytes, &n_parameters));
    CU_ASSERT(n_parameters == n && n_bytes > 4 * n && n_bytes < 5 * n);
    CU_ASSERT(kt_network_pool_bytes(&spec, 16, &again, NULL) == KT_OK && again == n_bytes);
    spec.batch_norm = true, spec.batch_norm_epsilon = 1, spec.n_shards = KT_MAX_SHARDS;
    KT_CHECK_STATUS(KT_OK, kt_network_pool_bytes(&spec, 16, &again, NULL));
    CU_ASSERT(again > n_bytes + (4 + 2 * KT_MAX_SHARDS) * 10000 * sizeof(double));
}

const kt_test kt_tests[] = {
    {"weights, logits, loss, gradients and running statistics are PyTorch's, for every activation",
     torch_says_the_same},
    {"the gradients of whole networks are their difference quotients", quotients},
    {"the penalty's gradient is its difference quotient in every form that has one", quotients_l2},
    {"a network without hidden layers is softmax regression", softmax_regression},
    {"tensors have their names, shapes and places", names},
    {"gradients are made of factors, and batch norm's are formed", gradients_are_made_of},
    {"without rows all gradients are zero, and all calls are there", no_rows},
    {"impossible sizes are refused before anything is allocated", hostile_specs},
    {"the bytes of a network are known without making it", bytes},
    {NULL, NULL},
};
