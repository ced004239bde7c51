/* What is whole, and reading it. */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "saving/snapshot_private.h"

static bool is_zero(const char *bytes, size_t n)
{
    return n == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, n - 1) == 0);
}

static size_t size_of(const mapped_file *file)
{
    struct stat info;
    return fstat(file->fd, &info) == 0 ? (size_t)info.st_size : 0;
}

/* A head that is its own, apart from what it promises. */
static bool is_head(const snapshot_head *head, uint64_t job)
{
    return memcmp(head->magic, kt_snapshot_magic, MAGIC_BYTES) == 0 && head->job == job &&
           head->hash == kt_snapshot_page_hash(head->page) && head->n_seats <= KT_MOST_SNAPSHOT_WRITERS;
}

/* All have signed this step, with hashes of this sum; and nobody else has. */
static bool is_signed(const snapshot_head *head, uint64_t sum)
{
    for (size_t i = 0; i < head->n_seats; i++) {
        const kt_signature *s = &head->signature[i];
        if (atomic_load(&s->step) != head->step + 1 || !is_zero(s->apart, sizeof s->apart))
            return false;
        sum -= atomic_load(&s->sum);
    }
    return sum == 0 && is_zero((const char *)&head->signature[head->n_seats],
                               (KT_MOST_SNAPSHOT_WRITERS - head->n_seats) * sizeof(kt_signature));
}

static uint64_t sum_tensors(const kt_tensors *all, const float *vectors, size_t at)
{
    static uint64_t (*const hash[KT_N_SIMD])(const float *, size_t, uint64_t) = KT_SIMD_EACH(kt_snapshot_hash);
    uint64_t sum = 0;
    for (size_t k = 0; k < all->n_vectors; k++)
        for (const kt_tensor *t = all->tensor; t < all->tensor + all->n; t++)
            for (size_t p = 0; p < t->room / t->per_panel; p++) {
                const size_t place = k * all->room + t->offset + p * t->per_panel;
                sum += hash[kt_simd_best()](vectors + place, t->per_panel, at + place);
            }
    return sum;
}

static uint64_t sum_vectors(kt_snapshots *s, int which, const kt_network *network)
{
    return sum_tensors(kt_network_parameters(network), kt_snapshots_vector(s, which, 0), 0) +
           sum_tensors(kt_network_state(network), kt_snapshots_state(s, which), s->shape.n_vectors * s->shape.room);
}

static bool read_at(const mapped_file *file, size_t at, void *bytes, size_t n)
{
    return pread(file->fd, bytes, n, (off_t)at) == (ssize_t)n;
}

/* The tail and its records, which the caller frees. */
static kt_status read_tail(const kt_snapshots *s, int which, snapshot_tail *tail, kt_epoch_record **records)
{
    const mapped_file *file = &s->each[which];
    const size_t at = kt_snapshot_tail_at(&s->shape), n_bytes = size_of(file);
    *records = NULL;
    if (n_bytes < at + sizeof *tail || !read_at(file, at, tail, sizeof *tail) ||
        tail->n_records != (n_bytes - at - sizeof *tail) / sizeof **records)
        return kt_fail(KT_DATA, "cut short");
    KT_TRY(KT_NEW(*records, tail->n_records));
    return read_at(file, at + sizeof *tail, *records, tail->n_records * sizeof **records)
               ? KT_OK
               : kt_fail(KT_DATA, "cut short");
}

static bool has_tail(const kt_snapshots *s, int which, snapshot_tail *tail)
{
    const snapshot_head *head = kt_snapshot_head(s, which);
    kt_epoch_record *records;
    XXH3_state_t hash;
    const kt_status status = read_tail(s, which, tail, &records);
    XXH3_64bits_reset(&hash);
    if (status == KT_OK) {
        XXH3_64bits_update(&hash, tail, sizeof *tail);
        XXH3_64bits_update(&hash, records, tail->n_records * sizeof *records);
    }
    kt_memory_free(records);
    return status == KT_OK && XXH3_64bits_digest(&hash) == head->tail_hash && tail->state.progress.step == head->step &&
           tail->best >= 0 && tail->best < KT_N_SNAPSHOTS;
}

static bool has_best(const kt_snapshots *s, const snapshot_tail *tail)
{
    if (tail->best_epoch == 0)
        return true;
    const mapped_file *file = &s->best[tail->best];
    const best_head *head = (const best_head *)(const void *)file->bytes;
    return memcmp(head->magic, kt_snapshot_best_magic, MAGIC_BYTES) == 0 && head->job == s->job &&
           head->hash == kt_snapshot_page_hash(head->page) && head->epoch == tail->best_epoch &&
           head->n_bytes == size_of(file) && head->vectors_hash == kt_snapshot_vectors_hash(s, (int)tail->best);
}

static bool is_whole(kt_snapshots *s, int which, const kt_network *network, int *best)
{
    const snapshot_head *head = kt_snapshot_head(s, which);
    const size_t end =
        sizeof(snapshot_head) + (s->shape.n_vectors * s->shape.room + s->shape.state_room) * sizeof(float);
    snapshot_tail tail;
    if (head->n_bytes != size_of(&s->each[which]) ||
        !is_zero(s->each[which].bytes + end, kt_snapshot_tail_at(&s->shape) - end) ||
        !is_signed(head, sum_vectors(s, which, network)) || !has_tail(s, which, &tail) || !has_best(s, &tail))
        return false;
    *best = (int)tail.best;
    return true;
}

int kt_snapshots_newest(kt_snapshots *s, const kt_network *network, int64_t after, int *best)
{
    const snapshot_head *heads[KT_N_SNAPSHOTS] = {kt_snapshot_head(s, 0), kt_snapshot_head(s, 1)};
    const int later = heads[1]->step > heads[0]->step;
    for (int i = 0; i < KT_N_SNAPSHOTS; i++) {
        const int which = i == 0 ? later : 1 - later;
        if (is_head(heads[which], s->job) && heads[which]->step > after && is_whole(s, which, network, best))
            return which;
    }
    return -1;
}

kt_status kt_snapshots_read(kt_snapshots *s, int which, kt_run_state *state, kt_history *history)
{
    snapshot_tail tail;
    kt_epoch_record *records;
    kt_status status = read_tail(s, which, &tail, &records);
    for (size_t i = 0; status == KT_OK && i < tail.n_records; i++)
        status = kt_history_append(history, &records[i]);
    kt_memory_free(records);
    if (status == KT_OK)
        *state = tail.state;
    return status;
}

int64_t kt_snapshots_peek(const char *folder, uint64_t run)
{
    char path[KT_PATH_BYTES], name[KT_PATH_BYTES];
    char page[PAGE_BYTES];
    int64_t newest = -1;
    if (run == 0 || kt_snapshot_folder(path, folder, run) != KT_OK)
        return -1;
    for (int i = 0; i < KT_N_SNAPSHOTS; i++) {
        if (kt_file_path(name, "%s/%d", path, i) != KT_OK)
            continue;
        const int fd = open(name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        snapshot_head head;
        if (fd >= 0 && pread(fd, page, sizeof page, 0) == sizeof page) {
            memcpy(&head, page, sizeof page);
            if (is_head(&head, head.job) && head.step > newest)
                newest = head.step;
        }
        if (fd >= 0)
            close(fd);
    }
    return newest;
}
