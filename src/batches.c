#include "ktrain/batches.h"

#include <string.h>

#include "ktrain/memory.h"
#include "ktrain/random.h"

kt_status kt_batches_create(kt_batches *out, const uint32_t *samples, size_t n, size_t batch_size, uint64_t seed)
{
    *out = (kt_batches){0};
    if (n == 0 || n > UINT32_MAX)
        return kt_fail(KT_DATA, "%zu training samples; there must be 1 to 2^32 - 1", n);
    uint32_t *order;
    KT_TRY(KT_NEW(order, n));
    memcpy(order, samples, n * sizeof *order);
    *out = (kt_batches){.n = n,
                        .batch_size = batch_size == 0 || batch_size > n ? n : batch_size,
                        .seed = seed,
                        .samples = samples,
                        .order = order};
    return KT_OK;
}

void kt_batches_free(kt_batches *batches)
{
    kt_memory_free(batches->order);
    *batches = (kt_batches){0};
}

size_t kt_batches_steps(const kt_batches *batches)
{
    return batches->n / batches->batch_size + (batches->n % batches->batch_size != 0);
}

void kt_batches_start_epoch(kt_batches *batches, uint32_t epoch)
{
    /* From the samples' own order each time: an epoch's order depends on no other epoch's. */
    const kt_random_place place = {.seed = batches->seed, .purpose = KT_RANDOM_ORDER, .epoch = epoch};
    memcpy(batches->order, batches->samples, batches->n * sizeof *batches->order);
    kt_random_shuffle(&place, batches->n, batches->order);
}

size_t kt_batches_step(const kt_batches *batches, size_t step, const uint32_t **out)
{
    size_t begin = step * batches->batch_size, left = batches->n - begin;
    *out = batches->order + begin;
    return left < batches->batch_size ? left : batches->batch_size;
}
