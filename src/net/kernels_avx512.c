#include "net/kernels_private.h"

#if defined(__x86_64__)
#include "net/kernels_simd.h"

static bool supported(void)
{
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx2") &&
           __builtin_cpu_supports("fma");
}

const kt_kernels kt_kernels_avx512 = {"avx512", supported, forward, backward, gradient};
#endif
