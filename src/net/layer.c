#include "net/layer.h"

#include "net/layer_private.h"

static const kt_layer_kind *const kinds[][KT_N_SIMD] = {
    KT_SIMD_SAME(&kt_layer_dense),
    KT_SIMD_EACH(&kt_layer_batch_norm),
    KT_SIMD_SAME(&kt_layer_activation),
    KT_SIMD_EACH(&kt_layer_dropout),
};

const kt_layer_kind *kt_layer_kind_at(size_t i, const kt_kernels *kernels)
{
    return i < sizeof kinds / sizeof kinds[0] ? kinds[i][kernels->simd] : NULL;
}
