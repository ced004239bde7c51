/* What an arena counts is what it hands out. */
#include <stdint.h>

#include "base/memory.h"
#include "test.h"

const char *const kt_test_suite = "arena";

typedef struct pieces {
    float *floats;
    double *doubles;
    char *bytes, *none;
} pieces;

static size_t lay_out(kt_arena *arena, pieces *out)
{
    out->floats = kt_arena_take(arena, 17, sizeof(float));
    out->doubles = kt_arena_take(arena, 8, sizeof(double));
    out->none = kt_arena_take(arena, 0, 1);
    out->bytes = kt_arena_take(arena, 1, 1);
    return arena->used;
}

static void counting_and_laying_out_are_the_same(void)
{
    static _Alignas(64) char block[256];
    pieces p;
    CU_ASSERT(lay_out(&(kt_arena){0}, &p) == 256);
    CU_ASSERT(p.floats == NULL && p.doubles == NULL && p.bytes == NULL);
    CU_ASSERT(lay_out(&(kt_arena){.base = block}, &p) == 256);
    CU_ASSERT((char *)p.floats == block && (char *)p.doubles == block + 128 && p.bytes == block + 192);
}

static void what_cannot_be_addressed_stays_too_much(void)
{
    static const size_t counts[] = {SIZE_MAX, SIZE_MAX / 8, SIZE_MAX / 8 + 2};
    for (size_t i = 0; i < 3; i++) {
        kt_arena arena = {.used = 64};
        CU_ASSERT(kt_arena_take(&arena, counts[i], 8) == NULL && arena.used == SIZE_MAX);
        CU_ASSERT(kt_arena_take(&arena, 1, 1) == NULL && arena.used == SIZE_MAX);
        CU_ASSERT(kt_arena_take(&arena, 0, 4) == NULL && arena.used == SIZE_MAX);
    }
}

const kt_test kt_tests[] = {
    {"counting and laying out are the same code", counting_and_laying_out_are_the_same},
    {"what cannot be addressed stays too much", what_cannot_be_addressed_stays_too_much},
    {NULL, NULL},
};
