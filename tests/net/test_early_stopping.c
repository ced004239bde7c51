/* early_stopping.h: its own example, and the cases around it. */
#include "net/early_stopping.h"

#include <math.h>
#include <stddef.h>

#include "test.h"

const char *const kt_test_suite = "early_stopping";

/* Feeds losses until it says stop; returns the epoch after which it did, 0 for never. */
static int64_t run(const kt_early_stopping_spec *spec, kt_early_stopping_state *stopping, size_t n,
                   const double *losses)
{
    for (size_t i = 0; i < n; i++) {
        kt_early_stopping_observe(spec, stopping, (int64_t)i + 1, losses[i]);
        if (kt_early_stopping_should_stop(spec, stopping))
            return (int64_t)i + 1;
    }
    return 0;
}

static void example(void)
{
    kt_early_stopping_spec spec = {.enabled = true, .patience = 2};
    kt_early_stopping_state stopping = {0};
    static const double losses[] = {3, 2, 2, 2, 1};
    CU_ASSERT(run(&spec, &stopping, 5, losses) == 4);
    CU_ASSERT(stopping.best_epoch == 2 && stopping.best_loss == 2);
}

static void improvement_resets(void)
{
    kt_early_stopping_spec spec = {.enabled = true, .patience = 2};
    kt_early_stopping_state stopping = {0};
    static const double losses[] = {3, 4, 2, 4, 1, 4, 0.5};
    CU_ASSERT(run(&spec, &stopping, 7, losses) == 0);
    CU_ASSERT(stopping.best_epoch == 7 && stopping.n_bad == 0);
}

static void small_improvements(void)
{
    kt_early_stopping_spec spec = {.enabled = true, .patience = 3, .min_delta = 0.5};
    kt_early_stopping_state stopping = {0};
    static const double losses[] = {3, 2.5, 2.25, 2.375, 2};
    CU_ASSERT(run(&spec, &stopping, 2, losses) == 0 && stopping.best_epoch == 1); /* 0.5 is not more than 0.5 */
    CU_ASSERT(kt_early_stopping_observe(&spec, &stopping, 3, losses[2]) && stopping.best_loss == 2.25);
    CU_ASSERT(!kt_early_stopping_observe(&spec, &stopping, 4, losses[3]) &&
              !kt_early_stopping_observe(&spec, &stopping, 5, losses[4]));
    CU_ASSERT(stopping.n_bad == 2 && !kt_early_stopping_should_stop(&spec, &stopping));
}

static void nan_is_never_best(void)
{
    kt_early_stopping_spec spec = {.enabled = true, .patience = 3};
    kt_early_stopping_state stopping = {0};
    CU_ASSERT(!kt_early_stopping_observe(&spec, &stopping, 1, NAN) && stopping.best_epoch == 0);
    CU_ASSERT(kt_early_stopping_observe(&spec, &stopping, 2, 5) && stopping.best_epoch == 2);
    CU_ASSERT(!kt_early_stopping_observe(&spec, &stopping, 3, NAN) && stopping.best_loss == 5 && stopping.n_bad == 1);
}

static void disabled(void)
{
    kt_early_stopping_spec spec = {.patience = 1};
    kt_early_stopping_state stopping = {0};
    static const double losses[] = {3, 4, 4, 4, 2, 4, 4};
    CU_ASSERT(run(&spec, &stopping, 7, losses) == 0 && stopping.best_epoch == 5 && stopping.best_loss == 2);
}

const kt_test kt_tests[] = {
    {"the header's example stops after epoch 4 with epoch 2 the best", example},
    {"an improvement begins the count again", improvement_resets},
    {"an improvement must be more than min_delta", small_improvements},
    {"a NaN is never the best, not even as the first", nan_is_never_best},
    {"when off it never stops, and knows the best", disabled},
    {NULL, NULL},
};
