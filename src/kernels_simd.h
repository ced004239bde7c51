/* The kernels for the instruction set that the including source is built for: static functions forward, backward and
 * gradient, one row of kt_kernels_table. */
#ifndef KTRAIN_KERNELS_SIMD_H
#define KTRAIN_KERNELS_SIMD_H

#include <stdbool.h>

#include "ktrain/kernels.h"

#include "kernels_backward.h"
#include "kernels_forward.h"
#include "kernels_gradient.h"
#include "kernels_private.h"

#endif
