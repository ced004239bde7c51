/* tensor.h: to a file's order and back, and what of a vector belongs to no element. */
#include "net/tensor.h"

#include <string.h>

#include "base/memory.h"
#include "net/tensor.h"

#include "test.h"

const char *const kt_test_suite = "tensor";

static const size_t widths[] = {1, 15, 16, 17, 49};
enum { N_WIDTHS = sizeof widths / sizeof widths[0], MOST = 64 * (56 + 4) };

static float memory[MOST], file[MOST], back[MOST], again[MOST];

/* A tensor as a maker makes it: a weight, or for n_in 0 a bias. */
static kt_tensor tensor_of(size_t n_out, size_t n_in)
{
    kt_tensor tensor[2] = {{.n = 0}};
    kt_maker maker = {.team = &kt_team_alone, .parameters = {.n_vectors = 1, .tensor = tensor}};
    if (n_in > 0)
        kt_maker_weight(&maker, n_out, n_in);
    else
        kt_maker_parameter(&maker, "bias", n_out);
    CU_ASSERT(maker.parameters.n == 1 && maker.parameters.room == tensor->room && tensor->room <= MOST);
    CU_ASSERT(maker.parameters.n_elements == tensor->n && tensor->n == n_out * (n_in > 0 ? n_in : 1));
    return tensor[0];
}

/* Where element (o, i) lies, by the sentences of panels.h. */
static size_t place(size_t o, size_t i, size_t n_in)
{
    return n_in == 0 ? o : o / KT_PANEL * kt_panels_stride(n_in) + i * KT_PANEL + o % KT_PANEL;
}

static float element(size_t e)
{
    return (float)(e + 1);
}

static void check(size_t n_out, size_t n_in)
{
    const kt_tensor t = tensor_of(n_out, n_in);
    size_t n_wrong = 0, n_zero = 0;
    memset(memory, 0, sizeof memory);
    for (size_t e = 0; e < t.n; e++)
        file[e] = element(e);
    kt_tensor_from_file(&t, file, memory);
    for (size_t o = 0, e = 0; o < n_out; o++)
        for (size_t i = 0; i < (n_in > 0 ? n_in : 1); i++, e++)
            n_wrong += memory[place(o, i, n_in)] != element(e);
    for (size_t k = 0; k < MOST; k++)
        n_zero += memory[k] == 0;
    CU_ASSERT(n_wrong == 0 && n_zero == MOST - t.n);
    memset(back, 0xff, sizeof back);
    kt_tensor_to_file(&t, memory, back);
    CU_ASSERT(memcmp(back, file, t.n * sizeof *back) == 0);
    memset(file, 0xff, sizeof file);
    CU_ASSERT(memcmp(back + t.n, file + t.n, (MOST - t.n) * sizeof *back) == 0);
}

static void there_and_back(void)
{
    for (size_t o = 0; o < N_WIDTHS; o++) {
        check(widths[o], 0);
        for (size_t i = 0; i < N_WIDTHS; i++)
            check(widths[o], widths[i]);
    }
}

/* What lies between elements is neither read nor written. */
static void between_elements(void)
{
    for (size_t o = 0; o < N_WIDTHS; o++)
        for (size_t i = 0; i <= N_WIDTHS; i++) {
            const size_t n_in = i < N_WIDTHS ? widths[i] : 0;
            const kt_tensor t = tensor_of(widths[o], n_in);
            for (size_t k = 0; k < MOST; k++)
                memory[k] = back[k] = -element(k);
            kt_tensor_to_file(&t, memory, file);
            for (size_t e = 0; e < t.n; e++)
                CU_ASSERT(file[e] == -element(place(n_in > 0 ? e / n_in : e, n_in > 0 ? e % n_in : 0, n_in)));
            memset(again, 0, sizeof again);
            kt_tensor_from_file(&t, again, memory);
            size_t n_changed = 0;
            for (size_t k = 0; k < MOST; k++)
                n_changed += memory[k] != back[k];
            CU_ASSERT(n_changed == t.n);
        }
}

/* Panels of a tensor stand one after the other, in whole cache lines. */
static void room(void)
{
    for (size_t o = 0; o < N_WIDTHS; o++)
        for (size_t i = 0; i <= N_WIDTHS; i++) {
            const size_t n_in = i < N_WIDTHS ? widths[i] : 0;
            const kt_tensor t = tensor_of(widths[o], n_in);
            CU_ASSERT(t.per_panel == (n_in > 0 ? kt_panels_stride(n_in) : KT_PANEL));
            CU_ASSERT(t.room == kt_panels_count(widths[o]) * t.per_panel && t.room % KT_LINE_FLOATS == 0);
            CU_ASSERT(t.is_weight == (n_in > 0) && t.n_dims == (n_in > 0 ? 2 : 1) && t.dims[0] == widths[o]);
            CU_ASSERT(n_in == 0 || t.dims[1] == n_in);
        }
}

/* The same row of eight panels falls on different places of the first-level cache: 64 sets of lines. */
static void strides(void)
{
    for (size_t rows = 1; rows < 6000; rows += rows < 100 ? 1 : 37) {
        const size_t stride = kt_panels_stride(rows);
        CU_ASSERT(stride >= rows * KT_PANEL && stride % KT_PANEL == 0 && stride < (rows + 12) * KT_PANEL);
        CU_ASSERT(stride / 64 * 64 == stride && stride / 64 % 2 == 1);
        CU_ASSERT(kt_panels_stride(rows + 1) >= stride);
    }
}

const kt_test kt_tests[] = {
    {"elements go from a file's order to their panels, and back", there_and_back},
    {"what lies between elements is neither read nor written", between_elements},
    {"a tensor takes whole panels of whole lines", room},
    {"panels lie an odd number of 256-byte pieces apart", strides},
    {NULL, NULL},
};
