/* Panels to rows and back. */
#include "net/tensor.h"

#include <string.h>

void kt_tensor_to_file(const kt_tensor *t, const float *memory, float *file)
{
    if (!t->is_weight) {
        memcpy(file, memory, t->n * sizeof *file);
        return;
    }
    const size_t n_out = t->dims[0], n_in = t->dims[1], stride = kt_panels_stride(n_in);
    for (size_t o = 0; o < n_out; o++)
        for (size_t i = 0; i < n_in; i++)
            file[o * n_in + i] = memory[o / KT_PANEL * stride + i * KT_PANEL + o % KT_PANEL];
}

void kt_tensor_from_file(const kt_tensor *t, const float *file, float *memory)
{
    if (!t->is_weight) {
        memcpy(memory, file, t->n * sizeof *file);
        return;
    }
    const size_t n_out = t->dims[0], n_in = t->dims[1], stride = kt_panels_stride(n_in);
    for (size_t o = 0; o < n_out; o++)
        for (size_t i = 0; i < n_in; i++)
            memory[o / KT_PANEL * stride + i * KT_PANEL + o % KT_PANEL] = file[o * n_in + i];
}
