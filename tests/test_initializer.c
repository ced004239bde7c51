/* initializer.h against a second Philox written in NumPy. */
#include "ktrain/initializer.h"
#include "ktrain/random.h"

#include "golden.h"
#include "test.h"

const char *const kt_test_suite = "initializer";

static const uint64_t SEED = UINT64_C(0x0123456789ABCDEF);

static void numpy_says_the_same(void)
{
    CU_ASSERT(kt_n_initializers == 8);
    for (size_t i = 0; i < kt_n_initializers; i++) {
        char name[64];
        float w[9 * 5];
        snprintf(name, sizeof name, "init/%s", kt_initializers[i].name);
        kt_initializers[i].fill(SEED, 7, 5, 9, 0.3, w);
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
        kt_initializers[i].fill(SEED, 1, N_IN, N_OUT, 1, w);
        (is_normal ? kt_random_normal : kt_random_uniform)(&place, 0, N_IN * N_OUT, expected);
        for (size_t e = 0; e < N_IN * N_OUT; e++)
            CU_ASSERT(w[e] == (is_normal ? expected[e] : 2 * expected[e] - 1));
    }
}

const kt_test kt_tests[] = {
    {"every initializer has its scale and its draws", numpy_says_the_same},
    {"a large weight is drawn element by element", large},
    {NULL, NULL},
};
