/* One shape under measurement: the trainer itself, on data made up in memory. */
#include <stdint.h>
#include <string.h>

#include "kbench.h"
#include "ktrain/memory.h"
#include "ktrain/random.h"
#include "ktrain/text.h"
#include "ktrain/timer.h"

enum { N_SAMPLES = 3500 }; /* the training part of k49; more when the batch is larger */

/* ---- the phases of a step: the linker puts these in the place of what the trainer calls (--wrap) ---- */

static double phase_seconds[KT_BENCH_N_TIMES];

kt_status __real_kt_network_forward(kt_network *network, const kt_pass *pass, const float *x, const float **logits);
kt_status __wrap_kt_network_forward(kt_network *network, const kt_pass *pass, const float *x, const float **logits);
kt_status __real_kt_network_backward(kt_network *network, const kt_pass *pass, const float *d_logits);
kt_status __wrap_kt_network_backward(kt_network *network, const kt_pass *pass, const float *d_logits);
void __real_kt_exchange_apply(kt_exchange *exchange, int64_t step, double rate, size_t M);
void __wrap_kt_exchange_apply(kt_exchange *exchange, int64_t step, double rate, size_t M);

kt_status __wrap_kt_network_forward(kt_network *network, const kt_pass *pass, const float *x, const float **logits)
{
    double start = kt_timer_seconds();
    kt_status status = __real_kt_network_forward(network, pass, x, logits);
    phase_seconds[KT_BENCH_FORWARD] += pass->training ? kt_timer_seconds() - start : 0;
    return status;
}

kt_status __wrap_kt_network_backward(kt_network *network, const kt_pass *pass, const float *d_logits)
{
    double start = kt_timer_seconds();
    kt_status status = __real_kt_network_backward(network, pass, d_logits);
    phase_seconds[KT_BENCH_BACKWARD] += kt_timer_seconds() - start;
    return status;
}

void __wrap_kt_exchange_apply(kt_exchange *exchange, int64_t step, double rate, size_t M)
{
    double start = kt_timer_seconds();
    __real_kt_exchange_apply(exchange, step, rate, M);
    phase_seconds[KT_BENCH_EXCHANGE] += kt_timer_seconds() - start;
}

/* ---- the data ---- */

/* Like k49: floats that are whole numbers 0..255, 69 % of them 0. */
static kt_status make_features(size_t n, size_t d, float *features)
{
    const float zeros = 0.69f;
    float *draw;
    KT_TRY(KT_NEW(draw, d));
    for (size_t i = 0; i < n; i++) {
        const kt_random_place place = {.purpose = KT_RANDOM_INIT, .sample = (uint32_t)i};
        kt_random_uniform(&place, 0, d, draw);
        for (size_t j = 0; j < d; j++)
            features[i * d + j] = draw[j] < zeros ? 0 : (float)(1 + (int)((draw[j] - zeros) / (1 - zeros) * 255));
    }
    kt_memory_free(draw);
    return KT_OK;
}

/* All samples train. One validates too, since the trainer looks at validation after an epoch: next to nothing, as it
 * must be here. */
static kt_status make_data(const kt_bench_shape *shape, kt_data *data)
{
    const size_t n = shape->batch_size > N_SAMPLES ? shape->batch_size : N_SAMPLES;
    kt_dataset *set = &data->set;
    float *features = kt_memory_new(n, shape->n_in * sizeof *features);
    *set = (kt_dataset){.n = n,
                        .d = shape->n_in,
                        .type = KT_F32,
                        .features = features,
                        .n_classes = shape->n_classes,
                        .file_type = KT_F32,
                        .shape = {shape->n_in, 0}};
    if (features == NULL)
        return KT_NO_MEMORY;
    KT_TRY(KT_NEW(set->labels, n));
    KT_TRY(kt_split_allocate(&data->split, (size_t[KT_N_PARTS]){n, 1, 0}));
    KT_TRY(make_features(n, shape->n_in, features));
    for (size_t i = 0; i < n; i++) {
        data->split.index[KT_TRAIN][i] = (uint32_t)i;
        set->labels[i] = (int32_t)(i % shape->n_classes);
    }
    return KT_OK;
}

static kt_status make_config(const kt_bench_shape *shape, size_t n_overrides, char *const *overrides, int threads,
                             kt_config *config)
{
    kt_text_buffer buffer = {0};
    char *text;
    kt_text_append(
        &buffer,
        "[data]\nfeatures = none\nlabels = none\nscale = 255\n[model]\ndropout = %g\n[train]\nearly_stopping = false\n"
        "epochs = 1000000000\n[optimizer]\nname = %s\nlearning_rate = %g\nl2 = %g\n[parallel]\nthreads = %d\n",
        shape->dropout, shape->optimizer, shape->rate, shape->l2, threads);
    KT_TRY(kt_text_take(&buffer, &text));
    kt_status status = kt_config_parse("kbench", text, strlen(text), n_overrides, overrides, config);
    kt_memory_free(text);
    config->model.hidden = shape->hidden;
    config->train.batch_size = shape->batch_size == 0 ? KT_BATCH_FULL : (int64_t)shape->batch_size;
    return status;
}

/* ---- measuring ---- */

/* n more steps, the way training makes them; *seconds of one. */
static kt_status train_on(kt_comm *comm, kt_bench_case *c, size_t n, double *seconds)
{
    kt_stop_reason reason;
    c->config.train.max_steps = kt_trainer_progress(c->trainer)->step + (int64_t)n;
    memset(phase_seconds, 0, sizeof phase_seconds);
    kt_comm_barrier(comm);
    double start = kt_timer_seconds();
    KT_TRY(kt_trainer_run(c->trainer, &reason));
    kt_comm_barrier(comm);
    *seconds = (kt_timer_seconds() - start) / (double)n;
    return KT_OK;
}

/* Doubles the number of steps until it can be told how many fit; this warms up as well. Rank 0's clock decides for all.
 * */
static kt_status choose_steps(kt_comm *comm, kt_bench_case *c, double seconds)
{
    double each;
    for (size_t n = 1;; n *= 2) {
        KT_TRY(train_on(comm, c, n, &each));
        kt_comm_broadcast(comm, 0, &each, sizeof each);
        if (each * (double)n > seconds / 8 && n > 1)
            break;
    }
    c->steps_each = each < seconds ? (size_t)(seconds / each) : 1;
    return KT_OK;
}

static kt_status prepare(const kt_bench_shape *shape, size_t n_overrides, char *const *overrides, int threads,
                         size_t repetitions, kt_bench_case *c)
{
    KT_TRY(make_config(shape, n_overrides, overrides, threads, &c->config));
    for (int t = 0; t < KT_BENCH_N_TIMES; t++)
        KT_TRY(KT_NEW(c->seconds[t], repetitions));
    return make_data(shape, &c->data);
}

kt_status kt_bench_case_start(kt_comm *comm, const kt_bench_shape *shape, size_t n_overrides, char *const *overrides,
                              int threads, size_t repetitions, double seconds, kt_bench_case *c)
{
    *c = (kt_bench_case){.shape = *shape, .log = kt_log_create(false)};
    kt_status status = kt_comm_agree(comm, prepare(shape, n_overrides, overrides, threads, repetitions, c));
    if (status == KT_OK)
        status = kt_trainer_create(&c->trainer, comm, &c->config, &c->data, &c->log, NULL);
    if (status == KT_OK)
        status = choose_steps(comm, c, seconds);
    if (status != KT_OK)
        kt_bench_case_free(c);
    return status;
}

void kt_bench_case_free(kt_bench_case *c)
{
    kt_trainer_free(c->trainer);
    kt_data_free(&c->data);
    for (int t = 0; t < KT_BENCH_N_TIMES; t++)
        kt_memory_free(c->seconds[t]);
    *c = (kt_bench_case){0};
}

kt_status kt_bench_case_repeat(kt_comm *comm, kt_bench_case *c)
{
    const size_t r = c->n_repetitions;
    double rest;
    KT_TRY(train_on(comm, c, c->steps_each, &rest));
    c->seconds[KT_BENCH_STEP][r] = rest;
    for (int t = KT_BENCH_FORWARD; t <= KT_BENCH_EXCHANGE; t++) {
        c->seconds[t][r] = phase_seconds[t] / (double)c->steps_each;
        rest -= c->seconds[t][r];
    }
    c->seconds[KT_BENCH_REST][r] = rest;
    c->n_repetitions++;
    return KT_OK;
}
