/* loss.h against plain formulas in double and difference quotients. */
#include "net/loss.h"

#include "base/random.h"

#include "bits.h"
#include "golden.h"
#include "net/gradient.h"
#include "test.h"

const char *const kt_test_suite = "loss";

enum { ROWS = 6, C = 5, N_Z = ROWS * C, BATCH = 9 };

typedef struct bench {
    kt_loss_spec spec;
    float z[N_Z], d_z[N_Z];
    int32_t y[ROWS];
} bench;

static const double weights[C] = {0.5, 2, 1, 0.25, 3};

static void prepare(bench *b, double smoothing, const double *class_weights)
{
    const kt_random_place place = {.seed = 3, .purpose = KT_RANDOM_INIT, .layer = 1};
    *b = (bench){.spec = {C, smoothing, class_weights}, .y = {4, 0, 2, 2, 1, 3}};
    kt_random_normal(&place, 0, N_Z, b->z);
}

static double objective(void *context)
{
    bench *b = context;
    kt_loss_sums sums = {0};
    kt_loss_softmax(&b->spec, &(kt_logits){ROWS, BATCH, b->z, b->y}, &sums, NULL);
    return sums.loss / BATCH;
}

static const struct {
    double smoothing;
    const double *class_weights;
} forms[] = {{0, NULL}, {0.2, NULL}, {0, weights}, {0.1, weights}};
enum { N_FORMS = sizeof forms / sizeof forms[0] };

static void values(void)
{
    for (size_t f = 0; f < N_FORMS; f++) {
        bench b;
        kt_loss_sums sums = {.loss = 1, .cross_entropy = 2, .correct = 3, .samples = 4};
        double loss = 1, plain = 2;
        int64_t correct = 3;
        prepare(&b, forms[f].smoothing, forms[f].class_weights);
        kt_loss_softmax(&b.spec, &(kt_logits){ROWS, BATCH, b.z, b.y}, &sums, NULL);
        for (size_t r = 0; r < ROWS; r++) {
            const float *z = b.z + r * C;
            double total = 0, mixed = 0;
            size_t best = 0;
            for (size_t c = 0; c < C; c++) {
                total += exp((double)z[c]);
                best = z[c] > z[best] ? c : best;
            }
            for (size_t c = 0; c < C; c++) {
                const double q = (1 - forms[f].smoothing) * (c == (size_t)b.y[r]) + forms[f].smoothing / C;
                mixed -= q * log(exp((double)z[c]) / total);
            }
            loss += (forms[f].class_weights == NULL ? 1 : weights[b.y[r]]) * mixed;
            plain -= log(exp((double)z[b.y[r]]) / total);
            correct += best == (size_t)b.y[r];
        }
        CU_ASSERT(is_near(sums.loss, loss, 1e-13) && is_near(sums.cross_entropy, plain, 1e-13));
        CU_ASSERT(sums.correct == correct && sums.samples == 4 + ROWS);
    }
}

static void gradients(void)
{
    for (size_t f = 0; f < N_FORMS; f++) {
        bench b;
        kt_loss_sums sums = {0};
        prepare(&b, forms[f].smoothing, forms[f].class_weights);
        kt_loss_softmax(&b.spec, &(kt_logits){ROWS, BATCH, b.z, b.y}, &sums, b.d_z);
        CU_ASSERT(gradient_count_wrong(objective, &b, N_Z, b.z, b.d_z) == 0);
        b.d_z[7] += 1e-3f;
        CU_ASSERT(gradient_count_wrong(objective, &b, N_Z, b.z, b.d_z) == 1);
    }
}

static void in_place(void)
{
    for (size_t f = 0; f < N_FORMS; f++) {
        bench b;
        kt_loss_sums sums = {0}, sums_in_place = {0};
        prepare(&b, forms[f].smoothing, forms[f].class_weights);
        kt_loss_softmax(&b.spec, &(kt_logits){ROWS, BATCH, b.z, b.y}, &sums, b.d_z);
        kt_loss_softmax(&b.spec, &(kt_logits){ROWS, BATCH, b.z, b.y}, &sums_in_place, b.z);
        CU_ASSERT(memcmp(b.z, b.d_z, sizeof b.z) == 0 && sums.loss == sums_in_place.loss &&
                  sums.correct == sums_in_place.correct);
    }
}

static void extremes(void)
{
    static const float z[2 * 3] = {1e30f, -1e30f, 0, 3000, 2999, -3000};
    static const int32_t y[2] = {0, 1};
    const kt_loss_spec spec = {.n_classes = 3};
    kt_loss_sums sums = {0};
    float d_z[6], p[6];
    kt_loss_softmax(&spec, &(kt_logits){2, 2, z, y}, &sums, d_z);
    CU_ASSERT(is_near(sums.loss, 1 + log1p(exp(-1)), 1e-13) && sums.correct == 1);
    kt_loss_probabilities(2, 3, z, p);
    CU_ASSERT(p[0] == 1 && p[1] == 0 && p[2] == 0 && p[3] == (float)(1 / (1 + exp(-1))));
    CU_ASSERT(d_z[0] == 0 && is_near((double)d_z[3], (double)p[3] / 2, 1e-7) &&
              is_near((double)d_z[4], -(double)p[3] / 2, 1e-7));
}

static void small_losses(void)
{
    /* A sure and right answer: the loss is e^-30, which log-sum-exp minus z would lose when z is large. */
    static const float z[2] = {1024, 994};
    static const int32_t y[1] = {0};
    const kt_loss_spec spec = {.n_classes = 2};
    kt_loss_sums sums = {0};
    kt_loss_softmax(&spec, &(kt_logits){1, 1, z, y}, &sums, NULL);
    CU_ASSERT(fabs(sums.cross_entropy - exp(-30)) < 2e-16);
}

static void not_a_number(void)
{
    for (size_t bad = 0; bad < 3; bad++) {
        float z[3] = {1, 2, 3};
        static const int32_t y[1] = {1};
        const kt_loss_spec spec = {.n_classes = 3};
        kt_loss_sums sums = {0};
        z[bad] = NAN;
        kt_loss_softmax(&spec, &(kt_logits){1, 1, z, y}, &sums, NULL);
        CU_ASSERT(isnan(sums.loss));
        z[bad] = INFINITY;
        kt_loss_softmax(&spec, &(kt_logits){1, 1, z, y}, &sums, NULL);
        CU_ASSERT(!isfinite(sums.loss));
    }
}

static void many_classes(void)
{
    enum { MANY = 3000 };
    static float z[MANY], d_z[MANY], p[MANY];
    const int32_t y[1] = {MANY - 1};
    const kt_loss_spec spec = {.n_classes = MANY};
    const kt_random_place place = {.seed = 3, .purpose = KT_RANDOM_INIT, .layer = 2};
    kt_loss_sums sums = {0};
    double sum = 0;
    kt_random_normal(&place, 0, MANY, z);
    kt_loss_softmax(&spec, &(kt_logits){1, 1, z, y}, &sums, d_z);
    kt_loss_probabilities(1, MANY, z, p);
    for (size_t c = 0; c < MANY; c++) {
        sum += (double)p[c];
        CU_ASSERT(is_near((double)d_z[c], (double)p[c] - (c == MANY - 1), 1e-7));
    }
    CU_ASSERT(is_near(sum, 1, 1e-6) && is_near(sums.loss, -log((double)p[MANY - 1]), 1e-6));
}

/* Shards of 0, 5, 0, 0, 9, 1, 5 and 0 samples, in one call and in one each. */
static void shards(void)
{
    enum { MANY_ROWS = 20, N_SHARDS = 8 };
    static const size_t end[N_SHARDS] = {0, 5, 5, 5, 14, 15, 20, 20};
    const kt_random_place place = {.seed = 3, .purpose = KT_RANDOM_INIT, .layer = 3};
    const kt_loss_spec spec = {C, 0.1, weights};
    float z[MANY_ROWS * C], d_z[MANY_ROWS * C], d_z_each[MANY_ROWS * C];
    int32_t y[MANY_ROWS];
    kt_loss_sums sums[N_SHARDS] = {0}, each[N_SHARDS] = {0};
    kt_random_normal(&place, 0, MANY_ROWS * C, z);
    for (int r = 0; r < MANY_ROWS; r++)
        y[r] = r * 3 % C;
    kt_loss_shards(&spec, &(kt_logits){MANY_ROWS, 50, z, y}, end, sums, d_z);
    for (size_t v = 0, first = 0; v < N_SHARDS; first = end[v++])
        kt_loss_softmax(&spec, &(kt_logits){end[v] - first, 50, z + first * C, y + first}, &each[v],
                        d_z_each + first * C);
    CU_ASSERT(memcmp(sums, each, sizeof sums) == 0 && memcmp(d_z, d_z_each, sizeof d_z) == 0);
    CU_ASSERT(sums[0].samples == 0 && sums[4].samples == 9 && sums[7].samples == 0);
}

static void same_bits(void)
{
    enum { MOST = 2500, MANY_ROWS = 3 };
    static const kt_loss_loops *const rows[KT_N_SIMD] = KT_SIMD_EACH(&kt_loss_loops);
    static float z[MANY_ROWS * MOST], d_z[MANY_ROWS * MOST];
    static double class_weights[MOST];
    for (size_t row = 0; row < KT_N_SIMD; row++) {
        uint64_t sum = 0;
        if (!kt_simd_rows[row].supported())
            continue;
        for (size_t n = 1; n <= MOST; n += n < 70 ? 1 : 405)
            for (int form = 0; form < 4; form++) {
                const int32_t y[MANY_ROWS] = {(int32_t)n - 1, 0, (int32_t)n / 2};
                const kt_loss_spec spec = {n, form & 1 ? 0.1 : 0, form & 2 ? class_weights : NULL};
                kt_loss_sums sums = {0};
                bits_fill(n, (uint32_t)n, z); /* has NaN */
                for (size_t i = n; i < MANY_ROWS * n; i++)
                    z[i] = (float)((int)(i * 7919 % 4001) - 2000) / (i % 3 ? 300 : 20);
                for (size_t c = 0; c < n; c++)
                    class_weights[c] = 1 + (double)c / 7;
                rows[row]->softmax(&spec, &(kt_logits){MANY_ROWS - 1, 5, z + n, y}, NULL, &sums, d_z);
                bits_add_double(sums.loss, &sum);
                bits_add_double(sums.cross_entropy, &sum);
                bits_add_word((uint64_t)sums.correct, &sum);
                bits_add((MANY_ROWS - 1) * n, d_z, &sum);
                rows[row]->softmax(&spec, &(kt_logits){1, 5, z, y}, NULL, &sums, z);
                bits_add(n, z, &sum);
                rows[row]->probabilities(MANY_ROWS, n, z, d_z);
                bits_add(MANY_ROWS * n, d_z, &sum);
            }
        CU_ASSERT(bits_are(UINT64_C(0xb2a5cfcff14b8d41), sum, kt_simd_rows[row].name));
    }
}

static void no_rows(void)
{
    const kt_loss_spec spec = {.n_classes = C};
    kt_loss_sums sums = {0};
    kt_loss_softmax(&spec, &(kt_logits){0, 5, NULL, NULL}, &sums, NULL);
    CU_ASSERT(sums.loss == 0 && sums.samples == 0);
}

static void equals(void)
{
    static const float z[4] = {1, 5, 5, 5};
    CU_ASSERT(kt_loss_predict(4, z) == 1);
    CU_ASSERT(kt_loss_predict(1, z) == 0);
}

/* sklearn.utils.class_weight.compute_class_weight("balanced", ...) of 3 x 0, 1 x 2, 4 x 5, 8 x 6. */
static void balance(void)
{
    static const size_t counts[7] = {3, 0, 1, 0, 0, 4, 8};
    static const double expected[7] = {16.0 / 12, 0, 4, 0, 0, 1, 0.5};
    double balanced[7], sum = 0;
    kt_loss_balance(7, counts, balanced);
    for (size_t c = 0; c < 7; c++) {
        CU_ASSERT(is_near(balanced[c], expected[c], 1e-15));
        sum += balanced[c] * (double)counts[c];
    }
    CU_ASSERT(is_near(sum / 16, 1, 1e-15));
}

static void settings(void)
{
    static const size_t counts[3] = {3, 0, 1};
    static const double given[3] = {0, 2, 0.5}, zeros[3] = {0};
    double room[3];
    kt_loss_spec spec;
    kt_loss_settings s = {.label_smoothing = 0.25, .class_weights = {.word = KT_WEIGHTS_NONE}};
    CU_ASSERT(kt_loss_prepare(&s, 3, counts, room, &spec) == KT_OK);
    CU_ASSERT(spec.n_classes == 3 && spec.label_smoothing == 0.25 && spec.class_weights == NULL);
    s.class_weights.word = KT_WEIGHTS_BALANCED;
    CU_ASSERT(kt_loss_prepare(&s, 3, counts, room, &spec) == KT_OK);
    CU_ASSERT(spec.class_weights == room && room[1] == 0 && room[2] == 2);
    s.class_weights = (kt_real_list){.word = -1, .n = 3, .values = given};
    CU_ASSERT(kt_loss_prepare(&s, 3, counts, room, &spec) == KT_OK && spec.class_weights == given);
    KT_CHECK_STATUS(KT_CONFIG, kt_loss_prepare(&s, 4, counts, room, &spec));
    KT_CHECK_MESSAGE("3 weights: must have 4");
    s.class_weights.values = zeros;
    KT_CHECK_STATUS(KT_CONFIG, kt_loss_prepare(&s, 3, counts, room, &spec));
    KT_CHECK_MESSAGE("are all 0");
}

const kt_test kt_tests[] = {
    {"sums are the plain formulas, with smoothing and class weights", values},
    {"the gradient is the difference quotient in every form", gradients},
    {"the gradient may overwrite the logits", in_place},
    {"logits of any size give finite losses", extremes},
    {"a very small loss keeps its digits", small_losses},
    {"NaN and infinity show in the loss", not_a_number},
    {"thousands of classes are summed the same way", many_classes},
    {"no rows add nothing", no_rows},
    {"shards in one call have the sums of a call for each", shards},
    {"every instruction set gives the same bits, the ones that they always were", same_bits},
    {"balanced class weights are scikit-learn's, and count only classes that have samples", balance},
    {"class weights are none, balanced or as given: one a class, and not all 0", settings},
    {"of equal logits the first is predicted", equals},
    {NULL, NULL},
};
