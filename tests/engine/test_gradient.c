/* Gradients that ranks form in tiles against the whole one that a single call after the other makes: the same bits. */
#include <string.h>

#include "base/memory.h"
#include "base/random.h"
#include "edge/linalg.h"
#include "engine/gradient.h"
#include "net/whole_gradient.h"
#include "test.h"

const char *const kt_test_suite = "gradient";

enum { ROWS = 9, N_IN = 37, N_CLASSES = 5, SHARDS = 4, MOST_SEATS = 4 };

/* A network after a backward pass, and its gradient. */
typedef struct bench {
    kt_network *network;
    const kt_factors *factors;
    size_t n_layers, n_parameters;
    kt_rows rows;
    float *whole, *formed;
    kt_gradient tiles;
} bench;

/* thin: through own kernels, in tiles of 16 units; else through OpenBLAS, in tiles of 256. */
static void prepare(bench *b, bool thin)
{
    static const int64_t widths[] = {300, 40};
    const kt_network_spec spec = {.hidden = {2, widths},
                                  .n_in = N_IN,
                                  .n_classes = N_CLASSES,
                                  .n_shards = SHARDS,
                                  .thin_rows = thin ? ROWS : 0,
                                  .transposed_input = true,
                                  .batch_norm = true,
                                  .batch_norm_momentum = 0.1,
                                  .batch_norm_epsilon = 1e-5};
    b->rows = (kt_rows){ROWS, SHARDS, 0, SHARDS};
    kt_linalg_start(1);
    KT_CHECK_STATUS(KT_OK, kt_network_create(&b->network, &spec, ROWS));
    CU_ASSERT_FATAL(b->network != NULL);
    kt_network_initialize(b->network, 1);
    b->factors = kt_network_factors(b->network, &b->n_layers);
    b->n_parameters = kt_network_n_parameters(b->network);
    KT_CHECK_STATUS(KT_OK, KT_NEW(b->whole, b->n_parameters));
    KT_CHECK_STATUS(KT_OK, KT_NEW(b->formed, b->n_parameters));
    KT_CHECK_STATUS(KT_OK, kt_gradient_create(&b->tiles, thin));
    const kt_random_place place = {.seed = 5};
    kt_pass pass = kt_network_pass(b->network, b->rows);
    pass.training = true;
    kt_random_normal(&place, 0, ROWS * N_IN, kt_network_input(b->network));
    kt_network_forward(b->network, &pass);
    kt_random_normal(&place, ROWS * N_IN, ROWS * N_CLASSES, kt_network_d_logits(b->network));
    kt_network_backward(b->network, &pass);
    KT_CHECK_STATUS(KT_OK, network_whole_gradient(b->network, &pass, b->whole));
}

static void clear(bench *b)
{
    kt_gradient_free(&b->tiles);
    kt_memory_free(b->whole);
    kt_memory_free(b->formed);
    kt_network_free(b->network);
}

/* A layer's factors as the rank in this seat has them. */
static kt_factors seen_by(const kt_factors *f, size_t seat, size_t n_seats)
{
    const kt_team team = {.seat = seat, .n_seats = n_seats};
    kt_factors own = *f;
    own.own_rows = kt_dense_own(f->tall, f->dense.kernels != NULL, &team);
    own.own_units = kt_dense_own(f->dense.n_out, f->dense.kernels != NULL, &team);
    return own;
}

static void take_weights(void *context, const kt_factors *f, kt_range rows, kt_range columns, const float *g)
{
    const bench *b = context;
    const size_t n = columns.end - columns.begin;
    for (size_t r = rows.begin; r < rows.end; r++, g += n)
        memcpy(b->formed + f->weight + r * f->wide + columns.begin, g, n * sizeof *g);
}

static void take_biases(void *context, const kt_factors *f, kt_range units, const float *g)
{
    const bench *b = context;
    memcpy(b->formed + f->bias + units.begin, g, (units.end - units.begin) * sizeof *g);
}

static void form(bench *b, const kt_factors *f, bool hands_out)
{
    const kt_shard_node all = {0, SHARDS};
    const kt_gradient_taker taker = {.weights = take_weights,
                                     .biases = take_biases,
                                     .context = b,
                                     .n_vectors = 1,
                                     .vector = {kt_network_parameters(b->network)}};
    if (hands_out)
        kt_gradient_hand_out(&b->tiles, f, &b->rows, all, &taker);
    else
        kt_gradient_form(&b->tiles, f, &b->rows, all, b->formed);
}

static void check(bool hands_out)
{
    for (int thin = 0; thin < 2; thin++) {
        bench b;
        prepare(&b, thin);
        for (size_t n_seats = 1; n_seats <= MOST_SEATS; n_seats++) {
            memset(b.formed, 0xff, b.n_parameters * sizeof *b.formed); /* what nobody writes is a NaN */
            for (size_t i = 0; i < b.n_layers * n_seats; i++) {
                const kt_factors f = seen_by(&b.factors[i / n_seats], i % n_seats, n_seats);
                form(&b, &f, hands_out);
            }
            for (size_t l = 0; l < b.n_layers; l++) {
                const kt_factors *f = &b.factors[l];
                CU_ASSERT(memcmp(b.formed + f->weight, b.whole + f->weight,
                                 (f->bias + f->dense.n_out - f->weight) * sizeof(float)) == 0);
            }
        }
        clear(&b);
    }
}

static void ranks_form_the_whole_gradient(void)
{
    check(false);
}

static void tiles_are_handed_out_once(void)
{
    check(true);
}

const kt_test kt_tests[] = {
    {"the ranks of a team form the whole gradient, each its rows, to the same bits", ranks_form_the_whole_gradient},
    {"the tiles that are handed out are that gradient, too", tiles_are_handed_out_once},
    {NULL, NULL},
};
