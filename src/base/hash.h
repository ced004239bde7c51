/* A 64-bit hash: tells things apart that differ by accident, not by malice. Local and pure. */
#ifndef KTRAIN_HASH_H
#define KTRAIN_HASH_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define KT_HASH_START UINT64_C(0xcbf29ce484222325)

/* The hash so far with n_bytes more: FNV-1a over 8-byte words, folded. */
static inline uint64_t kt_hash_bytes(uint64_t hash, const void *data, size_t n_bytes)
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

#endif
