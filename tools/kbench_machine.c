/* What the machine can do at best: a large product, and memory far beyond the caches. */
#include "kbench.h"
#include "ktrain/linalg.h"
#include "ktrain/memory.h"
#include "ktrain/simd.h"
#include "ktrain/timer.h"

enum {
    ORDER = 1536,     /* of the matrices of the product */
    STREAM = 1 << 24, /* floats of each of two arrays: 64 MiB */
    PRODUCTS = 2,
    PASSES = 6
};

/* Reads two arrays and writes one of them, as updates do: nothing is fetched only to be overwritten, so the bytes
 * counted are all there are. */
KT_CLONES
static void stream(size_t n, float factor, float *restrict a, const float *restrict b)
{
    for (size_t i = 0; i < n; i++)
        a[i] = factor * a[i] + b[i];
}

kt_status kt_bench_machine_start(kt_comm *comm, size_t repetitions, kt_bench_machine *out)
{
    const size_t n = (size_t)2 * STREAM;
    *out = (kt_bench_machine){0};
    kt_status status = KT_NEW(out->memory, n);
    if (status == KT_OK)
        status = KT_NEW(out->flops_per_second, repetitions);
    if (status == KT_OK)
        status = KT_NEW(out->bytes_per_second, repetitions);
    for (size_t i = 0; i < n && status == KT_OK; i++)
        out->memory[i] = (float)(i % 7) - 3;
    status = kt_comm_agree(comm, status);
    if (status != KT_OK)
        kt_bench_machine_free(out);
    return status;
}

void kt_bench_machine_free(kt_bench_machine *machine)
{
    kt_memory_free(machine->memory);
    kt_memory_free(machine->flops_per_second);
    kt_memory_free(machine->bytes_per_second);
    *machine = (kt_bench_machine){0};
}

void kt_bench_machine_repeat(kt_comm *comm, kt_bench_machine *machine, size_t repetition)
{
    float *a = machine->memory, *b = a + STREAM, *c = b + (size_t)ORDER * ORDER;
    double sums[2], start;
    kt_comm_barrier(comm);
    start = kt_timer_seconds();
    for (int i = 0; i < PRODUCTS; i++)
        kt_linalg_product(ORDER, ORDER, ORDER, a, b, c);
    sums[0] = PRODUCTS * 2.0 * ORDER * ORDER * ORDER / (kt_timer_seconds() - start);
    kt_comm_barrier(comm);
    start = kt_timer_seconds();
    for (int i = 0; i < PASSES; i++)
        stream(STREAM, 0.5f, a, b);
    sums[1] = PASSES * 3.0 * STREAM * sizeof *a / (kt_timer_seconds() - start);
    kt_comm_sum_f64(comm, sums, 2);
    machine->flops_per_second[repetition] = sums[0];
    machine->bytes_per_second[repetition] = sums[1];
}
