/* One shape under measurement: the trainer itself, on data made up in memory. */
#include <stdint.h>
#include <string.h>

#include "base/memory.h"
#include "base/random.h"
#include "base/text.h"
#include "base/timer.h"
#include "kbench.h"

/* ---- the phases of a step: the linker puts these in the place of what the trainer calls (--wrap) ---- */

static double phase_seconds[KT_BENCH_N_TIMES];

void __real_kt_network_forward(kt_network *network, kt_pass *pass);
void __wrap_kt_network_forward(kt_network *network, kt_pass *pass);
void __real_kt_network_backward(kt_network *network, const kt_pass *pass);
void __wrap_kt_network_backward(kt_network *network, const kt_pass *pass);
void __real_kt_exchange_apply(kt_exchange *exchange, int64_t step, double rate, const kt_pass *pass);
void __wrap_kt_exchange_apply(kt_exchange *exchange, int64_t step, double rate, const kt_pass *pass);

void __wrap_kt_network_forward(kt_network *network, kt_pass *pass)
{
    double start = kt_timer_seconds();
    __real_kt_network_forward(network, pass);
    phase_seconds[KT_BENCH_FORWARD] += pass->training ? kt_timer_seconds() - start : 0;
}

void __wrap_kt_network_backward(kt_network *network, const kt_pass *pass)
{
    double start = kt_timer_seconds();
    __real_kt_network_backward(network, pass);
    phase_seconds[KT_BENCH_BACKWARD] += kt_timer_seconds() - start;
}

void __wrap_kt_exchange_apply(kt_exchange *exchange, int64_t step, double rate, const kt_pass *pass)
{
    double start = kt_timer_seconds();
    __real_kt_exchange_apply(exchange, step, rate, pass);
    phase_seconds[KT_BENCH_EXCHANGE] += kt_timer_seconds() - start;
}

/* ---- the data ---- */

/* Like k49: floats that are whole numbers 0..255. */
static kt_status make_features(size_t n, size_t d, double density, float *features)
{
    const float zeros = (float)(1 - density);
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

/* One copy for the ranks of a host, as in training, or one each where that fails. *fills: this rank is to fill it. */
static kt_status allocate_data(kt_comm *comm, kt_data *data, bool *fills)
{
    kt_dataset *set = &data->set;
    const size_t n_values = set->n * set->d, label_bytes = (set->n * sizeof *set->labels / 64 + 1) * 64;
    KT_TRY(kt_split_allocate(&data->split, (size_t[KT_N_PARTS]){set->n, 1, 0}));
    KT_TRY(kt_comm_group_host(comm, &data->host));
    *fills = kt_comm_rank(data->host) == 0;
    if (kt_pool_create(data->host, label_bytes + n_values * sizeof(float), &data->pool) == KT_OK) {
        char *memory = kt_pool_memory(data->pool);
        set->borrowed = true;
        set->labels = (int32_t *)(void *)memory;
        set->features = memory + label_bytes;
        return KT_OK;
    }
    *fills = true;
    set->features = kt_memory_new(n_values, sizeof(float));
    return set->features == NULL ? KT_NO_MEMORY : KT_NEW(set->labels, set->n);
}

/* All samples train. One validates too, since the trainer looks at validation after an epoch: next to nothing, as it
 * must be here. */
static kt_status make_data(kt_comm *comm, const kt_bench_shape *shape, kt_data *data)
{
    const size_t n = kt_bench_shape_samples(shape);
    kt_dataset *set = &data->set;
    bool fills = true;
    *set = (kt_dataset){.n = n,
                        .d = shape->n_in,
                        .type = KT_F32,
                        .n_classes = shape->n_classes,
                        .file_type = KT_F32,
                        .shape = {shape->n_in, 0}};
    KT_TRY(kt_comm_agree(comm, allocate_data(comm, data, &fills)));
    const kt_status status = fills ? make_features(n, shape->n_in, shape->density, set->features) : KT_OK;
    for (size_t i = 0; i < n; i++)
        data->split.index[KT_TRAIN][i] = (uint32_t)i;
    for (size_t i = 0; i < n && fills; i++)
        set->labels[i] = (int32_t)(i % shape->n_classes);
    return kt_comm_agree(comm, status);
}

/* The shape's keys, then the variant's, then the user's. */
static kt_status make_config(const kt_bench_settings *settings, kt_bench_case *c)
{
    const kt_bench_shape *shape = c->shape;
    kt_text_buffer buffer = {0};
    char *text, *overrides[KT_BENCH_OVERRIDES + 4];
    size_t n = 0;
    for (; n < 4 && c->variant->overrides[n] != NULL; n++)
        overrides[n] = c->variant->overrides[n];
    for (size_t i = 0; i < settings->n_overrides; i++)
        overrides[n++] = settings->overrides[i];
    kt_text_append(
        &buffer,
        "[data]\nfeatures = none\nlabels = none\nscale = 255\n[model]\ndropout = %g\n[train]\nearly_stopping = false\n"
        "epochs = 1000000000\n[optimizer]\nname = %s\nlearning_rate = %g\nl2 = %g\n[parallel]\nthreads = %d\n",
        shape->dropout, shape->optimizer, shape->rate, shape->l2, settings->threads);
    KT_TRY(kt_text_take(&buffer, &text));
    const kt_status status = kt_config_parse("kbench", text, strlen(text), n, overrides, &c->config);
    kt_memory_free(text);
    c->config.model.hidden = shape->hidden;
    c->config.train.batch_size = shape->batch_size == 0 ? KT_BATCH_FULL : (int64_t)shape->batch_size;
    return status;
}

/* ---- measuring ---- */

/* n more steps, the way training makes them; *seconds of one. */
static kt_status train_on(kt_bench_case *c, size_t n, double *seconds)
{
    kt_comm *comm = c->group->comm;
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

/* Doubles the number of steps until it can be told how many fit; this warms up as well. Rank 0's clock decides for
 * all. */
static kt_status choose_steps(kt_bench_case *c, double seconds)
{
    double each;
    for (size_t n = 1;; n *= 2) {
        KT_TRY(train_on(c, n, &each));
        kt_comm_broadcast(c->group->comm, 0, &each, sizeof each);
        if (each * (double)n > seconds / 8 && n > 1)
            break;
    }
    c->steps_each = each < seconds ? (size_t)(seconds / each) : 1;
    return KT_OK;
}

static kt_status prepare(const kt_bench_settings *settings, kt_bench_case *c)
{
    KT_TRY(make_config(settings, c));
    for (int t = 0; t < KT_BENCH_N_TIMES; t++)
        KT_TRY(KT_NEW(c->seconds[t], (size_t)settings->repetitions));
    return KT_OK;
}

kt_status kt_bench_case_start(const kt_bench_settings *settings, kt_bench_case *c)
{
    kt_comm *comm = c->group->comm;
    c->log = kt_log_create(false);
    KT_TRY(kt_comm_agree(comm, prepare(settings, c)));
    KT_TRY(make_data(comm, c->shape, &c->data));
    KT_TRY(kt_trainer_create(&c->trainer, comm, &c->config, &c->data, &c->log, NULL));
    kt_trainer_try_arrangements(c->trainer);
    for (double each; !kt_trainer_has_tried(c->trainer);)
        KT_TRY(train_on(c, 8, &each));
    if (kt_trainer_network(c->trainer) != NULL) /* this rank does not sleep */
        c->need = kt_bench_case_need(c);
    return choose_steps(c, settings->seconds);
}

void kt_bench_case_free(kt_bench_case *c)
{
    kt_trainer_free(c->trainer);
    kt_data_free(&c->data);
    for (int t = 0; t < KT_BENCH_N_TIMES; t++)
        kt_memory_free(c->seconds[t]);
    *c = (kt_bench_case){0};
}

kt_status kt_bench_case_repeat(kt_bench_case *c)
{
    const size_t r = c->n_repetitions;
    double rest;
    KT_TRY(train_on(c, c->steps_each, &rest));
    c->seconds[KT_BENCH_STEP][r] = rest;
    for (int t = KT_BENCH_FORWARD; t <= KT_BENCH_EXCHANGE; t++) {
        c->seconds[t][r] = phase_seconds[t] / (double)c->steps_each;
        rest -= c->seconds[t][r];
    }
    c->seconds[KT_BENCH_REST][r] = rest;
    c->n_repetitions++;
    return KT_OK;
}

double kt_bench_case_seconds(const kt_bench_case *c, kt_bench_time time)
{
    return kt_bench_median(c->n_repetitions, c->seconds[time]);
}
