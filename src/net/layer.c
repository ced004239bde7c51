/* The table of layer kinds, with each kind's passes. */
#include "net/layer.h"

#include "net/layer_private.h"

#define SAME(name) KT_SIMD_SAME(&kt_layer_##name),
#define EACH(name) KT_SIMD_EACH(&kt_layer_##name),
static const kt_layer_kind *const kinds[][KT_N_SIMD] = {KT_LAYERS(SAME, EACH)};

const kt_layer_kind *kt_layer_kind_at(size_t i, size_t simd)
{
    return i < sizeof kinds / sizeof kinds[0] ? kinds[i][simd] : NULL;
}
