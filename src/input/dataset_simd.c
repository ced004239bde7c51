/* From stored features to inputs, for one instruction set. */
#include "base/real.h"
#include "input/dataset_private.h"

/* x / scale, nearly always: the remainder of a first quotient is exact, and corrects it. */
static inline float quotient(float x, float scale, float reciprocal)
{
    const float first = x * reciprocal;
    return kt_real_fma_float(kt_real_fma_float(-first, scale, x), reciprocal, first);
}

static float find_reciprocal(float scale)
{
#if defined(__FMA__) || defined(__aarch64__)
    const float reciprocal = 1 / scale;
    int n_others = 0;
    for (int x = 0; x < 256; x++)
        n_others += quotient((float)x, scale, reciprocal) != (float)x / scale;
    return n_others == 0 ? reciprocal : 0;
#else
    return 0 * scale; /* a division costs less than three roundings by hand */
#endif
}

static void scale_bytes(size_t n, const uint8_t *restrict x, float scale, float reciprocal, float *restrict out)
{
    if (reciprocal != 0)
        for (size_t i = 0; i < n; i++)
            out[i] = quotient((float)x[i], scale, reciprocal);
    else
        for (size_t i = 0; i < n; i++)
            out[i] = (float)x[i] / scale;
}

static void scale_floats(size_t n, const float *restrict x, float scale, float *restrict out)
{
    for (size_t i = 0; i < n; i++)
        out[i] = x[i] / scale;
}

const kt_dataset_loops KT_SIMD_NAME(kt_dataset_loops) = {find_reciprocal, scale_bytes, scale_floats};
