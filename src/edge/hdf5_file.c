/* Opening HDF5 files, and building one in memory. */
#include "edge/hdf5_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "edge/hdf5_file_private.h"

/* ---- what HDF5 said ---- */

typedef struct reason {
    char text[SHORT_TEXT_BYTES];
    bool no_memory;
} reason;

static herr_t take_description(unsigned n, const H5E_error2_t *error, void *context)
{
    reason *r = context;
    (void)n;
    snprintf(r->text, sizeof r->text, "%s", error->desc != NULL ? error->desc : "no reason given");
    r->no_memory = error->min_num == H5E_NOSPACE || error->min_num == H5E_CANTALLOC;
    return 1; /* the innermost is enough */
}

/* Any call of HDF5 that succeeds forgets the reason of the one that failed: this comes before all others. */
static reason take_reason(void)
{
    reason r = {"no reason given", false};
    H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, take_description, &r);
    return r;
}

kt_status kt_hdf5_fail(kt_status code, const kt_hdf5 *file, const char *path, const char *what)
{
    const reason r = take_reason();
    return kt_fail(r.no_memory ? KT_NO_MEMORY : code, "%s: %s%s%s (HDF5: %s)", file->name, what,
                   path[0] != '\0' ? " " : "", path, r.text);
}

/* ---- open and close ---- */

/* Why a file on disk does not open, by a part of HDF5's reason, and the way out. */
static const struct {
    const char *reason, *words;
} refusals[] = {
    {"unable to lock file", "is being written by another program: it can be read when that has closed it"},
    {"already open for write",
     "was not closed by the program that wrote it: must be written anew, or, when it is known "
     "to be whole, be marked as closed by `h5clear -s FILE`"},
    {"truncated file", "is not whole: must be copied or written anew"},
    {"", "is not a readable HDF5 file"},
};

static kt_status fail_open(const kt_hdf5 *file)
{
    const reason r = take_reason();
    size_t i = 0;
    while (strstr(r.text, refusals[i].reason) == NULL)
        i++;
    if (r.no_memory)
        return kt_fail(KT_NO_MEMORY, "%s: no memory to open it (HDF5: %s)", file->name, r.text);
    return kt_fail(KT_DATA, "%s: %s (HDF5: %s)", file->name, refusals[i].words, r.text);
}

void kt_hdf5_is_ours(void)
{
    H5dont_atexit();
}

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
    file->fd = -1;
    file->name = kt_memory_string(name);
    if (file->name == NULL) {
        kt_memory_free(file);
        return KT_NO_MEMORY;
    }
    *out = file;
    return KT_OK;
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

/* HDF5's own files in memory take room for what is not written yet; one of the system's has holes. */
kt_status kt_hdf5_create(kt_hdf5 **out)
{
    KT_TRY(new_file(out, "new HDF5 file"));
    kt_hdf5 *file = *out;
    file->fd = memfd_create("ktrain-hdf5", MFD_CLOEXEC);
    if (file->fd < 0)
        return give(out, file, kt_fail(KT_NO_MEMORY, "no file in memory: %s", strerror(errno)));
    hid_t access = new_access();
    kt_hdf5_use_descriptor(access, file->fd, &file->code);
    file->id = H5Fcreate(file->name, H5F_ACC_TRUNC, H5P_DEFAULT, access);
    kt_status status = file->id >= 0 ? KT_OK : kt_hdf5_fail(KT_NO_MEMORY, file, "", "cannot be created");
    H5Pclose(access);
    return give(out, file, status);
}

static kt_status open_descriptor(kt_hdf5 **out, int fd, const char *name)
{
    KT_TRY(new_file(out, name));
    kt_hdf5 *file = *out;
    hid_t access = new_access();
    kt_hdf5_use_descriptor(access, fd, &file->code);
    file->id = H5Fopen(file->name, H5F_ACC_RDONLY, access);
    kt_status status = file->id >= 0 ? KT_OK : fail_open(file);
    H5Pclose(access);
    if (status == KT_OK)
        H5Fget_filesize(file->id, &file->n_bytes);
    return give(out, file, status);
}

kt_status kt_hdf5_open_descriptor(kt_hdf5 **out, int fd, const char *name)
{
    *out = NULL;
    KT_TRY(kt_hdf5_try(open_descriptor, fd, name));
    return open_descriptor(out, fd, name);
}

/* Some file systems of clusters have no locks: a file there is read without. One that is locked has them. */
static bool has_locks(const char *path)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    const bool has = fd < 0 || flock(fd, LOCK_SH | LOCK_NB) == 0 || errno == EWOULDBLOCK;
    if (fd >= 0)
        close(fd);
    return has;
}

static kt_status open_path(kt_hdf5 **out, int fd, const char *path)
{
    (void)fd;
    KT_TRY(new_file(out, path));
    kt_hdf5 *file = *out;
    if (access(path, R_OK) != 0)
        return give(out, file, kt_fail(KT_NO_INPUT, "%s: no such file, or it cannot be read", path));
    hid_t access_list = new_access();
    H5Pset_fclose_degree(access_list, H5F_CLOSE_WEAK); /* else an external link back into this file does not open it */
    /* HDF5_USE_FILE_LOCKING, the user's word, comes before this. */
    H5Pset_file_locking(access_list, has_locks(path), true);
    file->id = H5Fopen(path, H5F_ACC_RDONLY, access_list);
    kt_status status = file->id >= 0 ? KT_OK : fail_open(file);
    H5Pclose(access_list);
    if (status == KT_OK)
        H5Fget_filesize(file->id, &file->n_bytes);
    return give(out, file, status);
}

kt_status kt_hdf5_open(kt_hdf5 **out, const char *path)
{
    *out = NULL;
    KT_TRY(kt_hdf5_try(open_path, -1, path));
    return open_path(out, -1, path);
}

void kt_hdf5_close(kt_hdf5 *file)
{
    if (file == NULL)
        return;
    if (file->id >= 0)
        H5Fclose(file->id);
    if (file->fd >= 0)
        close(file->fd);
    kt_memory_free(file->later);
    kt_memory_free(file->name);
    kt_memory_free(file);
}

/* ---- types ---- */

/* The memory type of a kt_type. Not constants: HDF5's are looked up at run time. -1 for types that are not written. */
hid_t kt_hdf5_native_type(kt_type type)
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

/* ---- writing ---- */

kt_status kt_hdf5_write_dataset(kt_hdf5 *file, const char *path, hid_t type, size_t n_dims, const size_t *dims,
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
    if (data == NULL) {
        H5Pset_alloc_time(creation, H5D_ALLOC_TIME_EARLY);
        H5Pset_fill_time(creation, H5D_FILL_TIME_NEVER);
    }
    hid_t space = n_dims == 0 ? H5Screate(H5S_SCALAR) : H5Screate_simple((int)n_dims, shape, NULL);
    hid_t dataset = H5Dcreate2(file->id, path, type, space, links, creation, H5P_DEFAULT);
    herr_t written = dataset < 0             ? -1
                     : empty || data == NULL ? 0
                                             : H5Dwrite(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data);
    kt_status status = written >= 0 ? KT_OK : kt_hdf5_fail(KT_INTERNAL, file, path, "cannot write dataset");
    if (dataset >= 0 && H5Dclose(dataset) < 0 && status == KT_OK)
        status = kt_hdf5_fail(KT_INTERNAL, file, path, "cannot close dataset");
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
    return kt_hdf5_write_dataset(file, path, kt_hdf5_native_type(type), n_dims, dims, data);
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
    kt_status status = kt_hdf5_write_dataset(file, path, type, n_dims, &n, padded);
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

const char *kt_hdf5_version(void)
{
    static char text[32];
    unsigned major = 0, minor = 0, release = 0;
    H5get_libversion(&major, &minor, &release);
    snprintf(text, sizeof text, "%u.%u.%u", major, minor, release);
    return text;
}
