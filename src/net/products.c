/* The table of products. */
#include "net/products.h"

KT_SIMD_DECLARE(const kt_products, kt_products, );

const kt_products *const kt_products_table[KT_N_SIMD] = KT_SIMD_EACH(&kt_products);
