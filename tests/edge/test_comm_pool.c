/* Memory that the ranks of a host share: here all ranks are on one host. */
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/memory.h"
#include "edge/comm_pool.h"
#include "test.h"

const char *const kt_test_suite = "comm_pool";

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
    kt_pool *pool;
    KT_CHECK_STATUS(KT_OK, kt_pool_create(kt_test_world, N * sizeof(int), &pool));
    int *x = kt_pool_memory(pool);
    bool zero = true, seen = true;
    for (size_t i = 0; i < N; i++)
        zero = zero && x[i] == 0;
    KT_CHECK(zero);
    for (size_t i = rank(); i < N; i += size())
        x[i] = (int)(i + 7 * rank());
    kt_pool_barrier(pool);
    for (size_t i = 0; i < N; i++)
        seen = seen && x[i] == (int)(i + 7 * (i % size()));
    KT_CHECK(seen);
    KT_CHECK((uintptr_t)x % HUGE_BYTES == 0);
    kt_pool_free(pool);
    kt_pool_free(NULL);
}

/* In every round each rank writes its own word, and then reads all: plain memory, ordered by the barrier alone. */
static void what_was_written_before_a_barrier_is_seen_after(void)
{
    enum { ROUNDS = 5000, APART = 16 };
    kt_pool *pool;
    KT_CHECK_STATUS(KT_OK, kt_pool_create(kt_test_world, 2 * size() * APART * sizeof(size_t), &pool));
    size_t *words = kt_pool_memory(pool), n_wrong = 0;
    for (size_t round = 1; round <= ROUNDS; round++) {
        size_t *now = words + (round % 2) * size() * APART; /* so that one barrier a round is enough */
        now[rank() * APART] = round * (rank() + 1);
        kt_pool_barrier(pool);
        for (size_t r = 0; r < size(); r++)
            n_wrong += now[r * APART] != round * (r + 1);
    }
    KT_CHECK(n_wrong == 0);
    kt_pool_free(pool);
}

static void several_arenas_are_apart(void)
{
    enum { ARENAS = 5 };
    const size_t n_bytes[ARENAS] = {1, 0, 3 * HUGE_BYTES + 5, 4096, 77777};
    kt_pool *pool[ARENAS];
    bool apart = true;
    for (size_t a = 0; a < ARENAS; a++) {
        KT_CHECK_STATUS(KT_OK, kt_pool_create(kt_test_world, n_bytes[a], &pool[a]));
        if (rank() == a % size())
            memset(kt_pool_memory(pool[a]), (int)a + 1, n_bytes[a]);
    }
    for (size_t a = 0; a < ARENAS; a++)
        kt_pool_barrier(pool[a]);
    for (size_t a = 0; a < ARENAS; a++)
        for (size_t i = 0; i < n_bytes[a]; i++)
            apart = apart && ((const char *)kt_pool_memory(pool[a]))[i] == (char)(a + 1);
    KT_CHECK(apart);
    for (size_t a = 0; a < ARENAS; a++)
        kt_pool_free(pool[(a + 2) % ARENAS]);
}

static void the_ranks_of_a_host_form_a_group(void)
{
    kt_comm *host, *half;
    kt_pool *pool;
    KT_CHECK_STATUS(KT_OK, kt_comm_group_host(kt_test_world, &host));
    KT_CHECK((size_t)kt_comm_size(host) == size() && (size_t)kt_comm_rank(host) == rank());
    KT_CHECK_STATUS(KT_OK, kt_comm_group(host, (int)(rank() % 2), &half));
    KT_CHECK_STATUS(KT_OK, kt_pool_create(half, sizeof(atomic_size_t), &pool));
    atomic_fetch_add((atomic_size_t *)kt_pool_memory(pool), rank() + 1);
    kt_pool_barrier(pool);
    size_t expected = 0;
    for (size_t r = rank() % 2; r < size(); r += 2)
        expected += r + 1;
    KT_CHECK(atomic_load((atomic_size_t *)kt_pool_memory(pool)) == expected);
    kt_pool_free(pool);
    kt_comm_free(half);
    kt_comm_free(host);
}

static void what_does_not_fit_is_refused_on_all_ranks(void)
{
    const size_t n_bytes[] = {kt_memory_available(), (size_t)1 << 60, SIZE_MAX};
    for (size_t i = kt_memory_available() == SIZE_MAX ? 1 : 0; i < 3; i++) {
        kt_pool *pool = (kt_pool *)(void *)kt_test_suite;
        KT_CHECK(kt_pool_create(kt_test_world, i == 0 ? 2 * n_bytes[i] : n_bytes[i], &pool) == KT_NO_MEMORY);
        KT_CHECK(pool == NULL);
        KT_CHECK(strstr(kt_error_message(), i == 2 ? "than this machine can address" : " MB ") != NULL);
    }
}

static void a_limit_of_the_file_size_is_told_on_all_ranks(void)
{
    struct rlimit limit;
    kt_pool *pool;
    getrlimit(RLIMIT_FSIZE, &limit);
    setrlimit(RLIMIT_FSIZE, &(struct rlimit){1000, limit.rlim_max});
    kt_status status = kt_pool_create(kt_test_world, 1000, &pool);
    setrlimit(RLIMIT_FSIZE, &limit);
    KT_CHECK(status == (size() == 1 ? KT_OK : KT_NO_MEMORY));
    KT_CHECK(size() == 1 || strstr(kt_error_message(), "raise ulimit -f") != NULL);
    kt_pool_free(pool);
}

/* ---- a system that does not do what it is asked for: the linker puts these in the place of the real ones ---- */

void *__real_mmap(void *at, size_t n_bytes, int protection, int flags, int fd, off_t offset);
void *__wrap_mmap(void *at, size_t n_bytes, int protection, int flags, int fd, off_t offset);
void *__wrap_mremap(void *at, size_t n_bytes, size_t n_new_bytes, int flags, ...);
int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);

enum { GOOD, REFUSES, LOSES_ADDRESS, OPENS_ANOTHER };
static int behaviour;

void *__wrap_mmap(void *at, size_t n_bytes, int protection, int flags, int fd, off_t offset)
{
    if ((flags & MAP_FIXED) != 0 && behaviour == REFUSES) {
        errno = ENOMEM;
        return MAP_FAILED;
    }
    if ((flags & MAP_FIXED) != 0 && behaviour == LOSES_ADDRESS)
        return __real_mmap(NULL, n_bytes, protection, flags & ~MAP_FIXED, fd, offset);
    return __real_mmap(at, n_bytes, protection, flags, fd, offset);
}

/* As UCX before 1.15 has it: of five arguments four are passed on, and success is returned. */
void *__wrap_mremap(void *at, size_t n_bytes, size_t n_new_bytes, int flags, ...)
{
    return mremap(at, n_bytes, n_new_bytes, flags & ~MREMAP_FIXED);
}

int __wrap_open(const char *path, int flags, ...)
{
    return __real_open(behaviour == OPENS_ANOTHER ? "/dev/zero" : path, flags);
}

static size_t n_mapped(void)
{
    char line[4096];
    size_t n = 0;
    FILE *maps = fopen("/proc/self/maps", "r");
    while (maps != NULL && fgets(line, sizeof line, maps) != NULL)
        n += strstr(line, "memfd:ktrain") != NULL;
    if (maps != NULL)
        fclose(maps);
    return n;
}

static int next_descriptor(void)
{
    const int fd = dup(STDERR_FILENO);
    close(fd);
    return fd;
}

static void a_failure_on_one_rank_is_told_on_all_and_leaves_nothing(void)
{
    for (size_t failing = 0; failing < size() && size() > 1; failing++)
        for (int how = REFUSES; how <= (failing == 0 ? LOSES_ADDRESS : OPENS_ANOTHER); how++) {
            const int fd = next_descriptor();
            kt_pool *pool = (kt_pool *)(void *)kt_test_suite;
            behaviour = rank() == failing ? how : GOOD;
            const kt_status status = kt_pool_create(kt_test_world, N, &pool);
            behaviour = GOOD;
            KT_CHECK(status == KT_NO_MEMORY && pool == NULL);
            KT_CHECK(strstr(kt_error_message(), "parallel.ranks_per_replica = 1 does without") != NULL);
            KT_CHECK(n_mapped() == 0 && next_descriptor() == fd);
        }
    kt_pool *pool;
    const int fd = next_descriptor();
    KT_CHECK_STATUS(KT_OK, kt_pool_create(kt_test_world, N, &pool));
    KT_CHECK(n_mapped() == (size() > 1) && next_descriptor() == fd);
    kt_pool_free(pool);
    KT_CHECK(n_mapped() == 0);
}

/* ---- pages ---- */

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
    kt_pool *pool;
    kt_status status = kt_pool_create(kt_test_world, n_bytes, &pool);
    if (status == KT_OK) { /* there may be less memory */
        KT_CHECK(n_pages_there(kt_pool_memory(pool), n_bytes) == 0);
        kt_pool_barrier(pool);
        *(volatile char *)kt_pool_memory(pool) = 1;
        kt_pool_settle(pool);
        KT_CHECK(n_pages_there(kt_pool_memory(pool), n_bytes) <= huge_page);
    }
    KT_CHECK(status == KT_OK || status == KT_NO_MEMORY);
    kt_pool_free(pool);
}

static void settling_changes_no_value(void)
{
    const size_t n = 9 * HUGE_BYTES / sizeof(unsigned) + 1000;
    kt_pool *pool;
    KT_CHECK_STATUS(KT_OK, kt_pool_create(kt_test_world, n * sizeof(unsigned), &pool));
    unsigned *x = kt_pool_memory(pool);
    for (size_t i = rank() * n / size(); i < (rank() + 1) * n / size(); i++)
        x[i] = (unsigned)i * 2654435761u;
    kt_pool_settle(pool);
    bool same = true;
    for (size_t i = 0; i < n; i++)
        same = same && x[i] == (unsigned)i * 2654435761u;
    KT_CHECK(same);
    kt_pool_barrier(pool);
    x[rank()] = 1; /* the pages are still the same for all */
    kt_pool_barrier(pool);
    for (size_t r = 0; r < size(); r++)
        same = same && x[r] == 1;
    KT_CHECK(same);
    kt_pool_free(pool);
}

const kt_test kt_tests[] = {
    {"memory is zero and seen by all", memory_is_zero_and_seen_by_all},
    {"what was written before a barrier is seen after", what_was_written_before_a_barrier_is_seen_after},
    {"several arenas are apart", several_arenas_are_apart},
    {"the ranks of a host form a group", the_ranks_of_a_host_form_a_group},
    {"what does not fit is refused on all ranks", what_does_not_fit_is_refused_on_all_ranks},
    {"a limit of the file size is told on all ranks", a_limit_of_the_file_size_is_told_on_all_ranks},
    {"a failure on one rank is told on all, and leaves nothing behind",
     a_failure_on_one_rank_is_told_on_all_and_leaves_nothing},
    {"untouched memory costs nothing", untouched_memory_costs_nothing},
    {"settling changes no value", settling_changes_no_value},
    {NULL, NULL},
};
