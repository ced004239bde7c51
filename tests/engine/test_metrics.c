/* metrics.h against NumPy. */
#include "engine/metrics.h"

#include "golden.h"
#include "test.h"

const char *const kt_test_suite = "metrics";

enum { N = 60, C = 5 };

static float z[N * C];
static int32_t y[N];

static void read_samples(void)
{
    double labels[N];
    golden_read_float("metrics.txt", "z", N * C, z);
    golden_read("metrics.txt", "y", N, labels);
    for (size_t i = 0; i < N; i++)
        y[i] = (int32_t)labels[i];
}

static void numpy_says_the_same(void)
{
    kt_metrics metrics;
    double confusion[C * C], precision[C], recall[C], f1[C], scores[4];
    read_samples();
    golden_read("metrics.txt", "confusion", C * C, confusion);
    golden_read("metrics.txt", "precision", C, precision);
    golden_read("metrics.txt", "recall", C, recall);
    golden_read("metrics.txt", "f1", C, f1);
    golden_read("metrics.txt", "scores", 4, scores);
    CU_ASSERT_FATAL(kt_metrics_create(&metrics, C) == KT_OK);
    kt_metrics_add(&metrics, N, z, y);
    for (size_t i = 0; i < C * C; i++)
        CU_ASSERT(metrics.confusion[i] == (int64_t)confusion[i]);
    for (size_t c = 0; c < C; c++) {
        double p, r, f;
        kt_metrics_class(&metrics, c, &p, &r, &f);
        CU_ASSERT(is_near(p, precision[c], 1e-15) && is_near(r, recall[c], 1e-15) && is_near(f, f1[c], 1e-15));
    }
    const kt_scores got = kt_metrics_scores(&metrics);
    CU_ASSERT(got.samples == N && kt_metrics_samples(&metrics) == N);
    CU_ASSERT(is_near(got.accuracy, scores[0], 1e-15) && is_near(got.cross_entropy, scores[1], 1e-12));
    CU_ASSERT(is_near(got.balanced_accuracy, scores[2], 1e-15) && is_near(got.macro_f1, scores[3], 1e-15));
    kt_metrics_free(&metrics);
}

static void parts_add_up(void)
{
    kt_metrics whole, parts[2];
    read_samples();
    CU_ASSERT_FATAL(kt_metrics_create(&whole, C) == KT_OK);
    kt_metrics_add(&whole, N, z, y);
    for (size_t cut = 0; cut <= N; cut += 13) {
        for (int p = 0; p < 2; p++)
            CU_ASSERT_FATAL(kt_metrics_create(&parts[p], C) == KT_OK);
        kt_metrics_add(&parts[0], cut, z, y);
        kt_metrics_add(&parts[1], N - cut, z + cut * C, y + cut);
        for (size_t i = 0; i < C * C; i++)
            CU_ASSERT(parts[0].confusion[i] + parts[1].confusion[i] == whole.confusion[i]);
        CU_ASSERT(is_near(parts[0].cross_entropy_sum + parts[1].cross_entropy_sum, whole.cross_entropy_sum, 1e-14));
        for (int p = 0; p < 2; p++)
            kt_metrics_free(&parts[p]);
    }
    kt_metrics_free(&whole);
}

/* true 0: 3 right, 1 called 1; true 1: 2 right; true 2: never seen, never said. */
static void by_hand(void)
{
    static const float logits[6 * 3] = {1, 0, 0, 1, 0, 0, 1, 0, 0, 0, 1, 0, 0, 1, 0, 0, 1, 0};
    static const int32_t labels[6] = {0, 0, 0, 0, 1, 1};
    kt_metrics metrics;
    double precision, recall, f1;
    CU_ASSERT_FATAL(kt_metrics_create(&metrics, 3) == KT_OK);
    kt_metrics_add(&metrics, 6, logits, labels);
    CU_ASSERT(metrics.confusion[0] == 3 && metrics.confusion[1] == 1 && metrics.confusion[4] == 2);
    const kt_scores scores = kt_metrics_scores(&metrics);
    CU_ASSERT(is_near(scores.accuracy, 5.0 / 6, 1e-15) && is_near(scores.balanced_accuracy, (0.75 + 1) / 2, 1e-15));
    CU_ASSERT(is_near(scores.macro_f1, (6.0 / 7 + 0.8) / 2, 1e-15));
    kt_metrics_class(&metrics, 1, &precision, &recall, &f1);
    CU_ASSERT(is_near(precision, 2.0 / 3, 1e-15) && recall == 1 && is_near(f1, 0.8, 1e-15));
    kt_metrics_class(&metrics, 2, &precision, &recall, &f1);
    CU_ASSERT(precision == 0 && recall == 0 && f1 == 0);
    kt_metrics_free(&metrics);
}

static void nothing(void)
{
    kt_metrics metrics;
    static const float logits[2] = {0, 1};
    static const int32_t label = 0;
    CU_ASSERT_FATAL(kt_metrics_create(&metrics, 2) == KT_OK);
    kt_metrics_add(&metrics, 1, logits, &label);
    kt_metrics_clear(&metrics);
    const kt_scores scores = kt_metrics_scores(&metrics);
    CU_ASSERT(scores.samples == 0 && scores.accuracy == 0 && scores.cross_entropy == 0);
    CU_ASSERT(scores.balanced_accuracy == 0 && scores.macro_f1 == 0);
    kt_metrics_free(&metrics);
    KT_CHECK_STATUS(KT_NO_MEMORY, kt_metrics_create(&metrics, SIZE_MAX / 4));
    CU_ASSERT(metrics.confusion == NULL);
}

/* sklearn.metrics: f1_score(y, p, average="macro") = (2/3 + 1 + 0) / 3, balanced_accuracy_score(y, p) = (1/2 + 1) / 2,
 * of y = 0 0 1 1, p = 0 3 1 1: class 2 is neither, class 3 only predicted. */
static void absent_classes(void)
{
    static const float logits[4 * 4] = {1, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0, 0, 0, 1, 0, 0};
    static const int32_t labels[4] = {0, 0, 1, 1};
    kt_metrics metrics;
    CU_ASSERT_FATAL(kt_metrics_create(&metrics, 4) == KT_OK);
    kt_metrics_add(&metrics, 4, logits, labels);
    const kt_scores scores = kt_metrics_scores(&metrics);
    CU_ASSERT(is_near(scores.balanced_accuracy, 0.75, 1e-15));
    CU_ASSERT(is_near(scores.macro_f1, (2.0 / 3 + 1 + 0) / 3, 1e-15));
    kt_metrics_free(&metrics);
}

const kt_test kt_tests[] = {
    {"confusion, class scores and means are NumPy's", numpy_says_the_same},
    {"parts add up to the whole", parts_add_up},
    {"a small example is as counted by hand", by_hand},
    {"a class counts in macro F1 when it has samples or is predicted, in balanced accuracy when it has samples",
     absent_classes},
    {"no samples give zeros, and too many classes are refused", nothing},
    {NULL, NULL},
};
