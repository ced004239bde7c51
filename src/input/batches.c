/* An epoch's order, cut in steps. */
#include "input/batches.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/random.h"

kt_batch_sizes kt_batches_sizes(size_t n, size_t batch_size, size_t fewest)
{
    const size_t each = batch_size == 0 || batch_size > n ? n : batch_size, left = n % each;
    const bool joins = left > 0 && left < fewest;
    return (kt_batch_sizes){each, each + (joins ? left : 0), n / each + (left > 0 && !joins)};
}

void kt_batches_describe_last(const kt_batch_sizes *sizes, char *text, size_t size)
{
    text[0] = '\0';
    if (sizes->largest > sizes->each)
        snprintf(text, size, " (the last of %zu: batch norm takes no batch of 1)", sizes->largest);
}

kt_status kt_batches_create(kt_batches *out, const uint32_t *samples, size_t n, size_t batch_size, size_t fewest,
                            uint64_t seed)
{
    *out = (kt_batches){0};
    if (n == 0 || n > UINT32_MAX)
        return kt_fail(KT_DATA, "%zu training samples; there must be 1 to 2^32 - 1", n);
    uint32_t *order;
    KT_TRY(KT_NEW(order, n));
    memcpy(order, samples, n * sizeof *order);
    *out = (kt_batches){
        .n = n, .sizes = kt_batches_sizes(n, batch_size, fewest), .seed = seed, .samples = samples, .order = order};
    return KT_OK;
}

void kt_batches_free(kt_batches *batches)
{
    kt_memory_free(batches->order);
    *batches = (kt_batches){0};
}

void kt_batches_start_epoch(kt_batches *batches, uint32_t epoch)
{
    /* From the samples' own order each time: an epoch's order depends on no other epoch's. */
    const kt_random_place place = {.seed = batches->seed, .purpose = KT_RANDOM_ORDER, .epoch = epoch};
    memcpy(batches->order, batches->samples, batches->n * sizeof *batches->order);
    if (batches->sizes.steps > 1)
        kt_random_shuffle(&place, batches->n, batches->order);
}

size_t kt_batches_step(const kt_batches *batches, size_t step, const uint32_t **out)
{
    const size_t begin = step * batches->sizes.each;
    *out = batches->order + begin;
    return step + 1 == batches->sizes.steps ? batches->n - begin : batches->sizes.each;
}
