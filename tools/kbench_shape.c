/* The shapes that kbench knows, and the ways to train them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/intern.h"
#include "kbench.h"

enum { DEFAULT_BATCH = 16, N_SAMPLES = 3500 /* the training part of k49 */ };
#define K49 0.31

/* jobs/m0.ini to m4.ini, without what does not change a step's work, and nets that fit the caches; 31 % of k49's pixels
 * are not 0. */
static const struct {
    const char *name, *widths;
    double dropout, l2, rate, density;
    const char *optimizer, *note;
} named[] = {
    {"m0", "784,100,80,49:full", 0, 0, 0.01, K49, "sgd", "full batch of 3500"},
    {"m1", "784,128,49:16", 0.1, 0.01, 0.001, K49, "adam", "dropout, L2"},
    {"m2", "784,128,49:16", 0.1, 0.01, 0.001, K49, "adam", "as m1"},
    {"m3", "784,5000,5000,49:16", 0.1, 0.01, 0.001, K49, "adam", "dropout, L2"},
    {"m4", "784,5000,49:64", 0, 0, 0.001, K49, "adam", ""},
    {"s16", "784,512,256,128,49:16", 0, 0, 0.001, K49, "adam", ""},
    {"s256", "784,512,256,128,49:256", 0, 0, 0.001, K49, "adam", ""},
    {"q128", "784,256,128,10:128", 0, 0, 0.001, K49, "adam", ""},
    {"m1-dense", "784,128,49:16", 0.1, 0.01, 0.001, 1, "adam", "as m1, no input is 0"},
    {"s256-dense", "784,512,256,128,49:256", 0, 0, 0.001, 1, "adam", "as s256, no input is 0"},
};
enum { N_NAMED = sizeof named / sizeof named[0] };

void kt_bench_shape_list(FILE *out)
{
    for (size_t i = 0; i < N_NAMED; i++)
        fprintf(out, "  %-10s %-23s  %s%s%s\n", named[i].name, named[i].widths, named[i].optimizer,
                named[i].note[0] != '\0' ? ", " : "", named[i].note);
}

static kt_status bad_shape(const char *text)
{
    return kt_fail(KT_USAGE,
                   "%s is not a shape: say a name (kbench --help lists them) or widths and batch, as 784,512,256,10:16",
                   text);
}

/* A whole number from 1 to ten million; *end is behind it. 0 when there is none. */
static long parse_number(const char *p, char **end)
{
    errno = 0;
    long value = *p >= '0' && *p <= '9' ? strtol(p, end, 10) : 0;
    return errno == 0 && value <= 10000000 ? value : 0;
}

/* ":16" or ":full" or nothing, up to the end; *batch_size 0 for full, unchanged for nothing. */
static bool parse_batch(const char *text, size_t *batch_size)
{
    char *end;
    if (*text == '\0')
        return true;
    if (*text != ':')
        return false;
    if (strcmp(text, ":full") == 0) {
        *batch_size = 0;
        return true;
    }
    const long value = parse_number(text + 1, &end);
    *batch_size = (size_t)value;
    return value > 0 && *end == '\0';
}

static kt_status parse_widths(const char *text, const char *widths, kt_bench_shape *out)
{
    int64_t values[KT_MAX_INTS + 2];
    size_t n = 0;
    const char *p = widths;
    char *end = NULL;
    for (;; p = end + 1) {
        long value = parse_number(p, &end);
        if (value < 1 || n == KT_MAX_INTS + 2)
            return bad_shape(text);
        values[n++] = value;
        if (*end != ',')
            break;
    }
    out->batch_size = DEFAULT_BATCH;
    if (n < 2 || !parse_batch(end, &out->batch_size))
        return bad_shape(text);
    out->n_in = (size_t)values[0];
    out->n_classes = (size_t)values[n - 1];
    out->hidden.n = n - 2;
    out->hidden.values = kt_intern(values + 1, (n - 2) * sizeof *values);
    return out->hidden.values != NULL ? KT_OK : KT_NO_MEMORY;
}

kt_status kt_bench_shape_parse(const char *text, kt_bench_shape *out)
{
    *out = (kt_bench_shape){.rate = 0.001, .density = K49, .optimizer = "adam"};
    if (strlen(text) >= sizeof out->name)
        return kt_fail(KT_USAGE, "a shape is written with at most %d letters", KT_BENCH_NAME_BYTES - 1);
    strcpy(out->name, text);
    const size_t length = strcspn(text, ":");
    for (size_t i = 0; i < N_NAMED; i++)
        if (strlen(named[i].name) == length && strncmp(text, named[i].name, length) == 0) {
            out->dropout = named[i].dropout;
            out->l2 = named[i].l2;
            out->rate = named[i].rate;
            out->density = named[i].density;
            out->optimizer = named[i].optimizer;
            KT_TRY(parse_widths(text, named[i].widths, out));
            return parse_batch(text + length, &out->batch_size) ? KT_OK : bad_shape(text);
        }
    return parse_widths(text, text, out);
}

size_t kt_bench_shape_samples(const kt_bench_shape *shape)
{
    return shape->batch_size > N_SAMPLES ? shape->batch_size : N_SAMPLES;
}

size_t kt_bench_shape_batch(const kt_bench_shape *shape)
{
    return shape->batch_size == 0 ? kt_bench_shape_samples(shape) : shape->batch_size;
}

/* ---- variants ---- */

/* Without names as the INI has it; the first is the default. */
const kt_bench_variant kt_bench_variants[] = {
    {"default", "the arrangement of the ranks that is found by trying", {NULL}},
    {"team", "all ranks share one copy of the weights", {"parallel.ranks=all", "parallel.ranks_per_replica=node"}},
    {"copies", "a copy for each rank", {"parallel.ranks=all", "parallel.ranks_per_replica=1"}},
    {"one", "one rank works, the others sleep", {"parallel.ranks=1"}},
    {"rank0",
     "a copy of the weights for each rank, gradients to rank 0, which updates",
     {"parallel.exchange=allreduce", "parallel.optimizer_state=rank0", "parallel.ranks_per_replica=1"}},
    {"sharded",
     "a copy for each rank, each updates a part",
     {"parallel.exchange=allreduce", "parallel.optimizer_state=sharded", "parallel.ranks_per_replica=1"}},
    {"factors",
     "a copy for each rank, inputs and deltas to all, each updates everything",
     {"parallel.exchange=factors", "parallel.ranks_per_replica=1"}},
    {"any-order", "default without the fixed order of sums", {"parallel.reproducible=false"}},
    {"sharded-any-order",
     "sharded without it",
     {"parallel.exchange=allreduce", "parallel.optimizer_state=sharded", "parallel.ranks_per_replica=1",
      "parallel.reproducible=false"}},
};
enum { N_VARIANTS = sizeof kt_bench_variants / sizeof kt_bench_variants[0] };

void kt_bench_variant_list(FILE *out)
{
    for (size_t i = 0; i < N_VARIANTS; i++)
        fprintf(out, "  %-18s %s\n", kt_bench_variants[i].name, kt_bench_variants[i].note);
}

/* The row that is named in text[length]; NULL when there is none. */
static const kt_bench_variant *find_variant(const char *text, size_t length)
{
    for (size_t i = 0; i < N_VARIANTS; i++)
        if (strlen(kt_bench_variants[i].name) == length && strncmp(text, kt_bench_variants[i].name, length) == 0)
            return &kt_bench_variants[i];
    return NULL;
}

kt_status kt_bench_variants_parse(const char *names, const kt_bench_variant *out[KT_BENCH_MOST_VARIANTS], size_t *n)
{
    *n = 0;
    if (strcmp(names, "all") == 0) {
        for (; *n < N_VARIANTS; (*n)++)
            out[*n] = &kt_bench_variants[*n];
        return KT_OK;
    }
    for (const char *p = names;; p++) {
        const size_t length = strcspn(p, ",");
        const kt_bench_variant *found = find_variant(p, length);
        if (found == NULL || *n == KT_BENCH_MOST_VARIANTS)
            return kt_fail(KT_USAGE, "--variants %s: must be names with commas, or all (kbench --help lists them)",
                           names);
        out[(*n)++] = found;
        p += length;
        if (*p == '\0')
            return KT_OK;
    }
}
