/* Multiply-adds in registers: what a core could do at most. Built with -ffp-contract=fast: here a * b + c shall be one
 * instruction where there is one. */
#include "kbench.h"

/* Independent sums: enough for the two units of a core with a latency of 4 to 6 cycles, few enough for 16 registers. */
#define EACH_SUM(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7) DO(8) DO(9) DO(10) DO(11)
enum { N_SUMS = 12 };

#define START(i)   sum##i = zero + (float)i;
#define STEP(i)    sum##i = sum##i * factor + term;
#define ADD(i)     total += sum##i;
#define DECLARE(i) lanes sum##i;

static volatile float result; /* so that nothing is left out */

#define PEAK_LOOP(name, n_lanes, ...)                                                \
    __VA_ARGS__ static size_t name(size_t n)                                         \
    {                                                                                \
        typedef float lanes __attribute__((vector_size((n_lanes) * sizeof(float)))); \
        const lanes zero = {0}, factor = zero + 0.5f, term = zero + 0.25f;           \
        lanes total = zero;                                                          \
        EACH_SUM(DECLARE)                                                            \
        EACH_SUM(START)                                                              \
        for (size_t i = 0; i < n; i++) {                                             \
            EACH_SUM(STEP)                                                           \
        }                                                                            \
        EACH_SUM(ADD)                                                                \
        result = total[0];                                                           \
        return (n_lanes);                                                            \
    }

static bool has_always(void)
{
    return true;
}

#if defined(__x86_64__)
PEAK_LOOP(loop_avx512, 16, __attribute__((target("avx512f"))))
PEAK_LOOP(loop_avx2, 8, __attribute__((target("avx2,fma"))))

static bool has_avx512(void)
{
    return __builtin_cpu_supports("avx512f") != 0;
}

static bool has_avx2(void)
{
    return __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0;
}
#endif
PEAK_LOOP(loop_baseline, 4, )

static const struct {
    bool (*supported)(void);
    size_t (*loop)(size_t n); /* returns the lanes of a vector */
} sets[] = {
#if defined(__x86_64__)
    [KT_BENCH_AVX512] = {has_avx512, loop_avx512},
    [KT_BENCH_AVX2] = {has_avx2, loop_avx2},
#endif
    [KT_BENCH_BASELINE] = {has_always, loop_baseline},
};

double kt_bench_peak(kt_bench_speed set, size_t n)
{
    if (sets[set].supported == NULL || !sets[set].supported())
        return 0;
    return 2.0 * N_SUMS * (double)n * (double)sets[set].loop(n);
}
