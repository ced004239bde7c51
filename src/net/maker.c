/* Tensors and memory, counted or handed out. */
#include "net/maker.h"

#include <stdio.h>

static float *add(kt_tensors *to, const kt_tensor *tensor, const char *layer, const char *part)
{
    float *values = to->values != NULL ? to->values + to->count : NULL;
    if (to->tensor != NULL) {
        kt_tensor *out = &to->tensor[to->n];
        *out = *tensor;
        out->offset = to->count;
        snprintf(out->name, sizeof out->name, "%s/%s", layer, part);
    }
    to->n++;
    to->count += tensor->count;
    return values;
}

float *kt_maker_weight(kt_maker *maker, size_t n_out, size_t n_in, bool transposed)
{
    const kt_tensor weight = {
        .n_dims = 2, .dims = {n_out, n_in}, .count = n_out * n_in, .is_weight = true, .transposed = transposed};
    return add(&maker->parameters, &weight, maker->layer, "weight");
}

float *kt_maker_parameter(kt_maker *maker, const char *part, size_t n)
{
    return add(&maker->parameters, &(kt_tensor){.n_dims = 1, .dims = {n}, .count = n}, maker->layer, part);
}

float *kt_maker_state(kt_maker *maker, const char *part, size_t n)
{
    return add(&maker->state, &(kt_tensor){.n_dims = 1, .dims = {n}, .count = n}, maker->layer, part);
}

float *kt_maker_gradient(kt_maker *maker, size_t n)
{
    float *gradient = kt_arena_take(&maker->memory, n, sizeof *gradient);
    if (maker->formed != NULL)
        maker->formed[maker->n_formed] = (kt_formed){maker->parameters.count - n, n, gradient};
    maker->n_formed++;
    return gradient;
}
