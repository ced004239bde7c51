/* The table of instruction sets, best first, and which this processor has. */
#include "base/simd.h"

#if defined(__x86_64__)
static bool has_avx2(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

static bool has_avx512(void)
{
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") && has_avx2();
}
#endif

static bool always(void)
{
    return true;
}

const kt_simd_row kt_simd_rows[KT_N_SIMD] = {
#if defined(__x86_64__)
    [KT_SIMD_ROW_avx512] = {"avx512", has_avx512},
    [KT_SIMD_ROW_avx2] = {"avx2", has_avx2},
#endif
#if defined(__aarch64__)
    [KT_SIMD_ROW_neon] = {"neon", always},
#endif
    [KT_SIMD_ROW_portable] = {"portable", always},
};

size_t kt_simd_best(void)
{
    size_t i = 0;
    while (!kt_simd_rows[i].supported())
        i++;
    return i;
}

bool kt_simd_fuses(void)
{
#if defined(__x86_64__)
    return __builtin_cpu_supports("fma");
#elif defined(__aarch64__)
    return true;
#else
    return false;
#endif
}
