/* initializer.h against a second Philox written in NumPy, whole and in parts. */
#include <sys/mman.h>

#include "base/random.h"
#include "net/initializer.h"

#include "golden.h"
#include "test.h"

const char *const kt_test_suite = "initializer";

static const uint64_t SEED = UINT64_C(0x0123456789ABCDEF);

static void numpy_says_the_same(void)
{
    for (size_t i = 0; i < kt_n_initializers; i++) {
        char name[64];
        float w[9 * 5];
        snprintf(name, sizeof name, "init/%s", kt_initializers[i].name);
        kt_initializers[i].fill(&(kt_drawn_weight){SEED, 7, 5, 9, 0.3}, (kt_range){0, 45}, w);
        CU_ASSERT(golden_far("random.txt", name, 45, w, 2e-7) == 0);
    }
}

/* More elements than the initializers fill at a time: element e must still be draw e. */
static void large(void)
{
    enum { N_IN = 100, N_OUT = 101 };
    static float w[N_IN * N_OUT], expected[N_IN * N_OUT];
    const kt_random_place place = {.seed = SEED, .purpose = KT_RANDOM_INIT, .layer = 1};
    for (size_t i = 0; i < kt_n_initializers; i++) {
        const bool is_normal = strcmp(kt_initializers[i].name, "normal") == 0;
        if (!is_normal && strcmp(kt_initializers[i].name, "uniform") != 0)
            continue;
        kt_initializers[i].fill(&(kt_drawn_weight){SEED, 1, N_IN, N_OUT, 1}, (kt_range){0, N_IN * N_OUT}, w);
        (is_normal ? kt_random_normal : kt_random_uniform)(&place, 0, N_IN * N_OUT, expected);
        for (size_t e = 0; e < N_IN * N_OUT; e++)
            CU_ASSERT(w[e] == (is_normal ? expected[e] : 2 * expected[e] - 1));
    }
}

/* Parts begin anywhere, at a multiple of 4, and write their own elements only. */
static void parts(void)
{
    enum { N_IN = 100, N_OUT = 101, N = N_IN * N_OUT };
    static const size_t bounds[] = {0, 4, 8, 8, 100, 4092, 4100, 8192, 8196, N};
    static float whole[N], w[N], none[N];
    memset(none, 0xff, sizeof none);
    for (size_t i = 0; i < kt_n_initializers; i++) {
        kt_initializers[i].fill(&(kt_drawn_weight){SEED, 3, N_IN, N_OUT, 0.7}, (kt_range){0, N}, whole);
        memset(w, 0xff, sizeof w);
        for (size_t p = sizeof bounds / sizeof bounds[0] - 1; p-- > 0;) {
            kt_initializers[i].fill(&(kt_drawn_weight){SEED, 3, N_IN, N_OUT, 0.7}, (kt_range){bounds[p], bounds[p + 1]},
                                    w + bounds[p]);
            CU_ASSERT(memcmp(w, none, bounds[p] * sizeof *w) == 0);
            CU_ASSERT(memcmp(w + bounds[p], whole + bounds[p], (N - bounds[p]) * sizeof *w) == 0);
        }
    }
}

/* Element 2^32 + e is draw e of epoch 1: in address space that is never touched but there. */
static void beyond_32_bits(void)
{
    const size_t n_in = 65536, n_out = 65537, middle = (size_t)1 << 32, n_bytes = n_in * n_out * sizeof(float);
    float *w = mmap(NULL, n_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    kt_random_place place = {.seed = SEED, .purpose = KT_RANDOM_INIT, .layer = 2};
    float before[8], after[8];
    if (w == MAP_FAILED) {
        CU_PASS("no room for it here");
        return;
    }
    for (size_t i = 0; i < kt_n_initializers; i++)
        if (strcmp(kt_initializers[i].name, "normal") == 0)
            kt_initializers[i].fill(&(kt_drawn_weight){SEED, 2, n_in, n_out, 1}, (kt_range){middle - 8, middle + 8},
                                    w + middle - 8);
    kt_random_normal(&place, UINT32_MAX - 7, 8, before);
    place.epoch = 1;
    kt_random_normal(&place, 0, 8, after);
    CU_ASSERT(memcmp(w + middle - 8, before, sizeof before) == 0 && memcmp(w + middle, after, sizeof after) == 0);
    munmap(w, n_bytes);
}

const kt_test kt_tests[] = {
    {"every initializer has its scale and its draws", numpy_says_the_same},
    {"a large weight is drawn element by element", large},
    {"parts of a weight have the bits of the whole", parts},
    {"elements beyond 2^32 are draws of the next epoch", beyond_32_bits},
    {NULL, NULL},
};
