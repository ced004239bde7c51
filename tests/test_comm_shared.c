/* Memory that the ranks of a host share: here all ranks are on one host. */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ktrain/comm_shared.h"
#include "ktrain/memory.h"
#include "test.h"

const char *const kt_test_suite = "comm_shared";

enum { N = 100003, HUGE_BYTES = 2 << 20 };

static size_t rank(void)
{
    return (size_t)kt_comm_rank(kt_test_world);
}

static size_t size(void)
{
    return (size_t)kt_comm_size(kt_test_world);
}

static void memory_is_zero_and_seen_by_all(void)
{
    kt_shared *shared;
    KT_CHECK_STATUS(KT_OK, kt_shared_create(kt_test_world, N * sizeof(int), &shared));
    int *x = kt_shared_memory(shared);
    bool zero = true, seen = true;
    for (size_t i = 0; i < N; i++)
        zero = zero && x[i] == 0;
    KT_CHECK(zero);
    for (size_t i = rank(); i < N; i += size())
        x[i] = (int)(i + 7 * rank());
    kt_shared_barrier(shared);
    for (size_t i = 0; i < N; i++)
        seen = seen && x[i] == (int)(i + 7 * (i % size()));
    KT_CHECK(seen);
    KT_CHECK((uintptr_t)x % 64 == 0);
    kt_shared_free(shared);
    kt_shared_free(NULL);
}

/* In every round each rank writes its own word, and then reads all: plain memory, ordered by the barrier alone. */
static void what_was_written_before_a_barrier_is_seen_after(void)
{
    enum { ROUNDS = 5000, APART = 16 };
    kt_shared *shared;
    KT_CHECK_STATUS(KT_OK, kt_shared_create(kt_test_world, 2 * size() * APART * sizeof(size_t), &shared));
    size_t *words = kt_shared_memory(shared), n_wrong = 0;
    for (size_t round = 1; round <= ROUNDS; round++) {
        size_t *now = words + (round % 2) * size() * APART; /* so that one barrier a round is enough */
        now[rank() * APART] = round * (rank() + 1);
        kt_shared_barrier(shared);
        for (size_t r = 0; r < size(); r++)
            n_wrong += now[r * APART] != round * (r + 1);
    }
    KT_CHECK(n_wrong == 0);
    kt_shared_free(shared);
}

static void several_arenas_are_apart(void)
{
    enum { ARENAS = 5 };
    const size_t n_bytes[ARENAS] = {1, 0, 3 * HUGE_BYTES + 5, 4096, 77777};
    kt_shared *shared[ARENAS];
    bool apart = true;
    for (size_t a = 0; a < ARENAS; a++) {
        KT_CHECK_STATUS(KT_OK, kt_shared_create(kt_test_world, n_bytes[a], &shared[a]));
        if (rank() == a % size())
            memset(kt_shared_memory(shared[a]), (int)a + 1, n_bytes[a]);
    }
    for (size_t a = 0; a < ARENAS; a++)
        kt_shared_barrier(shared[a]);
    for (size_t a = 0; a < ARENAS; a++)
        for (size_t i = 0; i < n_bytes[a]; i++)
            apart = apart && ((const char *)kt_shared_memory(shared[a]))[i] == (char)(a + 1);
    KT_CHECK(apart);
    for (size_t a = 0; a < ARENAS; a++)
        kt_shared_free(shared[(a + 2) % ARENAS]);
}

static void the_ranks_of_a_host_form_a_group(void)
{
    kt_comm *host, *half;
    kt_shared *shared;
    KT_CHECK_STATUS(KT_OK, kt_comm_split_host(kt_test_world, &host));
    KT_CHECK((size_t)kt_comm_size(host) == size() && (size_t)kt_comm_rank(host) == rank());
    KT_CHECK_STATUS(KT_OK, kt_comm_split(host, (int)(rank() % 2), &half));
    KT_CHECK_STATUS(KT_OK, kt_shared_create(half, sizeof(atomic_size_t), &shared));
    atomic_fetch_add((atomic_size_t *)kt_shared_memory(shared), rank() + 1);
    kt_shared_barrier(shared);
    size_t expected = 0;
    for (size_t r = rank() % 2; r < size(); r += 2)
        expected += r + 1;
    KT_CHECK(atomic_load((atomic_size_t *)kt_shared_memory(shared)) == expected);
    kt_shared_free(shared);
    kt_comm_free(half);
    kt_comm_free(host);
}

static void what_does_not_fit_is_refused_on_all_ranks(void)
{
    const size_t n_bytes[] = {kt_memory_available(), (size_t)1 << 60, SIZE_MAX};
    for (size_t i = kt_memory_available() == SIZE_MAX ? 1 : 0; i < 3; i++) {
        kt_shared *shared = (kt_shared *)(void *)kt_test_suite;
        KT_CHECK(kt_shared_create(kt_test_world, i == 0 ? 2 * n_bytes[i] : n_bytes[i], &shared) == KT_NO_MEMORY);
        KT_CHECK(shared == NULL);
        KT_CHECK(strstr(kt_error_message(), i == 2 ? "than this machine can address" : " MB ") != NULL);
    }
}

/* As with a small /dev/shm: a folder in which there is no room at all. */
static void a_full_disk_is_refused_on_all_ranks(void)
{
    const char *name = "OMPI_MCA_osc_sm_backing_directory", *value = getenv(name);
    char old[4096];
    snprintf(old, sizeof old, "%s", value != NULL ? value : "");
    setenv(name, "/proc", 1);
    kt_shared *shared;
    kt_status status = kt_shared_create(kt_test_world, 1000, &shared);
    if (value != NULL)
        setenv(name, old, 1);
    else
        unsetenv(name);
    KT_CHECK(status == (size() == 1 ? KT_OK : KT_NO_MEMORY));
    KT_CHECK(size() == 1 || strstr(kt_error_message(), "do not fit in /proc, which has 0 MB left") != NULL);
    kt_shared_free(shared);
}

static size_t n_pages_there(void *memory, size_t n_bytes)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    unsigned char *there = kt_memory_new(n_bytes / page + 1, 1);
    size_t n = (uintptr_t)memory % page == 0 && mincore(memory, n_bytes, there) == 0 ? 0 : SIZE_MAX;
    for (size_t i = 0; n != SIZE_MAX && i < n_bytes / page; i++)
        n += there[i] & 1;
    kt_memory_free(there);
    return n;
}

static void untouched_memory_costs_nothing(void)
{
    const size_t n_bytes = (size_t)512 << 20, huge_page = HUGE_BYTES / (size_t)sysconf(_SC_PAGESIZE);
    kt_shared *shared;
    kt_status status = kt_shared_create(kt_test_world, n_bytes, &shared);
    if (status == KT_OK) { /* /dev/shm may be small */
        KT_CHECK(n_pages_there(kt_shared_memory(shared), n_bytes) == 0);
        kt_shared_barrier(shared);
        *(volatile char *)kt_shared_memory(shared) = 1;
        kt_shared_settle(shared);
        KT_CHECK(n_pages_there(kt_shared_memory(shared), n_bytes) <= huge_page);
    }
    KT_CHECK(status == KT_OK || status == KT_NO_MEMORY);
    kt_shared_free(shared);
}

static void settling_changes_no_value(void)
{
    const size_t n = 9 * HUGE_BYTES / sizeof(unsigned) + 1000;
    kt_shared *shared;
    KT_CHECK_STATUS(KT_OK, kt_shared_create(kt_test_world, n * sizeof(unsigned), &shared));
    unsigned *x = kt_shared_memory(shared);
    for (size_t i = rank() * n / size(); i < (rank() + 1) * n / size(); i++)
        x[i] = (unsigned)i * 2654435761u;
    kt_shared_settle(shared);
    bool same = true;
    for (size_t i = 0; i < n; i++)
        same = same && x[i] == (unsigned)i * 2654435761u;
    KT_CHECK(same);
    kt_shared_barrier(shared);
    x[rank()] = 1; /* the pages are still the same for all */
    kt_shared_barrier(shared);
    for (size_t r = 0; r < size(); r++)
        same = same && x[r] == 1;
    KT_CHECK(same);
    kt_shared_free(shared);
}

const kt_test kt_tests[] = {
    {"memory is zero and seen by all", memory_is_zero_and_seen_by_all},
    {"what was written before a barrier is seen after", what_was_written_before_a_barrier_is_seen_after},
    {"several arenas are apart", several_arenas_are_apart},
    {"the ranks of a host form a group", the_ranks_of_a_host_form_a_group},
    {"what does not fit is refused on all ranks", what_does_not_fit_is_refused_on_all_ranks},
    {"a full disk is refused on all ranks", a_full_disk_is_refused_on_all_ranks},
    {"untouched memory costs nothing", untouched_memory_costs_nothing},
    {"settling changes no value", settling_changes_no_value},
    {NULL, NULL},
};
