/* HDF5: a member is a dataset's path, with or without the first slash. */
#include "ktrain/format.h"

#include <string.h>

#include "ktrain/hdf5_file.h"
#include "ktrain/memory.h"

static const unsigned char magic[8] = {0x89, 'H', 'D', 'F', '\r', '\n', 0x1a, '\n'};

bool kt_hdf5_recognizes(const unsigned char *head, size_t n)
{
    return n >= sizeof magic && memcmp(head, magic, sizeof magic) == 0;
}

typedef struct listing {
    size_t n, capacity;
    char **names; /* owned; paths without the first slash */
    kt_status status;
} listing;

static bool add_name(void *context, const char *path, size_t n_dims, const size_t *dims)
{
    listing *l = context;
    (void)dims;
    if (n_dims == 0) /* a scalar is not a data set */
        return true;
    if (l->n == l->capacity) {
        char **larger;
        l->capacity = 2 * l->capacity + 8;
        l->status = KT_NEW(larger, l->capacity);
        if (l->status != KT_OK)
            return false;
        if (l->n > 0)
            memcpy(larger, l->names, l->n * sizeof *larger);
        kt_memory_free(l->names);
        l->names = larger;
    }
    l->names[l->n] = kt_memory_string(path + 1);
    l->status = l->names[l->n] != NULL ? KT_OK : KT_NO_MEMORY;
    l->n += l->status == KT_OK;
    return l->status == KT_OK;
}

static kt_status read_chosen(kt_hdf5 *file, const char *path, const char *member, const char *const *usual,
                             kt_array *out)
{
    if (member != NULL && kt_hdf5_has(file, member))
        return kt_hdf5_read(file, member, out);
    listing l = {0};
    size_t chosen = 0;
    kt_status status = kt_hdf5_visit(file, add_name, &l);
    if (l.status != KT_OK)
        status = l.status;
    if (status == KT_OK)
        status = kt_format_choose(path, member, usual, l.n, l.names, &chosen);
    if (status == KT_OK)
        status = kt_hdf5_read(file, l.names[chosen], out);
    for (size_t i = 0; i < l.n; i++)
        kt_memory_free(l.names[i]);
    kt_memory_free(l.names);
    return status;
}

kt_status kt_hdf5_array_read(const char *path, const char *member, const char *const *usual, kt_array *out)
{
    *out = (kt_array){0};
    kt_hdf5 *file;
    KT_TRY(kt_hdf5_open(&file, path));
    kt_status status = read_chosen(file, path, member, usual, out);
    kt_hdf5_close(file);
    if (status == KT_OK && out->n_dims == 0) {
        kt_array_free(out);
        return kt_fail(KT_DATA, "%s:%s is a single number; an array of 1 to %d dimensions is needed", path, member,
                       KT_ARRAY_MAX_DIMS);
    }
    return status;
}
