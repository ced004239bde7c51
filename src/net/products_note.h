/* The lists and masks of nonzero inputs; panels to columns and back. Part of a source that is built for one instruction
 * set. */
#ifndef KTRAIN_PRODUCTS_NOTE_H
#define KTRAIN_PRODUCTS_NOTE_H

#include "net/products.h"
#include "net/products_chains.h"

#if defined(__AVX512F__) && !defined(KT_SIMD_LAST)
/* Appends those of 16 features, the first of which is number `first`, that are not 0; bit k of the result is set where
 * x[k] is not. Writes 16 of both arrays. Some processors compress into memory slowly: so it is into a register. */
KT_INLINE uint32_t append(const float *x, uint32_t first, uint32_t *index, float *value)
{
    const __m512i numbers = _mm512_add_epi32(_mm512_set1_epi32((int)first),
                                             _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15));
    const __m512 v = _mm512_load_ps(x);
    const __mmask16 on = _mm512_cmp_ps_mask(v, _mm512_setzero_ps(), _CMP_NEQ_UQ);
    _mm512_storeu_si512(index, _mm512_maskz_compress_epi32(on, numbers));
    _mm512_storeu_ps(value, _mm512_maskz_compress_ps(on, v));
    return on;
}

KT_INLINE uint32_t nonzeros(const float *x)
{
    return _mm512_cmp_ps_mask(_mm512_load_ps(x), _mm512_setzero_ps(), _CMP_NEQ_UQ);
}

/* Bit s of word[b] is bit b of bits[s]. */
KT_INLINE void turn_bits(const uint8_t bits[64], uint64_t word[8])
{
    const __m512i all = _mm512_load_si512(bits);
    KT_UNROLL
    for (int b = 0; b < 8; b++)
        word[b] = _mm512_test_epi8_mask(all, _mm512_set1_epi8((char)(1 << b)));
}

#else
#if !defined(KT_SIMD_LAST)
/* Row `on`: which bytes of four floats or numbers are kept, in order. */
#define KT_BYTES(l) 4 * (l), 4 * (l) + 1, 4 * (l) + 2, 4 * (l) + 3
#define KT_KEPT(a, b, c, d)                                \
    {                                                      \
        KT_BYTES(a), KT_BYTES(b), KT_BYTES(c), KT_BYTES(d) \
    }
static const _Alignas(16) uint8_t kept[16][16] = {
    KT_KEPT(0, 1, 2, 3), KT_KEPT(0, 1, 2, 3), KT_KEPT(1, 0, 2, 3), KT_KEPT(0, 1, 2, 3),
    KT_KEPT(2, 0, 1, 3), KT_KEPT(0, 2, 1, 3), KT_KEPT(1, 2, 0, 3), KT_KEPT(0, 1, 2, 3),
    KT_KEPT(3, 0, 1, 2), KT_KEPT(0, 3, 1, 2), KT_KEPT(1, 3, 0, 2), KT_KEPT(0, 1, 3, 2),
    KT_KEPT(2, 3, 0, 1), KT_KEPT(0, 2, 3, 1), KT_KEPT(1, 2, 3, 0), KT_KEPT(0, 1, 2, 3)};
#endif

/* The same of 4 features. */
#if defined(KT_SIMD_LAST)
KT_INLINE uint32_t append_4(const float *x, uint32_t first, uint32_t *index, float *value)
{
    uint32_t bits = 0, n = 0;
    for (uint32_t k = 0; k < 4; k++) {
        index[n] = first + k;
        value[n] = x[k];
        n += x[k] != 0;
        bits |= (uint32_t)(x[k] != 0) << k;
    }
    return bits;
}
#elif defined(__AVX2__)
KT_INLINE uint32_t append_4(const float *x, uint32_t first, uint32_t *index, float *value)
{
    const __m128i numbers = _mm_add_epi32(_mm_set1_epi32((int)first), _mm_setr_epi32(0, 1, 2, 3));
    const __m128 v = _mm_load_ps(x);
    const uint32_t on = (uint32_t)_mm_movemask_ps(_mm_cmp_ps(v, _mm_setzero_ps(), _CMP_NEQ_UQ));
    const __m128i order = _mm_load_si128((const __m128i *)kept[on]);
    _mm_storeu_si128((__m128i *)index, _mm_shuffle_epi8(numbers, order));
    _mm_storeu_si128((__m128i *)value, _mm_shuffle_epi8(_mm_castps_si128(v), order));
    return on;
}
#else
KT_INLINE uint32_t append_4(const float *x, uint32_t first, uint32_t *index, float *value)
{
    static const uint32_t numbers[4] = {0, 1, 2, 3}, weights[4] = {1, 2, 4, 8};
    const float32x4_t v = vld1q_f32(x);
    const uint32_t on = vaddvq_u32(vbicq_u32(vld1q_u32(weights), vceqzq_f32(v)));
    const uint8x16_t order = vld1q_u8(kept[on]);
    const uint32x4_t number = vaddq_u32(vdupq_n_u32(first), vld1q_u32(numbers));
    vst1q_u32(index, vreinterpretq_u32_u8(vqtbl1q_u8(vreinterpretq_u8_u32(number), order)));
    vst1q_f32(value, vreinterpretq_f32_u8(vqtbl1q_u8(vreinterpretq_u8_f32(v), order)));
    return on;
}
#endif

KT_INLINE uint32_t append(const float *x, uint32_t first, uint32_t *index, float *value)
{
    static const uint8_t ones[16] = {0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4};
    uint32_t bits = 0, n = 0;
    for (uint32_t k = 0; k < 16; k += 4) {
        const uint32_t on = append_4(x + k, first + k, index + n, value + n);
        n += ones[on];
        bits |= on << k;
    }
    return bits;
}

#if defined(__AVX2__) && !defined(KT_SIMD_LAST)
KT_INLINE uint32_t nonzeros(const float *x)
{
    const __m256 zero = _mm256_setzero_ps();
    return (uint32_t)_mm256_movemask_ps(_mm256_cmp_ps(_mm256_load_ps(x), zero, _CMP_NEQ_UQ)) |
           (uint32_t)_mm256_movemask_ps(_mm256_cmp_ps(_mm256_load_ps(x + 8), zero, _CMP_NEQ_UQ)) << 8;
}

KT_INLINE void turn_bits(const uint8_t bits[64], uint64_t word[8])
{
    __m256i first = _mm256_load_si256((const __m256i *)bits), last = _mm256_load_si256((const __m256i *)(bits + 32));
    KT_UNROLL
    for (size_t b = 8; b-- > 0;) { /* the highest bits, and then the next ones in their place */
        word[b] = (uint32_t)_mm256_movemask_epi8(first) | (uint64_t)(uint32_t)_mm256_movemask_epi8(last) << 32;
        first = _mm256_add_epi8(first, first);
        last = _mm256_add_epi8(last, last);
    }
}
#else
KT_INLINE uint32_t nonzeros(const float *x)
{
    uint32_t on = 0;
    for (uint32_t k = 0; k < 16; k++)
        on |= (uint32_t)(x[k] != 0) << k;
    return on;
}

/* Bit 8 r + c goes to bit 8 c + r: blocks of 1, 2 and 4 bits change places across the diagonal. */
KT_INLINE uint64_t turn_8_by_8(uint64_t t)
{
    uint64_t x = (t ^ (t >> 7)) & 0x00AA00AA00AA00AA;
    t ^= x ^ (x << 7);
    x = (t ^ (t >> 14)) & 0x0000CCCC0000CCCC;
    t ^= x ^ (x << 14);
    x = (t ^ (t >> 28)) & 0x00000000F0F0F0F0;
    return t ^ x ^ (x << 28);
}

KT_INLINE void turn_bits(const uint8_t bits[64], uint64_t word[8])
{
    for (size_t b = 0; b < 8; b++)
        word[b] = 0;
    for (size_t s = 0; s < 64; s += 8) {
        uint64_t t = 0;
        for (size_t k = 0; k < 8; k++)
            t |= (uint64_t)bits[s + k] << 8 * k;
        if (t == 0)
            continue;
        t = turn_8_by_8(t);
        for (size_t b = 0; b < 8; b++)
            word[b] |= (t >> 8 * b & 0xff) << s;
    }
}
#endif
#endif

/* Pieces of 16 features, so many at a time that the bits of 64 samples stay in the first-level cache. */
enum { NOTED_PIECES = 32 };
typedef uint8_t piece_bits[2][64]; /* [half of a piece][sample] */

/* Adds pieces [begin, end) to the lists of samples `rows`, all of one word, and keeps their bits. */
static void note_lists(const kt_inputs *in, kt_range rows, size_t begin, size_t end, piece_bits *bits)
{
    for (size_t s = rows.begin; s < rows.end; s++) {
        uint32_t *start = in->start + s * in->n_starts, *index = in->index + s * in->room;
        float *value = in->value + s * in->room;
        uint32_t n = begin == 0 ? 0 : start[begin];
        for (size_t k = begin; k < end; k++) {
            const float *x = in->x + s * in->ld + k * 16;
            __builtin_prefetch(x + in->ld, 0, 3);           /* the next sample's, */
            __builtin_prefetch(index + in->room + n, 1, 3); /* and where its lists will probably lie */
            __builtin_prefetch(value + in->room + n, 1, 3);
            start[k] = n;
            const uint32_t on = append(x, (uint32_t)k * 16, index + n, value + n);
            n += (uint32_t)__builtin_popcount(on);
            bits[k - begin][0][s % 64] = (uint8_t)on;
            bits[k - begin][1][s % 64] = (uint8_t)(on >> 8);
        }
        start[end] = n;
    }
}

/* The same without lists; into in->bits instead. begin is a multiple of 4. */
static void note_bits(const kt_inputs *in, kt_range rows, size_t begin, size_t end, piece_bits *bits)
{
    for (size_t s = rows.begin; s < rows.end; s++)
        for (size_t k = begin; k < end; k += 4) {
            uint64_t word = 0;
            for (size_t l = k; l < kt_smaller(k + 4, end); l++) {
                const float *x = in->x + s * in->ld + l * 16;
                const uint32_t on = nonzeros(x);
                __builtin_prefetch(x + in->ld, 0, 3);
                word |= (uint64_t)on << (l - k) * 16;
                bits[l - begin][0][s % 64] = (uint8_t)on;
                bits[l - begin][1][s % 64] = (uint8_t)(on >> 8);
            }
            in->bits[k / 4 * in->M + s] = word;
        }
}

/* How gradients take the features: not by their numbers where there are lists, of few samples. */
static void note_order(const kt_inputs *in, size_t word, bool listed)
{
    for (size_t i = 0; i < in->n; i += KT_ORDERED_INPUTS) {
        uint8_t *order = kt_inputs_order(in, word, i);
        const chains c = {.mask = in->mask + i * in->words + word, .next_mask = in->words, .bits = ~(uint64_t)0};
        if (listed)
            order[0] = KT_NO_ORDER;
        else
            order_items(&c, kt_smaller(KT_ORDERED_INPUTS, in->n - i), order);
    }
}

static void note(const kt_inputs *in, kt_range rows, kt_range changed)
{
    const size_t n_pieces = in->n_starts - 1;
    const bool listed = rows.end - rows.begin <= KT_LISTED_SAMPLES;
    for (size_t s = changed.begin, e; s < changed.end; s = e) {
        e = kt_smaller(s / 64 * 64 + 64, changed.end);
        const uint64_t noted = bits_between(s, e);
        for (size_t k = 0; k < n_pieces; k += NOTED_PIECES) {
            const size_t end = kt_smaller(k + NOTED_PIECES, n_pieces);
            _Alignas(64) piece_bits bits[NOTED_PIECES] = {0};
            (listed ? note_lists : note_bits)(in, (kt_range){s, e}, k, end, bits);
            for (size_t i = 16 * k; i < 16 * end; i += 8) {
                uint64_t word[8];
                turn_bits(bits[i / 16 - k][i / 8 % 2], word);
                for (size_t b = 0; b < 8; b++) {
                    uint64_t *mask = &in->mask[(i + b) * in->words + s / 64];
                    *mask = (*mask & ~noted) | word[b];
                }
            }
        }
        note_order(in, s / 64, listed);
    }
}

/* ---- panels and columns ---- */

#if defined(KT_SIMD_LAST)
KT_INLINE void turn(vector v[LANES])
{
    for (size_t r = 0; r < LANES; r++)
        for (size_t c = 0; c < r; c++) {
            const float kept = v[r].lane[c];
            v[r].lane[c] = v[c].lane[r];
            v[c].lane[r] = kept;
        }
}
#else
/* Lane l of two vectors that lie h rows apart in a square: its blocks of h by h change places across the diagonal. */
#define KT_UPPER(l, h) ((l) & (h) ? (l) - (h) + LANES : (l))
#define KT_LOWER(l, h) ((l) & (h) ? (l) + LANES : (l) + (h))
#define KT_TURN(v, h)                                                                              \
    KT_UNROLL                                                                                      \
    for (size_t k = 0; k < LANES / 2; k++) {                                                       \
        const size_t r = k / (h)*2 * (h) + k % (h);                                                \
        const vector upper = __builtin_shufflevector(v[r], v[r + (h)], KT_EACH_LANE(KT_UPPER, h)); \
        v[r + (h)] = __builtin_shufflevector(v[r], v[r + (h)], KT_EACH_LANE(KT_LOWER, h));         \
        v[r] = upper;                                                                              \
    }

/* Lane c of v[r] and lane r of v[c] change places. */
KT_INLINE void turn(vector v[LANES])
{
#if defined(__AVX512F__)
    KT_TURN(v, 8)
#endif
#if defined(__AVX2__)
    KT_TURN(v, 4)
#endif
    KT_TURN(v, 2)
    KT_TURN(v, 1)
}
#endif

/* to[c][r] = from[r][c], 16 by 16; of from there are n_from rows (the others count as 0), to gets n_to. */
KT_INLINE void turn_square(const float *from, size_t ld_from, size_t n_from, float *to, size_t ld_to, size_t n_to)
{
    for (size_t r = 0; r < KT_PANEL; r += LANES)
        for (size_t c = 0; c < KT_PANEL; c += LANES) {
            vector v[LANES];
            KT_UNROLL
            for (size_t k = 0; k < LANES; k++)
                v[k] = r + k < n_from ? load(from + (r + k) * ld_from + c) : splat(0);
            turn(v);
            KT_UNROLL
            for (size_t k = 0; k < LANES; k++)
                if (c + k < n_to)
                    store(to + (c + k) * ld_to + r, v[k]);
        }
}

static void to_columns(const kt_panels *from, kt_range rows, const kt_columns *to)
{
    for (size_t p = 0; p < from->n; p++)
        for (size_t s = rows.begin / KT_PANEL * KT_PANEL; s < rows.end; s += KT_PANEL) {
            const float *panel = from->at + p * from->stride + s * KT_PANEL;
            float *columns = to->at + p * KT_PANEL * to->ld + s;
            if (s + KT_PANEL <= from->rows)
                turn_square(panel, KT_PANEL, KT_PANEL, columns, to->ld, KT_PANEL);
            else
                turn_square(panel, KT_PANEL, from->rows - s, columns, to->ld, KT_PANEL);
        }
}

static void to_panels(const kt_columns *from, kt_range rows, const kt_panels *to)
{
    for (size_t p = 0; p < to->n; p++)
        for (size_t s = rows.begin / KT_PANEL * KT_PANEL; s < rows.end; s += KT_PANEL) {
            const float *columns = from->at + p * KT_PANEL * from->ld + s;
            float *panel = to->at + p * to->stride + s * KT_PANEL;
            if (s + KT_PANEL <= to->rows)
                turn_square(columns, from->ld, KT_PANEL, panel, KT_PANEL, KT_PANEL);
            else
                turn_square(columns, from->ld, KT_PANEL, panel, KT_PANEL, to->rows - s);
        }
}

#endif
