/* What is in an HDF5 file, and what can be said of one that cannot be read. */
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "edge/hdf5_file_private.h"

enum { LISTED_NAMES = 8 };

bool kt_hdf5_has(kt_hdf5 *file, const char *path)
{
    return H5Lexists(file->id, path, H5P_DEFAULT) > 0 && H5Oexists_by_name(file->id, path, H5P_DEFAULT) > 0;
}

/* ---- what a name leads to ---- */

/* The end of the first part of `path` after `from`: "/a/b" ends at 2, then at 4. */
static size_t part_end(const char *path, size_t from)
{
    from += strspn(path + from, "/");
    return from + strcspn(path + from, "/");
}

/* Walks along `path`, writing its beginning into part[strlen(path) + 1], until something is not there or leads nowhere;
 * then `part` is where. */
static kt_hdf5_kind walk(const kt_hdf5 *file, const char *path, char *part)
{
    part[0] = '\0';
    for (size_t end = part_end(path, 0), last = 0; end > last; last = end, end = part_end(path, end)) {
        memcpy(part, path, end);
        part[end] = '\0';
        if (H5Lexists(file->id, part, H5P_DEFAULT) <= 0)
            return KT_HDF5_ABSENT;
        if (H5Oexists_by_name(file->id, part, H5P_DEFAULT) <= 0)
            return KT_HDF5_DANGLING;
    }
    return KT_HDF5_OTHER;
}

/* Dimensions and shape of an object; -1 when it is no dataset, or a damaged one. */
static int shape_of(hid_t object, hsize_t shape[H5S_MAX_RANK])
{
    hid_t space = object < 0 || H5Iget_type(object) != H5I_DATASET ? -1 : H5Dget_space(object);
    int n_dims = space < 0 ? -1 : H5Sget_simple_extent_dims(space, shape, NULL);
    if (space >= 0)
        H5Sclose(space);
    return n_dims;
}

kt_hdf5_kind kt_hdf5_look_up(kt_hdf5 *file, const char *path)
{
    char *part = kt_memory_new(strlen(path) + 1, 1);
    if (part == NULL)
        return KT_HDF5_ABSENT;
    kt_hdf5_kind kind = walk(file, path, part);
    kt_memory_free(part);
    if (kind != KT_HDF5_OTHER)
        return kind;
    hsize_t shape[H5S_MAX_RANK];
    hid_t object = H5Oopen(file->id, path[0] == '\0' ? "/" : path, H5P_DEFAULT);
    if (shape_of(object, shape) > 0)
        kind = KT_HDF5_ARRAY;
    if (object >= 0)
        H5Oclose(object);
    return kind;
}

bool kt_hdf5_same(kt_hdf5 *file, const char *a, const char *b)
{
    H5O_info_t info[2];
    return H5Oget_info_by_name2(file->id, a, &info[0], H5O_INFO_BASIC, H5P_DEFAULT) >= 0 &&
           H5Oget_info_by_name2(file->id, b, &info[1], H5O_INFO_BASIC, H5P_DEFAULT) >= 0 &&
           info[0].fileno == info[1].fileno && info[0].addr == info[1].addr;
}

/* ---- why a name is no array ---- */

static kt_status fail_dangling(const kt_hdf5 *file, const char *link)
{
    H5L_info_t info;
    char value[2 * SHORT_TEXT_BYTES] = "", words[3 * SHORT_TEXT_BYTES];
    const char *target_file = "", *target = value;
    if (H5Lget_info(file->id, link, &info, H5P_DEFAULT) >= 0 &&
        H5Lget_val(file->id, link, value, sizeof value - 1, H5P_DEFAULT) >= 0 && info.type == H5L_TYPE_EXTERNAL)
        H5Lunpack_elink_val(value, info.u.val_size < sizeof value ? info.u.val_size : sizeof value, NULL, &target_file,
                            &target);
    snprintf(words, sizeof words, "%s is a link to %.200s%s%.200s, which cannot be reached", link, target,
             target_file[0] != '\0' ? " in the file " : "", target_file);
    hid_t object = H5Oopen(file->id, link, H5P_DEFAULT); /* for the reason */
    if (object >= 0)
        H5Oclose(object);
    return kt_hdf5_fail(KT_DATA, file, "", words);
}

/* Groups that programs write for one matrix or table, by a name in them. */
static const struct {
    const char *name, *words;
} layouts[] = {
    {"indptr", "holds a sparse matrix, where an array is needed: must be written as X.toarray()"},
    {"ir", "holds a sparse matrix of MATLAB's, where an array is needed: must be saved as full(X)"},
    {"block0_values", "holds a table of pandas, where an array is needed: must be written as table.to_numpy() by h5py"},
    {"table", "holds a table of PyTables, where an array is needed: must be written as table.to_numpy() by h5py"},
};

static herr_t list_name(hid_t group, const char *name, const H5L_info_t *info, void *context)
{
    kt_text_buffer *list = context;
    (void)group;
    (void)info;
    if (list->n > SHORT_TEXT_BYTES) {
        kt_text_append(list, ", ...");
        return 1;
    }
    kt_text_append(list, "%s%.60s", list->n > 0 ? ", " : "", name);
    return 0;
}

static kt_status fail_group(const kt_hdf5 *file, const char *path, hid_t group)
{
    for (size_t i = 0; i < sizeof layouts / sizeof layouts[0]; i++)
        if (H5Lexists(group, layouts[i].name, H5P_DEFAULT) > 0)
            return kt_fail(KT_DATA, "%s: %s %s", file->name, path, layouts[i].words);
    kt_text_buffer list = {0};
    char *text;
    H5Literate(group, H5_INDEX_NAME, H5_ITER_INC, NULL, list_name, &list);
    kt_text_append(&list, "%s", list.n == 0 ? "nothing" : "");
    KT_TRY(kt_text_take(&list, &text));
    kt_status status =
        kt_fail(KT_DATA, "%s: %s is a group of %s: say which array, as FILE:%s/NAME", file->name, path, text, path);
    kt_memory_free(text);
    return status;
}

kt_status kt_hdf5_fail_look_up(kt_hdf5 *file, const char *path)
{
    char *part = kt_memory_new(strlen(path) + 1, 1);
    if (part == NULL)
        return KT_NO_MEMORY;
    const kt_hdf5_kind kind = walk(file, path, part);
    kt_status status = kind == KT_HDF5_DANGLING ? fail_dangling(file, part) : KT_DATA;
    kt_memory_free(part);
    if (kind == KT_HDF5_DANGLING)
        return status;
    hid_t object = H5Oopen(file->id, path, H5P_DEFAULT);
    if (object < 0)
        return kt_hdf5_fail(KT_DATA, file, path, "has no readable object");
    if (H5Iget_type(object) == H5I_GROUP)
        status = fail_group(file, path, object);
    else
        status = kt_fail(KT_DATA, "%s:%s is %s; an array of 1 to %d dimensions is needed", file->name, path,
                         H5Iget_type(object) == H5I_DATASET ? "a single value" : "no dataset", KT_ARRAY_MAX_DIMS);
    H5Oclose(object);
    return status;
}

/* ---- visiting ---- */

typedef struct visitor {
    bool (*visit)(void *context, const char *path, size_t n_dims, const size_t *dims);
    void *context;
} visitor;

/* A link that leads nowhere, and a damaged dataset, is passed over: reading it by name says how. */
static herr_t visit_link(hid_t file, const char *name, const H5L_info_t *info, void *context)
{
    const visitor *caller = context;
    (void)info;
    hid_t object = H5Oexists_by_name(file, name, H5P_DEFAULT) > 0 ? H5Oopen(file, name, H5P_DEFAULT) : H5I_INVALID_HID;
    hsize_t shape[H5S_MAX_RANK];
    size_t dims[H5S_MAX_RANK] = {0};
    const int n_dims = shape_of(object, shape);
    for (int i = 0; i < n_dims; i++)
        dims[i] = shape[i];
    if (object >= 0)
        H5Oclose(object);
    if (n_dims < 0)
        return 0;
    size_t n_bytes = strlen(name) + 2;
    char *path = kt_memory_new(n_bytes, 1);
    if (path == NULL)
        return -1;
    snprintf(path, n_bytes, "/%s", name);
    bool more = caller->visit(caller->context, path, (size_t)n_dims, dims);
    kt_memory_free(path);
    return more ? 0 : 1;
}

kt_status kt_hdf5_visit(kt_hdf5 *file,
                        bool (*visit)(void *context, const char *path, size_t n_dims, const size_t *dims),
                        void *context)
{
    visitor caller = {visit, context};
    if (H5Lvisit(file->id, H5_INDEX_NAME, H5_ITER_INC, visit_link, &caller) < 0)
        return kt_hdf5_fail(KT_DATA, file, "", "cannot be listed");
    return KT_OK;
}
