/* Batch normalization (layer.h): statistics, one row, and rows on several ranks, emulated by threads. Its gradients:
 * test_layer.c. */
#include <pthread.h>

#include "layer_bench.h"

const char *const kt_test_suite = "batch_norm";

static void one_row(void)
{
    bench b;
    prepare(&b, &kt_layer_batch_norm, true);
    b.pass.rows = b.pass.rows_global = 1;
    const float before = b.variance[0];
    KT_CHECK_STATUS(KT_OK, forward(&b));
    KT_CHECK_STATUS(KT_OK, backward(&b));
    for (size_t j = 0; j < N_OUT; j++) {
        CU_ASSERT(b.y[j] == b.bias[j]); /* xhat is 0 */
        CU_ASSERT(b.dx[j] == 0 && isfinite(b.d_weight[j]) && b.d_bias[j] == b.r[j]);
        CU_ASSERT(isfinite(b.mean[j]) && isfinite(b.variance[j]));
    }
    CU_ASSERT(b.variance[0] == 0.75f * before);
}

static void running_statistics(void)
{
    bench b, start;
    prepare(&b, &kt_layer_batch_norm, true);
    start = b;
    for (size_t i = 0; i < N_X; i++)
        b.x[i] += 4096; /* a mean far from 0 must not eat the variance's digits */
    KT_CHECK_STATUS(KT_OK, forward(&b));
    for (size_t j = 0; j < N_OUT; j++) {
        double mean = 0, squares = 0;
        for (size_t r = 0; r < ROWS; r++)
            mean += (double)b.x[r * N_IN + j] / ROWS;
        for (size_t r = 0; r < ROWS; r++)
            squares += pow((double)b.x[r * N_IN + j] - mean, 2);
        CU_ASSERT(is_near((double)b.mean[j], 0.75 * (double)start.mean[j] + 0.25 * mean, 1e-7));
        CU_ASSERT(is_near((double)b.variance[j], 0.75 * (double)start.variance[j] + 0.25 * squares / (ROWS - 1), 1e-6));
    }
    start = b;
    b.pass.training = false;
    KT_CHECK_STATUS(KT_OK, forward(&b));
    CU_ASSERT(memcmp(b.mean, start.mean, sizeof b.mean) == 0 &&
              memcmp(b.variance, start.variance, sizeof b.variance) == 0);
    for (size_t i = 0; i < N_Y; i++) {
        const size_t j = i % N_OUT;
        const double xhat = ((double)b.x[i] - (double)b.mean[j]) / sqrt((double)b.variance[j] + 1e-3);
        CU_ASSERT(is_near((double)b.y[i], xhat * (double)b.weight[j] + (double)b.bias[j], 1e-5));
    }
}

/* ---- several ranks: threads that add through shared memory ---- */

enum { MOST_RANKS = 4 };

typedef struct team {
    pthread_barrier_t barrier;
    size_t n_ranks, n_calls;
    double values[MOST_RANKS][2 * N_OUT];
    bench rank[MOST_RANKS];
} team;

typedef struct member {
    team *team;
    size_t rank, begin, end;
} member;

static kt_status sum_of_team(void *context, double *values, size_t n)
{
    const member *me = context;
    team *t = me->team;
    memcpy(t->values[me->rank], values, n * sizeof *values);
    if (pthread_barrier_wait(&t->barrier) == PTHREAD_BARRIER_SERIAL_THREAD)
        t->n_calls++;
    for (size_t i = 0; i < n; i++) {
        values[i] = 0;
        for (size_t r = 0; r < t->n_ranks; r++)
            values[i] += t->values[r][i];
    }
    pthread_barrier_wait(&t->barrier);
    return KT_OK;
}

static void *run_member(void *context)
{
    member *me = context;
    bench *b = &me->team->rank[me->rank], all;
    prepare(b, &kt_layer_batch_norm, true);
    all = *b;
    memcpy(b->x, all.x + me->begin * N_IN, (me->end - me->begin) * N_IN * sizeof *b->x);
    memcpy(b->r, all.r + me->begin * N_OUT, (me->end - me->begin) * N_OUT * sizeof *b->r);
    b->pass.rows = me->end - me->begin;
    b->pass.sum = sum_of_team;
    b->pass.sum_context = me;
    return forward(b) == KT_OK && backward(b) == KT_OK ? NULL : me;
}

/* Ranks own rows cut[r] to cut[r + 1]. Compares with one rank that has all. */
static void check_ranks(size_t n_ranks, const size_t *cut)
{
    static team t;
    static bench alone;
    pthread_t threads[MOST_RANKS];
    member members[MOST_RANKS];
    float d_weight[N_OUT] = {0}, d_bias[N_OUT] = {0};
    prepare(&alone, &kt_layer_batch_norm, true);
    KT_CHECK_STATUS(KT_OK, forward(&alone));
    KT_CHECK_STATUS(KT_OK, backward(&alone));
    memset(&t, 0, sizeof t);
    t.n_ranks = n_ranks;
    pthread_barrier_init(&t.barrier, NULL, (unsigned)n_ranks);
    for (size_t r = 0; r < n_ranks; r++) {
        members[r] = (member){&t, r, cut[r], cut[r + 1]};
        CU_ASSERT_FATAL(pthread_create(&threads[r], NULL, run_member, &members[r]) == 0);
    }
    for (size_t r = 0; r < n_ranks; r++) {
        void *failed;
        pthread_join(threads[r], &failed);
        CU_ASSERT(failed == NULL);
    }
    pthread_barrier_destroy(&t.barrier);
    CU_ASSERT(t.n_calls == 3); /* sums, squares, backward */
    for (size_t r = 0; r < n_ranks; r++) {
        const bench *b = &t.rank[r];
        for (size_t i = 0; i < (cut[r + 1] - cut[r]) * N_OUT; i++) {
            CU_ASSERT(is_near((double)b->y[i], (double)alone.y[cut[r] * N_OUT + i], 1e-6));
            CU_ASSERT(is_near((double)b->dx[i], (double)alone.dx[cut[r] * N_OUT + i], 1e-6));
        }
        for (size_t j = 0; j < N_OUT; j++) {
            d_weight[j] += b->d_weight[j];
            d_bias[j] += b->d_bias[j];
            CU_ASSERT(is_near((double)b->mean[j], (double)alone.mean[j], 1e-7) &&
                      is_near((double)b->variance[j], (double)alone.variance[j], 1e-7));
        }
    }
    for (size_t j = 0; j < N_OUT; j++)
        CU_ASSERT(is_near((double)d_weight[j], (double)alone.d_weight[j], 1e-6) &&
                  is_near((double)d_bias[j], (double)alone.d_bias[j], 1e-6));
}

static void ranks(void)
{
    check_ranks(1, (const size_t[]){0, 7});
    check_ranks(2, (const size_t[]){0, 3, 7});
    check_ranks(3, (const size_t[]){0, 5, 5, 7}); /* a rank without rows */
    check_ranks(4, (const size_t[]){0, 0, 6, 7, 7});
}

static kt_status failing_sum(void *context, double *values, size_t n)
{
    (void)context, (void)values, (void)n;
    return kt_fail(KT_IO, "the network is down");
}

static void failing_hook(void)
{
    bench b;
    prepare(&b, &kt_layer_batch_norm, true);
    KT_CHECK_STATUS(KT_OK, forward(&b));
    b.pass.sum = failing_sum;
    KT_CHECK_STATUS(KT_IO, forward(&b));
    KT_CHECK_STATUS(KT_IO, backward(&b));
    b.pass.training = false; /* evaluation asks nobody */
    KT_CHECK_STATUS(KT_OK, forward(&b));
}

const kt_test kt_tests[] = {
    {"a single row is finite", one_row},
    {"the running statistics are PyTorch's, and used at evaluation", running_statistics},
    {"nothing depends on how rows lie on ranks, even on none", ranks},
    {"a sum that fails is passed on", failing_hook},
    {NULL, NULL},
};
