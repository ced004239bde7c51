/* Allocation in whole cache lines, on huge pages where they are large. */
#include "base/memory.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { ALIGNMENT = 64, PAGE_BYTES = 4096, HUGE_BYTES = 2 << 20 };

void *kt_memory_new(size_t count, size_t bytes_each)
{
    size_t n_bytes;
    if (__builtin_mul_overflow(count, bytes_each, &n_bytes) || n_bytes > SIZE_MAX / 2) {
        kt_fail(KT_NO_MEMORY, "%zu elements of %zu bytes are more than this machine can address", count, bytes_each);
        return NULL;
    }
    size_t rounded = (n_bytes / ALIGNMENT + 1) * ALIGNMENT; /* never 0, and vector loads may touch the last line */
    void *memory = aligned_alloc(ALIGNMENT, rounded);
    if (memory == NULL) {
        kt_fail(KT_NO_MEMORY, "cannot allocate %zu bytes", n_bytes);
        return NULL;
    }
    return memset(memory, 0, rounded);
}

void kt_memory_free(void *memory)
{
    free(memory);
}

kt_status kt_memory_resize(void *array, size_t n, size_t count, size_t bytes_each)
{
    void *old, *new = kt_memory_new(count, bytes_each);
    if (new == NULL)
        return KT_NO_MEMORY;
    memcpy(&old, array, sizeof old);
    if (n > 0)
        memcpy(new, old, n * bytes_each);
    memcpy(array, &new, sizeof new);
    kt_memory_free(old);
    return KT_OK;
}

kt_status kt_memory_grow(void *array, size_t n, size_t *capacity, size_t bytes_each)
{
    if (n < *capacity)
        return KT_OK;
    KT_TRY(kt_memory_resize(array, n, 2 * n + 64, bytes_each));
    *capacity = 2 * n + 64;
    return KT_OK;
}

static size_t whole_pages(size_t n_bytes)
{
    return (n_bytes / PAGE_BYTES + 1) * PAGE_BYTES;
}

/* The system aligns to a page: what is too much at both ends is given back. */
void *kt_memory_new_huge(size_t n_bytes)
{
    size_t kept = whole_pages(n_bytes);
    char *room = MAP_FAILED;
    if (n_bytes < SIZE_MAX / 2)
        room = mmap(NULL, kept + HUGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (room == MAP_FAILED) {
        kt_fail(KT_NO_MEMORY, "cannot allocate %zu bytes", n_bytes);
        return NULL;
    }
    size_t before = -(uintptr_t)room & (HUGE_BYTES - 1);
    char *memory = room + before;
    if (before > 0)
        munmap(room, before);
    if (before < HUGE_BYTES)
        munmap(memory + kept, HUGE_BYTES - before);
    madvise(memory, kept, MADV_HUGEPAGE);
    return memory;
}

void kt_memory_free_huge(void *memory, size_t n_bytes)
{
    if (memory != NULL)
        munmap(memory, whole_pages(n_bytes));
}

char *kt_memory_string(const char *text)
{
    size_t n = strlen(text) + 1;
    char *copy = kt_memory_new(n, 1);
    if (copy != NULL)
        memcpy(copy, text, n);
    return copy;
}

void *kt_arena_take(kt_arena *arena, size_t count, size_t bytes_each)
{
    const size_t left = (SIZE_MAX - arena->used) / ALIGNMENT * ALIGNMENT;
    if (bytes_each > 0 && count > left / bytes_each) {
        arena->used = SIZE_MAX;
        return NULL;
    }
    void *here = arena->base != NULL ? arena->base + arena->used : NULL;
    arena->used += (count * bytes_each + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    return here;
}
