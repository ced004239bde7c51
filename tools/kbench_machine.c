/* What the machine can do at best: multiply-adds in registers, a large product, and memory far beyond the caches. */
#include <stdio.h>

#include "base/memory.h"
#include "base/share.h"
#include "base/timer.h"
#include "edge/linalg.h"
#include "kbench.h"

enum {
    ORDER = 1024,         /* of the matrices of the product */
    STREAM = 1 << 24,     /* floats of each of three arrays, at least: 64 MiB */
    LEVELS = 8,           /* of caches, at most */
    PASSES = 3,           /* over the arrays */
    FMA_ROUNDS = 2000000, /* some 10 ms */
    N_STREAMS = 3
};

/* Sixteen floats at a time: the compiler cuts them as the instruction set needs it. The baseline's is as fast as
 * memory. */
typedef float lanes __attribute__((vector_size(64)));

static volatile float result;

/* Four places at once: more than a processor fetches ahead of one. */
static void sum_up(size_t n_floats, const float *values)
{
    const lanes *p = (const lanes *)(const void *)values;
    const size_t n = n_floats / 16 / 4;
    lanes a = {0}, b = a, c = a, d = a;
    for (size_t i = 0; i < n; i++) {
        a += p[i];
        b += p[i + n];
        c += p[i + 2 * n];
        d += p[i + 3 * n];
    }
    a += b + c + d;
    result = a[0];
}

/* The traffic of Adam without its arithmetic. Values stay between those they begin with. */
static void update(size_t n, float *restrict w, float *restrict m, float *restrict v)
{
    for (size_t i = 0; i < n; i++) {
        m[i] = 0.5f * m[i] + 0.5f * w[i];
        v[i] = 0.5f * v[i] + 0.5f * w[i];
        w[i] = 0.5f * m[i] + 0.5f * v[i];
    }
}

/* ---- caches ---- */

/* Bytes of cache number `index` of the first core, and its level; 0 where there is none. */
static double cache_bytes(int index, int *level)
{
    char path[96], unit = 0;
    double bytes = 0;
    *level = 0;
    snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu0/cache/index%d/level", index);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return 0;
    if (fscanf(file, "%d", level) != 1)
        *level = 0;
    fclose(file);
    snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu0/cache/index%d/size", index);
    file = fopen(path, "r");
    if (file == NULL)
        return 0;
    if (fscanf(file, "%lf%c", &bytes, &unit) < 1)
        bytes = 0;
    fclose(file);
    return bytes * (unit == 'K' ? 1 << 10 : unit == 'M' ? 1 << 20 : 1);
}

double kt_bench_cache_bytes(size_t n_ranks)
{
    double total = 0;
    for (int i = 0, level; i < LEVELS; i++) {
        const double bytes = cache_bytes(i, &level);
        total += level == 2 ? bytes * (double)n_ranks : level == 3 ? bytes : 0;
    }
    return total;
}

/* ---- measuring ---- */

/* This rank's part of its host's streams, in whole lanes for the four places. */
static float *own_part(const kt_bench_machine *machine, size_t *n)
{
    enum { WHOLE = 64 };
    const kt_range own =
        kt_share(machine->n_floats / WHOLE, (size_t)kt_comm_rank(machine->host), (size_t)kt_comm_size(machine->host));
    *n = (own.end - own.begin) * WHOLE;
    return (float *)kt_pool_memory(machine->pool) + own.begin * WHOLE;
}

/* Memory as a replica has it; where that fails, each rank's own, as the trainer does. */
static kt_status share_streams(kt_comm *comm, kt_bench_machine *machine)
{
    KT_TRY(kt_comm_group_host(comm, &machine->host));
    const size_t n_ranks = (size_t)kt_comm_size(machine->host);
    const size_t beyond_caches = (size_t)(2 * kt_bench_cache_bytes(n_ranks)) / N_STREAMS / sizeof(float);
    machine->n_floats = beyond_caches > STREAM ? beyond_caches : STREAM;
    kt_status status = kt_pool_create(machine->host, N_STREAMS * machine->n_floats * sizeof(float), &machine->pool);
    if (kt_comm_agree(comm, status) == KT_OK)
        return KT_OK;
    kt_pool_free(machine->pool);
    kt_comm_free(machine->host);
    machine->pool = NULL;
    machine->host = NULL;
    machine->n_floats /= n_ranks;
    KT_TRY(kt_comm_group(comm, kt_comm_rank(comm), &machine->host));
    status = kt_pool_create(machine->host, N_STREAMS * machine->n_floats * sizeof(float), &machine->pool);
    return kt_comm_agree(comm, status);
}

/* The memory is touched by who uses it, as a replica's is. */
static kt_status allocate(kt_comm *comm, size_t repetitions, kt_bench_machine *machine)
{
    kt_status status = KT_NEW(machine->matrices, (size_t)3 * ORDER * ORDER);
    for (int s = 0; s < KT_BENCH_N_SPEEDS && status == KT_OK; s++)
        status = KT_NEW(machine->speeds[s], repetitions);
    KT_TRY(kt_comm_agree(comm, status));
    KT_TRY(share_streams(comm, machine));
    size_t n;
    float *w = own_part(machine, &n);
    for (size_t k = 0; k < N_STREAMS; k++)
        for (size_t i = 0; i < n; i++)
            w[k * machine->n_floats + i] = (float)(1 + i % 7);
    for (size_t i = 0; i < (size_t)3 * ORDER * ORDER; i++)
        machine->matrices[i] = (float)(i % 7) - 3;
    kt_pool_settle(machine->pool);
    return KT_OK;
}

kt_status kt_bench_machine_start(kt_comm *comm, size_t repetitions, kt_bench_machine *out)
{
    *out = (kt_bench_machine){0};
    const kt_status status = allocate(comm, repetitions, out);
    if (status != KT_OK)
        kt_bench_machine_free(out);
    return status;
}

void kt_bench_machine_free(kt_bench_machine *machine)
{
    kt_pool_free(machine->pool);
    kt_comm_free(machine->host);
    kt_memory_free(machine->matrices);
    for (int s = 0; s < KT_BENCH_N_SPEEDS; s++)
        kt_memory_free(machine->speeds[s]);
    *machine = (kt_bench_machine){0};
}

/* Each does its work once and returns how much it was, of this rank. */
static double work_peak(const kt_bench_machine *machine, kt_bench_speed speed)
{
    (void)machine;
    return kt_bench_peak(speed, FMA_ROUNDS);
}

static double work_sgemm(const kt_bench_machine *machine, kt_bench_speed speed)
{
    float *a = machine->matrices, *b = a + (size_t)ORDER * ORDER, *c = b + (size_t)ORDER * ORDER;
    (void)speed;
    kt_linalg_add((kt_linalg_shape){ORDER, ORDER, ORDER, false}, (kt_matrix){a, ORDER}, (kt_matrix){b, ORDER}, c,
                  ORDER);
    return 2.0 * ORDER * ORDER * ORDER;
}

static double work_read(const kt_bench_machine *machine, kt_bench_speed speed)
{
    size_t n;
    const float *values = own_part(machine, &n);
    (void)speed;
    for (size_t k = 0; k < N_STREAMS; k++)
        sum_up(n, values + k * machine->n_floats);
    return (double)(N_STREAMS * n * sizeof(float));
}

static double work_update(const kt_bench_machine *machine, kt_bench_speed speed)
{
    size_t n;
    float *w = own_part(machine, &n);
    (void)speed;
    update(n, w, w + machine->n_floats, w + 2 * machine->n_floats);
    return (double)(2 * N_STREAMS * n * sizeof(float));
}

static const struct {
    const char *name;
    double (*work)(const kt_bench_machine *machine, kt_bench_speed speed);
} measures[KT_BENCH_N_SPEEDS] = {
    [KT_BENCH_AVX512] = {"flops_avx512", work_peak},     [KT_BENCH_AVX2] = {"flops_avx2", work_peak},
    [KT_BENCH_BASELINE] = {"flops_baseline", work_peak}, [KT_BENCH_SGEMM] = {"flops_sgemm", work_sgemm},
    [KT_BENCH_READ] = {"read_bytes", work_read},         [KT_BENCH_UPDATE] = {"update_bytes", work_update},
};

/* From the first rank's start to the last one's end: nobody is measured while others rest. */
void kt_bench_machine_repeat(kt_comm *comm, kt_bench_machine *machine)
{
    for (int s = 0; s < KT_BENCH_N_SPEEDS; s++) {
        double work = 0;
        kt_comm_barrier(comm);
        const double start = kt_timer_seconds();
        for (int i = 0; i < PASSES; i++)
            work += measures[s].work(machine, (kt_bench_speed)s);
        kt_comm_barrier(comm);
        const double seconds = kt_timer_seconds() - start;
        kt_comm_sum_f64(comm, &work, 1);
        machine->speeds[s][machine->n_repetitions] = work / seconds;
    }
    machine->n_repetitions++;
}

const char *kt_bench_speed_name(kt_bench_speed speed)
{
    return measures[speed].name;
}

double kt_bench_machine_speed(const kt_bench_machine *machine, kt_bench_speed speed)
{
    return kt_bench_median(machine->n_repetitions, machine->speeds[speed]);
}

double kt_bench_machine_peak(const kt_bench_machine *machine)
{
    double peak = 0;
    for (int s = KT_BENCH_AVX512; s <= KT_BENCH_BASELINE; s++) {
        const double speed = kt_bench_machine_speed(machine, (kt_bench_speed)s);
        peak = speed > peak ? speed : peak;
    }
    return peak;
}
