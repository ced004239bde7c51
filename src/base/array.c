/* Element types of arrays: their sizes, and conversion to what the program computes with. */
#include "base/array.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"

/* IEEE 754 binary16, by its fields: not every compiler here has a 16-bit float. */
static double half_to_double(uint16_t bits)
{
    int exponent = bits >> 10 & 31;
    int fraction = bits & 1023;
    double value;
    if (exponent == 31)
        value = fraction != 0 ? (double)NAN : (double)INFINITY;
    else if (exponent == 0)
        value = ldexp(fraction, -24);
    else
        value = ldexp(1024 + fraction, exponent - 25);
    return bits >> 15 ? -value : value;
}

#define GETTER(name, c_type, expression)                 \
    static double get_##name(const void *data, size_t i) \
    {                                                    \
        c_type x = ((const c_type *)data)[i];            \
        return expression;                               \
    }

GETTER(bool, uint8_t, x != 0)
GETTER(i8, int8_t, x)
GETTER(u8, uint8_t, x)
GETTER(i16, int16_t, x)
GETTER(u16, uint16_t, x)
GETTER(i32, int32_t, x)
GETTER(u32, uint32_t, x)
GETTER(i64, int64_t, (double)x)
GETTER(u64, uint64_t, (double)x)
GETTER(f16, uint16_t, half_to_double(x))
GETTER(f32, float, (double)x)
GETTER(f64, double, x)
GETTER(f128, long double, (double)x)

static const struct {
    const char *name;
    size_t n_bytes;
    double (*get)(const void *data, size_t i);
} types[KT_N_TYPES] = {
    [KT_BOOL] = {"bool", 1, get_bool},
    [KT_I8] = {"int8", 1, get_i8},
    [KT_U8] = {"uint8", 1, get_u8},
    [KT_I16] = {"int16", 2, get_i16},
    [KT_U16] = {"uint16", 2, get_u16},
    [KT_I32] = {"int32", 4, get_i32},
    [KT_U32] = {"uint32", 4, get_u32},
    [KT_I64] = {"int64", 8, get_i64},
    [KT_U64] = {"uint64", 8, get_u64},
    [KT_F16] = {"float16", 2, get_f16},
    [KT_F32] = {"float32", 4, get_f32},
    [KT_F64] = {"float64", 8, get_f64},
    [KT_F128] = {"float128", sizeof(long double), get_f128},
};

size_t kt_type_bytes(kt_type type)
{
    return types[type].n_bytes;
}

const char *kt_type_name(kt_type type)
{
    return types[type].name;
}

bool kt_shape_bytes(size_t n_dims, const size_t *dims, size_t bytes_each, size_t *n_bytes)
{
    /* A zero anywhere makes the product 0, even beside dims whose product overflows. */
    for (size_t i = 0; i < n_dims; i++)
        if (dims[i] == 0) {
            *n_bytes = 0;
            return true;
        }
    size_t product = bytes_each;
    for (size_t i = 0; i < n_dims; i++)
        if (__builtin_mul_overflow(product, dims[i], &product))
            return false;
    *n_bytes = product;
    return true;
}

kt_status kt_array_create(kt_array *out, kt_type type, size_t n_dims, const size_t *dims)
{
    *out = (kt_array){0};
    size_t n_bytes;
    char text[KT_SHAPE_TEXT_BYTES];
    if (n_dims > KT_ARRAY_MAX_DIMS)
        return kt_fail(KT_INTERNAL, "an array of %zu dimensions was asked for; at most %d are possible", n_dims,
                       KT_ARRAY_MAX_DIMS);
    if (!kt_shape_bytes(n_dims, dims, kt_type_bytes(type), &n_bytes))
        return kt_fail(KT_NO_MEMORY, "an array of %s %s is more than this machine can address",
                       kt_shape_text(n_dims, dims, text), kt_type_name(type));
    void *data = kt_memory_new(n_bytes, 1);
    if (data == NULL)
        return KT_NO_MEMORY;
    *out = (kt_array){.type = type, .n_dims = n_dims, .data = data};
    for (size_t i = 0; i < n_dims; i++)
        out->dims[i] = dims[i];
    return KT_OK;
}

size_t kt_array_count(const kt_array *array)
{
    size_t count = 1;
    for (size_t i = 0; i < array->n_dims; i++)
        count *= array->dims[i];
    return count;
}

double kt_array_get(const kt_array *array, size_t i)
{
    return types[array->type].get(array->data, i);
}

kt_status kt_array_transpose(const kt_array *array, kt_array *out)
{
    const size_t n_dims = array->n_dims, n_bytes = kt_type_bytes(array->type);
    size_t dims[KT_ARRAY_MAX_DIMS], stride[KT_ARRAY_MAX_DIMS], at[KT_ARRAY_MAX_DIMS] = {0}, source = 0, product = 1;
    for (size_t k = 0; k < n_dims; k++) { /* of `out` */
        dims[k] = array->dims[n_dims - 1 - k];
        stride[k] = product;
        product *= dims[k];
    }
    KT_TRY(kt_array_create(out, array->type, n_dims, dims));
    const size_t count = kt_array_count(out);
    for (size_t i = 0; i < count; i++) {
        memcpy((char *)out->data + i * n_bytes, (const char *)array->data + source * n_bytes, n_bytes);
        for (size_t k = n_dims; k-- > 0;) { /* the next index, last one fastest */
            source += stride[k];
            if (++at[k] < dims[k])
                break;
            source -= stride[k] * dims[k];
            at[k] = 0;
        }
    }
    return KT_OK;
}

void kt_array_free(kt_array *array)
{
    kt_memory_free(array->data);
    *array = (kt_array){0};
}

const char *kt_shape_text(size_t n_dims, const size_t *dims, char *text)
{
    size_t used = 0;
    text[used++] = '(';
    for (size_t i = 0; i < n_dims; i++) {
        int n = snprintf(text + used, KT_SHAPE_TEXT_BYTES - used, "%s%zu", i > 0 ? ", " : "", dims[i]);
        if (n < 0 || used + (size_t)n + 6 >= KT_SHAPE_TEXT_BYTES) {
            strcpy(text + used, " ...");
            used += 4;
            break;
        }
        used += (size_t)n;
    }
    if (n_dims == 1)
        text[used++] = ',';
    strcpy(text + used, ")");
    return text;
}
