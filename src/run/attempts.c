/* A table whose last row has fixed widths, and so is written over in place. */
#include "run/attempts.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/timer.h"

static const char head[] = "started,last_seen,from_step,reached_step,ranks,host,session\n";
static const double PAUSE_SECONDS = 1;
enum { ROW_BYTES = 512 };

typedef struct row {
    double started, last_seen;
    int64_t from_step, reached_step, ranks;
    char host[KT_HOST_BYTES];
    int64_t session;
} row;

struct kt_attempts {
    int fd;
    off_t at; /* of this start's row */
    row own;
    double told_seconds; /* when, by kt_timer_seconds */
};

static double now_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* ktrun tells when it has started the ranks, which is before they know of themselves. */
static double told_by_ktrun(const char *variable, double otherwise)
{
    const char *text = getenv(variable);
    char *end;
    const double value = text != NULL ? strtod(text, &end) : 0;
    return text != NULL && *text != '\0' && *end == '\0' && value > 0 ? value : otherwise;
}

/* Numbers that a start can have written: sums of millions of them stay in range. */
static bool is_plausible(const row *r)
{
    static const int64_t most = INT64_C(1) << 40;
    return r->started >= 0 && r->started <= (double)most && r->last_seen >= 0 && r->last_seen <= (double)most &&
           r->from_step >= 0 && r->from_step <= most && r->reached_step >= 0 && r->reached_step <= most;
}

static bool read_row(const char *line, row *r)
{
    memset(r, 0, sizeof *r);
    return sscanf(line, "%lf,%lf,%" SCNd64 ",%" SCNd64 ",%" SCNd64 ",%255[^,],%" SCNd64, &r->started, &r->last_seen,
                  &r->from_step, &r->reached_step, &r->ranks, r->host, &r->session) == 7 &&
           is_plausible(r);
}

/* One start after another. */
static void add(kt_attempts_sum *sum, const row *before, const row *r)
{
    if (sum->n > 0 && before->reached_step > r->from_step)
        sum->lost_steps += before->reached_step - r->from_step;
    if (sum->n > 0 && r->session != 0 && r->session == before->session && r->started > before->last_seen)
        sum->wall_seconds += r->started - before->last_seen;
    sum->wall_seconds += r->last_seen - r->started;
    sum->n++;
}

typedef struct table {
    kt_attempts_sum sum;
    row last;
    off_t last_at, end; /* where rows end: one that was cut is written over */
} table;

static table read_table(const char *path)
{
    unsigned char *text;
    size_t n_bytes;
    table all = {0};
    row r;
    if (kt_file_read(path, &text, &n_bytes) != KT_OK)
        return all;
    const char *first = (const char *)text, *line = first, *behind;
    if (strncmp(line, head, strlen(head)) == 0)
        for (line += strlen(head); (behind = strchr(line, '\n')) != NULL && read_row(line, &r); line = behind + 1) {
            add(&all.sum, &all.last, &r);
            all.last = r;
            all.last_at = (off_t)(line - first);
        }
    all.end = (off_t)(line - first);
    kt_memory_free(text);
    return all;
}

kt_attempts_sum kt_attempts_read(const char *path)
{
    return read_table(path).sum;
}

/* Bytes of the row; 0: it was not written. */
static off_t write_row(int fd, off_t at, const row *r)
{
    char text[ROW_BYTES];
    const int n = snprintf(text, sizeof text, "%.3f,%.3f,%" PRId64 ",%012" PRId64 ",%" PRId64 ",%s,%" PRId64 "\n",
                           r->started, r->last_seen, r->from_step, r->reached_step, r->ranks, r->host, r->session);
    return pwrite(fd, text, (size_t)n, at) == n ? n : 0;
}

/* The last row tells how far its start had come; what follows is new. */
static bool begin_row(kt_attempts *a, table *all, int64_t before)
{
    if (ftruncate(a->fd, all->end) != 0)
        return false;
    if (all->end == 0)
        all->end = pwrite(a->fd, head, strlen(head), 0);
    else if (all->sum.n > 0 && before > all->last.reached_step) {
        all->last.reached_step = before;
        all->end = all->last_at + write_row(a->fd, all->last_at, &all->last);
    }
    a->at = all->end;
    return a->at > 0 && write_row(a->fd, a->at, &a->own) > 0;
}

kt_status kt_attempts_open(const char *path, const kt_attempt *attempt, kt_attempts **out)
{
    kt_attempts *a;
    *out = NULL;
    KT_TRY(KT_NEW(a, 1));
    const double now = now_seconds();
    a->own = (row){.started = told_by_ktrun("KTRUN_STARTED", now),
                   .last_seen = now,
                   .from_step = attempt->from_step,
                   .reached_step = attempt->from_step,
                   .ranks = attempt->ranks,
                   .session = (int64_t)told_by_ktrun("KTRUN_SESSION", 0)};
    snprintf(a->own.host, sizeof a->own.host, "%s", attempt->host);
    table all = read_table(path);
    a->fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    if (a->fd >= 0 && begin_row(a, &all, attempt->before)) {
        *out = a;
        return KT_OK;
    }
    const kt_status status = kt_fail(KT_IO, "%s: cannot be written: %s", path, strerror(errno));
    if (a->fd >= 0)
        close(a->fd);
    kt_memory_free(a);
    return status;
}

void kt_attempts_tell(kt_attempts *a, int64_t step)
{
    const double now = a != NULL ? kt_timer_seconds() : 0;
    if (a == NULL || now < a->told_seconds + PAUSE_SECONDS)
        return;
    a->told_seconds = now;
    a->own.last_seen = now_seconds();
    a->own.reached_step = step;
    (void)write_row(a->fd, a->at, &a->own);
}

void kt_attempts_close(kt_attempts *a, int64_t step)
{
    if (a == NULL)
        return;
    a->told_seconds = -PAUSE_SECONDS;
    kt_attempts_tell(a, step);
    close(a->fd);
    kt_memory_free(a);
}
