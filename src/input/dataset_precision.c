/* Columns whose values lie closer together than float32 can tell at their size. */
#include "input/dataset_private.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "base/memory.h"

/* With fewer steps of float32 than this between its least and its largest value a column has lost what it said. */
enum { FEWEST_STEPS = 1024 };

typedef struct column {
    double min, max;
    bool varies, rounded; /* a value differs from the first row's; a value is not what float32 makes of it */
} column;

/* Can the type hold whole numbers or digits that float32 cannot? */
static bool is_finer(kt_type type)
{
    return type == KT_I32 || type == KT_U32 || type == KT_I64 || type == KT_U64 || type == KT_F64 || type == KT_F128;
}

/* Integers are compared as they are: a double, too, can be too coarse for them. */
static bool differs(const kt_array *array, size_t i, size_t j)
{
    const size_t n_bytes = kt_type_bytes(array->type);
    if (array->type == KT_F64 || array->type == KT_F128)
        return kt_array_get(array, i) != kt_array_get(array, j);
    return memcmp((const char *)array->data + i * n_bytes, (const char *)array->data + j * n_bytes, n_bytes) != 0;
}

static void describe(const kt_array *array, size_t d, column *columns)
{
    const size_t n = kt_array_count(array) / d;
    for (size_t j = 0; j < d; j++)
        columns[j].min = columns[j].max = kt_array_get(array, j);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < d; j++) {
            column *c = &columns[j];
            const double x = kt_array_get(array, i * d + j);
            c->min = x < c->min ? x : c->min;
            c->max = x > c->max ? x : c->max;
            c->rounded = c->rounded || (double)(float)x != x;
            c->varies = c->varies || differs(array, i * d + j, j);
        }
}

/* From one float32 to the next at this size. */
static double step_at(double size)
{
    int exponent;
    frexp(size, &exponent);
    return ldexp(FLT_EPSILON, exponent - 1);
}

static bool is_lost(const column *c)
{
    const double step = step_at(fmax(fabs(c->min), fabs(c->max)));
    return c->varies && (c->rounded || c->min == c->max) && c->max - c->min < FEWEST_STEPS * step;
}

kt_status kt_dataset_check_precision(const kt_array *array, const char *name, size_t d, kt_notes *notes)
{
    if (!is_finer(array->type))
        return KT_OK;
    column *columns;
    KT_TRY(KT_NEW(columns, d));
    describe(array, d, columns);
    size_t first = d, n_lost = 0;
    for (size_t j = d; j-- > 0;)
        if (is_lost(&columns[j])) {
            first = j;
            n_lost++;
        }
    if (n_lost > 0) {
        const column *c = &columns[first];
        kt_notes_add(
            notes, true,
            "%s: column %zu (%zu such in all) goes from %.17g to %.17g, but float32, in which ktrain computes, "
            "has steps of %.3g there: subtract a number from the column where the file is made, its least one "
            "for example",
            name, array->n_left_out + first + 1, n_lost, c->min, c->max, step_at(fmax(fabs(c->min), fabs(c->max))));
    }
    kt_memory_free(columns);
    return KT_OK;
}
