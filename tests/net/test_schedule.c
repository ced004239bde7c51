/* schedule.h against PyTorch's schedulers. */
#include "net/schedule.h"

#include "golden.h"
#include "test.h"

const char *const kt_test_suite = "schedule";

enum { N = 30 };

static kt_schedule_spec spec_of(size_t kind)
{
    const bool is_plateau = strcmp(kt_schedules[kind].name, "plateau") == 0;
    return (kt_schedule_spec){.kind = (int)kind,
                              .unit = KT_UNIT_EPOCH,
                              .initial = 0.1,
                              .final = 0.01,
                              .gamma = is_plateau ? 0.5 : 0.9,
                              .period = 12,
                              .plateau_patience = 2};
}

static void torch_says_the_same(void)
{
    double losses[N], expected[N];
    golden_read("schedule.txt", "losses", N, losses);
    for (size_t kind = 0; kind < kt_n_schedules; kind++) {
        const kt_schedule_spec spec = spec_of(kind);
        kt_schedule_state state = {0};
        golden_read("schedule.txt", kt_schedules[kind].name, N, expected);
        for (int64_t t = 0; t < N; t++) {
            CU_ASSERT(fabs(kt_schedule_rate(&spec, &state, t, 1000 * t) - expected[t]) < 1e-15);
            kt_schedule_observe(&spec, &state, losses[t]);
        }
    }
}

static void steps_and_epochs(void)
{
    for (size_t kind = 0; kind < kt_n_schedules; kind++) {
        kt_schedule_spec by_epoch = spec_of(kind), by_step = spec_of(kind);
        const kt_schedule_state state = {0};
        by_step.unit = KT_UNIT_STEP;
        for (int64_t t = 0; t < N; t++)
            CU_ASSERT(kt_schedule_rate(&by_step, &state, 1, t) == kt_schedule_rate(&by_epoch, &state, t, 77));
    }
}

static void warm_up(void)
{
    for (size_t kind = 0; kind < kt_n_schedules; kind++) {
        kt_schedule_spec plain = spec_of(kind), warm = spec_of(kind);
        const kt_schedule_state state = {0};
        warm.warmup = 4;
        for (int64_t t = 0; t < 4; t++)
            CU_ASSERT(is_near(kt_schedule_rate(&warm, &state, t, 0), 0.1 * (double)(t + 1) / 5, 1e-15));
        for (int64_t t = 4; t < N; t++)
            CU_ASSERT(kt_schedule_rate(&warm, &state, t, 0) == kt_schedule_rate(&plain, &state, t - 4, 0));
    }
}

static void saturation(void)
{
    for (size_t kind = 0; kind < kt_n_schedules; kind++) {
        const kt_schedule_spec spec = spec_of(kind);
        const kt_schedule_state state = {.reductions = 4000};
        const double rate = kt_schedule_rate(&spec, &state, INT64_MAX, 0);
        CU_ASSERT(rate >= 0 && rate <= 0.1);
        if (strcmp(kt_schedules[kind].name, "linear") == 0 || strcmp(kt_schedules[kind].name, "plateau") == 0)
            CU_ASSERT(rate == 0.01);
    }
}

static void plateau_and_nan(void)
{
    size_t plateau = 0;
    while (strcmp(kt_schedules[plateau].name, "plateau") != 0)
        plateau++;
    const kt_schedule_spec spec = spec_of(plateau);
    kt_schedule_state state = {0};
    kt_schedule_observe(&spec, &state, 1);
    for (int i = 0; i < 3; i++)
        kt_schedule_observe(&spec, &state, NAN);
    CU_ASSERT(state.reductions == 1 && state.best == 1 && state.n_bad == 0 && state.n_seen == 4);
    kt_schedule_state began_with_nan = {0};
    kt_schedule_observe(&spec, &began_with_nan, NAN);
    kt_schedule_observe(&spec, &began_with_nan, 2);
    CU_ASSERT(began_with_nan.best == 2 && began_with_nan.n_bad == 0);
}

const kt_test kt_tests[] = {
    {"every schedule gives PyTorch's rates", torch_says_the_same},
    {"the unit is the step or the epoch", steps_and_epochs},
    {"warm-up rises to the first rate, then the schedule begins", warm_up},
    {"rates stay between zero and the first for ever", saturation},
    {"a NaN is no new lowest loss", plateau_and_nan},
    {NULL, NULL},
};
