/* network.h against PyTorch's forward and backward. Difference quotients of whole networks: test_network_quotients.c;
 * how it lies in memory: test_network_memory.c; on several ranks: test_network_teams.c. */
#include <stdint.h>

#include "net/activation.h"
#include "net/network_bench.h"

const char *const kt_test_suite = "network";

static const double class_weights[N_CLASSES] = {0.5, 1, 2, 1.25};

/* A bias that batch norm takes away has no gradient at all: not even rounding. */
static bool lost_biases_are_still(const bench *b, const float *gradient)
{
    size_t n_layers, n_moved = 0;
    const kt_dense *dense = kt_network_dense(b->network, &n_layers);
    for (size_t l = 0; l < n_layers; l++)
        for (size_t o = 0; o < dense[l].n_out; o++)
            n_moved += dense[l].lost_bias && gradient[b->parameters->tensor[dense[l].bias].offset + o] != 0;
    return n_moved == 0;
}

static void check_torch(const char *activation, int row, bool full, int kernels)
{
    bench b;
    kt_network_spec spec = plain_spec;
    _Alignas(64) float gradient[MOST];
    float file[MOST];
    char name[6][64];
    double loss, cross_entropy;
    static const char *const parts[6] = {"parameters", "logits", "gradients", "loss", "cross_entropy", "state"};
    for (size_t i = 0; i < 6; i++)
        snprintf(name[i], sizeof name[i], "%s/%s/%s", activation, full ? "full" : "plain", parts[i]);
    spec.activation = row;
    spec.batch_norm = full;
    spec.dropout = full ? 0.3 : 0;
    spec.kernels = kernels;
    prepare(&b, &spec);
    if (full) {
        b.loss.label_smoothing = 0.1;
        b.loss.class_weights = class_weights;
    }
    const size_t n = b.parameters->n_elements;
    const kt_tensors *state = kt_network_state(b.network);
    vector_to_file(b.parameters, b.parameters->vector[0], file);
    CU_ASSERT(golden_far("network.txt", name[0], n, file, 2e-7) == 0);
    const kt_loss_sums sums = step(&b, gradient);
    CU_ASSERT(golden_far("network.txt", name[1], N_Z, kt_network_logits(b.network), 2e-6) == 0);
    CU_ASSERT(golden_far("network.txt", name[2], n, vector_to_file(b.parameters, gradient, file), 2e-6) == 0);
    golden_read("network.txt", name[3], 1, &loss);
    golden_read("network.txt", name[4], 1, &cross_entropy);
    CU_ASSERT(is_near(sums.loss / ROWS, loss, 1e-6) && is_near(sums.cross_entropy / ROWS, cross_entropy, 1e-6));
    CU_ASSERT(lost_biases_are_still(&b, gradient));
    if (full)
        CU_ASSERT(golden_far("network.txt", name[5], state->n_elements, vector_to_file(state, state->vector[0], file),
                             1e-6) == 0);
    kt_network_free(b.network);
}

static void torch_says_the_same(void)
{
    for (int kernels = 0; kernels <= KT_N_SIMD; kernels++)
        for (size_t a = 0; a < kt_n_activations; a++)
            for (int full = 0; full <= 1 && (kernels == 0 || kt_simd_rows[kernels - 1].supported()); full++)
                check_torch(kt_activations[a].name, (int)a, full, kernels);
}

static void names(void)
{
    static const char *const expected[] = {"dense1/weight", "dense1/bias", "batch_norm1/weight", "batch_norm1/bias",
                                           "dense2/weight", "dense2/bias", "batch_norm2/weight", "batch_norm2/bias",
                                           "output/weight", "output/bias"};
    static const char *const expected_state[] = {"batch_norm1/running_mean", "batch_norm1/running_variance",
                                                 "batch_norm2/running_mean", "batch_norm2/running_variance"};
    bench b;
    size_t offset = 0, n_elements = 0;
    kt_network_spec spec = plain_spec;
    spec.batch_norm = true;
    prepare(&b, &spec);
    const kt_tensor *t = b.parameters->tensor;
    CU_ASSERT_FATAL(b.parameters->n == 10);
    for (size_t i = 0; i < 10; i++) {
        CU_ASSERT(strcmp(t[i].name, expected[i]) == 0 && t[i].offset == offset && offset % KT_LINE_FLOATS == 0);
        CU_ASSERT(t[i].is_weight == (i == 0 || i == 4 || i == 8) && t[i].n_dims == (t[i].is_weight ? 2 : 1));
        CU_ASSERT(t[i].n == t[i].dims[0] * (t[i].is_weight ? t[i].dims[1] : 1) && t[i].room >= t[i].n);
        CU_ASSERT(t[i].here[0] == b.parameters->vector[0] + offset);
        offset += t[i].room;
        n_elements += t[i].n;
    }
    CU_ASSERT(offset == b.parameters->room && n_elements == b.parameters->n_elements);
    CU_ASSERT(t[4].dims[0] == 8 && t[4].dims[1] == 5);
    const kt_tensors *state = kt_network_state(b.network);
    CU_ASSERT_FATAL(state->n == 4 && state->n_elements == 26);
    for (size_t i = 0; i < 4; i++) {
        CU_ASSERT(strcmp(state->tensor[i].name, expected_state[i]) == 0);
        CU_ASSERT(state->tensor[i].here[0][0] == (float)(i % 2));
    }
    CU_ASSERT(kt_network_spec_of(b.network)->n_in == N_IN);
    kt_network_free(b.network);
}

static bool is_aligned(const void *memory)
{
    return (uintptr_t)memory % 64 == 0;
}

static void gradients_are_made_of(void)
{
    bench b;
    size_t n_layers, n_formed;
    kt_network_spec spec = plain_spec;
    spec.batch_norm = true;
    spec.n_slots = 2;
    prepare(&b, &spec);
    const kt_dense *dense = kt_network_dense(b.network, &n_layers);
    const kt_formed *formed = kt_network_formed(b.network, &n_formed);
    CU_ASSERT_FATAL(n_layers == 3 && n_formed == 4 && b.parameters->n_vectors == 3);
    for (size_t l = 0; l < 3; l++) {
        const kt_tensor *weight = &b.parameters->tensor[4 * l];
        CU_ASSERT(dense[l].weight == 4 * l && dense[l].bias == 4 * l + 1 && dense[l].lost_bias == (l < 2));
        CU_ASSERT(dense[l].n_out == weight->dims[0] && dense[l].n_in == weight->dims[1]);
        CU_ASSERT(dense[l].w.at == weight->here[0] && dense[l].b == weight[1].here[0]);
        CU_ASSERT(is_aligned(dense[l].x.x) && is_aligned(dense[l].delta) && is_aligned(dense[l].w.at));
        CU_ASSERT(is_aligned(b.parameters->vector[l]));
    }
    for (size_t k = 0; k < 4; k++) {
        const size_t width = (size_t)hidden[k / 2];
        CU_ASSERT(formed[k].block == k / 2 && formed[k].tensor == k / 2 * 4 + 2 + k % 2);
        CU_ASSERT(formed[k].own.begin == 0 && formed[k].own.end == width);
    }
    CU_ASSERT(kt_network_input(b.network, 2) == dense[0].x.x + 2 * dense[0].x.ld);
    kt_network_free(b.network);
}

static void no_rows(void)
{
    bench b;
    _Alignas(64) float gradient[MOST];
    kt_network_spec spec = plain_spec;
    for (int form = 0; form < 2; form++) {
        spec.batch_norm = form;
        prepare(&b, &spec);
        b.pass.rows.M = 0; /* a batch of none */
        step(&b, gradient);
        for (size_t i = 0; i < b.parameters->room; i++)
            CU_ASSERT(gradient[i] == 0);
        b.pass.rows = (kt_rows){ROWS, SHARDS, 1, 1}; /* none of them here */
        kt_network_forward(b.network, &b.pass);
        kt_network_backward(b.network, &b.pass);
        kt_network_free(b.network);
    }
}

static void check_refused(const kt_network_spec *spec)
{
    kt_network *network = (kt_network *)(void *)&spec;
    kt_network_room room = {7, 7, 7, 7, 7, 7};
    static const kt_network_room none = {0};
    KT_CHECK_STATUS(KT_CONFIG, kt_network_create(&network, spec));
    CU_ASSERT(network == NULL && kt_error_message()[0] != '\0');
    KT_CHECK_STATUS(KT_CONFIG, kt_network_measure(spec, &kt_team_alone, &room));
    CU_ASSERT(memcmp(&room, &none, sizeof room) == 0 && kt_error_message()[0] != '\0');
}

#define REFUSED(...)                       \
    do {                                   \
        kt_network_spec spec = plain_spec; \
        __VA_ARGS__;                       \
        check_refused(&spec);              \
    } while (0)

static void hostile_specs(void)
{
    static const int64_t huge[4] = {2147483647, 2147483647, 2147483647, 2147483647}, zero[1] = {0}, negative[1] = {-1};
    static const int64_t beyond[1] = {INT64_MAX};
    REFUSED(spec.hidden = ((kt_int_list){4, huge}), spec.max_rows = spec.max_batch = 2147483647);
    REFUSED(spec.hidden = ((kt_int_list){4, huge}), spec.max_rows = 1);
    REFUSED(spec.hidden = ((kt_int_list){1, zero}));
    REFUSED(spec.hidden = ((kt_int_list){1, negative}));
    REFUSED(spec.hidden = ((kt_int_list){1, beyond}));
    REFUSED(spec.n_in = 0);
    REFUSED(spec.n_classes = SIZE_MAX);
    REFUSED(spec.dropout = 1);
    REFUSED(spec.dropout = NAN);
    REFUSED(spec.activation = (int)kt_n_activations);
    REFUSED(spec.max_rows = SIZE_MAX);
    REFUSED(spec.unit_shards = 0);
    REFUSED(spec.unit_shards = 3);
    REFUSED(spec.unit_shards = 2 * KT_MAX_SHARDS);
    REFUSED(spec.n_slots = KT_MAX_SLOTS + 1);
}

static void bytes(void)
{
    static const int64_t wide[2] = {5000, 5000};
    kt_network_spec spec = {.n_in = 784,
                            .n_classes = 49,
                            .hidden = {2, wide},
                            .batch_norm_epsilon = 1,
                            .unit_shards = 16,
                            .n_slots = 2,
                            .max_rows = 16,
                            .max_batch = 16};
    kt_network_room room, again;
    const size_t n = (784 + 1 + 5000 + 1) * 5000 + 5001 * 49;
    KT_CHECK_STATUS(KT_OK, kt_network_measure(&spec, &kt_team_alone, &room));
    CU_ASSERT(room.n_parameters == n && room.n_floats > n && room.n_floats < n + n / 20);
    CU_ASSERT(room.shared_bytes >= 3 * room.n_floats * sizeof(float) && room.rank_bytes < room.shared_bytes / 10);
    CU_ASSERT(kt_network_measure(&spec, &kt_team_alone, &again) == KT_OK && memcmp(&room, &again, sizeof room) == 0);
    spec.batch_norm = true, spec.n_shards = KT_MAX_SHARDS;
    KT_CHECK_STATUS(KT_OK, kt_network_measure(&spec, &kt_team_alone, &again));
    CU_ASSERT(again.rank_bytes > room.rank_bytes + (4 + 2 * KT_MAX_SHARDS) * 10000 * sizeof(double));
    CU_ASSERT(again.n_parameters == n + 20000);
}

const kt_test kt_tests[] = {
    {"weights, logits, loss, gradients and running statistics are PyTorch's, for every activation",
     torch_says_the_same},
    {"tensors have their names, shapes and places", names},
    {"gradients are made of inputs and deltas, and batch norm's are formed", gradients_are_made_of},
    {"without rows all gradients are zero, and all calls are there", no_rows},
    {"impossible sizes are refused before anything is allocated", hostile_specs},
    {"the bytes of a network are known without making it", bytes},
    {NULL, NULL},
};
