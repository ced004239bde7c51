/* What a trainer tells of its work: before it begins, in a step, after an epoch. */
#include "base/file.h"
#include "base/memory.h"
#include "base/timer.h"
#include "edge/linalg.h"
#include "run/trainer_private.h"
#include <math.h>

static void report_model(const kt_trainer *t)
{
    kt_text_buffer hidden = {0};
    kt_options_format(kt_options_find(kt_config_options(), "model", "hidden"), t->config, &hidden);
    kt_log_line(t->log, "model  %zu-%s-%zu, %zu parameters", kt_network_spec_of(t->network)->n_in, hidden.bytes,
                kt_network_spec_of(t->network)->n_classes, kt_network_parameters(t->network)->n_elements);
    kt_memory_free(hidden.bytes);
}

static size_t count_dealt_layers(const kt_trainer *t)
{
    size_t n_layers, n_dealt = 0;
    const kt_dense *dense = kt_network_dense(t->network, &n_layers);
    for (size_t l = 0; l < n_layers; l++)
        n_dealt += !dense[l].whole;
    return n_dealt;
}

/* Ranks that were asked for and bring nothing. */
static void report_idle_ranks(const kt_trainer *t)
{
    const long long n_ranks = kt_comm_size(t->comm), wanted = t->config->arrangement.ranks_per_replica;
    const size_t most = kt_arrangement_seats(&t->spec), n_seats = t->replica.team.n_seats;
    if (wanted > n_ranks)
        kt_log_warning(t->log, "parallel.ranks_per_replica = %lld with %lld rank%s started: teams have at most that",
                       wanted, n_ranks, n_ranks == 1 ? "" : "s");
    if (n_seats > 1 && count_dealt_layers(t) == 0)
        kt_log_line(t->log,
                    "       every layer is so small that each rank computes all of it: %zu of a team's %zu only wait",
                    n_seats - 1, n_seats);
    else if (n_seats > most)
        kt_log_line(t->log, "       the widest layer is dealt to %zu rank%s at most: %zu of a team's %zu only wait",
                    most, most == 1 ? "" : "s", n_seats - most, n_seats);
}

void kt_trainer_report(const kt_trainer *t)
{
    if (!t->root) /* others may sleep, and have no network */
        return;
    report_model(t);
    const kt_replica *r = &t->replica;
    const kt_batch_sizes *sizes = &t->batches.sizes;
    char exchange[128], last[80], text[80];
    const bool own = kt_network_products(t->network) != &kt_products_openblas;
    kt_batches_describe_last(sizes, last, sizeof last);
    kt_log_line(t->log, "work   batch of %zu%s, products by %s%s", sizes->each, last,
                own ? "own kernels, " : "OpenBLAS, ",
                own ? kt_simd_rows[kt_network_simd(t->network)].name : kt_linalg_core());
    const kt_arrangement_times *times = &t->tried.times;
    if (kt_comm_size(t->comm) == 1) {
        report_idle_ranks(t);
        return;
    }
    kt_arrangement_describe(&times->each[times->current], text, sizeof text);
    const size_t n_asleep = (size_t)kt_comm_size(t->comm) - times->each[times->current].n_ranks;
    kt_log_line(t->log, "       %s%s%s", text, n_asleep > 0 ? ", the others sleep" : "",
                times->n > 1 ? "; other arrangements will be tried" : "");
    report_idle_ranks(t);
    if (r->n_replicas == 1)
        return;
    kt_exchange_plan_describe(&t->plan, exchange, sizeof exchange);
    kt_log_line(t->log, "       %zu copies of the weights, %zu rank%s each at most, on %zu host%s; exchange: %s",
                r->n_replicas, r->team.n_seats, r->team.n_seats == 1 ? "" : "s", r->n_hosts, r->n_hosts == 1 ? "" : "s",
                exchange);
    if (t->plan.link.bytes_per_second > 0)
        kt_log_line(t->log, "       link measured: %.1f us, %.2f GB/s", 1e6 * t->plan.link.latency_seconds,
                    1e-9 * t->plan.link.bytes_per_second);
}

static double samples_per_second(const kt_trainer *t)
{
    return (double)t->epoch_samples / (kt_timer_seconds() - t->epoch_seconds + 1e-9);
}

void kt_trainer_show_progress(kt_trainer *t)
{
    const kt_progress *p = &t->state.progress;
    kt_attempts_tell(t->attempts, p->step);
    kt_snapshots_tell(t->saving.snapshots, p->step);
    const bool draws = t->log->terminal && kt_timer_seconds() - t->bar_seconds >= 0.1, is_due = kt_log_is_due(t->log);
    if (!draws && !is_due)
        return;
    const double speed = samples_per_second(t);
    const double left = (double)(t->config->train.epochs - p->epoch) * (double)t->batches.n - (double)p->sums.samples;
    const kt_history *h = &t->history;
    const kt_epoch_progress progress = {
        .epoch = p->epoch + 1,
        .epochs = t->config->train.epochs,
        .step = (size_t)p->step_in_epoch,
        .steps = t->batches.sizes.steps,
        .samples_per_second = speed,
        .seconds_left = left / speed,
        .train_loss = p->sums.cross_entropy / (double)p->sums.samples,
        .validation_loss = h->n > 0 ? h->records[h->n - 1].validation_cross_entropy : NAN,
    };
    if (is_due)
        kt_report_heartbeat(t->log, &progress);
    if (draws)
        kt_report_bar(t->log, &progress);
    if (draws)
        t->bar_seconds = kt_timer_seconds();
}

kt_status kt_trainer_record_epoch(kt_trainer *t, const kt_scores *validation, double rate)
{
    const kt_progress *p = &t->state.progress;
    if (!t->root)
        return KT_OK;
    double n = (double)p->sums.samples;
    double penalty =
        kt_optimizer_penalty(&t->config->optimizer, kt_network_parameters(t->network), t->batches.sizes.each);
    kt_epoch_record record = {
        .epoch = (double)p->epoch,
        .step = (double)p->step,
        .learning_rate = rate,
        .train_loss = p->sums.loss / n + penalty,
        .train_cross_entropy = p->sums.cross_entropy / n,
        .train_accuracy = (double)p->sums.correct / n,
        .validation_cross_entropy = validation->cross_entropy,
        .validation_accuracy = validation->accuracy,
        .seconds = kt_trainer_seconds(t),
    };
    KT_TRY(kt_history_append(&t->history, &record));
    if (kt_report_shows_epoch(p->epoch) || kt_log_is_due(t->log) || kt_trainer_stop_reason(t) != KT_STOP_NOT)
        kt_report_epoch(t->log, t->config, &record, &t->state.stopping, samples_per_second(t));
    char path[KT_PATH_BYTES];
    if (t->dir == NULL)
        return KT_OK;
    KT_TRY(kt_file_path(path, "%s/history.csv", t->dir));
    return kt_report_append_history(path, &record);
}

kt_status kt_trainer_start_files(kt_trainer *t)
{
    char path[KT_PATH_BYTES];
    if (!t->root || t->dir == NULL)
        return KT_OK;
    KT_TRY(kt_file_path(path, "%s/history.csv", t->dir));
    KT_TRY(kt_report_write_history(path, &t->history));
    KT_TRY(kt_file_path(path, "%s/steps.csv", t->dir));
    if (t->config->run.log_steps > 0)
        KT_TRY(kt_report_start_steps(path, t->state.progress.step));
    if (kt_trainer_stop_reason(t) != KT_STOP_NOT)
        return KT_OK; /* it was finished before: no attempt */
    KT_TRY(kt_file_path(path, "%s/attempts.csv", t->dir));
    const kt_attempt attempt = {t->state.progress.step, kt_comm_size(t->comm), kt_comm_host(t->comm),
                                kt_snapshots_told(t->saving.snapshots)};
    return kt_attempts_open(path, &attempt, &t->attempts);
}

kt_status kt_trainer_log_step(const kt_trainer *t, double loss)
{
    char path[KT_PATH_BYTES];
    if (!t->root || t->dir == NULL)
        return KT_OK;
    KT_TRY(kt_file_path(path, "%s/steps.csv", t->dir));
    return kt_report_append_step(path, t->state.progress.step, loss);
}
