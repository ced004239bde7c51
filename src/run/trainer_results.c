/* The scores of a finished run. */
#include <string.h>

#include "base/file.h"
#include "process/activity.h"
#include "run/trainer_private.h"

static void swap(float *a, float *b, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        float kept = a[i];
        a[i] = b[i];
        b[i] = kept;
    }
}

/* Exchanges the network's weights with the best ones, on all ranks. */
static void swap_best(kt_trainer *t)
{
    if (t->root) {
        const kt_tensors *parameters = kt_network_parameters(t->network), *state = kt_network_state(t->network);
        const kt_model_vectors best = kt_trainer_best(t);
        swap(parameters->vector[0], best.parameters, parameters->room);
        swap(state->vector[0], best.state, state->room);
    }
    kt_replica_spread_network(&t->replica, t->network);
}

/* The part that is wanted in detail comes last, and stays. */
static kt_status score_parts(kt_trainer *t, kt_scores scores[KT_N_PARTS], kt_metrics *detail, kt_part detail_part)
{
    for (int i = 1; i <= KT_N_PARTS; i++) {
        const int p = ((int)detail_part + i) % KT_N_PARTS;
        kt_metrics_clear(detail);
        KT_TRY(kt_trainer_score(t, (kt_part)p, detail));
        scores[p] = kt_metrics_scores(detail);
    }
    return KT_OK;
}

static kt_status score_both(kt_trainer *t, kt_results *r)
{
    const bool last_is_best = r->best_epoch == r->epochs && t->state.progress.step_in_epoch == 0;
    if (r->best_epoch == 0 || last_is_best) { /* one set of weights */
        KT_TRY(score_parts(t, r->last, &r->detail, r->detail_part));
        memcpy(r->best, r->last, sizeof r->best);
        return KT_OK;
    }
    kt_scores *first = r->leaves_best ? r->last : r->best, *second = r->leaves_best ? r->best : r->last;
    if (!r->leaves_best)
        swap_best(t);
    KT_TRY(score_parts(t, first, &r->detail, r->detail_part));
    swap_best(t);
    return score_parts(t, second, &r->detail, r->detail_part);
}

static bool some_sleep(const kt_trainer *t)
{
    return t->tried.times.each[t->tried.times.current].n_ranks < (size_t)kt_comm_size(t->comm);
}

/* To the ranks that slept. */
static kt_status share_results(kt_trainer *t, kt_results *r)
{
    const size_t n_cells = r->detail.n_classes * r->detail.n_classes;
    if (!some_sleep(t))
        return KT_OK;
    kt_comm_broadcast(t->comm, 0, &r->n_parameters, sizeof r->n_parameters);
    kt_comm_broadcast(t->comm, 0, r->best, sizeof r->best);
    kt_comm_broadcast(t->comm, 0, r->last, sizeof r->last);
    kt_comm_broadcast(t->comm, 0, r->detail.confusion, n_cells * sizeof *r->detail.confusion);
    kt_comm_broadcast(t->comm, 0, &r->detail.cross_entropy_sum, sizeof r->detail.cross_entropy_sum);
    return KT_OK;
}

/* Who sleeps waits for as long as it takes. */
static kt_status score(kt_trainer *t, kt_results *r)
{
    const char *before = kt_activity_begin("evaluating");
    const kt_status status = t->works ? score_both(t, r) : KT_OK;
    if (some_sleep(t))
        kt_comm_barrier_asleep(t->comm);
    kt_activity_begin(before);
    return status;
}

kt_status kt_trainer_finish(kt_trainer *t, kt_results *r)
{
    char path[KT_PATH_BYTES];
    const kt_progress *p = &t->state.progress;
    r->best_epoch = t->state.stopping.best_epoch;
    r->leaves_best = kt_config_restores_best(t->config) && r->best_epoch > 0;
    r->detail_part = t->data->split.n[KT_TEST] > 0 ? KT_TEST : KT_VALIDATION;
    r->epochs = p->epoch;
    r->steps = p->step;
    r->seconds = p->seconds;
    r->ranks = p->ranks;
    if (t->root && t->dir != NULL && kt_file_path(path, "%s/attempts.csv", t->dir) == KT_OK)
        r->attempts = kt_attempts_read(path);
    r->arrangements = t->tried.times;
    r->n_parameters = t->n_parameters;
    r->memory_bytes = t->replica.host_bytes;
    KT_TRY(kt_comm_agree(t->comm, kt_metrics_create(&r->detail, t->data->set.n_classes)));
    KT_TRY(kt_comm_agree(t->comm, score(t, r)));
    return share_results(t, r);
}
