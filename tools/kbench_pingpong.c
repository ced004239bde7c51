/* The time from core to core: a line that two threads write in turns. */
#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>

#include "base/memory.h"
#include "base/timer.h"
#include "kbench.h"

enum { LINE_BYTES = 128, TRIPS = 50, MOST_BATCHES = 200 };
static const double most_seconds = 0.02, near_seconds = 60e-9, far_seconds = 100e-9;

/* The first thread writes odd numbers, the other the even ones after them; a negative one ends it. */
typedef struct table {
    _Alignas(LINE_BYTES) atomic_int turn;
    _Alignas(LINE_BYTES) size_t core; /* of the other thread */
} table;

static void breathe(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static bool bind_to(size_t core)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(core, &set);
    return sched_setaffinity(0, sizeof set, &set) == 0;
}

static void *answer(void *argument)
{
    table *t = argument;
    bind_to(t->core);
    for (int turn = 1;; turn += 2) {
        int seen;
        while ((seen = atomic_load_explicit(&t->turn, memory_order_acquire)) != turn && seen >= 0)
            breathe();
        if (seen < 0)
            return NULL;
        atomic_store_explicit(&t->turn, turn + 1, memory_order_release);
    }
}

/* Median over batches of trips of one way. */
static double play(table *t)
{
    double seconds[MOST_BATCHES];
    size_t n = 0;
    int turn = 1;
    const double start = kt_timer_seconds();
    for (double end = start; n < MOST_BATCHES && end - start < most_seconds; n++) {
        const double begin = end;
        for (int i = 0; i < TRIPS; i++, turn += 2) {
            atomic_store_explicit(&t->turn, turn, memory_order_release);
            while (atomic_load_explicit(&t->turn, memory_order_acquire) != turn + 1)
                breathe();
        }
        end = kt_timer_seconds();
        seconds[n] = (end - begin) / TRIPS / 2;
    }
    atomic_store_explicit(&t->turn, -1, memory_order_release);
    return kt_bench_median(n, seconds);
}

static double play_between(size_t first, size_t last)
{
    table t = {.turn = 0, .core = last};
    pthread_t other;
    if (!bind_to(first) || pthread_create(&other, NULL, answer, &t) != 0)
        return NAN;
    const double seconds = play(&t);
    pthread_join(other, NULL);
    return seconds;
}

/* The cores that this process may be bound to, whatever mpirun has bound it to. */
static bool find_cores(cpu_set_t *out)
{
    memset(out, 0xff, sizeof *out);
    return sched_setaffinity(0, sizeof *out, out) == 0 && sched_getaffinity(0, sizeof *out, out) == 0;
}

int kt_bench_cores(void)
{
    cpu_set_t before, all;
    if (sched_getaffinity(0, sizeof before, &before) != 0)
        return 1;
    const int n = find_cores(&all) ? CPU_COUNT(&all) : CPU_COUNT(&before);
    sched_setaffinity(0, sizeof before, &before);
    return n;
}

double kt_bench_core_to_core(void)
{
    cpu_set_t before, all;
    double seconds = NAN;
    if (sched_getaffinity(0, sizeof before, &before) != 0)
        return seconds;
    if (find_cores(&all) && CPU_COUNT(&all) > 1) {
        size_t first = 0, last = CPU_SETSIZE - 1;
        while (!CPU_ISSET(first, &all))
            first++;
        while (!CPU_ISSET(last, &all))
            last--;
        seconds = play_between(first, last);
    }
    sched_setaffinity(0, sizeof before, &before);
    return seconds;
}

const char *const kt_bench_distance_names[KT_BENCH_N_DISTANCES] = {
    [KT_BENCH_NEAR] = "near", [KT_BENCH_BETWEEN] = "between", [KT_BENCH_FAR] = "far", [KT_BENCH_ALONE] = "one core"};

kt_bench_distance kt_bench_distance_of(double before, double after)
{
    if (isnan(before) || isnan(after))
        return KT_BENCH_ALONE;
    if (before < near_seconds && after < near_seconds)
        return KT_BENCH_NEAR;
    return before > far_seconds && after > far_seconds ? KT_BENCH_FAR : KT_BENCH_BETWEEN;
}
