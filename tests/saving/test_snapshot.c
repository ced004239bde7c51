/* Snapshots in memory: what is whole comes back, and every damage is seen. Local; killed programs are
 * tests/e2e/e2e_snapshot.py. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "saving/run_number.h"
#include "saving/run_view.h"
#include "saving/snapshot.h"

const char *const kt_test_suite = "snapshot";

enum { RUN = 0x1234, JOB = 77 };

static kt_snapshot_shape shape_of(const fixture *f)
{
    return (kt_snapshot_shape){1, f->n, f->n_state};
}

static kt_snapshots *open_all(const fixture *f)
{
    kt_snapshots *s = NULL;
    const kt_snapshot_shape shape = shape_of(f);
    const kt_snapshot_owner owner = {kt_test_scratch("memory"), kt_test_scratch("run"), RUN, JOB};
    KT_CHECK_STATUS(KT_OK, kt_file_make_directory(owner.folder));
    KT_CHECK_STATUS(KT_OK, kt_file_make_directory(owner.run_dir));
    KT_CHECK_STATUS(KT_OK, kt_snapshots_create(&s, &owner, &shape));
    return s;
}

/* Two seats' panels, the best weights, and the rest. */
static void take(kt_snapshots *s, fixture *f, int which, int best)
{
    const kt_model_vectors kept = kt_snapshots_best(s, best);
    memcpy(kept.parameters, f->view.best.parameters, f->n * sizeof(float));
    memcpy(kept.state, f->view.best.state, f->n_state * sizeof(float));
    kt_snapshots_seal_best(s, best, f->state.stopping.best_epoch);
    kt_snapshots_put(s, which, f->network, (kt_seat){0, 2}, f->state.progress.step);
    kt_snapshots_put(s, which, f->network, (kt_seat){1, 2}, f->state.progress.step);
    KT_CHECK_STATUS(KT_OK, kt_snapshots_seal(s, which, 2, &f->state, &f->history, best));
}

static void the_newest_comes_back(void)
{
    fixture f;
    kt_run_state state;
    kt_history history = {0};
    int best = -1;
    set_up(&f);
    fill(&f);
    kt_snapshots *s = open_all(&f);
    CU_ASSERT(kt_snapshots_newest(s, f.network, 0, &best) == -1);
    take(s, &f, 0, 1);
    f.state.progress.step += 10;
    take(s, &f, 1, 0);
    CU_ASSERT(kt_snapshots_told(s) == 0 && kt_snapshots_told(NULL) == 0);
    kt_snapshots_tell(s, f.state.progress.step + 5);
    kt_snapshots_close(s, false); /* as its processes end */
    s = open_all(&f);
    CU_ASSERT(kt_snapshots_told(s) == f.state.progress.step + 5);
    CU_ASSERT(kt_snapshots_newest(s, f.network, 0, &best) == 1 && best == 0);
    CU_ASSERT(kt_snapshots_newest(s, f.network, f.state.progress.step, &best) == -1);
    KT_CHECK_STATUS(KT_OK, kt_snapshots_read(s, 1, &state, &history));
    CU_ASSERT(memcmp(&state, &f.state, sizeof state) == 0 && history.n == 3);
    const size_t n = f.n * sizeof(float);
    CU_ASSERT(memcmp(kt_snapshots_vector(s, 1, 0), kt_network_parameters(f.network)->vector[0], n) == 0);
    CU_ASSERT(memcmp(kt_snapshots_best(s, best).parameters, f.view.best.parameters, n) == 0);
    CU_ASSERT(kt_snapshots_peek(kt_test_scratch("memory"), RUN) == f.state.progress.step);
    kt_snapshots_close(s, true);
    CU_ASSERT(kt_snapshots_peek(kt_test_scratch("memory"), RUN) == -1);
    kt_history_free(&history);
    tear_down(&f);
}

/* A bit of every byte of the newest snapshot, one after the other: the one before is taken. */
static void every_flipped_byte_is_seen(void)
{
    fixture f;
    int best = -1;
    size_t n_missed = 0, n_bytes = 0;
    char path[KT_PATH_BYTES];
    struct stat info;
    set_up(&f);
    fill(&f);
    kt_snapshots *s = open_all(&f);
    take(s, &f, 0, 0);
    f.state.progress.step++;
    take(s, &f, 1, 0);
    KT_CHECK_STATUS(KT_OK, kt_file_path(path, "%s/1", kt_snapshots_path(s)));
    const int fd = open(path, O_RDWR);
    CU_ASSERT(fstat(fd, &info) == 0);
    for (off_t at = 0; at < info.st_size; at += at < 4096 ? 1 : 3, n_bytes++) {
        unsigned char byte, flipped;
        CU_ASSERT(pread(fd, &byte, 1, at) == 1);
        flipped = byte ^ (unsigned char)(1U << at % 8);
        CU_ASSERT(pwrite(fd, &flipped, 1, at) == 1);
        n_missed += kt_snapshots_newest(s, f.network, 0, &best) != 0;
        CU_ASSERT(pwrite(fd, &byte, 1, at) == 1);
    }
    CU_ASSERT(n_missed == 0 && n_bytes > 4096);
    CU_ASSERT(kt_snapshots_newest(s, f.network, 0, &best) == 1);
    CU_ASSERT(ftruncate(fd, info.st_size - 1) == 0 && kt_snapshots_newest(s, f.network, 0, &best) == 0);
    close(fd);
    kt_snapshots_close(s, true);
    tear_down(&f);
}

static void half_of_one_is_none(void)
{
    fixture f;
    int best = -1;
    set_up(&f);
    fill(&f);
    kt_snapshots *s = open_all(&f);
    take(s, &f, 0, 0);
    f.state.progress.step++;
    take(s, &f, 1, 0);
    kt_snapshots_put(s, 1, f.network, (kt_seat){1, 2}, f.state.progress.step + 1); /* and then all die */
    CU_ASSERT(kt_snapshots_newest(s, f.network, 0, &best) == 0);
    f.state.stopping.best_epoch = 3; /* other best weights are written where the newest has its own */
    kt_snapshots_seal_best(s, 0, 3);
    CU_ASSERT(kt_snapshots_newest(s, f.network, 0, &best) == -1);
    kt_snapshots_close(s, true);
    tear_down(&f);
}

static void other_jobs_and_lost_runs_leave_nothing(void)
{
    fixture f;
    int best;
    kt_snapshots *other = NULL;
    set_up(&f);
    fill(&f);
    kt_snapshots *s = open_all(&f);
    const kt_snapshot_shape shape = shape_of(&f);
    take(s, &f, 0, 0);
    kt_snapshots_close(s, false);
    const kt_snapshot_owner owner = {kt_test_scratch("memory"), kt_test_scratch("run"), RUN, JOB + 1};
    KT_CHECK_STATUS(KT_OK, kt_snapshots_create(&s, &owner, &shape));
    CU_ASSERT(kt_snapshots_newest(s, f.network, 0, &best) == -1);
    kt_snapshots_close(s, false);
    /* Its run directory has no such number: it is an orphan for the next run. */
    const kt_snapshot_owner next = {kt_test_scratch("memory"), kt_test_scratch("run"), RUN + 1, JOB};
    KT_CHECK_STATUS(KT_OK, kt_snapshots_create(&other, &next, &shape));
    CU_ASSERT(kt_snapshots_peek(kt_test_scratch("memory"), RUN) == -1);
    CU_ASSERT(kt_snapshots_create(&s, &next, &shape) != KT_OK && s == NULL); /* in use */
    KT_CHECK_MESSAGE("in use");
    kt_snapshots_close(other, true);
    tear_down(&f);
}

static void a_directory_has_one_number(void)
{
    uint64_t first = 0, again = 0;
    char path[KT_PATH_BYTES];
    KT_CHECK_STATUS(KT_OK, kt_file_make_directory(kt_test_scratch("numbered")));
    KT_CHECK_STATUS(KT_OK, kt_file_path(path, "%s/.lock", kt_test_scratch("numbered")));
    CU_ASSERT(kt_run_number_read(kt_test_scratch("numbered")) == 0);
    const int fd = open(path, O_RDWR | O_CREAT, 0600);
    KT_CHECK_STATUS(KT_OK, kt_run_number_take(fd, &first));
    KT_CHECK_STATUS(KT_OK, kt_run_number_take(fd, &again));
    close(fd);
    CU_ASSERT(first != 0 && first == again && kt_run_number_read(kt_test_scratch("numbered")) == first);
}

const kt_test kt_tests[] = {
    {"the newest snapshot comes back, with counters, history and best weights", the_newest_comes_back},
    {"a flipped bit in any byte is seen, and the snapshot before it is taken", every_flipped_byte_is_seen},
    {"a snapshot that one seat has not signed, or whose best weights are gone, is none", half_of_one_is_none},
    {"snapshots of another job count for nothing; those of lost runs are removed",
     other_jobs_and_lost_runs_leave_nothing},
    {"a run directory has one number for ever", a_directory_has_one_number},
    {NULL, NULL},
};
