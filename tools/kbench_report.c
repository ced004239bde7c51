/* What kbench says: tables for people, JSON for programs. */
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kbench.h"
#include "ktrain/file.h"
#include "ktrain/format.h"
#include "ktrain/linalg.h"
#include "ktrain/memory.h"
#include "ktrain/version.h"

static const char *const time_names[KT_BENCH_N_TIMES] = {
    [KT_BENCH_STEP] = "step",         [KT_BENCH_FORWARD] = "forward", [KT_BENCH_BACKWARD] = "backward",
    [KT_BENCH_EXCHANGE] = "exchange", [KT_BENCH_REST] = "rest",       [KT_BENCH_TORCH] = "torch",
};

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

static double median_of(const kt_bench_case *c, kt_bench_time time)
{
    return kt_bench_median(c->n_repetitions, c->seconds[time]);
}

static bool has(const kt_bench_results *r, int time)
{
    return time != KT_BENCH_TORCH || r->torch->pid > 0;
}

/* ---- the table ---- */

static void print_case(const kt_bench_results *r, const kt_bench_case *c, double peak, double bandwidth)
{
    const kt_bench_count count = kt_bench_case_count(c, r->n_ranks);
    const double step = median_of(c, KT_BENCH_STEP);
    printf("%-24s %9zu %5zu", c->shape.name, count.n_parameters, count.batch_size);
    for (int t = 0; t <= KT_BENCH_REST; t++)
        printf(" %9.4f", 1e3 * median_of(c, (kt_bench_time)t));
    printf(" %9.4f %9.4f %11.0f", 1e3 * count.flops / peak, 1e3 * count.memory_bytes / bandwidth,
           (double)count.batch_size / step);
    if (has(r, KT_BENCH_TORCH))
        printf(" %9.4f %6.2f", 1e3 * median_of(c, KT_BENCH_TORCH), median_of(c, KT_BENCH_TORCH) / step);
    printf("\n");
}

void kt_bench_print(const kt_bench_results *r)
{
    const double peak = kt_bench_median(r->repetitions, r->machine->flops_per_second);
    const double bandwidth = kt_bench_median(r->repetitions, r->machine->bytes_per_second);
    printf("%d rank%s, %d thread%s each; medians of %zu; milliseconds a step\n", r->n_ranks, r->n_ranks == 1 ? "" : "s",
           r->threads, r->threads == 1 ? "" : "s", r->repetitions);
    printf("all ranks at once: sgemm %.1f GFLOP/s (%s kernels), memory %.1f GB/s\n\n", peak / 1e9, kt_linalg_core(),
           bandwidth / 1e9);
    printf("%-24s %9s %5s %9s %9s %9s %9s %9s %9s %9s %11s", "shape", "weights", "batch", "step", "forward", "backward",
           "exchange", "rest", "at sgemm", "at memory", "samples/s");
    if (has(r, KT_BENCH_TORCH))
        printf(" %9s %6s", "torch", "ratio");
    printf("\n");
    for (size_t i = 0; i < r->n_cases; i++)
        print_case(r, &r->cases[i], peak, bandwidth);
    printf(
        "\nat sgemm: the step's products at the speed of a large one; at memory: its bytes, were nothing in a cache\n");
    if (has(r, KT_BENCH_TORCH))
        printf("torch: PyTorch %s with %d thread%s; ratio: its step over ours\n", r->torch->version, r->torch->threads,
               r->torch->threads == 1 ? "" : "s");
}

/* ---- JSON ---- */

static json_t *numbers(size_t n, const double *values)
{
    json_t *array = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(array, json_real(values[i]));
    return array;
}

static json_t *widths(const kt_bench_shape *shape)
{
    json_t *array = json_array();
    json_array_append_new(array, json_integer((json_int_t)shape->n_in));
    for (size_t i = 0; i < shape->hidden.n; i++)
        json_array_append_new(array, json_integer((json_int_t)shape->hidden.values[i]));
    json_array_append_new(array, json_integer((json_int_t)shape->n_classes));
    return array;
}

static json_t *case_json(const kt_bench_results *r, const kt_bench_case *c)
{
    const kt_bench_count count = kt_bench_case_count(c, r->n_ranks);
    const double step = median_of(c, KT_BENCH_STEP);
    json_t *medians = json_object(), *all = json_object();
    for (int t = 0; t < KT_BENCH_N_TIMES; t++)
        if (has(r, t)) {
            json_object_set_new(medians, time_names[t], json_real(median_of(c, (kt_bench_time)t)));
            json_object_set_new(all, time_names[t], numbers(c->n_repetitions, c->seconds[t]));
        }
    json_t *one =
        json_pack("{s:s, s:o, s:I, s:s, s:s, s:I, s:I, s:f, s:f, s:f, s:f, s:o, s:o}", "shape", c->shape.name, "widths",
                  widths(&c->shape), "batch_size", (json_int_t)count.batch_size, "optimizer", c->shape.optimizer,
                  "optimizer_state", kt_trainer_state_owner(c->trainer), "parameters", (json_int_t)count.n_parameters,
                  "steps_each", (json_int_t)c->steps_each, "flops", count.flops, "memory_bytes", count.memory_bytes,
                  "sent_bytes", count.sent_bytes, "samples_per_second", (double)count.batch_size / step, "seconds",
                  medians, "repetitions", all);
    if (has(r, KT_BENCH_TORCH))
        json_object_set_new(one, "torch_ratio", json_real(median_of(c, KT_BENCH_TORCH) / step));
    return one;
}

static json_t *results_json(const kt_bench_results *r)
{
    const kt_bench_machine *m = r->machine;
    json_t *cases = json_array();
    for (size_t i = 0; i < r->n_cases; i++)
        json_array_append_new(cases, case_json(r, &r->cases[i]));
    json_t *machine = json_pack("{s:s, s:s, s:f, s:f, s:o, s:o}", "host", r->host, "blas_core", kt_linalg_core(),
                                "flops_per_second", kt_bench_median(r->repetitions, m->flops_per_second),
                                "bytes_per_second", kt_bench_median(r->repetitions, m->bytes_per_second),
                                "flops_repetitions", numbers(r->repetitions, m->flops_per_second), "bytes_repetitions",
                                numbers(r->repetitions, m->bytes_per_second));
    json_t *root =
        json_pack("{s:s, s:i, s:i, s:I, s:o, s:o}", "version", KT_VERSION, "ranks", r->n_ranks, "threads", r->threads,
                  "n_repetitions", (json_int_t)r->repetitions, "machine", machine, "shapes", cases);
    if (root != NULL && has(r, KT_BENCH_TORCH))
        json_object_set_new(root, "torch",
                            json_pack("{s:s, s:i}", "version", r->torch->version, "threads", r->torch->threads));
    return root;
}

kt_status kt_bench_write_json(const kt_bench_results *results, const char *path)
{
    json_t *root = results_json(results);
    char *text = root == NULL ? NULL : json_dumps(root, JSON_INDENT(2));
    json_decref(root);
    if (text == NULL)
        return kt_fail(KT_NO_MEMORY, "no memory for the text of %s", path);
    kt_status status = kt_file_replace(path, text, strlen(text));
    free(text);
    return status;
}

/* ---- a run's history ---- */

enum { EARLY = 3, EPOCHS = 5 }; /* the first epochs warm up */

/* The median time of epochs first ... first + EPOCHS - 1, from the training time that stands at the end of each. */
static double epoch_seconds(const kt_array *history, size_t first)
{
    const size_t column = offsetof(kt_epoch_record, seconds) / sizeof(double);
    double seconds[EPOCHS];
    for (size_t i = 0; i < EPOCHS; i++) {
        size_t row = first - 1 + i;
        seconds[i] = kt_array_get(history, row * KT_HISTORY_COLUMNS + column) -
                     kt_array_get(history, (row - 1) * KT_HISTORY_COLUMNS + column);
    }
    return kt_bench_median(EPOCHS, seconds);
}

static kt_status print_epochs(const kt_array *history, const char *path)
{
    const size_t n = history->dims[0], late = n - EPOCHS + 1;
    if (history->n_dims != 2 || history->dims[1] != KT_HISTORY_COLUMNS)
        return kt_fail(KT_DATA, "%s is not a history.csv: it must have %d columns", path, KT_HISTORY_COLUMNS);
    if (n < EARLY + 2 * EPOCHS - 1)
        return kt_fail(KT_DATA, "%s has %zu epochs; at least %d are needed to compare early ones with late ones", path,
                       n, EARLY + 2 * EPOCHS - 1);
    const double before = epoch_seconds(history, EARLY), after = epoch_seconds(history, late);
    printf("%s: median seconds of an epoch\n  epochs %d to %d      %10.5f\n  epochs %zu to %-5zu %10.5f\n  late / "
           "early       %10.3f\n",
           path, EARLY, EARLY + EPOCHS - 1, before, late, n, after, after / before);
    return KT_OK;
}

kt_status kt_bench_print_history(const char *path)
{
    kt_array history;
    KT_TRY(kt_format_read(path, &history));
    kt_status status = print_epochs(&history, path);
    kt_array_free(&history);
    return status;
}
