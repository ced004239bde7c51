#include "net/kernels_simd.h"

static bool supported(void)
{
    return true;
}

const kt_kernels kt_kernels_baseline = {"baseline", supported, forward, backward, gradient};
