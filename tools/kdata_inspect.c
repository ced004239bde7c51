/* What a file of numbers holds: inspect. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "input/format.h"
#include "input/labels.h"
#include "kdata.h"

typedef struct summary {
    size_t n_nan, n_infinite, n_zero, n_finite, n_whole;
    double min, max, mean, deviation;
} summary;

static summary summarize(const kt_array *array)
{
    const size_t count = kt_array_count(array);
    summary s = {.min = INFINITY, .max = -INFINITY};
    double sum_squares = 0; /* of differences to the mean so far (Welford) */
    for (size_t i = 0; i < count; i++) {
        double x = kt_array_get(array, i);
        if (!isfinite(x)) {
            *(isnan(x) ? &s.n_nan : &s.n_infinite) += 1;
            continue;
        }
        double difference = x - s.mean;
        s.n_finite++;
        s.mean += difference / (double)s.n_finite;
        sum_squares += difference * (x - s.mean);
        s.min = fmin(s.min, x);
        s.max = fmax(s.max, x);
        s.n_zero += x == 0;
        s.n_whole += x == rint(x);
    }
    s.deviation = s.n_finite > 0 ? sqrt(sum_squares / (double)s.n_finite) : 0;
    return s;
}

size_t kdata_row_bytes(const kt_array *array)
{
    return array->dims[0] == 0 ? 0 : kt_array_count(array) / array->dims[0] * kt_type_bytes(array->type);
}

typedef struct row {
    const unsigned char *bytes;
    size_t n_bytes;
} row;

static int compare_rows(const void *a, const void *b)
{
    const row *x = a, *y = b;
    return memcmp(x->bytes, y->bytes, x->n_bytes);
}

/* Rows that are equal, byte by byte, to a row before them. */
static kt_status count_duplicates(const kt_array *array, size_t *n_duplicates)
{
    const size_t n = array->dims[0], n_bytes = kdata_row_bytes(array);
    row *rows;
    *n_duplicates = 0;
    KT_TRY(KT_NEW(rows, n));
    for (size_t i = 0; i < n; i++)
        rows[i] = (row){(const unsigned char *)array->data + i * n_bytes, n_bytes};
    qsort(rows, n, sizeof *rows, compare_rows);
    for (size_t i = 1; i < n; i++)
        *n_duplicates += compare_rows(&rows[i - 1], &rows[i]) == 0;
    kt_memory_free(rows);
    return KT_OK;
}

static kt_status print_array(const char *name, const kt_array *array)
{
    char text[KT_SHAPE_TEXT_BYTES];
    const summary s = summarize(array);
    const double count = (double)kt_array_count(array);
    printf("file         %s\n", name);
    printf("shape        %s\n", kt_shape_text(array->n_dims, array->dims, text));
    printf("type         %s\n", kt_type_name(array->type));
    if (s.n_finite > 0) {
        printf("range        %.9g to %.9g%s\n", s.min, s.max, s.n_whole == s.n_finite ? ", all whole numbers" : "");
        printf("mean         %.9g (standard deviation %.9g)\n", s.mean, s.deviation);
        printf("zeros        %zu (%.1f %%)\n", s.n_zero, 100 * (double)s.n_zero / count);
    }
    printf("NaN          %zu\n", s.n_nan);
    printf("infinite     %zu\n", s.n_infinite);
    if (array->n_dims < 2)
        return KT_OK;
    size_t n_duplicates;
    KT_TRY(count_duplicates(array, &n_duplicates));
    printf("duplicates   %zu of %zu rows equal a row before them\n", n_duplicates, array->dims[0]);
    return KT_OK;
}

static kt_status print_classes(const int32_t *labels, size_t n, size_t n_classes)
{
    size_t *counts, least = SIZE_MAX, most = 0, n_missing = 0;
    KT_TRY(KT_NEW(counts, n_classes));
    for (size_t i = 0; i < n; i++)
        counts[labels[i]]++;
    for (size_t c = 0; c < n_classes; c++) {
        n_missing += counts[c] == 0;
        least = counts[c] < least ? counts[c] : least;
        most = counts[c] > most ? counts[c] : most;
    }
    printf("classes      %zu (%zu without samples), of %zu to %zu samples", n_classes, n_missing,
           n_classes > 0 ? least : 0, most);
    if (n_classes > 0 && least > 0)
        printf(", balance %.2f", (double)least / (double)most);
    printf("\n\nclass    samples   share\n");
    for (size_t c = 0; c < n_classes; c++)
        printf("%5zu %10zu %6.2f %%\n", c, counts[c], 100 * (double)counts[c] / (double)n);
    kt_memory_free(counts);
    return KT_OK;
}

/* Labels that name no classes are told like any other array, with the reason. */
static kt_status inspect_labels(const arguments *a, const char *name, size_t n_samples)
{
    kt_array array;
    int32_t *labels = NULL;
    size_t n = 0, n_classes = 0;
    printf("\n");
    KT_TRY(kdata_read(a, name, n_samples, &array));
    kt_status status = print_array(name, &array);
    if (status == KT_OK)
        status = kt_labels_from_array(&array, name, &labels, &n, &n_classes);
    kt_array_free(&array);
    KT_TRY(status);
    status = print_classes(labels, n, n_classes);
    kt_memory_free(labels);
    if (status == KT_OK && n != n_samples)
        status = kt_fail(KT_DATA, "%s has %zu labels, but there are %zu samples", name, n, n_samples);
    return status;
}

kt_status kdata_inspect(const arguments *a)
{
    kt_array array;
    KT_TRY(kdata_read(a, a->values[0], 0, &array));
    size_t n_samples = array.dims[0];
    kt_status status = print_array(a->values[0], &array);
    kt_array_free(&array);
    if (status == KT_OK && a->n > 1)
        status = inspect_labels(a, a->values[1], n_samples);
    return status;
}
