/* network.h: what follows from how a network lies in memory, on one rank. */
#include "net/activation.h"

#include "net/network_bench.h"

const char *const kt_test_suite = "network_memory";

/* Three panels, the last not full, behind inputs that fill none. */
static const int64_t odd[2] = {41, 17};

static void train(bench *b, int n_steps, float *gradient)
{
    kt_optimizer *optimizer;
    KT_CHECK_STATUS(KT_OK, kt_optimizer_create(&optimizer, &b->l2, kt_simd_best(), b->parameters));
    for (int t = 1; t <= n_steps; t++) {
        b->pass.rows.M = t % 3 == 2 ? 1 : ROWS; /* panels of a shorter batch lie elsewhere */
        step(b, gradient);
        const kt_updates updates = kt_optimizer_prepare(optimizer, t, 0.01, 1, b->pass.rows.M);
        network_update(b->network, optimizer, &updates, gradient);
    }
    kt_optimizer_free(optimizer);
}

static kt_optimizer_spec optimizer_of(size_t kind, int l2_form)
{
    return (kt_optimizer_spec){.kind = (int)kind,
                               .momentum = 0.9,
                               .beta1 = 0.9,
                               .beta2 = 0.99,
                               .l2 = 0.1,
                               .l2_form = l2_form,
                               .l2_biases = true};
}

/* sigmoid(0) is not 0, and epsilon is: nothing of what no file has may move all the same. */
static void padding(void)
{
    static _Alignas(64) float gradient[MOST];
    for (size_t kind = 0; kind < kt_n_optimizers; kind++)
        for (size_t a = 0; a < kt_n_activations; a++) {
            bench b;
            kt_network_spec spec = plain_spec;
            spec.hidden.values = odd;
            spec.activation = (int)a;
            spec.batch_norm = (kind + a) % 2;
            spec.dropout = (kind + a) % 3 ? 0.3 : 0;
            spec.n_slots = kt_optimizers[kind].n_slots;
            spec.n_classes = 19;
            prepare(&b, &spec);
            b.loss.n_classes = 19;
            b.l2 = optimizer_of(kind, (int)(kind + a) % KT_N_L2_FORMS);
            train(&b, 12, gradient);
            for (size_t k = 0; k <= spec.n_slots; k++)
                CU_ASSERT(count_outside(b.parameters, b.parameters->vector[k]) == 0);
            CU_ASSERT(count_outside(b.parameters, gradient) == 0);
            CU_ASSERT(count_outside(kt_network_state(b.network), kt_network_state(b.network)->vector[0]) == 0);
            kt_network_free(b.network);
        }
}

/* From the vectors as files have them, in another network, the same bits. */
static void resumes(void)
{
    static _Alignas(64) float gradient[MOST], file[MOST];
    for (size_t kind = 0; kind < kt_n_optimizers; kind++) {
        bench half, other;
        kt_network_spec spec = plain_spec;
        spec.hidden.values = odd;
        spec.batch_norm = true;
        spec.dropout = 0.3;
        spec.n_slots = kt_optimizers[kind].n_slots;
        prepare(&half, &spec);
        prepare(&other, &spec);
        half.l2 = other.l2 = optimizer_of(kind, KT_L2_BATCH);
        train(&half, 3, gradient);
        const kt_tensors *from[] = {half.parameters, kt_network_state(half.network)};
        const kt_tensors *to[] = {other.parameters, kt_network_state(other.network)};
        for (size_t i = 0; i < 2; i++)
            for (size_t k = 0; k < from[i]->n_vectors; k++)
                for (size_t t = 0; t < from[i]->n; t++) {
                    kt_tensor_to_file(&from[i]->tensor[t], from[i]->tensor[t].here[k], file);
                    kt_tensor_from_file(&to[i]->tensor[t], file, to[i]->tensor[t].here[k]);
                }
        train(&half, 3, gradient);
        train(&other, 3, gradient);
        for (size_t i = 0; i < 2; i++)
            for (size_t k = 0; k < from[i]->n_vectors; k++)
                CU_ASSERT(memcmp(from[i]->vector[k], to[i]->vector[k], from[i]->room * sizeof(float)) == 0);
        kt_network_free(half.network);
        kt_network_free(other.network);
    }
}

enum { N_FEWER = N_IN - 2 };
static const size_t left[N_FEWER] = {0, 2, 3, 5};

/* file[] without the columns of the first weight that the fewer inputs do not have. */
static size_t leave_out(const kt_tensors *of, const float *file, float *fewer)
{
    const size_t n_out = of->tensor[0].dims[0], rest = of->n_elements - n_out * N_IN;
    for (size_t o = 0; o < n_out; o++)
        for (size_t k = 0; k < N_FEWER; k++)
            fewer[o * N_FEWER + k] = file[o * N_IN + left[k]];
    memcpy(fewer + n_out * N_FEWER, file + n_out * N_IN, rest * sizeof *fewer);
    return n_out * N_FEWER + rest;
}

static void from_file(const kt_tensors *tensors, const float *file)
{
    for (const kt_tensor *t = tensors->tensor; t < tensors->tensor + tensors->n; file += t++->n)
        kt_tensor_from_file(t, file, t->here[0]);
}

/* Against the network of the inputs that are not always 0. */
static void zeros(void)
{
    static _Alignas(64) float gradient[MOST], fewer_gradient[MOST];
    static float file[MOST], expected[MOST];
    for (int full = 0; full <= 1; full++) {
        bench b, fewer;
        kt_network_spec spec = plain_spec;
        spec.hidden.values = odd;
        spec.batch_norm = full;
        spec.dropout = full ? 0.3 : 0;
        prepare(&b, &spec);
        spec.n_in = N_FEWER;
        prepare(&fewer, &spec);
        leave_out(b.parameters, vector_to_file(b.parameters, b.parameters->vector[0], file), expected);
        from_file(fewer.parameters, expected);
        for (size_t r = 0; r < ROWS; r++) {
            float *x = kt_network_input(b.network, r);
            x[1] = 0;
            x[4] = -0.0f;
            x[left[r % 3]] = 0; /* here and there */
            for (size_t k = 0; k < N_FEWER; k++)
                kt_network_input(fewer.network, r)[k] = x[left[k]];
        }
        step(&b, gradient);
        step(&fewer, fewer_gradient);
        CU_ASSERT(memcmp(kt_network_logits(b.network), kt_network_logits(fewer.network), N_Z * sizeof(float)) == 0);
        const size_t n = leave_out(b.parameters, vector_to_file(b.parameters, gradient, file), expected);
        CU_ASSERT(memcmp(vector_to_file(fewer.parameters, fewer_gradient, file), expected, n * sizeof *file) == 0);
        kt_network_free(b.network);
        kt_network_free(fewer.network);
    }
}

/* Wherever it stands among zeros, and whatever follows it. */
static void not_a_number(void)
{
    static _Alignas(64) float gradient[MOST];
    for (size_t a = 0; a < kt_n_activations; a++)
        for (size_t r = 0; r < ROWS; r++)
            for (int form = 0; form < 4; form++) {
                bench b;
                kt_network_spec spec = plain_spec;
                spec.hidden.values = odd;
                spec.activation = (int)a;
                spec.batch_norm = form & 1;
                prepare(&b, &spec);
                memset(kt_network_input(b.network, r), 0, form & 2 ? N_IN * sizeof(float) : 0);
                kt_network_input(b.network, r)[(r + a) % N_IN] = NAN;
                CU_ASSERT(!isfinite(step(&b, gradient).loss));
                kt_network_free(b.network);
            }
}

/* The next initialization forgets everything of the last. */
static void begins_anew(void)
{
    static _Alignas(64) float gradient[MOST];
    bench once, twice;
    kt_network_spec spec = plain_spec;
    spec.hidden.values = odd;
    spec.batch_norm = true;
    spec.n_slots = 2;
    prepare(&once, &spec);
    prepare(&twice, &spec);
    twice.l2 = optimizer_of(kt_n_optimizers - 1, KT_L2_BATCH);
    train(&twice, 3, gradient);
    kt_network_initialize(twice.network, 42);
    for (size_t k = 0; k < 3; k++)
        CU_ASSERT(memcmp(once.parameters->vector[k], twice.parameters->vector[k],
                         once.parameters->room * sizeof(float)) == 0);
    const kt_tensors *state[] = {kt_network_state(once.network), kt_network_state(twice.network)};
    CU_ASSERT(memcmp(state[0]->vector[0], state[1]->vector[0], state[0]->room * sizeof(float)) == 0);
    kt_network_free(once.network);
    kt_network_free(twice.network);
}

const kt_test kt_tests[] = {
    {"what no file has stays 0, with every optimizer and activation", padding},
    {"from what files have, training goes on with the same bits", resumes},
    {"zeros in the inputs change no bit", zeros},
    {"what is not a number in the inputs is seen in the loss", not_a_number},
    {"initialized again, a network is as at first", begins_anew},
    {NULL, NULL},
};
