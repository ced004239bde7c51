#include "base/hash.h"

#include <string.h>

uint64_t kt_hash_bytes(uint64_t hash, const void *data, size_t n_bytes)
{
    const unsigned char *p = data;
    for (size_t i = 0; i < n_bytes; i += 8) {
        uint64_t word = 0;
        memcpy(&word, p + i, n_bytes - i < 8 ? n_bytes - i : 8);
        hash = (hash ^ word) * 0x100000001b3u;
        hash ^= hash >> 32; /* the product carries only upwards: without this, changes in high bytes would stay there */
    }
    return hash;
}
