/* Products by OpenBLAS; not there yet. */
#include "net/products.h"

const kt_products kt_products_openblas = {.name = "openblas"};
