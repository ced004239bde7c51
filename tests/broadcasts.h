/* Stands between ktrain and kt_comm_broadcast (link with --wrap=kt_comm_broadcast), and counts the addresses that are
 * sent: on another rank they would be of nothing. */
#ifndef KTRAIN_TEST_BROADCASTS_H
#define KTRAIN_TEST_BROADCASTS_H

#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include "test.h"

static size_t n_broadcasts, n_addresses_sent;

/* Numbers hardly ever look like memory that is there, and lies above the first terabyte. Under valgrind none lies
 * there. */
static const uint64_t lowest = (uint64_t)1 << 40;

static inline size_t count_addresses(const void *data, size_t n_bytes)
{
    const uint64_t page = 4096;
    size_t n = 0;
    for (size_t at = 0; at + sizeof(uint64_t) <= n_bytes; at += sizeof(uint64_t)) {
        unsigned char there;
        uint64_t word;
        memcpy(&word, (const char *)data + at, sizeof word);
        n += word >= lowest && mincore((void *)(uintptr_t)(word / page * page), page, &there) == 0;
    }
    return n;
}

void __real_kt_comm_broadcast(kt_comm *comm, int root, void *data, size_t n_bytes);
void __wrap_kt_comm_broadcast(kt_comm *comm, int root, void *data, size_t n_bytes);
void __wrap_kt_comm_broadcast(kt_comm *comm, int root, void *data, size_t n_bytes)
{
    n_broadcasts++;
    if (kt_comm_rank(comm) == root)
        n_addresses_sent += count_addresses(data, n_bytes);
    __real_kt_comm_broadcast(comm, root, data, n_bytes);
}

/* The last test of a suite. */
static void no_broadcast_has_sent_an_address(void)
{
    void *address = &address;
    KT_CHECK(count_addresses(&address, sizeof address) == 1 || (uintptr_t)address < lowest);
    KT_CHECK(n_broadcasts > 0 || kt_comm_size(kt_test_world) == 1);
    KT_CHECK(n_addresses_sent == 0);
}

#endif
