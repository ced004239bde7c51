/* LD_PRELOAD of ktrain: one of its calls to the system fails, as on a bad day. Other programs are left alone.
 *
 *   KT_FAULT_BELOW=FOLDER[:FOLDER...]  calls on what is in these folders count, those on memory files (memfd) and for
 *                                      memory from ktrain itself or from a library that it reads and writes files with
 *   KT_FAULT_LOG=PATH                  each of these calls is a line "CALL WHAT" of PATH.RANK; !CALL has failed
 *   KT_FAULT=RANK CALL N ERRNO BYTES WHAT
 *                                      the N-th CALL on WHAT (a pattern of fnmatch) fails with ERRNO. BYTES >= 0: it
 *                                      does so many bytes of its work first, and the next one fails; ERRNO 0: none does
 *
 * WHAT is the path within FOLDER, with ".tmp" for ".tmp.PID"; "memfd:NAME"; or who asks for memory, as "libhdf5". */
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <link.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#include <dlfcn.h>

void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t each);
void *__libc_realloc(void *memory, size_t n);
void *__libc_memalign(size_t alignment, size_t n);

enum { MOST_FOLDERS = 4, MOST_CALLERS = 8, WHAT_BYTES = PATH_MAX };

typedef struct caller {
    const char *name;
    uintptr_t begin, end;
} caller;

static struct {
    bool counts; /* this is ktrain, and all that follows is known */
    int log;
    char below[PATH_MAX], *folder[MOST_FOLDERS + 1];
    caller caller[MOST_CALLERS];
    size_t n_callers;
    bool here; /* something is to fail on this rank */
    char call[16], what[256];
    long n;
    int code;
    long n_bytes;
    atomic_long n_seen;
} self = {.log = -1};

/* ---- what is to fail ---- */

static int own_rank(void)
{
    const char *rank = getenv("OMPI_COMM_WORLD_RANK");
    if (rank == NULL)
        rank = getenv("PMI_RANK");
    return rank != NULL ? atoi(rank) : 0;
}

/* Who may ask for memory: ktrain, whose name here is empty, and the libraries of files. */
static int add_caller(struct dl_phdr_info *object, size_t size, void *context)
{
    static const char *const names[] = {"libhdf5", "libjansson", "libzip", "libz."};
    const char *slash = strrchr(object->dlpi_name, '/'), *name = NULL;
    (void)size, (void)context;
    if (object->dlpi_name[0] == '\0')
        name = "ktrain";
    for (size_t i = 0; i < sizeof names / sizeof names[0] && slash != NULL; i++)
        if (strncmp(slash + 1, names[i], strlen(names[i])) == 0)
            name = names[i];
    for (int i = 0; i < object->dlpi_phnum && name != NULL && self.n_callers < MOST_CALLERS; i++) {
        const ElfW(Phdr) *part = &object->dlpi_phdr[i];
        const uintptr_t begin = object->dlpi_addr + part->p_vaddr;
        if (part->p_type == PT_LOAD && (part->p_flags & PF_X))
            self.caller[self.n_callers++] = (caller){name, begin, begin + part->p_memsz};
    }
    return 0;
}

__attribute__((constructor)) static void begin(void)
{
    char path[PATH_MAX], *rest = self.below;
    const char *below = getenv("KT_FAULT_BELOW"), *log = getenv("KT_FAULT_LOG"), *order = getenv("KT_FAULT");
    int rank = -1;
    if (below == NULL || strcmp(program_invocation_short_name, "ktrain") != 0)
        return;
    snprintf(self.below, sizeof self.below, "%s", below);
    for (int i = 0; i < MOST_FOLDERS; i++)
        self.folder[i] = strsep(&rest, ":");
    dl_iterate_phdr(add_caller, NULL);
    if (log != NULL && snprintf(path, sizeof path, "%s.%d", log, own_rank()) < (int)sizeof path)
        self.log = (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (order != NULL && sscanf(order, "%d %15s %ld %d %ld %255[^\n]", &rank, self.call, &self.n, &self.code,
                                &self.n_bytes, self.what) == 6)
        self.here = rank == own_rank();
    self.counts = true;
}

static void write_log(bool failed, const char *call, const char *what)
{
    char line[WHAT_BYTES + 32];
    const int n = snprintf(line, sizeof line, "%s%s %s\n", failed ? "!" : "", call, what);
    if (self.log >= 0)
        syscall(SYS_write, self.log, line, (size_t)n);
}

/* What becomes of a call: it is made (-1), or fails with that code; *n_bytes is how many bytes it may do at most. */
static int fate(const char *call, const char *what, size_t *n_bytes)
{
    int code = -1;
    if (self.here && strcmp(call, self.call) == 0 && fnmatch(self.what, what, 0) == 0) {
        const long n = atomic_fetch_add(&self.n_seen, 1) + 1;
        const bool shortens = self.n_bytes >= 0 && n_bytes != NULL;
        if (n == self.n && shortens && (size_t)self.n_bytes < *n_bytes)
            *n_bytes = (size_t)self.n_bytes;
        if (n == self.n + shortens && self.code != 0)
            code = self.code;
        write_log(n == self.n, call, what);
        return code;
    }
    write_log(false, call, what);
    return code;
}

/* ---- what a call is about ---- */

/* Without the number of a process. */
static void strip(char *what)
{
    char *tmp = strstr(what, ".tmp.");
    if (tmp != NULL)
        tmp[strlen(".tmp")] = '\0';
}

/* False: it does not count. */
static bool name_path(const char *path, char what[WHAT_BYTES])
{
    char whole[2 * PATH_MAX], folder[PATH_MAX] = "";
    if (!self.counts || path == NULL)
        return false;
    if (path[0] != '/' && getcwd(folder, sizeof folder) == NULL)
        return false;
    snprintf(whole, sizeof whole, "%s%s%s", folder, path[0] == '/' ? "" : "/", path);
    for (char **below = self.folder; *below != NULL; below++) {
        const size_t n = strlen(*below);
        if (strncmp(whole, *below, n) != 0 || (whole[n] != '/' && whole[n] != '\0'))
            continue;
        snprintf(what, WHAT_BYTES, "%s", whole[n] == '/' ? whole + n + 1 : ".");
        strip(what);
        return true;
    }
    return false;
}

static bool name_file(int fd, char what[WHAT_BYTES])
{
    static const char memory[] = "/memfd:", gone[] = " (deleted)";
    char link[64], path[PATH_MAX];
    if (!self.counts || fd == self.log)
        return false;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    const ssize_t n = readlink(link, path, sizeof path - 1);
    if (n <= 0 || path[0] != '/') /* an event, a socket */
        return false;
    path[n] = '\0';
    if (strncmp(path, memory, strlen(memory)) != 0)
        return name_path(path, what);
    if ((size_t)n > strlen(gone) && strcmp(path + n - strlen(gone), gone) == 0)
        path[(size_t)n - strlen(gone)] = '\0';
    snprintf(what, WHAT_BYTES, "%s", path + 1);
    return true;
}

static const char *name_caller(const void *address)
{
    const uintptr_t at = (uintptr_t)address;
    for (size_t i = 0; i < self.n_callers && self.counts; i++)
        if (at >= self.caller[i].begin && at < self.caller[i].end)
            return self.caller[i].name;
    return NULL;
}

static int fate_of_path(const char *call, const char *path)
{
    char what[WHAT_BYTES];
    return name_path(path, what) ? fate(call, what, NULL) : -1;
}

static int fate_of_file(const char *call, int fd, size_t *n_bytes)
{
    char what[WHAT_BYTES];
    return name_file(fd, what) ? fate(call, what, n_bytes) : -1;
}

static bool memory_fails(const char *call, const void *address)
{
    const int before = errno;
    const char *name = name_caller(address);
    const int code = name != NULL ? fate(call, name, NULL) : -1;
    errno = code >= 0 ? code : before;
    return code >= 0;
}

static int fail(int code)
{
    errno = code;
    return -1;
}

/* ---- the calls ---- */

ssize_t write(int fd, const void *bytes, size_t n)
{
    const int code = fate_of_file("write", fd, &n);
    return code >= 0 ? fail(code) : syscall(SYS_write, fd, bytes, n);
}

ssize_t pwrite(int fd, const void *bytes, size_t n, off_t at)
{
    const int code = fate_of_file("pwrite", fd, &n);
    return code >= 0 ? fail(code) : syscall(SYS_pwrite64, fd, bytes, n, at);
}

ssize_t read(int fd, void *bytes, size_t n)
{
    const int code = fate_of_file("read", fd, &n);
    return code >= 0 ? fail(code) : syscall(SYS_read, fd, bytes, n);
}

ssize_t pread(int fd, void *bytes, size_t n, off_t at)
{
    const int code = fate_of_file("pread", fd, &n);
    return code >= 0 ? fail(code) : syscall(SYS_pread64, fd, bytes, n, at);
}

int fsync(int fd)
{
    const int code = fate_of_file("fsync", fd, NULL);
    return code >= 0 ? fail(code) : (int)syscall(SYS_fsync, fd);
}

int fdatasync(int fd)
{
    const int code = fate_of_file("fdatasync", fd, NULL);
    return code >= 0 ? fail(code) : (int)syscall(SYS_fdatasync, fd);
}

int ftruncate(int fd, off_t n)
{
    const int code = fate_of_file("ftruncate", fd, NULL);
    return code >= 0 ? fail(code) : (int)syscall(SYS_ftruncate, fd, n);
}

int posix_fallocate(int fd, off_t at, off_t n)
{
    const int before = errno, code = fate_of_file("posix_fallocate", fd, NULL);
    if (code >= 0)
        return code;
    const int done = syscall(SYS_fallocate, fd, 0, at, n) == 0 ? 0 : errno;
    errno = before;
    return done;
}

/* The file is closed also when this is said to have failed. */
int close(int fd)
{
    const int code = fate_of_file("close", fd, NULL);
    const int done = (int)syscall(SYS_close, fd);
    return code >= 0 ? fail(code) : done;
}

int rename(const char *from, const char *to)
{
    const int code = fate_of_path("rename", to);
    return code >= 0 ? fail(code) : (int)syscall(SYS_renameat, AT_FDCWD, from, AT_FDCWD, to);
}

int unlink(const char *path)
{
    const int code = fate_of_path("unlink", path);
    return code >= 0 ? fail(code) : (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0);
}

int mkdir(const char *path, mode_t mode)
{
    const int code = fate_of_path("mkdir", path);
    return code >= 0 ? fail(code) : (int)syscall(SYS_mkdirat, AT_FDCWD, path, mode);
}

int memfd_create(const char *name, unsigned flags)
{
    char what[WHAT_BYTES];
    snprintf(what, sizeof what, "memfd:%s", name);
    const int code = self.counts ? fate("memfd_create", what, NULL) : -1;
    return code >= 0 ? fail(code) : (int)syscall(SYS_memfd_create, name, flags);
}

int open(const char *path, int flags, ...)
{
    va_list rest;
    va_start(rest, flags);
    const mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    const int code = fate_of_path("open", path);
    return code >= 0 ? fail(code) : (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

void *mmap(void *address, size_t n, int protection, int flags, int fd, off_t at)
{
    const char *name = fd < 0 ? name_caller(__builtin_return_address(0)) : NULL;
    int code = fd >= 0 ? fate_of_file("mmap", fd, NULL) : -1;
    if (name != NULL)
        code = fate("mmap", name, NULL);
    if (code >= 0)
        errno = code;
    return code >= 0 ? MAP_FAILED : (void *)syscall(SYS_mmap, address, n, protection, flags, fd, at);
}

/* ---- streams: what the C library does for them goes past the calls above ---- */

/* *function becomes the C library's own; memcpy, since ISO C converts no pointer to an object to one to a function. */
static void find_next(const char *name, void *function)
{
    void *found = dlsym(RTLD_NEXT, name);
    memcpy(function, &found, sizeof found);
}

FILE *fopen(const char *path, const char *mode)
{
    FILE *(*real)(const char *, const char *);
    find_next("fopen", &real);
    const int code = fate_of_path("fopen", path);
    if (code >= 0)
        errno = code;
    return code >= 0 ? NULL : real(path, mode);
}

/* What it had to write is lost. */
int fflush(FILE *stream)
{
    int (*real)(FILE *);
    find_next("fflush", &real);
    const int code = stream != NULL ? fate_of_file("fflush", fileno(stream), NULL) : -1;
    if (code < 0)
        return real(stream);
    __fpurge(stream);
    return fail(code);
}

int fclose(FILE *stream)
{
    int (*real)(FILE *);
    find_next("fclose", &real);
    const int code = fate_of_file("fclose", fileno(stream), NULL);
    if (code >= 0)
        __fpurge(stream);
    const int done = real(stream);
    return code >= 0 ? fail(code) : done;
}

/* ---- memory ---- */

void *malloc(size_t n)
{
    return memory_fails("malloc", __builtin_return_address(0)) ? NULL : __libc_malloc(n);
}

void *calloc(size_t n, size_t each)
{
    return memory_fails("malloc", __builtin_return_address(0)) ? NULL : __libc_calloc(n, each);
}

void *realloc(void *memory, size_t n)
{
    return memory_fails("malloc", __builtin_return_address(0)) ? NULL : __libc_realloc(memory, n);
}

void *aligned_alloc(size_t alignment, size_t n)
{
    return memory_fails("malloc", __builtin_return_address(0)) ? NULL : __libc_memalign(alignment, n);
}
