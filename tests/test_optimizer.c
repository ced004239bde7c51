/* optimizer.h against PyTorch's optimizers, step by step, in every form of L2. */
#include "ktrain/optimizer.h"

#include <stdint.h>

#include "golden.h"
#include "test.h"

const char *const kt_test_suite = "optimizer";

enum { N = 8, N_STEPS = 6, M = 4 };

static const kt_tensor tensors[] = {
    {.name = "weight", .offset = 0, .n_dims = 2, .dims = {2, 3}, .count = 6, .is_weight = true},
    {.name = "bias", .offset = 6, .n_dims = 1, .dims = {2}, .count = 2},
};

static kt_optimizer_spec spec_of(size_t kind, int form, bool biases)
{
    return (kt_optimizer_spec){.kind = (int)kind,
                               .momentum = 0.9,
                               .beta1 = 0.8,
                               .beta2 = 0.95,
                               .epsilon = 1e-6,
                               .l2 = 0.05,
                               .l2_form = form,
                               .l2_biases = biases};
}

static double rate_of(size_t step)
{
    return 0.02 / (double)(step + 1);
}

/* The weights after each step, of an optimizer for [begin, end). */
static void run(const kt_optimizer_spec *spec, size_t begin, size_t end, const float *start, const float *gradients,
                double gradient_scale, float *out)
{
    kt_optimizer *optimizer;
    float w[N];
    KT_CHECK_STATUS(KT_OK, kt_optimizer_create(&optimizer, spec, tensors, 2, begin, end));
    CU_ASSERT_FATAL(optimizer != NULL);
    CU_ASSERT(kt_optimizer_begin(optimizer) == begin && kt_optimizer_end(optimizer) == end);
    memcpy(w, start, sizeof w);
    for (size_t t = 0; t < N_STEPS; t++) {
        kt_optimizer_update(optimizer, (int64_t)t + 1, rate_of(t), gradient_scale, M, w + begin,
                            gradients + t * N + begin);
        memcpy(out + t * N + begin, w + begin, (end - begin) * sizeof *w);
    }
    kt_optimizer_free(optimizer);
}

static void torch_says_the_same(void)
{
    float start[N], gradients[N_STEPS * N], w[N_STEPS * N];
    golden_read_float("optimizer.txt", "start", N, start);
    golden_read_float("optimizer.txt", "gradients", N_STEPS * N, gradients);
    CU_ASSERT(kt_n_optimizers == 6);
    for (size_t kind = 0; kind < kt_n_optimizers; kind++)
        for (int form = 0; form < KT_N_L2_FORMS; form++)
            for (int biases = 0; biases <= 1; biases++) {
                const kt_optimizer_spec spec = spec_of(kind, form, biases);
                char name[64];
                snprintf(name, sizeof name, "%s/%s/%d", kt_optimizers[kind].name, kt_l2_form_names[form], biases);
                run(&spec, 0, N, start, gradients, 1, w);
                CU_ASSERT(golden_far("optimizer.txt", name, N_STEPS * N, w, 5e-7) == 0);
            }
}

/* The forms really are different numbers, so that the golden vectors can tell them apart. */
static void forms_differ(void)
{
    double values[2 * KT_N_L2_FORMS][N_STEPS * N];
    for (int form = 0; form < KT_N_L2_FORMS; form++)
        for (int biases = 0; biases <= 1; biases++) {
            char name[64];
            snprintf(name, sizeof name, "adam/%s/%d", kt_l2_form_names[form], biases);
            golden_read("optimizer.txt", name, N_STEPS * N, values[2 * form + biases]);
        }
    for (size_t a = 0; a < 2 * KT_N_L2_FORMS; a++)
        for (size_t b = 0; b < a; b++) {
            double most = 0;
            for (size_t i = 0; i < N_STEPS * N; i++)
                most = fmax(most, fabs(values[a][i] - values[b][i]));
            CU_ASSERT(most > 1e-5);
        }
}

static void slices(void)
{
    float start[N], gradients[N_STEPS * N], whole[N_STEPS * N], parts[N_STEPS * N];
    golden_read_float("optimizer.txt", "start", N, start);
    golden_read_float("optimizer.txt", "gradients", N_STEPS * N, gradients);
    for (size_t kind = 0; kind < kt_n_optimizers; kind++)
        for (size_t cut = 0; cut <= N; cut++) {
            const kt_optimizer_spec spec = spec_of(kind, KT_L2_BATCH, false);
            run(&spec, 0, N, start, gradients, 1, whole);
            run(&spec, 0, cut, start, gradients, 1, parts);
            run(&spec, cut, N, start, gradients, 1, parts);
            CU_ASSERT(memcmp(whole, parts, sizeof whole) == 0);
        }
}

/* Every element by itself must have the bits it has in a long vector: whole vectors and what is left over are computed
 * alike. */
static void long_vectors(void)
{
    enum { LONG = 1003 };
    static float w[LONG], g[LONG], slot0[LONG], slot1[LONG], start[4][LONG];
    for (size_t kind = 0; kind < kt_n_optimizers; kind++) {
        const kt_optimizer_spec spec = spec_of(kind, KT_L2_COUPLED, false);
        const kt_update u = {3, 0.01f, 0.7f, 0.05f, 0.001f, &spec};
        float *const slot[2] = {slot0, slot1};
        for (size_t i = 0; i < LONG; i++) {
            w[i] = start[0][i] = sinf((float)i);
            g[i] = start[1][i] = cosf(3 * (float)i);
            slot0[i] = start[2][i] = fabsf(sinf(5 * (float)i));
            slot1[i] = start[3][i] = fabsf(cosf(7 * (float)i));
        }
        kt_optimizers[kind].update(&u, LONG, w, g, slot);
        for (size_t i = 0; i < LONG; i++) {
            float *const one[2] = {&start[2][i], &start[3][i]};
            kt_optimizers[kind].update(&u, 1, &start[0][i], &start[1][i], one);
            CU_ASSERT(w[i] == start[0][i] && slot0[i] == start[2][i] && slot1[i] == start[3][i]);
        }
    }
}

static void clipping_comes_before_l2(void)
{
    float start[N], gradients[N_STEPS * N], scaled[N_STEPS * N], a[N_STEPS * N], b[N_STEPS * N];
    golden_read_float("optimizer.txt", "start", N, start);
    golden_read_float("optimizer.txt", "gradients", N_STEPS * N, gradients);
    for (size_t i = 0; i < N_STEPS * N; i++)
        scaled[i] = 0.25f * gradients[i];
    for (size_t kind = 0; kind < kt_n_optimizers; kind++) {
        const kt_optimizer_spec spec = spec_of(kind, KT_L2_COUPLED, false);
        run(&spec, 0, N, start, gradients, 0.25, a);
        run(&spec, 0, N, start, scaled, 1, b);
        CU_ASSERT(memcmp(a, b, sizeof a) == 0);
    }
}

static void penalty(void)
{
    static const float w[N] = {1, -2, 3, 0, 0.5f, -1, 10, 20};
    const double squares = 1 + 4 + 9 + 0.25 + 1, bias_squares = 500;
    for (size_t kind = 0; kind < kt_n_optimizers; kind++)
        for (int biases = 0; biases <= 1; biases++) {
            const double sum = squares + (biases ? bias_squares : 0);
            const bool is_adamw = strcmp(kt_optimizers[kind].name, "adamw") == 0;
            kt_optimizer_spec spec = spec_of(kind, KT_L2_BATCH, biases);
            CU_ASSERT(
                is_near(kt_optimizer_penalty(&spec, tensors, 2, w, M), is_adamw ? 0 : 0.05 / (2 * M) * sum, 1e-14));
            spec.l2_form = KT_L2_COUPLED;
            CU_ASSERT(is_near(kt_optimizer_penalty(&spec, tensors, 2, w, M), is_adamw ? 0 : 0.05 / 2 * sum, 1e-14));
            spec.l2_form = KT_L2_DECOUPLED;
            CU_ASSERT(kt_optimizer_penalty(&spec, tensors, 2, w, M) == 0);
        }
}

/* What a checkpoint holds, the weights and the slots, is all there is: the second half of a run from them has the same
 * bits. */
static void resumes(void)
{
    float start[N], gradients[N_STEPS * N], whole[N_STEPS * N];
    golden_read_float("optimizer.txt", "start", N, start);
    golden_read_float("optimizer.txt", "gradients", N_STEPS * N, gradients);
    for (size_t kind = 0; kind < kt_n_optimizers; kind++) {
        const kt_optimizer_spec spec = spec_of(kind, KT_L2_BATCH, true);
        kt_optimizer *half[2];
        float w[N];
        run(&spec, 0, N, start, gradients, 1, whole);
        memcpy(w, start, sizeof w);
        for (int h = 0; h < 2; h++)
            CU_ASSERT_FATAL(kt_optimizer_create(&half[h], &spec, tensors, 2, 0, N) == KT_OK);
        CU_ASSERT(kt_optimizer_n_slots(half[0]) == kt_optimizers[kind].n_slots);
        for (size_t t = 0; t < N_STEPS; t++) {
            for (size_t s = 0; t == N_STEPS / 2 && s < kt_optimizer_n_slots(half[0]); s++)
                memcpy(kt_optimizer_slot(half[1], s), kt_optimizer_slot(half[0], s), sizeof w);
            kt_optimizer_update(half[t >= N_STEPS / 2], (int64_t)t + 1, rate_of(t), 1, M, w, gradients + t * N);
        }
        CU_ASSERT(memcmp(w, whole + (N_STEPS - 1) * N, sizeof w) == 0);
        kt_optimizer_free(half[0]);
        kt_optimizer_free(half[1]);
    }
}

static void check_refused(kt_status expected, const kt_optimizer_spec *spec, size_t begin, size_t end)
{
    kt_optimizer *optimizer = (kt_optimizer *)&expected;
    KT_CHECK_STATUS(expected, kt_optimizer_create(&optimizer, spec, tensors, 2, begin, end));
    CU_ASSERT(optimizer == NULL);
}

static void refusals(void)
{
    kt_optimizer_spec spec = spec_of(4, KT_L2_BATCH, false);
    spec.kind = (int)kt_n_optimizers;
    check_refused(KT_CONFIG, &spec, 0, N);
    spec = spec_of(4, KT_N_L2_FORMS, false);
    check_refused(KT_CONFIG, &spec, 0, N);
    spec = spec_of(4, KT_L2_BATCH, false);
    spec.beta1 = 1;
    check_refused(KT_CONFIG, &spec, 0, N);
    spec = spec_of(4, KT_L2_BATCH, false);
    spec.beta2 = NAN;
    check_refused(KT_CONFIG, &spec, 0, N);
    spec = spec_of(4, KT_L2_BATCH, false);
    check_refused(KT_INTERNAL, &spec, 2, 1);
    check_refused(KT_NO_MEMORY, &spec, 0, SIZE_MAX / 2);
    kt_optimizer_free(NULL);
}

const kt_test kt_tests[] = {
    {"every optimizer in every form of L2 makes PyTorch's steps", torch_says_the_same},
    {"the forms of L2 are different", forms_differ},
    {"two slices make the same steps as the whole, to the bit", slices},
    {"an element's bits do not depend on the vector around it", long_vectors},
    {"clipping scales the gradient before L2", clipping_comes_before_l2},
    {"the penalty is lambda/(2M), lambda/2, or nothing", penalty},
    {"weights and slots are all of an optimizer's state", resumes},
    {"impossible settings are refused", refusals},
    {NULL, NULL},
};
