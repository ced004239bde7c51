/* libktrain: samples in memory. */
#include <stdint.h>

#include "base/memory.h"
#include "input/labels.h"
#include "run/library_private.h"

_Static_assert((int)KTRAIN_TRAINING == KT_TRAIN && (int)KTRAIN_VALIDATION == KT_VALIDATION &&
                   (int)KTRAIN_TEST == KT_TEST && (int)KTRAIN_N_PARTS == KT_N_PARTS,
               "a part is the same number inside and outside");

ktrain_scores kt_library_scores(const kt_scores *scores)
{
    return (ktrain_scores){.samples = scores->samples,
                           .accuracy = scores->accuracy,
                           .cross_entropy = scores->cross_entropy,
                           .balanced_accuracy = scores->balanced_accuracy,
                           .macro_f1 = scores->macro_f1};
}

kt_status kt_library_borrow(const char *call, const ktrain_array *x, const int32_t *labels, size_t n_classes,
                            kt_dataset *out)
{
    size_t n_bytes;
    *out = (kt_dataset){0};
    if (x->type != KTRAIN_U8 && x->type != KTRAIN_F32)
        return kt_fail(KT_USAGE, "%s: the array's type is %d: must be KTRAIN_U8 or KTRAIN_F32", call, (int)x->type);
    const kt_array array = {.type = x->type == KTRAIN_U8 ? KT_U8 : KT_F32,
                            .n_dims = 2,
                            .dims = {x->n, x->d},
                            .data = (void *)x->values}; /* read only */
    if (x->n == 0 || x->d == 0 || x->n > UINT32_MAX || x->d > INT32_MAX ||
        __builtin_mul_overflow(x->n * x->d, kt_type_bytes(array.type), &n_bytes))
        return kt_fail(KT_USAGE,
                       "%s: an array of %zu samples with %zu features: must have 1 to 2^32 - 1 samples, and 1 to "
                       "2^31 - 1 features",
                       call, x->n, x->d);
    if (x->values == NULL)
        return kt_fail(KT_USAGE, "%s: the array's values are NULL: must not be", call);
    if (n_classes > INT32_MAX)
        return kt_fail(KT_USAGE, "%s: %zu classes: must be fewer than 2^31", call, n_classes);
    return kt_dataset_borrow(&array, labels, n_classes, call, out);
}

/* As many as a layer has units at most; a label by mistake, like INT32_MAX, would ask for tables of many gigabytes. */
enum { MOST_CLASSES = 10000000 };

static kt_status create(ktrain_data *data, const ktrain_array *features, const int32_t *labels, size_t n_classes)
{
    static const char call[] = "ktrain_data_create";
    KT_TRY(kt_library_borrow(call, features, labels, n_classes, &data->data.set));
    if (data->data.set.n_classes < 2)
        return kt_fail(KT_DATA, "%s: there is only class 0: must be at least two classes", call);
    if (data->data.set.n_classes > MOST_CLASSES)
        return kt_fail(KT_DATA, "%s: %zu classes: must be at most %d", call, data->data.set.n_classes, MOST_CLASSES);
    kt_data_describe(&data->data);
    return KT_OK;
}

ktrain_status ktrain_data_create(ktrain_data **out, const ktrain_array *features, const int32_t *labels,
                                 size_t n_classes)
{
    ktrain_data *data = NULL;
    if (out != NULL)
        *out = NULL;
    kt_status status =
        KT_LIBRARY_CHECK("ktrain_data_create", "(out, features, labels, n_classes)", out, features, labels);
    if (status == KT_OK)
        status = KT_NEW(data, 1);
    if (status == KT_OK)
        status = create(data, features, labels, n_classes);
    if (status == KT_OK)
        *out = data;
    else
        ktrain_data_free(data);
    return (ktrain_status)status;
}

static kt_status copy_names(size_t n, const char *const *names, char **copies)
{
    for (size_t c = 0; c < n; c++) {
        if (names[c] == NULL)
            return kt_fail(KT_USAGE, "ktrain_data_set_class_names: the name of class %zu is NULL: must not be", c);
        copies[c] = kt_memory_string(names[c]);
        if (copies[c] == NULL)
            return KT_NO_MEMORY;
    }
    return KT_OK;
}

static kt_status set_names(kt_dataset *set, size_t n, const char *const *names)
{
    char **copies;
    if (n != set->n_classes)
        return kt_fail(KT_USAGE, "ktrain_data_set_class_names: %zu names for %zu classes: must be one for each", n,
                       set->n_classes);
    KT_TRY(KT_NEW(copies, n));
    const kt_status status = copy_names(n, names, copies);
    if (status != KT_OK) {
        kt_class_names_free(n, copies);
        return status;
    }
    if (set->class_names != NULL)
        kt_class_names_free(n, set->class_names);
    set->class_names = copies;
    return KT_OK;
}

ktrain_status ktrain_data_set_class_names(ktrain_data *data, size_t n, const char *const *names)
{
    const kt_status status = KT_LIBRARY_CHECK("ktrain_data_set_class_names", "(data, names)", data, names);
    return (ktrain_status)(status == KT_OK ? set_names(&data->data.set, n, names) : status);
}

ktrain_status ktrain_data_set_parts(ktrain_data *data, size_t n, const uint8_t *parts)
{
    kt_status status = KT_LIBRARY_CHECK("ktrain_data_set_parts", "(data, parts)", data, parts);
    if (status == KT_OK && n != data->data.set.n)
        status = kt_fail(KT_USAGE, "ktrain_data_set_parts: %zu parts for %zu samples: must be one for each", n,
                         data->data.set.n);
    for (size_t i = 0; i < n && status == KT_OK; i++)
        if (parts[i] >= KT_N_PARTS)
            status =
                kt_fail(KT_USAGE, "ktrain_data_set_parts: the part of sample %zu is %d: must be one of ktrain_part", i,
                        parts[i]);
    if (status == KT_OK)
        data->data.parts = parts;
    return (ktrain_status)status;
}

size_t ktrain_data_n_samples(const ktrain_data *data)
{
    return data != NULL ? data->data.set.n : 0;
}

size_t ktrain_data_n_features(const ktrain_data *data)
{
    return data != NULL ? data->data.set.d : 0;
}

size_t ktrain_data_n_classes(const ktrain_data *data)
{
    return data != NULL ? data->data.set.n_classes : 0;
}

void ktrain_data_free(ktrain_data *data)
{
    if (data == NULL)
        return;
    kt_data_free(&data->data);
    kt_memory_free(data);
}
