/* A 64-bit hash: tells things apart that differ by accident, not by malice. Local and pure. */
#ifndef KTRAIN_HASH_H
#define KTRAIN_HASH_H

#include <stddef.h>
#include <stdint.h>

#define KT_HASH_START UINT64_C(0xcbf29ce484222325)

/* The hash so far with n_bytes more: FNV-1a over 8-byte words, folded. */
uint64_t kt_hash_bytes(uint64_t hash, const void *data, size_t n_bytes);

#endif
