/* The shapes that kbench knows, and counting what a step of one needs. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kbench.h"

enum { DEFAULT_BATCH = 16 };

/* jobs/m0.ini to m4.ini, without what does not change a step's work. */
static const struct {
    const char *name, *widths;
    double dropout, l2, rate;
    const char *optimizer, *note;
} named[] = {
    {"m0", "784,100,80,49:full", 0, 0, 0.01, "sgd", "full batch of 3500"},
    {"m1", "784,128,49:16", 0.1, 0.01, 0.001, "adam", "dropout, L2"},
    {"m3", "784,5000,5000,49:16", 0.1, 0.01, 0.001, "adam", "dropout, L2"},
    {"m4", "784,5000,49:64", 0, 0, 0.001, "adam", ""},
};
enum { N_NAMED = sizeof named / sizeof named[0] };

void kt_bench_shape_list(FILE *out)
{
    for (size_t i = 0; i < N_NAMED; i++)
        fprintf(out, "  %-4s %-20s  %s%s%s\n", named[i].name, named[i].widths, named[i].optimizer,
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
    long batch_size = DEFAULT_BATCH;
    if (strcmp(end, ":full") == 0)
        batch_size = 0;
    else if (*end == ':' && ((batch_size = parse_number(end + 1, &end)) < 1 || *end != '\0'))
        return bad_shape(text);
    else if (*end != '\0' || n < 2)
        return bad_shape(text);
    out->batch_size = (size_t)batch_size;
    out->n_in = (size_t)values[0];
    out->n_classes = (size_t)values[n - 1];
    out->hidden.n = n - 2;
    memcpy(out->hidden.values, values + 1, (n - 2) * sizeof *values);
    return KT_OK;
}

kt_status kt_bench_shape_parse(const char *text, kt_bench_shape *out)
{
    *out = (kt_bench_shape){.rate = 0.001, .optimizer = "adam"};
    if (strlen(text) >= sizeof out->name)
        return kt_fail(KT_USAGE, "a shape is written with at most %d letters", KT_TEXT_BYTES - 1);
    strcpy(out->name, text);
    for (size_t i = 0; i < N_NAMED; i++)
        if (strcmp(text, named[i].name) == 0) {
            out->dropout = named[i].dropout;
            out->l2 = named[i].l2;
            out->rate = named[i].rate;
            out->optimizer = named[i].optimizer;
            return parse_widths(text, named[i].widths, out);
        }
    return parse_widths(text, text, out);
}

/* A product with M samples is 2 flops a weight and sample: forward, gradient and, but for the first layer, backward. A
 * rank reads its weights forward and backward and writes the gradient; the update reads weight, gradient and state and
 * writes weight and state, once in all when the state is sharded. Of the samples, inputs go by 4 times (data set,
 * batch, forward, gradient) and hidden units 8 times (each of dense and activation written and read, forward and
 * backward). */
kt_bench_count kt_bench_case_count(const kt_bench_case *c, int n_ranks)
{
    const kt_bench_shape *s = &c->shape;
    double M = (double)(s->batch_size == 0 ? c->data.split.n[KT_TRAIN] : s->batch_size), flops = 0,
           sample_floats = 4 * (double)s->n_in;
    size_t n_in = s->n_in, n_parameters = kt_network_n_parameters(kt_trainer_network(c->trainer));
    for (size_t i = 0; i <= s->hidden.n; i++) {
        size_t n_out = i < s->hidden.n ? (size_t)s->hidden.values[i] : s->n_classes;
        flops += (i == 0 ? 4 : 6) * M * (double)n_in * (double)n_out;
        sample_floats += 8 * (double)n_out;
        n_in = n_out;
    }
    size_t n_slots = kt_optimizers[c->config.optimizer.kind].n_slots;
    double parameter_floats = 3 * (double)n_ranks + 3 + 2 * (double)n_slots;
    return (kt_bench_count){
        .n_parameters = n_parameters,
        .batch_size = (size_t)M,
        .flops = flops,
        .memory_bytes = sizeof(float) * (parameter_floats * (double)n_parameters + sample_floats * M),
        .sent_bytes = kt_exchange_predict(&c->config, n_parameters, n_ranks).sent_bytes,
    };
}
