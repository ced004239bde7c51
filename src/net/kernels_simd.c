/* The kernels for one instruction set: a row of kt_kernels_table. */
#include "base/simd.h"

#include "net/kernels.h"

#include "net/kernels_backward.h"
#include "net/kernels_forward.h"
#include "net/kernels_gradient.h"

extern const kt_kernels KT_SIMD_NAME(kt_kernels);

const kt_kernels KT_SIMD_NAME(kt_kernels) = {KT_SIMD_NAME(KT_SIMD_ROW), forward, backward, gradient};
