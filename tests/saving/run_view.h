/* The state of a run of a small network, for tests of what is made of one. */
#ifndef KTRAIN_TEST_RUN_VIEW_H
#define KTRAIN_TEST_RUN_VIEW_H

#include <string.h>

#include "base/memory.h"
#include "saving/checkpoint.h"
#include "test.h"

enum { N_SAMPLES = 10, N_FEATURES = 4, N_CLASSES = 3 };

typedef struct fixture {
    kt_config config;
    kt_data data;
    kt_network *network;
    kt_provenance provenance;
    kt_run_state state;
    kt_history history;
    kt_run_view view;  /* of all this */
    size_t n, n_state; /* floats of a vector of parameters, and of the state */
} fixture;

/* A small network with batch norm, every vector filled with numbers of its own. */
static inline void set_up(fixture *f)
{
    static const char text[] =
        "[data]\nfeatures = x\nlabels = y\nscale = 3\n[model]\nhidden = [5]\nbatch_norm = true\n";
    memset(f, 0, sizeof *f);
    KT_CHECK_STATUS(KT_OK, kt_config_parse("x.ini", text, strlen(text), 0, NULL, &f->config));
    f->data.set = (kt_dataset){
        .n = N_SAMPLES, .d = N_FEATURES, .type = KT_F32, .n_classes = N_CLASSES, .file_type = KT_F64, .shape = {2, 2}};
    f->data.set.class_names = kt_memory_new(N_CLASSES, sizeof(char *));
    for (size_t c = 0; c < N_CLASSES; c++)
        f->data.set.class_names[c] = kt_memory_string(c == 1 ? "\xe3\x81\x82" : "name");
    f->data.fingerprint = 0xfedcba9876543210u;
    f->data.statistics = (kt_dataset_statistics){-1, 2, 0.5, 0.25, 0.75};
    KT_CHECK_STATUS(KT_OK, kt_split_allocate(&f->data.split, (size_t[]){7, 2, 1}));
    for (size_t i = 0; i < 7; i++)
        f->data.split.index[KT_TRAIN][i] = (uint32_t)(9 - i);
    kt_network_spec spec = kt_config_network(&f->config, N_FEATURES, N_CLASSES);
    spec.n_slots = 0; /* the view has memory of its own for them */
    spec.max_rows = 4;
    KT_CHECK_STATUS(KT_OK, kt_network_create(&f->network, &spec));
    f->n = kt_network_parameters(f->network)->room;
    f->n_state = kt_network_state(f->network)->room;
    kt_run_view *s = &f->view;
    f->provenance = (kt_provenance){
        .version = "1.2.3, commit 0123456789ab", .command = "ktrain x.ini", .hosts = "2 ranks on a, 1 on b"};
    *s = (kt_run_view){.config = &f->config,
                       .data = &f->data,
                       .provenance = &f->provenance,
                       .network = f->network,
                       .n_slots = 2,
                       .slot_names = {"m", "v"},
                       .state = &f->state,
                       .history = &f->history};
    s->now = (kt_model_vectors){kt_network_parameters(f->network)->vector[0], kt_network_state(f->network)->vector[0]};
    s->best.parameters = kt_memory_new(f->n, sizeof(float));
    s->best.state = kt_memory_new(f->n_state, sizeof(float));
    s->slots[0] = kt_memory_new(f->n, sizeof(float));
    s->slots[1] = kt_memory_new(f->n, sizeof(float));
}

/* Element e of a file's tensor becomes first + e / 128. */
static inline void fill_tensors(const kt_tensors *all, float *vector, float first)
{
    for (const kt_tensor *t = all->tensor; t < all->tensor + all->n; t++) {
        float *values = kt_memory_new(t->n, sizeof(float));
        for (size_t e = 0; e < t->n; e++)
            values[e] = first + (float)e / 128;
        kt_tensor_from_file(t, values, vector + t->offset);
        kt_memory_free(values);
        first += 8;
    }
}

static inline void fill(fixture *f)
{
    const kt_tensors *parameters = kt_network_parameters(f->network), *state = kt_network_state(f->network);
    float *const vectors[] = {parameters->vector[0], f->view.best.parameters, f->view.slots[0], f->view.slots[1]};
    for (size_t v = 0; v < 4; v++)
        fill_tensors(parameters, vectors[v], 100 * (float)v);
    fill_tensors(state, state->vector[0], 1000);
    fill_tensors(state, f->view.best.state, 2000);
    f->state.progress =
        (kt_progress){.epoch = 3, .step = 25, .step_in_epoch = 4, .sums = {1.5, 1.25, 17, 28}, .seconds = 12.5};
    f->state.stopping = (kt_early_stopping_state){.best_loss = 0.1, .best_epoch = 2, .n_bad = 1};
    f->state.schedule = (kt_schedule_state){.best = 0.1, .reductions = 2, .n_bad = 1, .n_seen = 3};
    for (int e = 1; e <= 3; e++)
        kt_history_append(&f->history, &(kt_epoch_record){.epoch = e, .validation_cross_entropy = 1.0 / e});
}

static inline void tear_down(fixture *f)
{
    kt_network_free(f->network);
    kt_split_free(&f->data.split);
    kt_dataset_free(&f->data.set);
    kt_history_free(&f->history);
    kt_memory_free(f->view.best.parameters);
    kt_memory_free(f->view.best.state);
    kt_memory_free(f->view.slots[0]);
    kt_memory_free(f->view.slots[1]);
}

#endif
