/* Every layer kind against finite differences, in pieces, and what activation and dropout promise. */
#include "net/layer_bench.h"

const char *const kt_test_suite = "layer";

static const kt_layer_kind *next_kind(size_t k)
{
    return kt_layer_kind_at(k, kt_simd_best());
}

static void check_kind(const kt_layer_kind *kind, bool training)
{
    bench b;
    prepare(&b, kind, NARROW, training);
    forward(&b);
    backward(&b);
    check_gradient(&b, STRIDE, b.x, b.dx); /* units beyond the last, too */
    for (size_t k = 0; k < b.n_formed; k++)
        check_gradient(&b, NARROW, b.parameter_tensors[b.formed[k].tensor].here[0], gradient_of(&b, k));
    CU_ASSERT(b.n_parameters == b.n_formed);
}

static void gradients(void)
{
    for (size_t row = 0; row < KT_N_SIMD; row++)
        for (size_t k = 0; next_kind(k) != NULL && kt_simd_rows[row].supported(); k++)
            for (int training = 0; training <= 1; training++)
                check_kind(kt_layer_kind_at(k, row), training);
}

/* Rows of shards [0, cut) and [cut, SHARDS) apart: a pass each, forward and backward. */
static void in_pieces(bench *b, size_t cut)
{
    const size_t bound[] = {0, cut, SHARDS};
    for (size_t call = cut == 0; call < 2; call++) {
        b->pass.rows.first = bound[call], b->pass.rows.end = bound[call + 1];
        forward(b);
        backward(b);
    }
}

static void check_pieces(const kt_layer_kind *kind, size_t row_alone, size_t k)
{
    static bench alone, b;
    prepare(&alone, kt_layer_kind_at(k, row_alone), WIDE, true);
    forward(&alone);
    backward(&alone);
    for (size_t n_seats = 1; n_seats <= 4; n_seats++) /* one of four has no panel */
        for (size_t seat = 0; seat < n_seats; seat++)
            for (size_t cut = 0; cut <= (alone.n_formed > 0 ? 0 : SHARDS); cut += 3) {
                prepare_panels(&b, kind, WIDE, kt_share(MOST_PANELS, seat, n_seats), true);
                in_pieces(&b, cut);
                CU_ASSERT(same_panels(&b, b.y, alone.y) && same_panels(&b, b.dx, alone.dx));
                CU_ASSERT(same_rest(&b, &alone));
            }
}

/* And by all instruction sets. */
static void pieces(void)
{
    for (size_t row = 0; row < KT_N_SIMD; row++)
        for (size_t k = 0; next_kind(k) != NULL && kt_simd_rows[row].supported(); k++)
            check_pieces(kt_layer_kind_at(k, row), kt_simd_best(), k);
}

static void in_place(void)
{
    static bench apart, b;
    for (size_t k = 0; next_kind(k) != NULL; k++)
        for (int training = 0; training <= 1; training++) {
            prepare(&apart, next_kind(k), WIDE, training);
            forward(&apart);
            backward(&apart);
            prepare(&b, next_kind(k), WIDE, training);
            forward(&b);
            pass_back(&b, &b.pass, b.r);
            CU_ASSERT(same(N, b.r, apart.dx));
            CU_ASSERT(same_rest(&b, &apart));
        }
}

/* Only own rows and panels are written; for no rows, or no panels, nothing is. */
static void writes_its_own(void)
{
    static bench b;
    static float marked[N];
    mark(N, marked);
    for (size_t k = 0; next_kind(k) != NULL; k++)
        for (size_t n_shards = 0; n_shards <= 2; n_shards++)
            for (size_t n_panels = 0; n_panels <= 2; n_panels++) {
                prepare_panels(&b, next_kind(k), WIDE, (kt_range){1, 1 + n_panels}, false);
                b.pass.training = b.n_formed == 0;                     /* else its own rows alone are no batch */
                b.pass.rows.first = 3, b.pass.rows.end = 3 + n_shards; /* a row each */
                mark(N, b.y);
                mark(N, b.dx);
                pass_through(&b, &b.pass);
                pass_back(&b, &b.pass, b.dx);
                for (size_t i = 0; i < N; i++) {
                    const size_t panel = i / STRIDE, r = i % STRIDE / KT_PANEL;
                    const bool is_own = r >= 3 && r < 3 + n_shards && panel >= 1 && panel < 1 + n_panels;
                    CU_ASSERT(same(1, &b.y[i], marked) == !is_own && same(1, &b.dx[i], marked) == !is_own);
                }
            }
}

/* The derivatives by what goes into units beyond the last are 0 when those by what comes out are. */
static void beyond_the_last(void)
{
    static bench b;
    for (size_t k = 0; next_kind(k) != NULL; k++)
        for (int training = 0; training <= 1; training++) {
            prepare(&b, next_kind(k), WIDE, training);
            forward(&b);
            backward(&b);
            for (size_t r = 0; r < ROWS; r++)
                for (size_t j = WIDE; j < MOST_PANELS * KT_PANEL; j++)
                    CU_ASSERT(b.dx[place(r, j)] == 0 && isfinite(b.y[place(r, j)]));
        }
}

/* The mask of row r by the header's promise. */
static void expected_mask(const bench *b, size_t r, float *mask)
{
    const kt_random_place place = {.seed = b->pass.seed,
                                   .purpose = KT_RANDOM_DROPOUT,
                                   .layer = NUMBER,
                                   .epoch = b->pass.epoch,
                                   .sample = b->sample[r]};
    kt_random_uniform(&place, 0, b->width, mask);
    for (size_t j = 0; j < b->width; j++)
        mask[j] = (double)mask[j] < bench_spec.dropout ? 0 : (float)(1 / (1 - bench_spec.dropout));
}

static void dropout_mask(void)
{
    bench b;
    float mask[NARROW];
    size_t n_dropped = 0;
    prepare(&b, kind_named("dropout"), NARROW, true);
    for (size_t j = 0; j < ROWS * NARROW; j += 3)
        b.x[place(j / NARROW, j % NARROW)] = 0; /* a zero input tells nothing about the mask */
    forward(&b);
    backward(&b);
    for (size_t r = 0; r < ROWS; r++) {
        expected_mask(&b, r, mask);
        for (size_t j = 0; j < NARROW; j++) {
            CU_ASSERT(b.y[place(r, j)] == mask[j] * b.x[place(r, j)]);
            CU_ASSERT(b.dx[place(r, j)] == mask[j] * b.r[place(r, j)]);
            n_dropped += mask[j] == 0;
        }
    }
    CU_ASSERT(n_dropped > 5 && n_dropped < 25);
}

static void dropout_off(void)
{
    bench b;
    prepare(&b, kind_named("dropout"), NARROW, false);
    b.pass.sample = NULL;
    forward(&b);
    CU_ASSERT(same(N, b.x, b.y));
}

enum { UNITS = 2500, UNIT_PANELS = (UNITS + KT_PANEL - 1) / KT_PANEL, FAR = 12 * KT_PANEL };

/* One row of panels `own`, of which all inputs are 1. */
static void drop_wide(kt_range own, float *y)
{
    static float x[UNIT_PANELS * FAR];
    _Alignas(64) static char kept[UNIT_PANELS * FAR + 64], layer[256];
    const uint32_t sample = 9;
    const kt_network_spec spec = {.dropout = 0.5, .max_rows = 1, .max_batch = 1};
    kt_maker maker = {.spec = &spec, .own = own, .rank = {kept, 0}};
    kt_layer *dropout = (kt_layer *)(void *)layer;
    *dropout = (kt_layer){.kind = kind_named("dropout"), .n = UNITS, .own = own, .number = 1};
    dropout->kind->make(dropout, &maker);
    const kt_pass pass = {
        .training = true, .seed = 1, .sample = &sample, .rows = {1, 1, 0, 1}, .range = {0, 1}, .team = &kt_team_alone};
    for (size_t i = 0; i < UNIT_PANELS * FAR; i++)
        x[i] = 1;
    const kt_panels from = {x, own.end - own.begin, 1, kt_panels_stride(1)}, to = {y, from.n, 1, from.stride};
    CU_ASSERT_FATAL(maker.rank.used <= sizeof kept && from.stride <= FAR);
    dropout->kind->forward(dropout, &pass, &from, &to);
}

/* More units than are drawn at a time, in panels that begin anywhere. */
static void dropout_wide(void)
{
    static float y[UNIT_PANELS * FAR], u[UNITS];
    const kt_random_place draws = {.seed = 1, .purpose = KT_RANDOM_DROPOUT, .layer = 1, .sample = 9};
    kt_random_uniform(&draws, 0, UNITS, u);
    for (size_t begin = 0; begin < UNIT_PANELS; begin += 37) {
        mark(UNIT_PANELS * FAR, y);
        drop_wide((kt_range){begin, UNIT_PANELS}, y);
        for (size_t i = begin * KT_PANEL; i < UNITS; i++)
            CU_ASSERT(y[(i / KT_PANEL - begin) * kt_panels_stride(1) + i % KT_PANEL] == (u[i] < 0.5f ? 0 : 2.0f));
    }
}

const kt_test kt_tests[] = {
    {"every layer's gradients are its difference quotients", gradients},
    {"every layer in pieces, by panels and by rows, by any instructions, has the bits of the whole", pieces},
    {"backward in place is backward", in_place},
    {"only own rows and panels are written", writes_its_own},
    {"units beyond the last pass no derivatives on", beyond_the_last},
    {"dropout's mask is that of (seed, epoch, layer, sample, unit), forward and backward", dropout_mask},
    {"dropout copies when not training", dropout_off},
    {"dropout of a wide row takes one draw for each unit", dropout_wide},
    {NULL, NULL},
};
