#include "net/kernels_private.h"

#if defined(__x86_64__)
#include "net/kernels_simd.h"

static bool supported(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

const kt_kernels kt_kernels_avx2 = {"avx2", supported, forward, backward, gradient};
#endif
