/* Copying and signing. */
#include "saving/snapshot.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/share.h"
#include "saving/snapshot_private.h"

const char kt_snapshot_magic[MAGIC_BYTES] = "ktrain snapshot 1", kt_snapshot_best_magic[MAGIC_BYTES] = "ktrain best 1";

static const char *const names[KT_N_SNAPSHOTS] = {"0", "1"}, *const best_names[KT_N_SNAPSHOTS] = {"best-0", "best-1"};

/* ---- sizes ---- */

static size_t vector_floats(const kt_snapshot_shape *shape)
{
    return shape->n_vectors * shape->room + shape->state_room;
}

size_t kt_snapshot_tail_at(const kt_snapshot_shape *shape)
{
    const size_t n_bytes = sizeof(snapshot_head) + vector_floats(shape) * sizeof(float);
    return (n_bytes + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
}

size_t kt_snapshot_bytes(const kt_snapshot_shape *shape)
{
    return kt_snapshot_tail_at(shape) + PAGE_BYTES;
}

size_t kt_snapshot_best_bytes(const kt_snapshot_shape *shape)
{
    return sizeof(best_head) + (shape->room + shape->state_room) * sizeof(float);
}

/* ---- making them ---- */

static kt_snapshots *new_snapshots(const kt_snapshot_shape *shape)
{
    kt_snapshots *s;
    if (KT_NEW(s, 1) != KT_OK)
        return NULL;
    s->shape = *shape;
    s->owner = -1;
    for (int i = 0; i < KT_N_SNAPSHOTS; i++)
        s->each[i].fd = s->best[i].fd = -1;
    s->reached.fd = -1;
    return s;
}

static kt_status map_all(kt_snapshots *s, bool makes)
{
    for (int i = 0; i < KT_N_SNAPSHOTS; i++) {
        KT_TRY(kt_snapshot_map(&s->each[i], s->path, names[i], kt_snapshot_tail_at(&s->shape), makes));
        if (makes)
            KT_TRY(kt_snapshot_map(&s->best[i], s->path, best_names[i], kt_snapshot_best_bytes(&s->shape), makes));
    }
    return makes ? kt_snapshot_map(&s->reached, s->path, "reached", PAGE_BYTES, makes) : KT_OK;
}

static kt_status check_memory(const kt_snapshot_shape *shape)
{
    const size_t wanted = KT_N_SNAPSHOTS * (kt_snapshot_bytes(shape) + kt_snapshot_best_bytes(shape));
    const size_t left = kt_memory_available();
    return wanted < left ? KT_OK
                         : kt_fail(KT_NO_MEMORY, "they need %.0f MB, and the host has %.0f left", (double)wanted / 1e6,
                                   (double)left / 1e6);
}

static kt_status create(kt_snapshots *s, const kt_snapshot_owner *owner)
{
    s->job = owner->job;
    KT_TRY(kt_snapshot_folder(s->path, owner->folder, owner->run));
    kt_snapshot_remove_orphans(owner->folder, s->path);
    KT_TRY(check_memory(&s->shape));
    KT_TRY(kt_snapshot_take_folder(s->path, owner->run_dir, &s->owner));
    return map_all(s, true);
}

kt_status kt_snapshots_create(kt_snapshots **out, const kt_snapshot_owner *owner, const kt_snapshot_shape *shape)
{
    kt_snapshots *s = new_snapshots(shape);
    *out = NULL;
    if (s == NULL)
        return KT_NO_MEMORY;
    const kt_status status = create(s, owner);
    if (status == KT_OK)
        *out = s;
    else
        kt_snapshots_close(s, s->owner >= 0);
    return status;
}

const char *kt_snapshots_path(const kt_snapshots *s)
{
    return s->path;
}

kt_status kt_snapshots_attach(kt_snapshots **out, const char *path, const kt_snapshot_shape *shape)
{
    kt_snapshots *s = new_snapshots(shape);
    *out = NULL;
    if (s == NULL)
        return KT_NO_MEMORY;
    kt_status status = kt_file_path(s->path, "%s", path);
    if (status == KT_OK)
        status = map_all(s, false);
    if (status == KT_OK)
        *out = s;
    else
        kt_snapshots_close(s, false);
    return status;
}

void kt_snapshots_close(kt_snapshots *s, bool removes)
{
    if (s == NULL)
        return;
    for (int i = 0; i < KT_N_SNAPSHOTS; i++) {
        kt_snapshot_unmap(&s->each[i]);
        kt_snapshot_unmap(&s->best[i]);
    }
    kt_snapshot_unmap(&s->reached);
    if (removes)
        kt_file_remove_tree(s->path);
    if (s->owner >= 0)
        close(s->owner);
    kt_memory_free(s);
}

/* ---- places ---- */

float *kt_snapshots_vector(kt_snapshots *s, int which, size_t k)
{
    return (float *)(void *)(s->each[which].bytes + sizeof(snapshot_head)) + k * s->shape.room;
}

float *kt_snapshots_state(kt_snapshots *s, int which)
{
    return kt_snapshots_vector(s, which, s->shape.n_vectors);
}

kt_model_vectors kt_snapshots_best(kt_snapshots *s, int place)
{
    float *at = (float *)(void *)(s->best[place].bytes + sizeof(best_head));
    return (kt_model_vectors){at, at + s->shape.room};
}

void kt_snapshots_tell(kt_snapshots *s, int64_t step)
{
    if (s != NULL && s->reached.fd >= 0)
        atomic_store_explicit((_Atomic int64_t *)(void *)s->reached.bytes, step, memory_order_relaxed);
}

int64_t kt_snapshots_told(const kt_snapshots *s)
{
    const bool known = s != NULL && s->reached.fd >= 0;
    return known ? atomic_load_explicit((_Atomic int64_t *)(void *)s->reached.bytes, memory_order_relaxed) : 0;
}

/* ---- copying ---- */

typedef uint64_t copy_panel(float *to, const float *panel, size_t n, uint64_t seed);

static kt_range own_panels(kt_network *network, const kt_tensor *t, kt_seat seat)
{
    size_t n_layers;
    const kt_dense *d = &kt_network_dense(network, &n_layers)[t->block];
    if (t->whole || seat.n_seats == 1)
        return (kt_range){0, seat.number == 0 ? t->room / t->per_panel : 0};
    return kt_dense_share(kt_network_spec_of(network), d->n_in, d->n_out, seat.number, seat.n_seats);
}

/* The sum of the hashes of what was copied. */
static uint64_t copy_tensors(kt_network *network, const kt_tensors *all, kt_seat seat, float *to, size_t at)
{
    static copy_panel *const rows[KT_N_SIMD] = KT_SIMD_EACH(kt_snapshot_copy);
    copy_panel *copy = rows[kt_simd_best()];
    uint64_t sum = 0;
    for (const kt_tensor *t = all->tensor; t < all->tensor + all->n; t++) {
        const kt_range own = own_panels(network, t, seat);
        for (size_t k = 0; k < all->n_vectors; k++)
            for (size_t p = own.begin; p < own.end; p++) {
                const size_t place = k * all->room + t->offset + p * t->per_panel;
                sum += copy(to + place, t->here[k] + p * t->per_panel, t->per_panel, at + place);
            }
    }
    return sum;
}

void kt_snapshots_put(kt_snapshots *s, int which, kt_network *network, kt_seat seat, int64_t step)
{
    static void (*const end_copy[KT_N_SIMD])(void) = KT_SIMD_EACH(kt_snapshot_end_copy);
    kt_signature *own = &kt_snapshot_head(s, which)->signature[seat.number];
    const size_t behind = s->shape.n_vectors * s->shape.room;
    float *to = kt_snapshots_vector(s, which, 0);
    atomic_store(&own->step, 0);
    uint64_t sum = copy_tensors(network, kt_network_parameters(network), seat, to, 0);
    sum += copy_tensors(network, kt_network_state(network), seat, to + behind, behind);
    end_copy[kt_simd_best()]();
    atomic_store(&own->sum, sum);
    atomic_store(&own->step, step + 1);
}

/* ---- signing ---- */

static kt_status write_tail(kt_snapshots *s, int which, const snapshot_tail *tail, const kt_history *history,
                            snapshot_head *head)
{
    const size_t at = kt_snapshot_tail_at(&s->shape), n_records = history->n * sizeof *history->records;
    const int fd = s->each[which].fd;
    XXH3_state_t hash;
    XXH3_64bits_reset(&hash);
    XXH3_64bits_update(&hash, tail, sizeof *tail);
    XXH3_64bits_update(&hash, history->records, n_records);
    head->tail_hash = XXH3_64bits_digest(&hash);
    head->n_bytes = at + sizeof *tail + n_records;
    if (lseek(fd, (off_t)at, SEEK_SET) >= 0 && kt_file_write(fd, tail, sizeof *tail) == sizeof *tail &&
        kt_file_write(fd, history->records, n_records) == n_records && ftruncate(fd, (off_t)head->n_bytes) == 0)
        return KT_OK;
    return kt_fail(KT_IO, "%s/%s: %s", s->path, names[which], strerror(errno));
}

kt_status kt_snapshots_seal(kt_snapshots *s, int which, size_t n_seats, const kt_run_state *state,
                            const kt_history *history, int best)
{
    snapshot_head *there = kt_snapshot_head(s, which);
    snapshot_head head = {.hash = 0};
    snapshot_tail tail;
    memset(&tail, 0, sizeof tail); /* also between its members */
    memcpy(&tail.state, state, sizeof *state);
    tail.best = best;
    tail.best_epoch = state->stopping.best_epoch;
    tail.n_records = history->n;
    memcpy(head.magic, kt_snapshot_magic, MAGIC_BYTES);
    head.job = s->job;
    head.step = state->progress.step;
    head.n_seats = n_seats;
    there->hash = 0; /* what follows is not whole until it is there again */
    for (size_t i = n_seats; i < KT_MOST_SNAPSHOT_WRITERS; i++)
        memset(&there->signature[i], 0, sizeof there->signature[i]);
    KT_TRY(write_tail(s, which, &tail, history, &head));
    memcpy(there->page, head.page, sizeof head.page);
    atomic_thread_fence(memory_order_seq_cst);
    there->hash = kt_snapshot_page_hash(head.page);
    return KT_OK;
}

void kt_snapshots_seal_best(kt_snapshots *s, int place, int64_t epoch)
{
    best_head *there = (best_head *)(void *)s->best[place].bytes;
    best_head head = {.hash = 0};
    memcpy(head.magic, kt_snapshot_best_magic, MAGIC_BYTES);
    head.job = s->job;
    head.epoch = epoch;
    head.n_bytes = s->best[place].n_bytes;
    head.vectors_hash = kt_snapshot_vectors_hash(s, place);
    head.hash = kt_snapshot_page_hash(head.page);
    memcpy(there, &head, sizeof head);
}
