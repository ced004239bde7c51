/* From stored features to inputs, for one instruction set. */
#include "input/dataset_private.h"

static void scale_bytes(size_t n, const uint8_t *restrict x, float scale, float *restrict out)
{
    for (size_t i = 0; i < n; i++)
        out[i] = (float)x[i] / scale;
}

static void scale_floats(size_t n, const float *restrict x, float scale, float *restrict out)
{
    for (size_t i = 0; i < n; i++)
        out[i] = x[i] / scale;
}

const kt_dataset_loops KT_SIMD_NAME(kt_dataset_loops) = {scale_bytes, scale_floats};
