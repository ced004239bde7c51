/* The table of instruction sets, best first. */
#include "net/kernels.h"

KT_SIMD_DECLARE(const kt_kernels, kt_kernels, );

const kt_kernels *const kt_kernels_table[KT_N_SIMD] = KT_SIMD_EACH(&kt_kernels);

const kt_kernels *kt_kernels_best(void)
{
    return kt_kernels_table[kt_simd_best()];
}
