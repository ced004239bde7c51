/* HDF5: a member is a dataset's path, with or without the first slash. */
#include "input/format.h"

#include <string.h>

#include "base/memory.h"
#include "edge/hdf5_file.h"

static const unsigned char magic[8] = {0x89, 'H', 'D', 'F', '\r', '\n', 0x1a, '\n'};

static bool recognizes(const unsigned char *head, size_t n)
{
    return n >= sizeof magic && memcmp(head, magic, sizeof magic) == 0;
}

bool kt_hdf5_is_behind_block(FILE *file)
{
    unsigned char bytes[sizeof magic];
    for (off_t at = 512; fseeko(file, at, SEEK_SET) == 0 && fread(bytes, sizeof bytes, 1, file) == 1; at *= 2)
        if (memcmp(bytes, magic, sizeof magic) == 0)
            return true;
    return false;
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
    l->status = KT_GROW(l->names, l->n, l->capacity);
    if (l->status != KT_OK)
        return false;
    l->names[l->n] = kt_memory_string(path + 1);
    l->status = l->names[l->n] != NULL ? KT_OK : KT_NO_MEMORY;
    l->n += l->status == KT_OK;
    return l->status == KT_OK;
}

/* The first usual name of an array. A link that leads nowhere is not passed over: it is what was meant. *in_the_way is
 * a usual name of something else, or NULL: then no other array may be taken just because it is the only one. */
static kt_status find_usual(kt_hdf5 *file, const char *const *usual, const char **found, const char **in_the_way)
{
    *found = *in_the_way = NULL;
    for (const char *const *name = usual; *name != NULL && *found == NULL; name++) {
        const kt_hdf5_kind kind = kt_hdf5_look_up(file, *name);
        if (kind == KT_HDF5_DANGLING)
            return kt_hdf5_fail_look_up(file, *name);
        if (kind == KT_HDF5_ARRAY)
            *found = *name;
        else if (kind == KT_HDF5_OTHER && *in_the_way == NULL)
            *in_the_way = *name;
    }
    return KT_OK;
}

/* One array, perhaps under several names. */
static bool is_single(kt_hdf5 *file, const listing *l)
{
    for (size_t i = 1; i < l->n; i++)
        if (!kt_hdf5_same(file, l->names[0], l->names[i]))
            return false;
    return l->n > 0;
}

static bool lies_in(const char *name, const char *group)
{
    const size_t n = strlen(group);
    return strncmp(name, group, n) == 0 && name[n] == '/';
}

/* What is read. */
typedef struct wanted {
    kt_hdf5 *file;
    const char *path, *member;
    const char *const *usual;
} wanted;

static kt_status choose(const wanted *w, const char *in_the_way, const listing *l, size_t *chosen)
{
    *chosen = 0;
    if (w->member != NULL)
        return kt_format_choose(w->path, w->member, w->usual, l->n, l->names, chosen);
    const bool single = is_single(w->file, l);
    if (in_the_way != NULL && !(single && lies_in(l->names[0], in_the_way)))
        return kt_hdf5_fail_look_up(w->file, in_the_way);
    return single ? KT_OK : kt_format_choose(w->path, NULL, w->usual, l->n, l->names, chosen);
}

/* No name was given, and none of the usual ones is an array's; or there is no `member`. */
static kt_status read_listed(const wanted *w, const char *in_the_way, kt_array *out)
{
    listing l = {0};
    size_t chosen = 0;
    kt_status status = kt_hdf5_visit(w->file, add_name, &l);
    if (l.status != KT_OK)
        status = l.status;
    if (status == KT_OK)
        status = choose(w, in_the_way, &l, &chosen);
    if (status == KT_OK)
        status = kt_hdf5_read(w->file, l.names[chosen], out);
    for (size_t i = 0; i < l.n; i++)
        kt_memory_free(l.names[i]);
    kt_memory_free(l.names);
    return status;
}

static kt_status read_chosen(const wanted *w, kt_array *out)
{
    const char *found = w->member, *in_the_way = NULL;
    if (found == NULL)
        KT_TRY(find_usual(w->file, w->usual, &found, &in_the_way));
    const kt_hdf5_kind kind = found != NULL ? kt_hdf5_look_up(w->file, found) : KT_HDF5_ABSENT;
    if (kind == KT_HDF5_ABSENT)
        return read_listed(w, in_the_way, out);
    return kind == KT_HDF5_ARRAY ? kt_hdf5_read(w->file, found, out) : kt_hdf5_fail_look_up(w->file, found);
}

static kt_status read_array(const char *path, const char *member, const char *const *usual, kt_array *out)
{
    *out = (kt_array){0};
    kt_hdf5 *file;
    KT_TRY(kt_hdf5_open(&file, path));
    kt_status status = read_chosen(&(wanted){file, path, member, usual}, out);
    kt_hdf5_close(file);
    return status;
}

const kt_format kt_format_hdf5 = {
    .help = "an HDF5 file; FILE:PATH for one of its datasets",
    .recognizes = recognizes,
    .read = read_array,
};
