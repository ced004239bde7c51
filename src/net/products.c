/* The table of products. */
#include "net/products.h"

#include "net/network_spec.h"

KT_SIMD_DECLARE(const kt_products, kt_products, );

const kt_products *const kt_products_table[KT_N_SIMD] = KT_SIMD_EACH(&kt_products);

/* Without fused multiply-add in the processor a chain of them is done by software, one by one. */
const kt_products *kt_products_chosen(int choice, size_t simd)
{
    if (choice == KT_PRODUCTS_OPENBLAS || (choice == KT_PRODUCTS_AUTO && !kt_simd_fuses()))
        return &kt_products_openblas;
    return kt_products_table[simd];
}
