/* One byte flipped, or the end missing, anywhere in what a run saves: it is seen, and what was saved before is used.
 * KT_MUTANTS: so many of each file. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "fuzz/mutate.h"
#include "run/verify.h"
#include "saving/run_view.h"
#include "saving/snapshot.h"

const char *const kt_test_suite = "mutants";

enum { MUTANTS = 60, RUN = 0x1234, JOB = 77 };

static size_t n_mutants(void)
{
    const char *text = getenv("KT_MUTANTS");
    return text != NULL ? (size_t)strtoul(text, NULL, 10) : MUTANTS;
}

/* A file in its good state, and one byte of it flipped or its end cut off: every fourth. Offsets are drawn, so that a
 * file of any length is covered evenly. */
typedef struct patient {
    char path[KT_PATH_BYTES];
    unsigned char *bytes; /* owned */
    size_t n;
    uint64_t random;
} patient;

static void examine(patient *p, const char *path)
{
    kt_file_path(p->path, "%s", path);
    KT_CHECK_STATUS(KT_OK, kt_file_read(path, &p->bytes, &p->n));
    p->random = 1;
}

static void write_at(const patient *p, size_t at, unsigned char byte)
{
    const int fd = open(p->path, O_WRONLY | O_CLOEXEC);
    CU_ASSERT(fd >= 0 && pwrite(fd, &byte, 1, (off_t)at) == 1);
    close(fd);
}

static void cut(const patient *p, size_t at)
{
    CU_ASSERT(truncate(p->path, (off_t)at) == 0);
}

static void restore(const patient *p)
{
    const int fd = open(p->path, O_WRONLY | O_CLOEXEC);
    CU_ASSERT(fd >= 0 && kt_file_write(fd, p->bytes, p->n) == p->n && ftruncate(fd, (off_t)p->n) == 0);
    close(fd);
}

/* A cut of zeros is none where a file is made as long as it must be when it is opened. */
static bool is_whole_again(const patient *p)
{
    unsigned char *bytes;
    size_t n;
    KT_CHECK_STATUS(KT_OK, kt_file_read(p->path, &bytes, &n));
    const bool same = n == p->n && memcmp(bytes, p->bytes, n) == 0;
    kt_memory_free(bytes);
    return same;
}

/* How many of so many mutants `sees` misses. */
static size_t count_missed(patient *p, const char *name, bool (*sees)(void *context), void *context)
{
    const size_t n = n_mutants();
    size_t n_missed = 0;
    for (size_t i = 0; i < n; i++) {
        const size_t at = draw(&p->random, p->n);
        if (i % 4 == 0)
            cut(p, at);
        else
            write_at(p, at, (unsigned char)(p->bytes[at] ^ (1 + draw(&p->random, 255))));
        n_missed += !sees(context) && !is_whole_again(p);
        restore(p);
    }
    printf("\n    %-22s %zu mutants of %zu bytes, %zu missed", name, n, p->n, n_missed);
    kt_memory_free(p->bytes);
    return n_missed;
}

/* ---- checkpoints ---- */

enum { STEP = 25, EARLIER = 20 };

static bool verify_sees(void *context)
{
    kt_verified found;
    return kt_verify_run(context, NULL, &found) == KT_OK && found.n_bad == 1 && found.newest_step == EARLIER;
}

/* The model's weights are no checkpoint: both of these are good then. */
static bool verify_sees_model(void *context)
{
    kt_verified found;
    return kt_verify_run(context, NULL, &found) == KT_OK && found.n_bad == 1 && found.newest_step == STEP;
}

static const char *save(fixture *f, const char *name, int64_t step,
                        kt_status (*write)(const char *path, const kt_run_view *view))
{
    static char path[KT_PATH_BYTES];
    f->state.progress.step = step;
    kt_file_path(path, "%s/%s", kt_test_scratch("run"), name);
    KT_CHECK_STATUS(KT_OK, write(path, &f->view));
    return path;
}

static void every_mutant_of_a_checkpoint_is_seen(void)
{
    fixture f;
    patient p;
    char dir[KT_PATH_BYTES];
    kt_verified found;
    set_up(&f);
    fill(&f);
    kt_file_path(dir, "%s", kt_test_scratch("run"));
    KT_CHECK_STATUS(KT_OK, kt_file_make_directory(kt_test_scratch("run/checkpoints")));
    save(&f, "checkpoints/step-20.h5", EARLIER, kt_checkpoint_write);
    save(&f, "best.h5", EARLIER, kt_checkpoint_write_best);
    examine(&p, save(&f, "checkpoints/step-25.h5", STEP, kt_checkpoint_write));
    CU_ASSERT(count_missed(&p, "checkpoint", verify_sees, dir) == 0);
    examine(&p, kt_test_scratch("run/best.h5"));
    CU_ASSERT(count_missed(&p, "model", verify_sees_model, dir) == 0);
    KT_CHECK_STATUS(KT_OK, kt_verify_run(dir, NULL, &found));
    CU_ASSERT(found.n_bad == 0 && found.n_files == 3);
    tear_down(&f);
}

/* ---- snapshots ---- */

typedef struct memory {
    fixture f;
    kt_snapshots *snapshots;
} memory;

static void open_memory(memory *m)
{
    const kt_snapshot_shape shape = {1, m->f.n, m->f.n_state};
    const kt_snapshot_owner owner = {kt_test_scratch("memory"), kt_test_scratch("memory"), RUN, JOB};
    KT_CHECK_STATUS(KT_OK, kt_file_make_directory(owner.folder));
    KT_CHECK_STATUS(KT_OK, kt_snapshots_create(&m->snapshots, &owner, &shape));
}

/* Snapshot i, whose best weights lie in place i. */
static void take(memory *m, int i, int64_t step)
{
    fixture *f = &m->f;
    const kt_model_vectors best = kt_snapshots_best(m->snapshots, i);
    f->state.progress.step = step;
    memcpy(best.parameters, f->view.best.parameters, f->n * sizeof(float));
    kt_snapshots_seal_best(m->snapshots, i, f->state.stopping.best_epoch);
    kt_snapshots_put(m->snapshots, i, f->network, (kt_seat){0, 1}, step);
    KT_CHECK_STATUS(KT_OK, kt_snapshots_seal(m->snapshots, i, 1, &f->state, &f->history, i));
}

/* As the next start finds them: the earlier one is taken. */
static bool next_start_sees(void *context)
{
    memory *m = context;
    int best = -1;
    kt_snapshots_close(m->snapshots, false);
    open_memory(m);
    return kt_snapshots_newest(m->snapshots, m->f.network, 0, &best) == 0 && best == 0;
}

static void every_mutant_of_a_snapshot_is_seen(void)
{
    static const char *const names[] = {"1", "best-1"};
    memory m;
    patient p;
    int best;
    set_up(&m.f);
    fill(&m.f);
    open_memory(&m);
    take(&m, 0, EARLIER);
    take(&m, 1, STEP);
    for (size_t i = 0; i < 2; i++) {
        char path[KT_PATH_BYTES], title[64];
        kt_file_path(path, "%s/%s", kt_snapshots_path(m.snapshots), names[i]);
        snprintf(title, sizeof title, "snapshot, file %s", names[i]);
        examine(&p, path);
        CU_ASSERT(count_missed(&p, title, next_start_sees, &m) == 0);
    }
    CU_ASSERT(kt_snapshots_newest(m.snapshots, m.f.network, 0, &best) == 1 && best == 1);
    fflush(stdout);
    kt_snapshots_close(m.snapshots, true);
    tear_down(&m.f);
}

const kt_test kt_tests[] = {
    {"every flipped byte and every cut of a checkpoint is seen, and the one before is used",
     every_mutant_of_a_checkpoint_is_seen},
    {"every flipped byte and every cut of a snapshot is seen, and the one before is used",
     every_mutant_of_a_snapshot_is_seen},
    {NULL, NULL},
};
