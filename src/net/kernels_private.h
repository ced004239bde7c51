/* The rows of kt_kernels_table. Each is built for its own instruction set (CMakeLists.txt). */
#ifndef KTRAIN_KERNELS_PRIVATE_H
#define KTRAIN_KERNELS_PRIVATE_H

#include "net/kernels.h"

extern const kt_kernels kt_kernels_avx512, kt_kernels_avx2, kt_kernels_baseline;

#endif
