/* The products for one instruction set: a row of kt_products_table. */
#include "base/shards.h"
#include "net/products.h"

#include "net/products_note.h"

#include "net/products_forward.h"

#include "net/products_backward.h"

#include "net/products_gradient.h"

extern const kt_products KT_SIMD_NAME(kt_products);

#define KT_QUOTED(x)       #x
#define KT_QUOTED_VALUE(x) KT_QUOTED(x)

const kt_products KT_SIMD_NAME(kt_products) = {.name = KT_QUOTED_VALUE(KT_SIMD),
                                               .tile_panels = LIST_PANELS,
                                               .tile_inputs = INPUTS_TOGETHER,
                                               .inputs_at_once = 1,
                                               .note = note,
                                               .forward = forward,
                                               .backward = backward,
                                               .gradient = gradient,
                                               .bias_gradient = bias_gradient,
                                               .to_columns = to_columns,
                                               .to_panels = to_panels};
