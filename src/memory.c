#include "ktrain/memory.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { ALIGNMENT = 64 };

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

char *kt_memory_string(const char *text)
{
    size_t n = strlen(text) + 1;
    char *copy = kt_memory_new(n, 1);
    if (copy != NULL)
        memcpy(copy, text, n);
    return copy;
}
