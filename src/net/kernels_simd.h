/* The kernels for the instruction set that the including source is built for: static functions forward, backward and
 * gradient, one row of kt_kernels_table. */
#ifndef KTRAIN_KERNELS_SIMD_H
#define KTRAIN_KERNELS_SIMD_H

#include <stdbool.h>

#include "net/kernels.h"

#include "net/kernels_backward.h"
#include "net/kernels_forward.h"
#include "net/kernels_gradient.h"
#include "net/kernels_private.h"

#endif
