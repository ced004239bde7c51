/* What the files of snapshot share: snapshot.c (making, copying, signing), snapshot_check.c (what is whole, and reading
 * it), snapshot_files.c (folders and files), snapshot_simd.c (bytes). */
#ifndef KTRAIN_SNAPSHOT_PRIVATE_H
#define KTRAIN_SNAPSHOT_PRIVATE_H

#include <stdatomic.h>

#include "base/file.h"
#include "base/simd.h"
#include "saving/snapshot.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

enum { PAGE_BYTES = 4096, MAGIC_BYTES = 24, LINE_FLOATS = 16 };

/* A seat's word: the step is written last. */
typedef struct kt_signature {
    _Atomic int64_t step; /* + 1; 0: none, or being written */
    _Atomic uint64_t sum; /* of the hashes of its panels */
    char apart[48];
} kt_signature;

/* Before the vectors of a snapshot. */
typedef struct snapshot_head {
    union {
        struct {
            char magic[MAGIC_BYTES];
            uint64_t job;
            int64_t step;
            uint64_t n_seats, n_bytes; /* of the whole file */
            uint64_t tail_hash;
        };
        char page[PAGE_BYTES - sizeof(uint64_t)]; /* the rest is 0 */
    };
    uint64_t hash; /* of the page above */
    kt_signature signature[KT_MOST_SNAPSHOT_WRITERS];
} snapshot_head;

/* Before a best epoch's weights. */
typedef struct best_head {
    union {
        struct {
            char magic[MAGIC_BYTES];
            uint64_t job;
            int64_t epoch;
            uint64_t n_bytes, vectors_hash;
        };
        char page[PAGE_BYTES - sizeof(uint64_t)];
    };
    uint64_t hash;
} best_head;

/* Behind the vectors; the history's records follow. */
typedef struct snapshot_tail {
    kt_run_state state;
    int64_t best, best_epoch;
    uint64_t n_records;
} snapshot_tail;

typedef struct mapped_file {
    int fd; /* -1: not open */
    char *bytes;
    size_t n_bytes; /* mapped */
} mapped_file;

struct kt_snapshots {
    char path[KT_PATH_BYTES];
    uint64_t job;
    kt_snapshot_shape shape;
    int owner;                                              /* the open and locked file "of"; -1 on other ranks */
    mapped_file each[KT_N_SNAPSHOTS], best[KT_N_SNAPSHOTS]; /* best: rank 0's */
    mapped_file reached;                                    /* rank 0's: a number */
};

extern const char kt_snapshot_magic[MAGIC_BYTES], kt_snapshot_best_magic[MAGIC_BYTES];

static inline snapshot_head *kt_snapshot_head(const kt_snapshots *s, int which)
{
    return (snapshot_head *)(void *)s->each[which].bytes;
}

static inline uint64_t kt_snapshot_page_hash(const char *page)
{
    return XXH3_64bits(page, PAGE_BYTES - sizeof(uint64_t));
}

/* ---- snapshot_simd.c ---- */

/* A panel's part of a signature: it depends on where the panel lies, so that panels cannot change places. */
KT_SIMD_DECLARE(uint64_t, kt_snapshot_hash, (const float *panel, size_t n, uint64_t seed));

/* The same, of a panel that is copied: n is a multiple of LINE_FLOATS, and both are aligned to that. It is there for
 * others after kt_snapshot_end_copy. */
KT_SIMD_DECLARE(uint64_t, kt_snapshot_copy, (float *to, const float *panel, size_t n, uint64_t seed));
KT_SIMD_DECLARE(void, kt_snapshot_end_copy, (void));

static inline uint64_t kt_snapshot_vectors_hash(const kt_snapshots *s, int place)
{
    return XXH3_64bits(s->best[place].bytes + sizeof(best_head), (s->shape.room + s->shape.state_room) * sizeof(float));
}

/* Where the tail begins: a multiple of a page. */
size_t kt_snapshot_tail_at(const kt_snapshot_shape *shape);

/* ---- snapshot_files.c ---- */

/* FOLDER/ktrain-UID-RUN. */
kt_status kt_snapshot_folder(char path[KT_PATH_BYTES], const char *folder, uint64_t run);

/* Opens a file of at least n_bytes, which it takes from the memory at once, and maps them. KT_IO, with *file closed. */
kt_status kt_snapshot_map(mapped_file *file, const char *folder, const char *name, size_t n_bytes, bool makes);
void kt_snapshot_unmap(mapped_file *file);

/* Makes the folder, and locks it by "of", which says whose it is: *lock, owned by the caller. KT_IO, with *lock -1 when
 * it is not this run's, or could not be made; else it is the caller's to remove. */
kt_status kt_snapshot_take_folder(const char *path, const char *run_dir, int *lock);

/* Removes folders of this user's runs that are no more. */
void kt_snapshot_remove_orphans(const char *folder, const char *own);

#endif
