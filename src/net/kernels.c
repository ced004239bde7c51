#include "net/kernels.h"

#include "net/kernels_private.h"

const kt_kernels *const kt_kernels_table[] = {
#if defined(__x86_64__)
    &kt_kernels_avx512,
    &kt_kernels_avx2,
#endif
    &kt_kernels_baseline,
};
const size_t kt_n_kernels = sizeof kt_kernels_table / sizeof kt_kernels_table[0];

const kt_kernels *kt_kernels_best(void)
{
    size_t i = 0;
    while (!kt_kernels_table[i]->supported())
        i++;
    return kt_kernels_table[i];
}
