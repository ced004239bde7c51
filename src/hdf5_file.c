#include "ktrain/hdf5_file.h"

#include <hdf5.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ktrain/memory.h"

struct kt_hdf5 {
    hid_t id;
    char *name;      /* for messages */
    hsize_t n_bytes; /* of the file that was opened; 0 for a new one, which is ours to trust */
};

/* Grows in steps of 1 MiB: a reallocation for each would be slow, and a small file should stay small. */
enum { CORE_INCREMENT = 1 << 20, SHORT_TEXT_BYTES = 256 };

/* Deflate packs at most 1032 bytes into one: a dataset that claims more than that of its stored bytes is a lie. */
enum { MAX_COMPRESSION = 1100 };

/* ---- what HDF5 said ---- */

static herr_t take_description(unsigned n, const H5E_error2_t *error, void *context)
{
    (void)n;
    snprintf(context, SHORT_TEXT_BYTES, "%s", error->desc != NULL ? error->desc : "no reason given");
    return 1; /* the innermost is enough */
}

static kt_status fail_hdf5(kt_status code, const kt_hdf5 *file, const char *path, const char *what)
{
    char reason[SHORT_TEXT_BYTES] = "no reason given";
    H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, take_description, reason);
    return kt_fail(code, "%s: %s%s%s (HDF5: %s)", file->name, what, path[0] != '\0' ? " " : "", path, reason);
}

/* ---- open and close ---- */

static hid_t new_access(void)
{
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    if (access >= 0)
        H5Pset_fclose_degree(access, H5F_CLOSE_STRONG);
    return access;
}

static kt_status new_file(kt_hdf5 **out, const char *name)
{
    *out = NULL;
    kt_hdf5 *file;
    KT_TRY(KT_NEW(file, 1));
    file->id = -1;
    file->name = kt_memory_string(name);
    if (file->name == NULL) {
        kt_memory_free(file);
        return KT_NO_MEMORY;
    }
    *out = file;
    return KT_OK;
}

/* HDF5 takes two files in memory of one name for one file, so each gets its own. */
static void unique_name(char name[SHORT_TEXT_BYTES])
{
    static unsigned long n_files;
    snprintf(name, SHORT_TEXT_BYTES, "ktrain-memory-%lu", n_files++);
}

static kt_status give(kt_hdf5 **out, kt_hdf5 *file, kt_status status)
{
    if (status != KT_OK) {
        kt_hdf5_close(file);
        file = NULL;
    }
    *out = file;
    return status;
}

kt_status kt_hdf5_create(kt_hdf5 **out)
{
    KT_TRY(new_file(out, "new HDF5 file"));
    kt_hdf5 *file = *out;
    char name[SHORT_TEXT_BYTES];
    unique_name(name);
    hid_t access = new_access();
    H5Pset_fapl_core(access, CORE_INCREMENT, 0);
    file->id = H5Fcreate(name, H5F_ACC_TRUNC, H5P_DEFAULT, access);
    kt_status status = file->id >= 0 ? KT_OK : fail_hdf5(KT_INTERNAL, file, "", "cannot be created in memory");
    H5Pclose(access);
    return give(out, file, status);
}

kt_status kt_hdf5_open_image(kt_hdf5 **out, const void *image, size_t n_bytes, const char *name)
{
    KT_TRY(new_file(out, name));
    kt_hdf5 *file = *out;
    char memory_name[SHORT_TEXT_BYTES];
    unique_name(memory_name);
    hid_t access = new_access();
    H5Pset_fapl_core(access, CORE_INCREMENT, 0);
    file->n_bytes = n_bytes;
    /* HDF5 takes the image as not const, and copies it. */
    void *copied;
    memcpy(&copied, &image, sizeof copied);
    if (n_bytes > 0 && H5Pset_file_image(access, copied, n_bytes) >= 0)
        file->id = H5Fopen(memory_name, H5F_ACC_RDONLY, access);
    kt_status status = file->id >= 0 ? KT_OK : fail_hdf5(KT_DATA, file, "", "is not a readable HDF5 file");
    H5Pclose(access);
    return give(out, file, status);
}

kt_status kt_hdf5_open(kt_hdf5 **out, const char *path)
{
    KT_TRY(new_file(out, path));
    kt_hdf5 *file = *out;
    if (access(path, R_OK) != 0)
        return give(out, file, kt_fail(KT_NO_INPUT, "%s: no such file, or it cannot be read", path));
    hid_t access_list = new_access();
    H5Pset_file_locking(access_list, false, true); /* a reader needs none, and some cluster file systems have none */
    file->id = H5Fopen(path, H5F_ACC_RDONLY, access_list);
    H5Pclose(access_list);
    if (file->id < 0)
        return give(out, file, fail_hdf5(KT_DATA, file, "", "is not a readable HDF5 file"));
    H5Fget_filesize(file->id, &file->n_bytes);
    return give(out, file, KT_OK);
}

void kt_hdf5_close(kt_hdf5 *file)
{
    if (file == NULL)
        return;
    if (file->id >= 0)
        H5Fclose(file->id);
    kt_memory_free(file->name);
    kt_memory_free(file);
}

/* ---- types ---- */

/* The memory type of a kt_type. Not constants: HDF5's are looked up at run time. -1 for types that are not written. */
static hid_t native_type(kt_type type)
{
    const hid_t ids[KT_N_TYPES] = {
        [KT_BOOL] = -1,
        [KT_I8] = H5T_NATIVE_INT8,
        [KT_U8] = H5T_NATIVE_UINT8,
        [KT_I16] = H5T_NATIVE_INT16,
        [KT_U16] = H5T_NATIVE_UINT16,
        [KT_I32] = H5T_NATIVE_INT32,
        [KT_U32] = H5T_NATIVE_UINT32,
        [KT_I64] = H5T_NATIVE_INT64,
        [KT_U64] = H5T_NATIVE_UINT64,
        [KT_F16] = -1,
        [KT_F32] = H5T_NATIVE_FLOAT,
        [KT_F64] = H5T_NATIVE_DOUBLE,
        [KT_F128] = H5T_NATIVE_LDOUBLE,
    };
    return ids[type];
}

/* h5py's bool: an enumeration of the bytes FALSE = 0 and TRUE = 1. */
static bool is_bool(hid_t type)
{
    char name[8] = "";
    int8_t zero = 0;
    return H5Tget_size(type) == 1 && H5Tget_nmembers(type) == 2 &&
           H5Tenum_nameof(type, &zero, name, sizeof name) >= 0 && strcmp(name, "FALSE") == 0;
}

/* The kt_type that holds every value of a file's type; KT_N_TYPES when it is not numeric. */
static kt_type type_of(hid_t type)
{
    static const kt_type integers[2][9] = {
        {KT_N_TYPES, KT_U8, KT_U16, KT_U32, KT_U32, KT_U64, KT_U64, KT_U64, KT_U64},
        {KT_N_TYPES, KT_I8, KT_I16, KT_I32, KT_I32, KT_I64, KT_I64, KT_I64, KT_I64},
    };
    H5T_class_t class = H5Tget_class(type);
    size_t n_bytes = H5Tget_size(type);
    if (class == H5T_INTEGER && n_bytes <= 8)
        return integers[H5Tget_sign(type) == H5T_SGN_2][n_bytes];
    if (class == H5T_FLOAT) /* half precision becomes float32, exactly */
        return n_bytes <= 4 ? KT_F32 : n_bytes <= 8 ? KT_F64 : KT_F128;
    if (class == H5T_ENUM && is_bool(type))
        return KT_BOOL;
    return KT_N_TYPES;
}

static const char *class_name(hid_t type)
{
    static const char *const names[] = {
        [H5T_INTEGER] = "integers of more than 64 bits",
        [H5T_FLOAT] = "floats",
        [H5T_TIME] = "times",
        [H5T_STRING] = "strings",
        [H5T_BITFIELD] = "bit fields",
        [H5T_OPAQUE] = "opaque bytes",
        [H5T_COMPOUND] = "compounds (or complex numbers)",
        [H5T_REFERENCE] = "references",
        [H5T_ENUM] = "an enumeration",
        [H5T_VLEN] = "lists of varying length",
        [H5T_ARRAY] = "arrays",
    };
    H5T_class_t class = H5Tget_class(type);
    return class >= 0 && (size_t) class < sizeof names / sizeof names[0] ? names[class] : "an unknown type";
}

/* ---- writing ---- */

static kt_status write_dataset(kt_hdf5 *file, const char *path, hid_t type, size_t n_dims, const size_t *dims,
                               const void *data)
{
    hsize_t shape[H5S_MAX_RANK];
    if (n_dims > H5S_MAX_RANK)
        return kt_fail(KT_INTERNAL, "%s: dataset %s has %zu dimensions", file->name, path, n_dims);
    bool empty = false;
    for (size_t i = 0; i < n_dims; i++) {
        shape[i] = dims[i];
        empty = empty || dims[i] == 0;
    }
    hid_t links = H5Pcreate(H5P_LINK_CREATE);
    hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_create_intermediate_group(links, 1);
    H5Pset_obj_track_times(creation, false); /* the same content gives the same bytes */
    hid_t space = n_dims == 0 ? H5Screate(H5S_SCALAR) : H5Screate_simple((int)n_dims, shape, NULL);
    hid_t dataset = H5Dcreate2(file->id, path, type, space, links, creation, H5P_DEFAULT);
    herr_t written = dataset < 0 ? -1 : empty ? 0 : H5Dwrite(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data);
    kt_status status = written >= 0 ? KT_OK : fail_hdf5(KT_INTERNAL, file, path, "cannot write dataset");
    if (dataset >= 0 && H5Dclose(dataset) < 0 && status == KT_OK)
        status = fail_hdf5(KT_INTERNAL, file, path, "cannot close dataset");
    H5Sclose(space);
    H5Pclose(creation);
    H5Pclose(links);
    return status;
}

kt_status kt_hdf5_write(kt_hdf5 *file, const char *path, kt_type type, size_t n_dims, const size_t *dims,
                        const void *data)
{
    if (type == KT_BOOL || type == KT_F16 || type == KT_F128)
        return kt_fail(KT_INTERNAL, "%s: dataset %s: type %s is not written", file->name, path, kt_type_name(type));
    return write_dataset(file, path, native_type(type), n_dims, dims, data);
}

/* n strings, each padded with zeros to the longest; n_dims 0 or 1. */
static kt_status write_strings(kt_hdf5 *file, const char *path, size_t n_dims, size_t n, char *const *texts)
{
    size_t n_bytes = 1;
    for (size_t i = 0; i < n; i++)
        n_bytes = strlen(texts[i]) + 1 > n_bytes ? strlen(texts[i]) + 1 : n_bytes;
    char *padded = kt_memory_new(n, n_bytes);
    if (padded == NULL)
        return KT_NO_MEMORY;
    for (size_t i = 0; i < n; i++)
        memcpy(padded + i * n_bytes, texts[i], strlen(texts[i]));
    hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, n_bytes);
    H5Tset_cset(type, H5T_CSET_UTF8);
    kt_status status = write_dataset(file, path, type, n_dims, &n, padded);
    H5Tclose(type);
    kt_memory_free(padded);
    return status;
}

kt_status kt_hdf5_write_text(kt_hdf5 *file, const char *path, const char *text)
{
    char *copy = kt_memory_string(text);
    if (copy == NULL)
        return KT_NO_MEMORY;
    kt_status status = write_strings(file, path, 0, 1, &copy);
    kt_memory_free(copy);
    return status;
}

kt_status kt_hdf5_write_texts(kt_hdf5 *file, const char *path, size_t n, char *const *texts)
{
    return write_strings(file, path, 1, n, texts);
}

kt_status kt_hdf5_image(kt_hdf5 *file, size_t header_bytes, unsigned char **image, size_t *n_bytes)
{
    *image = NULL;
    *n_bytes = 0;
    ssize_t size = H5Fflush(file->id, H5F_SCOPE_GLOBAL) < 0 ? -1 : H5Fget_file_image(file->id, NULL, 0);
    if (size <= 0)
        return fail_hdf5(KT_INTERNAL, file, "", "has no image");
    size_t total;
    if (__builtin_add_overflow((size_t)size, header_bytes, &total))
        return kt_fail(KT_INTERNAL, "%s: a header of %zu bytes is too large", file->name, header_bytes);
    unsigned char *bytes = kt_memory_new(total, 1);
    if (bytes == NULL)
        return KT_NO_MEMORY;
    if (H5Fget_file_image(file->id, bytes + header_bytes, (size_t)size) != size) {
        kt_memory_free(bytes);
        return fail_hdf5(KT_INTERNAL, file, "", "has no image");
    }
    *image = bytes;
    *n_bytes = total;
    return KT_OK;
}

/* ---- reading ---- */

typedef struct view {
    hid_t dataset, space, type;
    size_t n_dims, dims[H5S_MAX_RANK];
    size_t count, type_bytes;
} view;

static void close_view(view *v)
{
    if (v->type >= 0)
        H5Tclose(v->type);
    if (v->space >= 0)
        H5Sclose(v->space);
    if (v->dataset >= 0)
        H5Dclose(v->dataset);
}

/* Raw data in other files is refused: a data set must not be able to read any file of its user. */
static bool is_stored_inside(hid_t dataset)
{
    hid_t creation = H5Dget_create_plist(dataset);
    bool inside = creation >= 0 && H5Pget_layout(creation) != H5D_VIRTUAL && H5Pget_external_count(creation) == 0;
    if (creation >= 0)
        H5Pclose(creation);
    return inside;
}

/* Before anything of the dataset's size is allocated: can the file hold that much? */
static kt_status check_size(const kt_hdf5 *file, const char *path, const view *v)
{
    size_t n_bytes;
    char text[KT_SHAPE_TEXT_BYTES];
    if (!kt_shape_bytes(v->n_dims, v->dims, v->type_bytes, &n_bytes))
        return kt_fail(KT_DATA, "%s: dataset %s claims the impossible shape %s", file->name, path,
                       kt_shape_text(v->n_dims, v->dims, text));
    hsize_t stored = H5Dget_storage_size(v->dataset);
    if (file->n_bytes > 0 && n_bytes / MAX_COMPRESSION > (stored < file->n_bytes ? stored : file->n_bytes))
        return kt_fail(KT_DATA,
                       "%s: dataset %s has shape %s, %zu bytes, but the file stores only %" PRIuHSIZE " for it",
                       file->name, path, kt_shape_text(v->n_dims, v->dims, text), n_bytes, stored);
    return KT_OK;
}

static kt_status fill_view(const kt_hdf5 *file, const char *path, view *v)
{
    if (!is_stored_inside(v->dataset))
        return kt_fail(KT_DATA, "%s: dataset %s keeps its data in other files; copy it into one file", file->name,
                       path);
    v->space = H5Dget_space(v->dataset);
    v->type = H5Dget_type(v->dataset);
    int n_dims = v->space < 0 ? -1 : H5Sget_simple_extent_ndims(v->space);
    hsize_t dims[H5S_MAX_RANK];
    if (n_dims < 0 || v->type < 0 || H5Sget_simple_extent_type(v->space) == H5S_NULL ||
        H5Sget_simple_extent_dims(v->space, dims, NULL) < 0)
        return fail_hdf5(KT_DATA, file, path, "has no shape for dataset");
    v->n_dims = (size_t)n_dims;
    v->count = 1;
    for (size_t i = 0; i < v->n_dims; i++)
        v->dims[i] = dims[i];
    v->type_bytes = H5Tget_size(v->type);
    KT_TRY(check_size(file, path, v));
    for (size_t i = 0; i < v->n_dims; i++)
        v->count *= v->dims[i];
    return KT_OK;
}

static kt_status open_view(const kt_hdf5 *file, const char *path, view *v)
{
    *v = (view){.space = -1, .type = -1};
    v->dataset = H5Dopen2(file->id, path, H5P_DEFAULT);
    if (v->dataset < 0)
        return fail_hdf5(KT_DATA, file, path, "has no readable dataset");
    kt_status status = fill_view(file, path, v);
    if (status != KT_OK)
        close_view(v);
    return status;
}

bool kt_hdf5_has(kt_hdf5 *file, const char *path)
{
    return H5Lexists(file->id, path, H5P_DEFAULT) > 0 && H5Oexists_by_name(file->id, path, H5P_DEFAULT) > 0;
}

static kt_status read_view(const kt_hdf5 *file, const char *path, const view *v, hid_t type, void *data)
{
    if (v->count > 0 && H5Dread(v->dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) < 0)
        return fail_hdf5(KT_DATA, file, path, "cannot read dataset");
    return KT_OK;
}

kt_status kt_hdf5_read(kt_hdf5 *file, const char *path, kt_array *out)
{
    *out = (kt_array){0};
    view v;
    KT_TRY(open_view(file, path, &v));
    kt_type type = type_of(v.type);
    kt_status status;
    if (type == KT_N_TYPES)
        status =
            kt_fail(KT_DATA, "%s: dataset %s holds %s, where numbers are needed", file->name, path, class_name(v.type));
    else if (v.n_dims > KT_ARRAY_MAX_DIMS)
        status = kt_fail(KT_DATA, "%s: dataset %s has %zu dimensions; at most %d are understood", file->name, path,
                         v.n_dims, KT_ARRAY_MAX_DIMS);
    else
        status = kt_array_create(out, type, v.n_dims, v.dims);
    if (status == KT_OK)
        status = read_view(file, path, &v, type == KT_BOOL ? v.type : native_type(type), out->data);
    if (status != KT_OK)
        kt_array_free(out);
    close_view(&v);
    return status;
}

kt_status kt_hdf5_read_into(kt_hdf5 *file, const char *path, kt_type type, size_t n_dims, const size_t *dims,
                            void *data)
{
    if (native_type(type) < 0)
        return kt_fail(KT_INTERNAL, "%s: dataset %s: cannot convert to %s", file->name, path, kt_type_name(type));
    view v;
    KT_TRY(open_view(file, path, &v));
    char found[KT_SHAPE_TEXT_BYTES], wanted[KT_SHAPE_TEXT_BYTES];
    kt_status status;
    if (n_dims != v.n_dims || (n_dims > 0 && memcmp(dims, v.dims, n_dims * sizeof *dims) != 0))
        status = kt_fail(KT_DATA, "%s: dataset %s has shape %s where %s is needed", file->name, path,
                         kt_shape_text(v.n_dims, v.dims, found), kt_shape_text(n_dims, dims, wanted));
    else if (type_of(v.type) == KT_N_TYPES)
        status =
            kt_fail(KT_DATA, "%s: dataset %s holds %s, where numbers are needed", file->name, path, class_name(v.type));
    else
        status = read_view(file, path, &v, native_type(type), data);
    close_view(&v);
    return status;
}

/* Strings of varying length: HDF5 allocates them, and wants them back. */
static kt_status read_varying(const kt_hdf5 *file, const char *path, const view *v, char **texts)
{
    char **found;
    KT_TRY(KT_NEW(found, v->count));
    kt_status status = read_view(file, path, v, v->type, found);
    for (size_t i = 0; i < v->count && status == KT_OK; i++) {
        texts[i] = kt_memory_string(found[i] != NULL ? found[i] : "");
        status = texts[i] != NULL ? KT_OK : KT_NO_MEMORY;
    }
    H5Dvlen_reclaim(v->type, v->space, H5P_DEFAULT, found);
    kt_memory_free(found);
    return status;
}

static kt_status read_fixed(const kt_hdf5 *file, const char *path, const view *v, char **texts)
{
    char *found = kt_memory_new(v->count, v->type_bytes);
    if (found == NULL)
        return KT_NO_MEMORY;
    kt_status status = read_view(file, path, v, v->type, found);
    for (size_t i = 0; i < v->count && status == KT_OK; i++) {
        const char *text = found + i * v->type_bytes;
        size_t n = strnlen(text, v->type_bytes);
        texts[i] = kt_memory_new(n + 1, 1);
        status = texts[i] != NULL ? KT_OK : KT_NO_MEMORY;
        if (status == KT_OK)
            memcpy(texts[i], text, n);
    }
    kt_memory_free(found);
    return status;
}

/* *texts: v->count owned strings of a dataset of n_dims (0 or 1) dimensions. */
static kt_status read_strings(kt_hdf5 *file, const char *path, size_t n_dims, size_t *n, char ***out)
{
    *out = NULL;
    *n = 0;
    view v;
    KT_TRY(open_view(file, path, &v));
    kt_status status = KT_OK;
    char **texts = NULL;
    if (H5Tget_class(v.type) != H5T_STRING || v.n_dims != n_dims)
        status =
            kt_fail(KT_DATA, "%s: dataset %s is not %s", file->name, path, n_dims == 0 ? "a text" : "a list of texts");
    if (status == KT_OK)
        status = KT_NEW(texts, v.count);
    if (status == KT_OK)
        status =
            H5Tis_variable_str(v.type) > 0 ? read_varying(file, path, &v, texts) : read_fixed(file, path, &v, texts);
    if (status == KT_OK) {
        *out = texts;
        *n = v.count;
    } else if (texts != NULL) {
        for (size_t i = 0; i < v.count; i++)
            kt_memory_free(texts[i]);
        kt_memory_free(texts);
    }
    close_view(&v);
    return status;
}

kt_status kt_hdf5_read_text(kt_hdf5 *file, const char *path, char **out)
{
    *out = NULL;
    size_t n;
    char **texts;
    KT_TRY(read_strings(file, path, 0, &n, &texts));
    *out = texts[0];
    kt_memory_free(texts);
    return KT_OK;
}

kt_status kt_hdf5_read_texts(kt_hdf5 *file, const char *path, size_t *n, char ***out)
{
    return read_strings(file, path, 1, n, out);
}

/* ---- visiting ---- */

typedef struct visitor {
    bool (*visit)(void *context, const char *path, size_t n_dims, const size_t *dims);
    void *context;
} visitor;

static herr_t visit_object(hid_t file, const char *name, const H5O_info_t *info, void *context)
{
    const visitor *caller = context;
    if (info->type != H5O_TYPE_DATASET)
        return 0;
    hid_t dataset = H5Dopen2(file, name, H5P_DEFAULT);
    hid_t space = dataset < 0 ? -1 : H5Dget_space(dataset);
    hsize_t shape[H5S_MAX_RANK];
    int n_dims = space < 0 ? -1 : H5Sget_simple_extent_dims(space, shape, NULL);
    size_t dims[H5S_MAX_RANK] = {0};
    for (int i = 0; i < n_dims; i++)
        dims[i] = shape[i];
    if (space >= 0)
        H5Sclose(space);
    if (dataset >= 0)
        H5Dclose(dataset);
    if (n_dims < 0)
        return 0; /* damaged: reading it by name says how */
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
    if (H5Ovisit2(file->id, H5_INDEX_NAME, H5_ITER_INC, visit_object, &caller, H5O_INFO_BASIC) < 0)
        return fail_hdf5(KT_DATA, file, "", "cannot be listed");
    return KT_OK;
}

const char *kt_hdf5_version(void)
{
    static char text[32];
    unsigned major = 0, minor = 0, release = 0;
    H5get_libversion(&major, &minor, &release);
    snprintf(text, sizeof text, "%u.%u.%u", major, minor, release);
    return text;
}
