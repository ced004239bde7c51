/* Who trains, validates and tests. */
#include "test.h"

#include <stdlib.h>
#include <string.h>

#include "input/split.h"

static kt_status create(kt_split *out, size_t n, const int32_t *labels, size_t n_classes, const double *fractions,
                        bool shuffle, bool stratify, uint64_t seed)
{
    const kt_split_spec spec = {{.n = KT_N_PARTS, .values = fractions}, (int64_t)seed, shuffle, stratify};
    return kt_split_create(out, n, labels, n_classes, &spec);
}

static const double usual[KT_N_PARTS] = {0.70, 0.15, 0.15};

/* Every sample is in exactly one part. */
static bool is_partition(const kt_split *split, size_t n)
{
    bool *seen = calloc(n, sizeof *seen), good = true;
    for (size_t p = 0; p < KT_N_PARTS; p++)
        for (size_t i = 0; i < split->n[p]; i++) {
            uint32_t row = split->index[p][i];
            good = good && row < n && !seen[row];
            if (row < n)
                seen[row] = true;
        }
    free(seen);
    return good && split->n[0] + split->n[1] + split->n[2] == n;
}

/* Of every class c with count samples, part p has count * n[p] / n, rounded down or up. */
static bool is_proportional(const kt_split *split, size_t n, const int32_t *labels, size_t n_classes)
{
    size_t *counts = calloc(n_classes * (KT_N_PARTS + 1), sizeof *counts);
    bool good = true;
    for (size_t i = 0; i < n; i++)
        counts[(size_t)labels[i] * 4 + 3]++;
    for (size_t p = 0; p < KT_N_PARTS; p++)
        for (size_t i = 0; i < split->n[p]; i++)
            counts[(size_t)labels[split->index[p][i]] * 4 + p]++;
    for (size_t c = 0; c < n_classes; c++)
        for (size_t p = 0; p < KT_N_PARTS; p++) {
            size_t product = counts[c * 4 + 3] * split->n[p], low = product / n;
            good = good && (counts[c * 4 + p] == low || (product % n != 0 && counts[c * 4 + p] == low + 1));
        }
    free(counts);
    return good;
}

static bool same_split(const kt_split *a, const kt_split *b)
{
    for (size_t p = 0; p < KT_N_PARTS; p++)
        if (a->n[p] != b->n[p] || memcmp(a->index[p], b->index[p], a->n[p] * sizeof *a->index[p]) != 0)
            return false;
    return true;
}

static bool is_sorted(const kt_split *split, size_t p)
{
    for (size_t i = 1; i < split->n[p]; i++)
        if (split->index[p][i] < split->index[p][i - 1])
            return false;
    return true;
}

/* n labels of classes with very different sizes, at least 3 of each, sorted by class. */
static int32_t *new_labels(size_t n, size_t n_classes, unsigned seed)
{
    int32_t *labels = calloc(n, sizeof *labels);
    srand(seed);
    for (size_t i = 0; i < n; i++) {
        size_t wide = 1 + (size_t)rand() % n_classes;
        labels[i] = (int32_t)(i < 3 * n_classes ? i % n_classes : (size_t)rand() % wide);
    }
    for (size_t i = 1; i < n; i++)
        for (size_t j = i; n <= 400 && j > 0 && labels[j] < labels[j - 1]; j--) {
            int32_t swapped = labels[j];
            labels[j] = labels[j - 1];
            labels[j - 1] = swapped;
        }
    return labels;
}

static void sizes(void)
{
    static const struct {
        size_t n;
        double fractions[3];
        size_t sizes[3];
    } rows[] = {
        {5000, {0.70, 0.15, 0.15}, {3500, 750, 750}},
        {10, {0.7, 0.2, 0.1}, {7, 2, 1}},
        {11, {0.70, 0.15, 0.15}, {8, 2, 1}},
        {7, {0.5, 0.25, 0.25}, {3, 2, 2}},
        {100, {1, 0, 0}, {100, 0, 0}},
        {3, {0.34, 0.33, 0.33}, {1, 1, 1}},
        {9, {0, 0.5, 0.5}, {0, 5, 4}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        kt_split split;
        KT_CHECK_STATUS(KT_OK, create(&split, rows[i].n, NULL, 0, rows[i].fractions, true, false, i));
        CU_ASSERT(memcmp(split.n, rows[i].sizes, sizeof split.n) == 0 && is_partition(&split, rows[i].n));
        kt_split_free(&split);
    }
}

static void stratified(void)
{
    for (unsigned seed = 0; seed < 300; seed++) {
        size_t n_classes = 1 + seed % 30, n = 3 * n_classes + (seed * 7919u) % 300;
        double a = (double)(1 + seed % 7), b = (double)(1 + seed % 5), c = (double)(1 + seed % 3), sum = a + b + c;
        const double fractions[3] = {a / sum, b / sum, c / sum};
        int32_t *labels = new_labels(n, n_classes, seed);
        kt_split split;
        KT_CHECK_STATUS(KT_OK, create(&split, n, labels, n_classes, fractions, true, true, seed));
        CU_ASSERT(is_partition(&split, n) && is_proportional(&split, n, labels, n_classes));
        kt_split_free(&split);
        free(labels);
    }
}

static void from_seed(void)
{
    int32_t *labels = new_labels(5000, 49, 1);
    kt_split a, b, c;
    KT_CHECK_STATUS(KT_OK, create(&a, 5000, labels, 49, usual, true, true, 1));
    KT_CHECK_STATUS(KT_OK, create(&b, 5000, labels, 49, usual, true, true, 1));
    KT_CHECK_STATUS(KT_OK, create(&c, 5000, labels, 49, usual, true, true, 2));
    CU_ASSERT(same_split(&a, &b) && !same_split(&a, &c));
    CU_ASSERT(is_proportional(&a, 5000, labels, 49) && is_proportional(&c, 5000, labels, 49));
    for (size_t p = 0; p < KT_N_PARTS; p++)
        CU_ASSERT(!is_sorted(&a, p));
    kt_split_free(&a);
    kt_split_free(&b);
    kt_split_free(&c);
    free(labels);
}

static void not_shuffled(void)
{
    int32_t labels[100];
    kt_split split;
    for (size_t i = 0; i < 100; i++)
        labels[i] = (int32_t)(i / 50);
    KT_CHECK_STATUS(KT_OK, create(&split, 100, NULL, 0, usual, false, false, 1));
    for (size_t p = 0, row = 0; p < KT_N_PARTS; p++)
        for (size_t i = 0; i < split.n[p]; i++)
            CU_ASSERT(split.index[p][i] == row++);
    kt_split_free(&split);
    KT_CHECK_STATUS(KT_OK, create(&split, 100, labels, 2, usual, false, true, 1));
    CU_ASSERT(is_partition(&split, 100) && is_proportional(&split, 100, labels, 2));
    CU_ASSERT(is_sorted(&split, 0) && is_sorted(&split, 1) && is_sorted(&split, 2) && split.index[KT_TRAIN][34] == 34);
    kt_split_free(&split);
}

static void missing_class(void)
{
    int32_t labels[60];
    kt_split split;
    for (size_t i = 0; i < 60; i++)
        labels[i] = i % 2 ? 4 : 1;
    KT_CHECK_STATUS(KT_OK, create(&split, 60, labels, 6, usual, true, true, 3));
    CU_ASSERT(is_partition(&split, 60) && is_proportional(&split, 60, labels, 6));
    kt_split_free(&split);
}

static void refused(void)
{
    int32_t labels[10] = {0, 0, 0, 0, 0, 0, 0, 0, 1, 1};
    kt_split split = {.n = {1, 2, 3}};
    KT_CHECK_STATUS(KT_DATA, create(&split, 10, labels, 2, usual, true, true, 1));
    KT_CHECK_MESSAGE("class 1 has 2 samples");
    CU_ASSERT(split.n[0] == 0 && split.index[0] == NULL);
    KT_CHECK_STATUS(KT_DATA, create(&split, 2, NULL, 0, usual, true, false, 1));
    KT_CHECK_MESSAGE("too few");
    KT_CHECK_STATUS(KT_DATA, create(&split, 0, NULL, 0, usual, true, false, 1));
    KT_CHECK_STATUS(KT_DATA, create(&split, 10, labels, 1, usual, true, true, 1));
    KT_CHECK_STATUS(KT_CONFIG, create(&split, 10, labels, 2, (double[]){0.7, 0.2, 0.2}, true, true, 1));
    KT_CHECK_MESSAGE("sum to 1.1");
    KT_CHECK_STATUS(KT_CONFIG, create(&split, 10, labels, 2, (double[]){1.2, -0.2, 0}, true, true, 1));
    KT_CHECK_STATUS(KT_CONFIG, create(&split, 10, labels, 2, (double[]){0.0 / 0.0, 0.5, 0.5}, true, true, 1));
    KT_CHECK_STATUS(KT_CONFIG, create(&split, 10, NULL, 0, usual, true, true, 1));
}

const char *const kt_test_suite = "split";
const kt_test kt_tests[] = {
    {"part sizes are the largest-remainder rounding, and every sample is in one part", sizes},
    {"every class is spread within one sample of its proportion, with exact part sizes", stratified},
    {"a split is a function of its seed alone, and each part is shuffled", from_seed},
    {"without shuffling the order is the data set's", not_shuffled},
    {"a class without samples is no obstacle", missing_class},
    {"what cannot be split is refused", refused},
    {NULL, NULL},
};
