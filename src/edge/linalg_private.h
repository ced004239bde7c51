/* The sum of squares, for each instruction set. */
#ifndef KTRAIN_LINALG_PRIVATE_H
#define KTRAIN_LINALG_PRIVATE_H

#include "base/simd.h"

KT_SIMD_DECLARE(double, kt_linalg_squares, (size_t n, const float *x));

#endif
