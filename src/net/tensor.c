/* Panels to rows and back; tensors and memory, counted or handed out. */
#include "net/tensor.h"

#include <stdio.h>
#include <string.h>

void kt_tensor_rows_to_file(const kt_tensor *t, const float *memory, size_t first, size_t n_rows, float *file)
{
    if (!t->is_weight) {
        memcpy(file, memory + first, n_rows * sizeof *file);
        return;
    }
    const size_t n_in = t->dims[1], stride = kt_panels_stride(n_in);
    for (size_t o = first; o < first + n_rows; o++, file += n_in)
        for (size_t i = 0; i < n_in; i++)
            file[i] = memory[o / KT_PANEL * stride + i * KT_PANEL + o % KT_PANEL];
}

void kt_tensor_to_file(const kt_tensor *t, const float *memory, float *file)
{
    kt_tensor_rows_to_file(t, memory, 0, t->dims[0], file);
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

/* ---- the maker ---- */

/* This seat's values: in the vectors, or copies of its own. */
static void place(kt_maker *maker, const kt_tensors *all, kt_tensor *tensor)
{
    const bool copies = tensor->whole && maker->team->seat > 0;
    for (size_t k = 0; k < all->n_vectors; k++) {
        tensor->here[k] = all->vector[k] != NULL ? all->vector[k] + tensor->offset : NULL;
        if (copies)
            tensor->here[k] = kt_arena_take(&maker->rank, tensor->room, sizeof(float));
    }
}

static float *add(kt_maker *maker, kt_tensors *to, const kt_tensor *like, const char *part)
{
    kt_tensor tensor = *like;
    tensor.offset = to->room;
    tensor.whole = maker->whole;
    tensor.block = maker->block;
    snprintf(tensor.name, sizeof tensor.name, "%s/%s", maker->layer, part);
    place(maker, to, &tensor);
    if (to->tensor != NULL)
        to->tensor[to->n] = tensor;
    to->n++;
    to->room += tensor.room;
    to->n_elements += tensor.n;
    return tensor.here[0];
}

float *kt_maker_weight(kt_maker *maker, size_t n_out, size_t n_in)
{
    const kt_tensor weight = {.n_dims = 2,
                              .dims = {n_out, n_in},
                              .n = n_out * n_in,
                              .room = kt_panels_count(n_out) * kt_panels_stride(n_in),
                              .per_panel = kt_panels_stride(n_in),
                              .is_weight = true};
    return add(maker, &maker->parameters, &weight, "weight");
}

static kt_tensor units(size_t n)
{
    return (kt_tensor){.n_dims = 1, .dims = {n}, .n = n, .room = kt_memory_in_lines(n), .per_panel = KT_PANEL};
}

float *kt_maker_parameter(kt_maker *maker, const char *part, size_t n)
{
    const kt_tensor tensor = units(n);
    return add(maker, &maker->parameters, &tensor, part);
}

float *kt_maker_state(kt_maker *maker, const char *part, size_t n)
{
    const kt_tensor tensor = units(n);
    return add(maker, &maker->state, &tensor, part);
}

float *kt_maker_gradient(kt_maker *maker, size_t n)
{
    float *gradient = kt_arena_take(&maker->rank, kt_memory_in_lines(n), sizeof *gradient);
    if (maker->formed != NULL) {
        const kt_range own = {kt_smaller(maker->own.begin * KT_PANEL, n), kt_smaller(maker->own.end * KT_PANEL, n)};
        maker->formed[maker->n_formed] = (kt_formed){maker->block, maker->parameters.n - 1, own, gradient};
    }
    maker->n_formed++;
    return gradient;
}
