/* Reading data sets and attributes of an HDF5 file. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "edge/hdf5_file_private.h"

/* Deflate packs at most 1032 bytes into one: a dataset that claims more than that of its stored bytes is a lie. */
enum { MAX_COMPRESSION = 1100 };

/* ---- types ---- */

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

/* Of the file that the dataset is in, which a link may have led to. */
static hsize_t file_bytes(hid_t dataset)
{
    hsize_t n_bytes = 0;
    hid_t file = H5Iget_file_id(dataset);
    if (file >= 0) {
        H5Fget_filesize(file, &n_bytes);
        H5Fclose(file);
    }
    return n_bytes;
}

/* Before anything of the dataset's size is allocated: can the file hold that much? */
static kt_status check_size(const kt_hdf5 *file, const char *path, const view *v)
{
    size_t n_bytes;
    char text[KT_SHAPE_TEXT_BYTES];
    if (!kt_shape_bytes(v->n_dims, v->dims, v->type_bytes, &n_bytes))
        return kt_fail(KT_DATA, "%s: dataset %s claims the impossible shape %s", file->name, path,
                       kt_shape_text(v->n_dims, v->dims, text));
    hsize_t stored = H5Dget_storage_size(v->dataset), most = file_bytes(v->dataset);
    if (file->n_bytes > 0 && n_bytes / MAX_COMPRESSION > (stored < most ? stored : most))
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
    v->type = v->space < 0 ? -1 : H5Dget_type(v->dataset);
    int n_dims = v->type < 0 ? -1 : H5Sget_simple_extent_ndims(v->space);
    hsize_t dims[H5S_MAX_RANK];
    if (n_dims < 0 || H5Sget_simple_extent_type(v->space) == H5S_NULL ||
        H5Sget_simple_extent_dims(v->space, dims, NULL) < 0)
        return kt_hdf5_fail(KT_DATA, file, path, "has no shape for dataset");
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
        return kt_hdf5_fail(KT_DATA, file, path, "has no readable dataset");
    kt_status status = fill_view(file, path, v);
    if (status != KT_OK)
        close_view(v);
    return status;
}

/* Filters that people's files have:
 * https://github.com/HDFGroup/hdf5_plugins/blob/master/docs/RegisteredFilterPlugins.md */
static const struct {
    H5Z_filter_t number;
    const char *name;
} filters[] = {
    {H5Z_FILTER_DEFLATE, "gzip"},
    {H5Z_FILTER_SZIP, "szip"},
    {305, "LZO"},
    {307, "bzip2"},
    {32000, "LZF"},
    {32001, "Blosc"},
    {32004, "LZ4"},
    {32008, "bitshuffle"},
    {32013, "ZFP"},
    {32015, "Zstandard"},
    {32017, "SZ"},
    {32019, "FCIDECOMP"},
    {32022, "BitGroom"},
    {32024, "SZ3"},
    {32026, "Blosc2"},
    {32028, "SPERR"},
};

/* The first filter of the dataset that the library lacks; -1 when it has them all. */
static H5Z_filter_t missing_filter(hid_t dataset)
{
    H5Z_filter_t missing = -1;
    hid_t creation = H5Dget_create_plist(dataset);
    const int n = creation < 0 ? 0 : H5Pget_nfilters(creation);
    for (int i = 0; i < n && missing < 0; i++) {
        unsigned flags, config;
        size_t n_values = 0;
        H5Z_filter_t number = H5Pget_filter2(creation, (unsigned)i, &flags, &n_values, NULL, 0, NULL, &config);
        if (number > 0 && H5Zfilter_avail(number) <= 0)
            missing = number;
    }
    if (creation >= 0)
        H5Pclose(creation);
    return missing;
}

static kt_status fail_filter(const kt_hdf5 *file, const char *path, H5Z_filter_t number)
{
    const char *name = "no name known here";
    for (size_t i = 0; i < sizeof filters / sizeof filters[0]; i++)
        if (filters[i].number == number)
            name = filters[i].name;
    return kt_fail(
        KT_DATA,
        "%s: dataset %s is compressed by filter %d (%s), which the HDF5 library here has not: must be written "
        "anew where it can be read, by `h5repack -f GZIP=4 IN.h5 OUT.h5`, or HDF5_PLUGIN_PATH must name the "
        "folder of the filter's plugin",
        file->name, path, (int)number, name);
}

static kt_status read_view(const kt_hdf5 *file, const char *path, const view *v, hid_t type, void *data)
{
    if (v->count == 0 || H5Dread(v->dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) >= 0)
        return KT_OK;
    const kt_status status = kt_hdf5_fail(KT_DATA, file, path, "cannot read dataset");
    const H5Z_filter_t missing = missing_filter(v->dataset);
    return missing < 0 ? status : fail_filter(file, path, missing);
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
        status = read_view(file, path, &v, type == KT_BOOL ? v.type : kt_hdf5_native_type(type), out->data);
    if (status != KT_OK)
        kt_array_free(out);
    close_view(&v);
    return status;
}

kt_status kt_hdf5_read_into(kt_hdf5 *file, const char *path, kt_type type, size_t n_dims, const size_t *dims,
                            void *data)
{
    if (kt_hdf5_native_type(type) < 0)
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
        status = read_view(file, path, &v, kt_hdf5_native_type(type), data);
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
