/* Aligned, zeroed, overflow-checked memory. Everything here is local. */
#ifndef KTRAIN_MEMORY_H
#define KTRAIN_MEMORY_H

#include <stddef.h>

#include "base/status.h"

/* n floats in whole cache lines: what a float vector takes that others follow. */
enum { KT_LINE_FLOATS = 16 };

static inline size_t kt_memory_in_lines(size_t n)
{
    return (n + KT_LINE_FLOATS - 1) / KT_LINE_FLOATS * KT_LINE_FLOATS;
}

/* `count` elements of `bytes_each`, zeroed, aligned to 64 bytes (one cache line, one AVX-512 vector).
 * count = 0 gives a valid pointer. NULL, with the error recorded, on overflow or when there is no memory.
 * The caller owns it and gives it back with kt_memory_free. */
void *kt_memory_new(size_t count, size_t bytes_each);

/* NULL is allowed. */
void kt_memory_free(void *memory);

/* Zeroed memory for large arrays: in huge pages where the system has them, and in the pages that have been touched
 * only. Aligned to 2 MiB. NULL like kt_memory_new. The caller gives it back with kt_memory_free_huge and the same
 * number of bytes. */
void *kt_memory_new_huge(size_t n_bytes);
void kt_memory_free_huge(void *memory, size_t n_bytes); /* NULL is allowed */

/* Bytes that are left for new memory: to the host, and to this process's control groups, the least of all; SIZE_MAX
 * where the system does not say. _by: as a folder like /proc tells. */
size_t kt_memory_available(void);
size_t kt_memory_available_by(const char *proc);

/* An owned copy of a NUL-terminated string; NULL like kt_memory_new. */
char *kt_memory_string(const char *text);

/* Other memory for *array, an array's address: for `count` elements, of which the first n are the old ones' and all
 * others are zeroed. KT_NO_MEMORY: nothing has changed. */
kt_status kt_memory_resize(void *array, size_t n, size_t count, size_t bytes_each);

/* The same with more than twice the room, *capacity, when n elements fill it. */
kt_status kt_memory_grow(void *array, size_t n, size_t *capacity, size_t bytes_each);

/* KT_TRY(KT_GROW(pointer, n, capacity)): room in pointer[capacity] for one more element than n. */
#define KT_GROW(pointer, n, capacity) kt_memory_grow(&(pointer), (n), &(capacity), sizeof *(pointer))

/* One block of memory handed out piece by piece. With no block it only counts: so the code that lays memory out also
 * says how much it takes. */
typedef struct kt_arena {
    char *base;  /* borrowed, aligned to 64 bytes; NULL: count only */
    size_t used; /* bytes so far; SIZE_MAX when they are more than can be addressed */
} kt_arena;

/* The next `count` elements of `bytes_each`, in whole cache lines; NULL while counting. */
void *kt_arena_take(kt_arena *arena, size_t count, size_t bytes_each);

/* KT_TRY(KT_NEW(pointer, count)): sets `pointer` to new memory for `count` of what it points to. */
#define KT_NEW(pointer, count) (((pointer) = kt_memory_new((count), sizeof *(pointer))) != NULL ? KT_OK : KT_NO_MEMORY)

#endif
