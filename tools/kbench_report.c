/* What kbench says to people. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "edge/linalg.h"
#include "kbench.h"

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double kt_bench_median(size_t n, const double *values)
{
    double *sorted, median = NAN;
    if (n == 0 || KT_NEW(sorted, n) != KT_OK)
        return median;
    memcpy(sorted, values, n * sizeof *sorted);
    qsort(sorted, n, sizeof *sorted, compare);
    median = (sorted[(n - 1) / 2] + sorted[n / 2]) / 2;
    kt_memory_free(sorted);
    return median;
}

static const kt_bench_case *find_case(const kt_bench_results *r, const kt_bench_shape *shape, int n_ranks)
{
    for (size_t i = 0; i < r->n_cases; i++) {
        const kt_bench_case *c = &r->cases[i];
        if (c->shape == shape && c->group->n_ranks == n_ranks && c->variant == &kt_bench_variants[0])
            return c;
    }
    return NULL;
}

const kt_bench_case *kt_bench_one_rank(const kt_bench_results *results, const kt_bench_case *c)
{
    return find_case(results, c->shape, 1);
}

const kt_bench_case *kt_bench_default(const kt_bench_results *results, const kt_bench_case *c)
{
    return find_case(results, c->shape, c->group->n_ranks);
}

/* ---- tables ---- */

static void print_machine(const kt_bench_results *r)
{
    printf("the machine, all ranks at once (%s kernels of OpenBLAS)\n", kt_linalg_core());
    printf("%5s %9s %9s %9s %9s GFLOP/s %9s %9s GB/s\n", "ranks", "avx512", "avx2", "baseline", "sgemm", "read",
           "update");
    for (size_t g = 0; g < r->n_groups; g++) {
        printf("%5d", r->groups[g].n_ranks);
        for (int s = 0; s < KT_BENCH_N_SPEEDS; s++)
            printf("%s %9.1f", s == KT_BENCH_READ ? "        " : "",
                   1e-9 * kt_bench_machine_speed(&r->groups[g].machine, (kt_bench_speed)s));
        printf("\n");
    }
    printf("avx512, avx2, baseline: multiply-adds in registers; update: reads and writes three arrays\n\n");
}

/* How many times as fast as another; nothing when that was not measured. */
static void print_gain(const kt_bench_case *other, double step)
{
    if (other != NULL)
        printf(" %9.2f", kt_bench_case_seconds(other, KT_BENCH_STEP) / step);
    else
        printf(" %9s", "");
}

static void print_step(const kt_bench_results *r, const kt_bench_case *c)
{
    const double step = kt_bench_case_seconds(c, KT_BENCH_STEP);
    printf("%-24s %9zu %5zu %5d %-18s", c->shape->name, c->need.n_parameters, kt_bench_shape_batch(c->shape),
           c->group->n_ranks, c->variant->name);
    for (int t = 0; t < KT_BENCH_N_TIMES; t++)
        printf(" %9.4f", 1e3 * kt_bench_case_seconds(c, (kt_bench_time)t));
    printf(" %10.0f", (double)kt_bench_shape_batch(c->shape) / step);
    print_gain(kt_bench_one_rank(r, c), step);
    print_gain(kt_bench_default(r, c), step);
    printf("\n");
}

static void print_steps(const kt_bench_results *r)
{
    printf("milliseconds a step; medians of %d; how many times as fast as others\n", r->settings->repetitions);
    printf("%-24s %9s %5s %5s %-18s %9s %9s %9s %9s %9s %10s %9s %9s", "shape", "weights", "batch", "ranks", "variant",
           "step", "forward", "backward", "exchange", "rest", "samples/s", "1 rank", "default");
    printf("\n");
    for (size_t i = 0; i < r->n_cases; i++)
        print_step(r, &r->cases[i]);
    printf("\n");
}

static void print_roofline(const kt_bench_case *c)
{
    const kt_bench_roofline line = kt_bench_case_roofline(c);
    const double step = kt_bench_case_seconds(c, KT_BENCH_STEP);
    printf("%-24s %5d %-18s %9.4f %9.2f", c->shape->name, c->group->n_ranks, c->variant->name,
           1e3 * line.seconds[KT_BENCH_STEP], step / line.seconds[KT_BENCH_STEP]);
    for (int t = KT_BENCH_FORWARD; t <= KT_BENCH_EXCHANGE; t++) {
        if (line.seconds[t] > 0)
            printf(" %8.0f %% %-6s", 100 * line.seconds[t] / kt_bench_case_seconds(c, (kt_bench_time)t),
                   line.by_memory[t] ? "memory" : "flops");
        else
            printf(" %17s", "none");
    }
    printf(" %s\n", line.cached ? "fits the caches: no memory counted" : "");
}

static void print_rooflines(const kt_bench_results *r)
{
    printf("the roofline: what a step would take at the machine's speeds, and how much of them each phase reaches\n");
    printf("%-24s %5s %-18s %9s %9s %17s %17s %17s\n", "shape", "ranks", "variant", "ms", "step is x", "forward",
           "backward", "exchange");
    for (size_t i = 0; i < r->n_cases; i++)
        print_roofline(&r->cases[i]);
}

void kt_bench_print(const kt_bench_results *results)
{
    print_machine(results);
    print_steps(results);
    print_rooflines(results);
    kt_bench_print_peers(results);
}
