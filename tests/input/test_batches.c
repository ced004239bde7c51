/* The order of an epoch and its steps. */
#include "test.h"

#include <stdint.h>
#include <string.h>

#include "input/batches.h"

enum { N = 1003 };

static uint32_t samples[N];

static void fill_samples(void)
{
    for (uint32_t i = 0; i < N; i++)
        samples[i] = 7 * i + 5;
}

static void whole_epoch(void)
{
    fill_samples();
    static const size_t sizes[] = {1, 16, 17, 1002, 1003};
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        kt_batches batches;
        KT_CHECK_STATUS(KT_OK, kt_batches_create(&batches, samples, N, sizes[s], 1, 1));
        kt_batches_start_epoch(&batches, 3);
        unsigned seen[N] = {0};
        size_t total = 0, n_steps = batches.sizes.steps;
        for (size_t step = 0; step < n_steps; step++) {
            const uint32_t *rows;
            size_t n = kt_batches_step(&batches, step, &rows);
            CU_ASSERT(n == sizes[s] || (step == n_steps - 1 && n > 0 && n == N - step * sizes[s]));
            for (size_t i = 0; i < n; i++)
                seen[(rows[i] - 5) / 7]++;
            total += n;
        }
        CU_ASSERT(total == N);
        for (size_t i = 0; i < N; i++)
            CU_ASSERT(seen[i] == 1);
        kt_batches_free(&batches);
    }
}

static void full_batch(void)
{
    fill_samples();
    kt_batches batches;
    static const size_t sizes[] = {0, N, N + 1, SIZE_MAX};
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        KT_CHECK_STATUS(KT_OK, kt_batches_create(&batches, samples, N, sizes[s], 1, 1));
        CU_ASSERT(batches.sizes.each == N && batches.sizes.largest == N && batches.sizes.steps == 1);
        kt_batches_start_epoch(&batches, 7);
        CU_ASSERT(memcmp(batches.order, samples, sizeof samples) == 0); /* all steps have the same */
        kt_batches_free(&batches);
    }
    KT_CHECK_STATUS(KT_DATA, kt_batches_create(&batches, samples, 0, 4, 1, 1));
    CU_ASSERT(batches.order == NULL);
}

static void order_of_an_epoch(void)
{
    fill_samples();
    kt_batches a, b;
    KT_CHECK_STATUS(KT_OK, kt_batches_create(&a, samples, N, 16, 1, 9));
    KT_CHECK_STATUS(KT_OK, kt_batches_create(&b, samples, N, 64, 1, 9));
    for (uint32_t epoch = 0; epoch < 6; epoch++)
        kt_batches_start_epoch(&a, epoch);
    kt_batches_start_epoch(&b, 5); /* a resumed run begins here */
    CU_ASSERT(memcmp(a.order, b.order, sizeof samples) == 0);
    kt_batches_start_epoch(&b, 4);
    CU_ASSERT(memcmp(a.order, b.order, sizeof samples) != 0);
    kt_batches_free(&b);
    KT_CHECK_STATUS(KT_OK, kt_batches_create(&b, samples, N, 16, 1, 10));
    kt_batches_start_epoch(&b, 5);
    CU_ASSERT(memcmp(a.order, b.order, sizeof samples) != 0);
    kt_batches_free(&a);
    kt_batches_free(&b);
}

/* 1003 in batches of 2, 3, 6, 167 (6 batches, and 1 sample), 501 (2, and 1), 1002 (1, and 1), and of 7 (143, and 2). */
static void joined(void)
{
    fill_samples();
    static const size_t sizes[] = {2, 3, 6, 167, 501, 1002};
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        kt_batches batches;
        const uint32_t *rows;
        KT_CHECK_STATUS(KT_OK, kt_batches_create(&batches, samples, N, sizes[s], 2, 1));
        CU_ASSERT(batches.sizes.each == sizes[s] && batches.sizes.largest == sizes[s] + 1);
        CU_ASSERT(batches.sizes.steps == N / sizes[s]);
        kt_batches_start_epoch(&batches, 3);
        for (size_t step = 0; step < batches.sizes.steps; step++) {
            CU_ASSERT(kt_batches_step(&batches, step, &rows) == sizes[s] + (step + 1 == batches.sizes.steps));
            CU_ASSERT(rows == batches.order + step * sizes[s]);
        }
        kt_batches_free(&batches);
    }
    kt_batch_sizes two = kt_batches_sizes(N, 7, 2), all = kt_batches_sizes(N, 0, 2), one = kt_batches_sizes(1, 16, 2);
    CU_ASSERT(two.each == 7 && two.largest == 7 && two.steps == 144);
    CU_ASSERT(all.each == N && all.largest == N && all.steps == 1);
    CU_ASSERT(one.each == 1 && one.largest == 1 && one.steps == 1);
}

const char *const kt_test_suite = "batches";
const kt_test kt_tests[] = {
    {"an epoch has every sample once, in batches of which the last may be smaller", whole_epoch},
    {"a batch size of 0 or more than all is the full batch", full_batch},
    {"a last batch of too few samples joins the one before, and only that", joined},
    {"an epoch's order is a function of seed and epoch alone", order_of_an_epoch},
    {NULL, NULL},
};
