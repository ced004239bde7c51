/* The table of activations of each instruction set. */
#include "net/activation.h"

const kt_activation *const kt_activations_table[KT_N_SIMD] = KT_SIMD_EACH(kt_activations);
const kt_activation *const kt_activations = kt_activations_portable;
