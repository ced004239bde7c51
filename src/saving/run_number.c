/* Sixteen digits and a newline. */
#include "saving/run_number.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/file.h"

enum { LINE_BYTES = 17 };

static uint64_t read_number(int fd)
{
    char line[LINE_BYTES + 1] = "";
    uint64_t number = 0;
    if (pread(fd, line, LINE_BYTES, 0) != LINE_BYTES || line[LINE_BYTES - 1] != '\n' ||
        strspn(line, "0123456789abcdef") != LINE_BYTES - 1 || sscanf(line, "%16" SCNx64, &number) != 1)
        return 0;
    return number;
}

kt_status kt_run_number_take(int lock, uint64_t *number)
{
    char line[LINE_BYTES + 1];
    *number = read_number(lock);
    if (*number != 0)
        return KT_OK;
    while (*number == 0)
        if (getrandom(number, sizeof *number, 0) != sizeof *number && errno != EINTR)
            return kt_fail(KT_IO, "the system gives no random number: %s", strerror(errno));
    snprintf(line, sizeof line, "%016" PRIx64 "\n", *number);
    return ftruncate(lock, 0) == 0 && pwrite(lock, line, LINE_BYTES, 0) == LINE_BYTES
               ? KT_OK
               : kt_fail(KT_IO, ".lock cannot be written: %s", strerror(errno));
}

uint64_t kt_run_number_read(const char *dir)
{
    char path[KT_PATH_BYTES];
    if (kt_file_path(path, "%s/.lock", dir) != KT_OK)
        return 0;
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    const uint64_t number = fd >= 0 ? read_number(fd) : 0;
    if (fd >= 0)
        close(fd);
    return number;
}
