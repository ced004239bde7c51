/* Copying and hashing panels, for one instruction set: of each the same hash. */
#include <string.h>
#if defined(__SSE2__)
#include <immintrin.h>
#endif

#include "saving/snapshot_private.h"

/* Past the caches, which hold what the next step needs. Whole lines, aligned to them. */
static inline void copy_line(float *to, const float *from)
{
#if defined(__AVX512F__)
    _mm512_stream_ps(to, _mm512_load_ps(from));
#elif defined(__SSE2__)
    for (size_t i = 0; i < LINE_FLOATS; i += 4)
        _mm_stream_ps(to + i, _mm_load_ps(from + i));
#else
    memcpy(to, from, LINE_FLOATS * sizeof *to);
#endif
}

uint64_t KT_SIMD_NAME(kt_snapshot_hash)(const float *panel, size_t n, uint64_t seed)
{
    return XXH3_64bits_withSeed(panel, n * sizeof *panel, seed);
}

uint64_t KT_SIMD_NAME(kt_snapshot_copy)(float *to, const float *panel, size_t n, uint64_t seed)
{
    for (size_t i = 0; i < n; i += LINE_FLOATS)
        copy_line(to + i, panel + i);
    return KT_SIMD_NAME(kt_snapshot_hash)(panel, n, seed);
}

void KT_SIMD_NAME(kt_snapshot_end_copy)(void)
{
#if defined(__SSE2__)
    _mm_sfence();
#endif
}
