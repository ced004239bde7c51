/* HDF5's way to bytes, for a file that is known by an open descriptor and not by a name: HDF5's own drivers want a path
 * that leads there, which a file in memory has not, and one that was renamed meanwhile no more. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "edge/hdf5_file_private.h"

typedef struct descriptor_file {
    H5FD_t hdf5; /* the library's own, first */
    int fd;      /* owned */
    int *code;   /* borrowed: where the first error goes, errno */
    haddr_t end; /* of what was given out */
} descriptor_file;

/* What an access list carries. */
typedef struct place {
    int fd;
    int *code;
} place;

static H5FD_t *open_file(const char *name, unsigned flags, hid_t access, haddr_t most)
{
    const place *from = H5Pget_driver_info(access);
    descriptor_file *file = from != NULL ? kt_memory_new(1, sizeof *file) : NULL;
    (void)name, (void)flags, (void)most;
    if (file == NULL)
        return NULL;
    file->code = from->code;
    file->fd = fcntl(from->fd, F_DUPFD_CLOEXEC, 0);
    if (file->fd >= 0)
        return &file->hdf5;
    kt_memory_free(file);
    return NULL;
}

/* A copy of the descriptor: nothing is lost with it, whatever close says. */
static herr_t close_file(H5FD_t *f)
{
    descriptor_file *file = (descriptor_file *)f;
    close(file->fd);
    kt_memory_free(file);
    return 0;
}

/* Each open is a file of its own. */
static int compare(const H5FD_t *a, const H5FD_t *b)
{
    return ((const descriptor_file *)a)->fd - ((const descriptor_file *)b)->fd;
}

static herr_t query(const H5FD_t *f, unsigned long *flags)
{
    (void)f;
    *flags = H5FD_FEAT_AGGREGATE_METADATA | H5FD_FEAT_ACCUMULATE_METADATA | H5FD_FEAT_DATA_SIEVE |
             H5FD_FEAT_AGGREGATE_SMALLDATA;
    return 0;
}

static haddr_t get_end(const H5FD_t *f, H5FD_mem_t type)
{
    (void)type;
    return ((const descriptor_file *)f)->end;
}

static herr_t set_end(H5FD_t *f, H5FD_mem_t type, haddr_t end)
{
    (void)type;
    ((descriptor_file *)f)->end = end;
    return 0;
}

static haddr_t get_length(const H5FD_t *f, H5FD_mem_t type)
{
    struct stat info;
    (void)type;
    return fstat(((const descriptor_file *)f)->fd, &info) == 0 ? (haddr_t)info.st_size : HADDR_UNDEF;
}

/* Behind the end there are zeros. */
static herr_t read_bytes(H5FD_t *f, H5FD_mem_t type, hid_t transfer, haddr_t at, size_t n_bytes, void *bytes)
{
    (void)type, (void)transfer;
    for (size_t done = 0; done < n_bytes;) {
        const ssize_t got = pread(((descriptor_file *)f)->fd, (char *)bytes + done, n_bytes - done, (off_t)(at + done));
        if (got < 0)
            return -1;
        if (got == 0) {
            memset((char *)bytes + done, 0, n_bytes - done);
            return 0;
        }
        done += (size_t)got;
    }
    return 0;
}

/* HDF5 1.10 cannot close a file that it could not write, and ends the process at its end: the error is kept for
 * whoever asks (kt_hdf5_stream). */
static void keep_error(const descriptor_file *file)
{
    if (*file->code == 0)
        *file->code = errno != 0 ? errno : EIO;
}

static herr_t write_bytes(H5FD_t *f, H5FD_mem_t type, hid_t transfer, haddr_t at, size_t n_bytes, const void *bytes)
{
    (void)type, (void)transfer;
    for (size_t done = 0; done < n_bytes;) {
        const ssize_t wrote =
            pwrite(((descriptor_file *)f)->fd, (const char *)bytes + done, n_bytes - done, (off_t)(at + done));
        if (wrote <= 0) {
            keep_error((descriptor_file *)f);
            return 0;
        }
        done += (size_t)wrote;
    }
    return 0;
}

static herr_t cut(H5FD_t *f, hid_t transfer, hbool_t closing)
{
    const descriptor_file *file = (const descriptor_file *)f;
    (void)transfer, (void)closing;
    const haddr_t length = get_length(f, H5FD_MEM_DEFAULT);
    if (length != file->end && ftruncate(file->fd, (off_t)file->end) != 0)
        keep_error(file);
    return 0;
}

static const H5FD_class_t driver = {
#ifdef H5FD_CLASS_VERSION
    .version = H5FD_CLASS_VERSION,
    .value = 511, /* of those that are for anybody */
#endif
    .name = "descriptor",
    .maxaddr = (haddr_t)1 << 62,
    .fc_degree = H5F_CLOSE_WEAK,
    .fapl_size = sizeof(place),
    .open = open_file,
    .close = close_file,
    .cmp = compare,
    .query = query,
    .get_eoa = get_end,
    .set_eoa = set_end,
    .get_eof = get_length,
    .read = read_bytes,
    .write = write_bytes,
    .truncate = cut,
    .fl_map = H5FD_FLMAP_DICHOTOMY,
};

static hid_t registered = -1;

static void register_driver(void)
{
    registered = H5FDregister(&driver);
}

/* NOLINTNEXTLINE(readability-non-const-parameter): the driver writes *code */
void kt_hdf5_use_descriptor(hid_t access, int fd, int *code)
{
    const place from = {fd, code};
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, register_driver);
    H5Pset_driver(access, registered, &from);
}
