/* Opening a file in a process of its own first. HDF5's library trusts what it finds: by a file that is damaged, or made
 * to do harm, it crashes, takes all memory, or never comes to an end. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/memory.h"
#include "edge/hdf5_file_private.h"

/* Far beyond what finding one's way in a file takes: of data only the first are read here, if they are small. */
enum { MOST_SECONDS = 20, MOST_MEMORY_MB = 512, SMALL_BYTES = 1 << 20, READ_BYTES = 64 << 20 };

/* ---- in the child ---- */

static void limit(__rlimit_resource_t resource, rlim_t most)
{
    struct rlimit now;
    if (getrlimit(resource, &now) == 0 && now.rlim_cur > most)
        setrlimit(resource, &(struct rlimit){most, now.rlim_max});
}

/* Of memory that is not shared and can be written. */
static rlim_t data_bytes(void)
{
    unsigned long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    const int n = file != NULL ? fscanf(file, "%*u %*u %*u %*u %*u %lu", &pages) : 0;
    if (file != NULL)
        fclose(file);
    return n == 1 ? (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE) : RLIM_INFINITY / 2;
}

/* It ends in silence, and with its parent. */
static void be_a_trial(void)
{
    static const int signals[] = {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL, SIGXCPU};
    const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    prctl(PR_SET_NAME, "hdf5-trial"); /* who counts ranks is not to count it */
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
        signal(signals[i], SIG_DFL);
    dup2(null, STDOUT_FILENO);
    dup2(null, STDERR_FILENO);
    limit(RLIMIT_CORE, 0);
    limit(RLIMIT_CPU, MOST_SECONDS);
    limit(RLIMIT_DATA, data_bytes() + ((rlim_t)MOST_MEMORY_MB << 20));
}

/* As numbers and as texts, whatever it is. */
static void read_anyhow(kt_hdf5 *file, const char *path, size_t n_dims)
{
    kt_array array;
    char *text = NULL, **texts = NULL;
    size_t n = 0;
    if (kt_hdf5_read(file, path, &array) == KT_OK)
        kt_array_free(&array);
    if (n_dims == 0)
        (void)kt_hdf5_read_text(file, path, &text);
    if (n_dims == 1)
        (void)kt_hdf5_read_texts(file, path, &n, &texts);
    for (size_t i = 0; i < n; i++)
        kt_memory_free(texts[i]);
    kt_memory_free(texts);
    kt_memory_free(text);
}

typedef struct looker {
    kt_hdf5 *file;
    size_t n_read; /* bytes, about */
} looker;

/* Its size is asked for where its chunks lie. */
static bool look_at(void *context, const char *path, size_t n_dims, const size_t *dims)
{
    looker *l = context;
    const hid_t dataset = H5Dopen2(l->file->id, path, H5P_DEFAULT);
    size_t n_bytes;
    if (dataset >= 0) {
        H5Dget_storage_size(dataset);
        H5Dclose(dataset);
    }
    if (kt_shape_bytes(n_dims, dims, sizeof(double), &n_bytes) && n_bytes <= SMALL_BYTES && l->n_read < READ_BYTES) {
        l->n_read += n_bytes;
        read_anyhow(l->file, path, n_dims);
    }
    return true;
}

static long most_memory_kb(void)
{
    struct rusage used;
    return getrusage(RUSAGE_SELF, &used) == 0 ? used.ru_maxrss : 0;
}

/* What cannot be listed or read is not said here, but by who wants it. */
static kt_status look_at_all(kt_hdf5_opener *opener, int fd, const char *name)
{
    kt_hdf5 *file;
    KT_TRY(opener(&file, fd, name));
    (void)kt_hdf5_visit(file, look_at, &(looker){.file = file});
    kt_hdf5_close(file);
    return KT_OK;
}

/* At its end nothing is put in order, not even by a leak checker: what files are open, and where they are read, it has
 * in common with its parent. */
static void run_trial(int answer, kt_hdf5_opener *opener, int fd, const char *name)
{
    be_a_trial();
    const long before = most_memory_kb();
    kt_error error = {.status = look_at_all(opener, fd, name)};
    if (error.status != KT_OK)
        error = *kt_error_last();
    if (most_memory_kb() - before < MOST_MEMORY_MB * 1024L / 2) /* else it only ended because there was no more */
        (void)!write(answer, &error, sizeof error);             /* a pipe has room for it */
    kill(getpid(), SIGKILL);
}

/* ---- in the parent ---- */

static bool read_answer(int answer, kt_error *error)
{
    size_t n = 0;
    ssize_t got;
    do {
        got = read(answer, (char *)error + n, sizeof *error - n);
        n += got > 0 ? (size_t)got : 0;
    } while (n < sizeof *error && (got > 0 || (got < 0 && errno == EINTR)));
    return n == sizeof *error;
}

static kt_status judge(int answer, pid_t child, const char *name)
{
    kt_error error;
    const bool answered = read_answer(answer, &error);
    while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
        ;
    if (!answered)
        return kt_fail(KT_DATA, "%s: is damaged: HDF5 %s crashes when it reads it, or comes to no end", name,
                       kt_hdf5_version());
    return error.status == KT_OK ? KT_OK : kt_fail_as(&error);
}

kt_status kt_hdf5_try(kt_hdf5_opener *opener, int fd, const char *name)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        return KT_OK;
    const pid_t child = fork();
    if (child == 0)
        run_trial(ends[1], opener, fd, name);
    close(ends[1]);
    /* Where there can be no child, there is no trial. */
    const kt_status status = child > 0 ? judge(ends[0], child, name) : KT_OK;
    close(ends[0]);
    return status;
}
