/* What a data set is good for: its rows as floats, counts, statistics, and a number that tells it from others. */
#include <math.h>
#include <string.h>

#include "base/hash.h"
#include "input/dataset_private.h"

/* The loops for the instructions that the processor has. */
static const kt_dataset_loops *loops(void)
{
    static const kt_dataset_loops *const rows[KT_N_SIMD] = KT_SIMD_EACH(&kt_dataset_loops);
    return rows[kt_simd_best()];
}

/* A row is read once in an epoch, and comes from far: it is asked for some rows before its turn. */
enum { ROWS_AHEAD = 8 };

static inline void fetch(const char *row, size_t n_bytes)
{
    for (size_t at = 0; at < n_bytes; at += 64)
        __builtin_prefetch(row + at);
}

void kt_dataset_gather_apart(const kt_dataset *dataset, const uint32_t *index, size_t n_rows, float scale, float *out,
                             size_t ld)
{
    const size_t d = dataset->d, row_bytes = d * kt_type_bytes(dataset->type);
    const char *features = dataset->features;
    const kt_dataset_loops *scaled = loops();
    const float reciprocal = dataset->type == KT_U8 ? scaled->find_reciprocal(scale) : 0;
    for (size_t i = 0, fetched = 0; i < n_rows; i++, out += ld) {
        const void *row = features + index[i] * row_bytes;
        for (; fetched < n_rows && fetched <= i + ROWS_AHEAD; fetched++)
            fetch(features + index[fetched] * row_bytes, row_bytes);
        if (dataset->type == KT_U8)
            scaled->bytes(d, row, scale, reciprocal, out);
        else
            scaled->floats(d, row, scale, out);
    }
}

void kt_dataset_gather(const kt_dataset *dataset, const uint32_t *index, size_t n_rows, float scale, float *out)
{
    kt_dataset_gather_apart(dataset, index, n_rows, scale, out, dataset->d);
}

void kt_dataset_class_counts(const kt_dataset *dataset, const uint32_t *index, size_t n_rows, size_t *counts)
{
    memset(counts, 0, dataset->n_classes * sizeof *counts);
    if (index == NULL)
        n_rows = dataset->n;
    for (size_t i = 0; i < n_rows; i++)
        counts[dataset->labels[index != NULL ? index[i] : i]]++;
}

static double value_at(const kt_dataset *dataset, size_t i)
{
    return dataset->type == KT_U8 ? ((const uint8_t *)dataset->features)[i]
                                  : (double)((const float *)dataset->features)[i];
}

void kt_class_extremes(size_t n, const size_t *counts, size_t *least, size_t *most)
{
    *least = n;
    *most = 0;
    for (size_t c = 0; c < n; c++) {
        *least = counts[c] > 0 && (*least == n || counts[c] < counts[*least]) ? c : *least;
        *most = counts[c] > counts[*most] ? c : *most;
    }
}

kt_dataset_statistics kt_dataset_describe(const kt_dataset *dataset, const uint32_t *index, size_t n_rows)
{
    const size_t d = dataset->d, n = index != NULL ? n_rows : dataset->n;
    const double count = (double)(n * d), first = value_at(dataset, index != NULL ? index[0] * d : 0);
    kt_dataset_statistics s = {.min = first, .max = first};
    size_t n_zeros = 0;
    double sum = 0, sum_squares = 0;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0, at = (index != NULL ? index[i] : i) * d; j < d; j++) {
            const double x = value_at(dataset, at + j);
            s.min = x < s.min ? x : s.min;
            s.max = x > s.max ? x : s.max;
            sum += x;
            n_zeros += x == 0;
        }
    s.mean = sum / count;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0, at = (index != NULL ? index[i] : i) * d; j < d; j++) {
            const double difference = value_at(dataset, at + j) - s.mean;
            sum_squares += difference * difference;
        }
    s.standard_deviation = sqrt(sum_squares / count);
    s.zero_fraction = (double)n_zeros / count;
    return s;
}

/* Of features that came as floats, piece by piece: whole words of 8 bytes, but for the last. */
static uint64_t hash_as_floats(uint64_t hash, const kt_dataset *dataset)
{
    enum { AT_ONCE = 1024 };
    const uint8_t *bytes = dataset->features;
    const size_t count = dataset->n * dataset->d;
    float floats[AT_ONCE];
    for (size_t i = 0; i < count; i += AT_ONCE) {
        const size_t n = count - i < AT_ONCE ? count - i : AT_ONCE;
        for (size_t k = 0; k < n; k++)
            floats[k] = (float)bytes[i + k];
        hash = kt_hash_bytes(hash, floats, n * sizeof *floats);
    }
    return hash;
}

uint64_t kt_dataset_fingerprint(const kt_dataset *dataset)
{
    const kt_type own = dataset->narrowed ? KT_F32 : dataset->type;
    const uint64_t shape[] = {dataset->n, dataset->d, (uint64_t)own, dataset->labels != NULL};
    uint64_t hash = kt_hash_bytes(KT_HASH_START, shape, sizeof shape);
    if (!dataset->narrowed)
        hash = kt_hash_bytes(hash, dataset->features, dataset->n * dataset->d * kt_type_bytes(dataset->type));
    else
        hash = hash_as_floats(hash, dataset);
    if (dataset->labels != NULL)
        hash = kt_hash_bytes(hash, dataset->labels, dataset->n * sizeof *dataset->labels);
    return hash;
}
