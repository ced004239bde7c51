/* Every layer kind against finite differences, in pieces, and what dense, activation and dropout promise. */
#include "edge/linalg.h"

#include "net/layer_bench.h"

const char *const kt_test_suite = "layer";

static const kt_layer_kind *next_kind(size_t k)
{
    return kt_layer_kind_at(k, kt_kernels_best());
}

/* d_weight = dy^T x and d_bias of a dense layer, which forms none itself. */
static void dense_gradients(const bench *b, float *d_weight, float *d_bias)
{
    const size_t n = b->width;
    memset(d_weight, 0, n * n * sizeof *d_weight);
    memset(d_bias, 0, n * sizeof *d_bias);
    for (size_t r = 0; r < ROWS; r++)
        for (size_t o = 0; o < n; o++) {
            d_bias[o] += b->r[r * n + o];
            for (size_t i = 0; i < n; i++)
                d_weight[o * n + i] += b->r[r * n + o] * b->x[r * n + i];
        }
}

static void check_kind(const kt_layer_kind *kind, const kt_kernels *kernels, bool training)
{
    bench b;
    float d_weight[NARROW * NARROW], d_bias[NARROW];
    prepare(&b, kind, NARROW, training);
    b.pass.kernels = kernels;
    forward(&b);
    backward(&b);
    check_gradient(&b, ROWS * NARROW, b.x, b.dx);
    if (b.n_formed > 0)
        check_gradient(&b, b.n_formed, b.parameters, gradient_of(&b));
    if (kind->multiplies) {
        dense_gradients(&b, d_weight, d_bias);
        check_gradient(&b, NARROW * NARROW, b.parameters, d_weight);
        check_gradient(&b, NARROW, bias_of(&b), d_bias);
    }
    CU_ASSERT(b.n_parameters == b.n_formed || kind->multiplies);
}

static void gradients(void)
{
    kt_linalg_start(1);
    for (size_t k = 0; next_kind(k) != NULL; k++)
        for (int training = 0; training <= 1; training++) {
            check_kind(next_kind(k), NULL, training);
            check_kind(next_kind(k), kt_kernels_best(), training);
        }
}

/* Forward, or backward, by n_parts one after the other, rows of shards [0, cut) and [cut, SHARDS) apart. */
static void in_pieces(bench *b, bool back, size_t n_parts, size_t cut)
{
    const size_t bound[] = {0, cut, SHARDS};
    for (size_t call = cut == 0; call < 2; call++)
        for (size_t part = n_parts; part-- > 0;) {
            const kt_team team = {.seat = part, .n_seats = n_parts};
            b->pass.team = &team;
            const kt_range own = kt_dense_own(b->width, b->pass.kernels != NULL, &team);
            b->pass.rows.first = bound[call], b->pass.rows.end = bound[call + 1];
            if (back)
                pass_back(b, &b->pass, own, b->dx);
            else
                pass_through(b, &b->pass, own);
        }
}

static void check_pieces(const kt_layer_kind *kind, const kt_kernels *kernels)
{
    static bench alone, b;
    prepare(&alone, kind, WIDE, true);
    alone.pass.kernels = kernels;
    forward(&alone);
    backward(&alone);
    for (size_t n_parts = 1; n_parts <= 5; n_parts++)
        for (size_t cut = 0; cut <= (alone.n_formed > 0 ? 0 : SHARDS); cut += 3) {
            prepare(&b, kind, WIDE, true);
            b.pass.kernels = kernels;
            mark(N_WIDE, b.y);
            mark(N_WIDE, b.dx);
            in_pieces(&b, false, n_parts, cut);
            in_pieces(&b, true, n_parts, cut);
            CU_ASSERT(same(N_WIDE, b.y, alone.y) && same(N_WIDE, b.dx, alone.dx));
            CU_ASSERT(same_rest(&b, &alone));
        }
}

static void pieces(void)
{
    kt_linalg_start(1);
    for (size_t k = 0; next_kind(k) != NULL; k++) {
        check_pieces(next_kind(k), NULL);
        check_pieces(next_kind(k), kt_kernels_best());
    }
}

/* dx may be dy, but for the first kind, dense. */
static void in_place(void)
{
    static bench apart, b;
    for (size_t k = 1; next_kind(k) != NULL; k++)
        for (int training = 0; training <= 1; training++) {
            prepare(&apart, next_kind(k), WIDE, training);
            forward(&apart);
            backward(&apart);
            prepare(&b, next_kind(k), WIDE, training);
            forward(&b);
            pass_back(&b, &b.pass, all_units(&b), b.r);
            CU_ASSERT(same(N_WIDE, b.r, apart.dx));
            CU_ASSERT(same_rest(&b, &apart));
        }
}

/* Only own rows and columns are written; for no rows, or no columns, nothing is. */
static void writes_its_own(void)
{
    static bench b;
    static float marked[N_WIDE];
    const kt_range own = {16, 32};
    mark(N_WIDE, marked);
    for (size_t k = 0; next_kind(k) != NULL; k++)
        for (size_t n_shards = 0; n_shards <= 2; n_shards++) {
            prepare(&b, next_kind(k), WIDE, false);
            b.pass.training = b.n_formed == 0; /* else its own rows alone are no batch */
            b.pass.kernels = kt_kernels_best();
            b.pass.rows.first = 3, b.pass.rows.end = 3 + n_shards; /* a row each */
            mark(N_WIDE, b.y);
            mark(N_WIDE, b.dx);
            pass_through(&b, &b.pass, own);
            pass_back(&b, &b.pass, own, b.dx);
            pass_through(&b, &b.pass, (kt_range){WIDE, WIDE});
            for (size_t i = 0; i < N_WIDE; i++) {
                const bool is_own = i / WIDE >= 3 && i / WIDE < 3 + n_shards && i % WIDE >= 16 && i % WIDE < 32;
                CU_ASSERT(same(1, &b.y[i], marked) == !is_own && same(1, &b.dx[i], marked) == !is_own);
            }
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
        mask[j] = (double)mask[j] < RATE ? 0 : (float)(1 / (1 - RATE));
}

static void dropout_mask(void)
{
    bench b;
    float mask[NARROW];
    size_t n_dropped = 0;
    prepare(&b, kind_named("dropout"), NARROW, true);
    for (size_t j = 0; j < ROWS * NARROW; j += 3)
        b.x[j] = 0; /* a zero input tells nothing about the mask */
    forward(&b);
    backward(&b);
    for (size_t r = 0; r < ROWS; r++) {
        expected_mask(&b, r, mask);
        for (size_t j = 0; j < NARROW; j++) {
            CU_ASSERT(b.y[r * NARROW + j] == mask[j] * b.x[r * NARROW + j]);
            CU_ASSERT(b.dx[r * NARROW + j] == mask[j] * b.r[r * NARROW + j]);
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
    CU_ASSERT(same(ROWS * NARROW, b.x, b.y));
}

/* More units than are drawn at a time, in columns that begin anywhere a part's may. */
static void dropout_wide(void)
{
    enum { UNITS = 2500 };
    static float x[UNITS], y[UNITS], u[UNITS];
    static uint8_t kept[UNITS + 64];
    _Alignas(64) static char layer[256];
    const uint32_t sample = 9;
    const kt_network_spec spec = {.dropout = 0.5};
    kt_maker maker = {.spec = &spec, .max_rows = 1, .memory = {(char *)kept, 0}};
    kt_layer *dropout = (kt_layer *)(void *)layer;
    *dropout = (kt_layer){.kind = kind_named("dropout"), .n_in = UNITS, .n_out = UNITS, .number = 1};
    dropout->kind->make(dropout, &maker);
    const kt_pass pass = {.training = true, .seed = 1, .sample = &sample, .rows = {1, 1, 0, 1}, .team = &kt_team_alone};
    const kt_random_place place = {.seed = 1, .purpose = KT_RANDOM_DROPOUT, .layer = 1, .sample = 9};
    for (size_t i = 0; i < UNITS; i++)
        x[i] = 1;
    kt_random_uniform(&place, 0, UNITS, u);
    for (size_t begin = 0; begin < UNITS; begin += 592) {
        mark(UNITS, y);
        dropout->kind->forward(dropout, &pass, (kt_range){begin, UNITS}, x, y);
        for (size_t i = 0; i < UNITS; i++)
            CU_ASSERT(i < begin ? isnan(y[i]) : y[i] == (u[i] < 0.5f ? 0 : 2.0f));
    }
}

const kt_test kt_tests[] = {
    {"every layer's gradients are its difference quotients", gradients},
    {"every layer in pieces, by units and by rows, has the bits of the whole", pieces},
    {"backward in place is backward, but for dense", in_place},
    {"only own rows and columns are written", writes_its_own},
    {"dropout's mask is that of (seed, epoch, layer, sample, unit), forward and backward", dropout_mask},
    {"dropout copies when not training", dropout_off},
    {"dropout of a wide row takes one draw for each unit", dropout_wide},
    {NULL, NULL},
};
