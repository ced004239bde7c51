/* optimizer.h against PyTorch's optimizers, step by step, in every form of L2. */
#include "net/optimizer.h"

#include <stdint.h>

#include "golden.h"
#include "test.h"

const char *const kt_test_suite = "optimizer";

enum { N = 8, N_STEPS = 6, M = 4 };

static kt_tensor tensors[] = {{.offset = 0, .room = 6, .is_weight = true}, {.offset = 6, .room = 2}};

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

/* A vector with its state, for one optimizer. */
typedef struct state {
    kt_optimizer *optimizer;
    kt_tensors parameters;
    float w[N], slot[KT_MAX_SLOTS][N];
} state;

/* The row of instructions of the optimizers below. */
static size_t chosen = KT_N_SIMD - 1;

static void start_state(state *s, const kt_optimizer_spec *spec, const float *start)
{
    memset(s, 0, sizeof *s);
    s->parameters = (kt_tensors){.n = 2, .tensor = tensors, .vector = {s->w}};
    for (size_t k = 0; k < KT_MAX_SLOTS; k++)
        s->parameters.vector[1 + k] = s->slot[k];
    memcpy(s->w, start, sizeof s->w);
    KT_CHECK_STATUS(KT_OK, kt_optimizer_create(&s->optimizer, spec, chosen, &s->parameters));
    CU_ASSERT_FATAL(s->optimizer != NULL);
}

/* The weights after each step. */
static void run(const kt_optimizer_spec *spec, const float *start, const float *gradients, double gradient_scale,
                float *out)
{
    state s;
    start_state(&s, spec, start);
    for (size_t t = 0; t < N_STEPS; t++) {
        const kt_updates updates = kt_optimizer_prepare(s.optimizer, (int64_t)t + 1, rate_of(t), gradient_scale, M);
        kt_optimizer_update(s.optimizer, &updates, 0, N, gradients + t * N);
        memcpy(out + t * N, s.w, sizeof s.w);
    }
    kt_optimizer_free(s.optimizer);
}

/* Calls check with each row of instructions that the processor supports. */
static void for_all_kernels(void (*check)(void))
{
    for (size_t row = 0; row < KT_N_SIMD; row++)
        if (kt_simd_rows[row].supported()) {
            chosen = row;
            check();
        }
    chosen = KT_N_SIMD - 1;
}

static void check_against_torch(void)
{
    float start[N], gradients[N_STEPS * N], w[N_STEPS * N];
    golden_read_float("optimizer.txt", "start", N, start);
    golden_read_float("optimizer.txt", "gradients", N_STEPS * N, gradients);
    for (size_t kind = 0; kind < kt_n_optimizers; kind++)
        for (int form = 0; form < KT_N_L2_FORMS; form++)
            for (int biases = 0; biases <= 1; biases++) {
                const kt_optimizer_spec spec = spec_of(kind, form, biases);
                char name[64];
                snprintf(name, sizeof name, "%s/%s/%d", kt_optimizers[kind].name, kt_l2_form_names[form], biases);
                run(&spec, start, gradients, 1, w);
                CU_ASSERT(golden_far("optimizer.txt", name, N_STEPS * N, w, 5e-7) == 0);
            }
}

static void torch_says_the_same(void)
{
    for_all_kernels(check_against_torch);
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

/* A longer vector, of three tensors: the second is not a weight. */
enum { LONG = 1003, EDGE1 = 397, EDGE2 = 402 };

static kt_tensor long_tensors[] = {
    {.offset = 0, .room = EDGE1, .is_weight = true},
    {.offset = EDGE1, .room = EDGE2 - EDGE1},
    {.offset = EDGE2, .room = LONG - EDGE2, .is_weight = true},
};

typedef struct long_state {
    float w[LONG], slot[KT_MAX_SLOTS][LONG];
} long_state;

static float long_gradient[LONG];

static void fill_long(long_state *s)
{
    for (size_t i = 0; i < LONG; i++) {
        s->w[i] = sinf((float)i);
        long_gradient[i] = cosf(3 * (float)i);
        for (size_t k = 0; k < KT_MAX_SLOTS; k++)
            s->slot[k][i] = fabsf(sinf((float)(5 + 2 * k) * (float)i));
    }
}

/* Elements [begin, end) by their gradient at an address that is a multiple of 4 only. */
static void update_long(const kt_optimizer_spec *spec, double scale, size_t begin, size_t end, long_state *s)
{
    float g[LONG + 16];
    const size_t shift = (begin * 7 + end) % 16;
    kt_tensors parameters = {.n = 3, .tensor = long_tensors, .vector = {s->w}};
    kt_optimizer *optimizer;
    for (size_t k = 0; k < KT_MAX_SLOTS; k++)
        parameters.vector[1 + k] = s->slot[k];
    KT_CHECK_STATUS(KT_OK, kt_optimizer_create(&optimizer, spec, chosen, &parameters));
    memcpy(g + shift, long_gradient + begin, (end - begin) * sizeof *g);
    const kt_updates updates = kt_optimizer_prepare(optimizer, 3, 0.01, scale, M);
    kt_optimizer_update(optimizer, &updates, begin, end, g + shift);
    kt_optimizer_free(optimizer);
}

/* For every optimizer and form of L2, with clipping and without. */
static void for_all(void (*check)(const kt_optimizer_spec *spec, double scale))
{
    for (size_t kind = 0; kind < kt_n_optimizers; kind++)
        for (int form = 0; form < KT_N_L2_FORMS; form++)
            for (int clips = 0; clips <= 1; clips++) {
                const kt_optimizer_spec spec = spec_of(kind, form, false);
                check(&spec, clips ? 0.7 : 1);
            }
}

static void check_cuts(const kt_optimizer_spec *spec, double scale)
{
    static const size_t most[] = {1, 3, 17, 100, 600};
    static long_state whole, parts;
    unsigned seed = 1;
    fill_long(&whole);
    update_long(spec, scale, 0, LONG, &whole);
    for (size_t p = 0; p < sizeof most / sizeof most[0]; p++) {
        fill_long(&parts);
        for (size_t begin = 0, end; begin < LONG; begin = end) {
            seed = seed * 1664525u + 1013904223u;
            end = begin + 1 + (seed >> 8) % most[p];
            end = end < LONG ? end : LONG;
            update_long(spec, scale, begin, end, &parts);
        }
        CU_ASSERT(memcmp(&whole, &parts, sizeof whole) == 0);
    }
}

static void any_cut(void)
{
    for_all(check_cuts);
}

/* True when a is `before` in front of `begin` and `after` from there on. */
static bool is_split_at(size_t begin, const float *a, const float *before, const float *after)
{
    return memcmp(a, before, begin * sizeof *a) == 0 &&
           memcmp(a + begin, after + begin, (LONG - begin) * sizeof *a) == 0;
}

/* From the last piece to the first. */
static void check_disjoint(const kt_optimizer_spec *spec, double scale)
{
    static const size_t edges[] = {0, 15, 31, EDGE1 - 1, EDGE1 + 2, EDGE2 + 1, 777, 777, LONG};
    static long_state whole, parts, before;
    fill_long(&whole);
    fill_long(&parts);
    fill_long(&before);
    update_long(spec, scale, 0, LONG, &whole);
    for (size_t p = sizeof edges / sizeof edges[0] - 1; p-- > 0;) {
        update_long(spec, scale, edges[p], edges[p + 1], &parts);
        CU_ASSERT(is_split_at(edges[p], parts.w, before.w, whole.w));
        for (size_t i = 0; i < 2; i++)
            CU_ASSERT(is_split_at(edges[p], parts.slot[i], before.slot[i], whole.slot[i]));
    }
}

static void disjoint_ranges(void)
{
    for_all(check_disjoint);
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
        run(&spec, start, gradients, 0.25, a);
        run(&spec, start, scaled, 1, b);
        CU_ASSERT(memcmp(a, b, sizeof a) == 0);
    }
}

static void penalty(void)
{
    static float w[N] = {1, -2, 3, 0, 0.5f, -1, 10, 20};
    const kt_tensors parameters = {.n = 2, .tensor = tensors, .vector = {w}};
    const double squares = 1 + 4 + 9 + 0.25 + 1, bias_squares = 500;
    for (size_t kind = 0; kind < kt_n_optimizers; kind++)
        for (int biases = 0; biases <= 1; biases++) {
            const double sum = squares + (biases ? bias_squares : 0);
            const bool is_adamw = strcmp(kt_optimizers[kind].name, "adamw") == 0;
            kt_optimizer_spec spec = spec_of(kind, KT_L2_BATCH, biases);
            CU_ASSERT(is_near(kt_optimizer_penalty(&spec, &parameters, M), is_adamw ? 0 : 0.05 / (2 * M) * sum, 1e-14));
            spec.l2_form = KT_L2_COUPLED;
            CU_ASSERT(is_near(kt_optimizer_penalty(&spec, &parameters, M), is_adamw ? 0 : 0.05 / 2 * sum, 1e-14));
            spec.l2_form = KT_L2_DECOUPLED;
            CU_ASSERT(kt_optimizer_penalty(&spec, &parameters, M) == 0);
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
        state half[2];
        run(&spec, start, gradients, 1, whole);
        for (size_t h = 0; h < 2; h++)
            start_state(&half[h], &spec, start);
        for (size_t t = 0; t < N_STEPS; t++) {
            state *s = &half[t >= N_STEPS / 2];
            if (t == N_STEPS / 2) {
                memcpy(s->w, half[0].w, sizeof s->w);
                memcpy(s->slot, half[0].slot, kt_optimizers[kind].n_slots * sizeof s->slot[0]);
            }
            const kt_updates updates = kt_optimizer_prepare(s->optimizer, (int64_t)t + 1, rate_of(t), 1, M);
            kt_optimizer_update(s->optimizer, &updates, 0, N, gradients + t * N);
        }
        CU_ASSERT(memcmp(half[1].w, whole + (N_STEPS - 1) * N, sizeof half[1].w) == 0);
        kt_optimizer_free(half[0].optimizer);
        kt_optimizer_free(half[1].optimizer);
    }
}

static void check_refused(const kt_optimizer_spec *spec)
{
    const kt_tensors none = {.n = 0};
    kt_optimizer *optimizer = (kt_optimizer *)&optimizer;
    KT_CHECK_STATUS(KT_CONFIG, kt_optimizer_create(&optimizer, spec, 0, &none));
    CU_ASSERT(optimizer == NULL);
}

static void refusals(void)
{
    kt_optimizer_spec spec = spec_of(4, KT_L2_BATCH, false);
    spec.kind = (int)kt_n_optimizers;
    check_refused(&spec);
    spec = spec_of(4, KT_N_L2_FORMS, false);
    check_refused(&spec);
    spec = spec_of(4, KT_L2_BATCH, false);
    spec.beta1 = 1;
    check_refused(&spec);
    spec = spec_of(4, KT_L2_BATCH, false);
    spec.beta2 = NAN;
    check_refused(&spec);
    spec = spec_of(4, KT_L2_BATCH, false);
    spec.epsilon = -1;
    check_refused(&spec);
    kt_optimizer_free(NULL);
}

const kt_test kt_tests[] = {
    {"every optimizer in every form of L2 makes PyTorch's steps", torch_says_the_same},
    {"the forms of L2 are different", forms_differ},
    {"an update in pieces, however cut, has the bits of the whole", any_cut},
    {"an update touches its range only, and ranges may come in any order", disjoint_ranges},
    {"clipping scales the gradient before L2", clipping_comes_before_l2},
    {"the penalty is lambda/(2M), lambda/2, or nothing", penalty},
    {"weights and slots are all of an optimizer's state", resumes},
    {"impossible settings are refused", refusals},
    {NULL, NULL},
};
