/* random.h against the published vectors, and against a second Philox written in NumPy. */
#include "base/random_private.h"

#include "base/random.h"

#include "bits.h"
#include "golden.h"
#include "test.h"

const char *const kt_test_suite = "random";

static const uint64_t SEED = UINT64_C(0x0123456789ABCDEF);
static const kt_random_place PLACE = {
    .seed = UINT64_C(0x0123456789ABCDEF), .purpose = KT_RANDOM_DROPOUT, .layer = 3, .epoch = 5, .sample = 4999};

static void published_vectors(void)
{
    static const struct {
        uint32_t counter[4], key[2], expected[4];
    } vectors[] = {
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
         {0xffffffff, 0xffffffff},
         {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
         {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        uint32_t out[4];
        kt_random_philox(vectors[i].counter, vectors[i].key, out);
        CU_ASSERT(memcmp(out, vectors[i].expected, sizeof out) == 0);
    }
}

static void any_range(void)
{
    enum { N = 300 };
    uint32_t all[N], part[N];
    kt_random_bits(&PLACE, 0, N, all);
    for (uint32_t first = 0; first < 80; first += 4)
        for (size_t n = 0; n < N - first; n += 7) {
            kt_random_bits(&PLACE, first, n, part);
            CU_ASSERT(memcmp(part, all + first, n * sizeof *part) == 0);
        }
}

static void second_philox_bits(void)
{
    enum { N = 203 };
    uint32_t bits[N];
    double expected[N];
    golden_read("random.txt", "bits", N, expected);
    kt_random_bits(&PLACE, 8, N, bits);
    for (size_t i = 0; i < N; i++)
        CU_ASSERT(bits[i] == (uint32_t)expected[i]);
}

static void second_philox_numbers(void)
{
    float values[77];
    kt_random_place place = {.seed = SEED, .purpose = KT_RANDOM_INIT, .layer = 2};
    kt_random_uniform(&PLACE, 0, 77, values);
    CU_ASSERT(golden_far("random.txt", "uniform", 77, values, 0) == 0);
    kt_random_normal(&place, 4, 71, values);
    CU_ASSERT(golden_far("random.txt", "normal", 71, values, 1e-7) == 0);
    place.epoch = 1;
    kt_random_normal(&place, UINT32_MAX - 3, 4, values);
    CU_ASSERT(golden_far("random.txt", "far_normal", 4, values, 1e-7) == 0);
}

static void second_philox_shuffle(void)
{
    enum { N = 2500 };
    uint32_t items[N];
    double expected[N];
    const kt_random_place place = {.seed = SEED, .purpose = KT_RANDOM_ORDER};
    golden_read("random.txt", "shuffle", N, expected);
    for (uint32_t i = 0; i < N; i++)
        items[i] = i;
    kt_random_shuffle(&place, N, items);
    for (size_t i = 0; i < N; i++)
        CU_ASSERT(items[i] == (uint32_t)expected[i]);
    kt_random_shuffle(&place, 1, items);
    kt_random_shuffle(&place, 0, items);
    CU_ASSERT(items[0] == (uint32_t)expected[0]);
}

static void places_differ(void)
{
    enum { N_PLACES = 6, N = 64 };
    kt_random_place places[N_PLACES] = {PLACE, PLACE, PLACE, PLACE, PLACE, PLACE};
    uint32_t bits[N_PLACES][N];
    places[1].seed += UINT64_C(1) << 32;
    places[2].purpose = KT_RANDOM_INIT;
    places[3].layer++;
    places[4].epoch++;
    places[5].sample++;
    for (size_t p = 0; p < N_PLACES; p++)
        kt_random_bits(&places[p], 0, N, bits[p]);
    for (size_t p = 0; p < N_PLACES; p++)
        for (size_t q = 0; q < p; q++)
            for (size_t i = 0; i < N; i++)
                CU_ASSERT(bits[p][i] != bits[q][i]);
}

static void moments(void)
{
    enum { N = 100003 };
    static float values[N];
    double sum = 0, squares = 0, least = 1, most = 0;
    kt_random_normal(&PLACE, 0, N, values);
    for (size_t i = 0; i < N; i++) {
        sum += (double)values[i];
        squares += (double)values[i] * (double)values[i];
    }
    CU_ASSERT(fabs(sum / N) < 0.015);        /* 4.7 standard errors */
    CU_ASSERT(fabs(squares / N - 1) < 0.02); /* 4.5 */
    kt_random_uniform(&PLACE, 0, N, values);
    for (size_t i = 0; i < N; i++) {
        least = fmin(least, (double)values[i]);
        most = fmax(most, (double)values[i]);
    }
    CU_ASSERT(least >= 0 && least < 1e-3 && most > 1 - 1e-3 && most < 1);
}

static void same_bits(void)
{
    enum { N_GROUPS = 3, N = N_GROUPS * KT_RANDOM_LANES * KT_RANDOM_WORDS };
    static const kt_random_loops *const rows[KT_N_SIMD] = KT_SIMD_EACH(&kt_random_loops);
    static const kt_random_place place = {.seed = UINT64_C(0xffffffff00000004), .sample = 1, .epoch = 2, .layer = 3};
    static const uint32_t edges[] = {0, 1u << 31, UINT32_MAX, 1u << 29, UINT32_MAX - 1, UINT32_MAX};
    for (size_t row = 0; row < KT_N_SIMD; row++) {
        uint32_t bits[N];
        float values[N];
        uint64_t sum = 0;
        if (!kt_simd_rows[row].supported())
            continue;
        rows[row]->fill_groups(&place, UINT32_MAX - 20, N_GROUPS, bits);
        memcpy(bits + 30, edges, sizeof edges);
        for (size_t n = 0; n <= N; n += 2) {
            rows[row]->to_uniform(n, bits, values);
            bits_add(n, values, &sum);
            rows[row]->to_normal(n / 2, bits, values);
            bits_add(n, values, &sum);
        }
        CU_ASSERT(bits_are(UINT64_C(0xe353d305a232c3ce), sum, kt_simd_rows[row].name));
    }
}

static void above_limits(void)
{
    enum { MOST = 7, FIRST = 48, UNITS = 16 };
    static const kt_random_loops *const rows[KT_N_SIMD] = KT_SIMD_EACH(&kt_random_loops);
    static const uint32_t sample[MOST] = {0, 4999, 7, UINT32_MAX, 1, 2, 3};
    uint32_t draws[MOST][UNITS];
    for (size_t k = 0; k < MOST; k++) {
        kt_random_place place = PLACE;
        place.sample = sample[k];
        kt_random_bits(&place, FIRST, UNITS, draws[k]);
    }
    const uint32_t limits[] = {0, 0x19999999, draws[2][3] - 1, draws[2][3], 0x80000000, UINT32_MAX};
    for (size_t row = 0; row < KT_N_SIMD; row++)
        for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++)
            for (size_t n = 0; n <= MOST && kt_simd_rows[row].supported(); n++) {
                uint16_t bits[MOST + 1];
                bits[n] = 0xabcd;
                rows[row]->above(&PLACE, FIRST, limits[i], n, sample, bits);
                CU_ASSERT(bits[n] == 0xabcd);
                for (size_t k = 0; k < n; k++)
                    for (size_t u = 0; u < UNITS; u++)
                        CU_ASSERT((bits[k] >> u & 1) == (draws[k][u] > limits[i]));
            }
}

const kt_test kt_tests[] = {
    {"Philox4x32-10 gives the published vectors", published_vectors},
    {"any range of a sequence is the same draws", any_range},
    {"the bits are those of a second Philox", second_philox_bits},
    {"uniform and normal numbers are those of a second Philox", second_philox_numbers},
    {"a shuffle is that of a second Philox", second_philox_shuffle},
    {"seed, purpose, layer, epoch and sample each change every draw", places_differ},
    {"normal numbers have mean 0 and variance 1, uniform ones fill [0, 1)", moments},
    {"every instruction set gives the same bits, the ones that they always were", same_bits},
    {"draws above a limit, of several samples, are marked by the bits of 16, with each instruction set", above_limits},
    {NULL, NULL},
};
